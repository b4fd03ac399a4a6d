//! The one authority over task state: one idempotent `reconcile`, run after every commit, poll, restart and instant.
//! Its polls (backlog, open requests, lost claims) and its closings run as attached tasks. What may start is
//! `domain::board`'s answer; who may start is `budget_pacer`'s.

mod backlog_poll;
mod claims;
mod closings;
mod reviews;

use std::sync::Arc;
use std::time::Duration;

use glitchlab_backlog::Revision;
use glitchlab_domain::bead::BeadId;
use glitchlab_domain::board::Board;
use glitchlab_domain::reason::{Reason, Wait};
use glitchlab_domain::rows::ClaimRow;
use glitchlab_runtime::{Actor, Context, Failure, Grace, MessageKind, TaskSlot};
use glitchlab_store::Committed;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::AbortHandle;

use crate::budget_pacer::{Candidate, PacerMsg};
use crate::engine::{BoardView, Engine};
use crate::slots::Ending;

/// How often claims are compared with what the slots really run, beside every restart.
const INSPECTION: Duration = Duration::from_secs(30);

/// What the scheduler understands. None of it carries data: each only says "look again".
#[derive(Debug)]
pub enum SchedulerMsg {
    /// Something was committed, a slot is free, an instant has come.
    Look,
    /// It is time to read the backlog and the open requests.
    Poll,
    /// A part of the tree was restarted: compare claims and slots.
    Inspect,
}

impl MessageKind for SchedulerMsg {
    fn kind(&self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Poll => "poll",
            Self::Inspect => "inspect",
        }
    }
}

/// The actor.
pub struct Scheduler;

/// The attached tasks of the scheduler.
#[derive(Clone)]
pub struct SchedulerTasks {
    /// Reads the backlog.
    pub backlog: TaskSlot<Option<backlog_poll::Reading>>,
    /// Asks the forge about open requests.
    pub reviews: TaskSlot<()>,
    /// Closes parents and epics.
    pub closings: TaskSlot<()>,
    /// Finds claims that nobody works on.
    pub claims: TaskSlot<Vec<ClaimRow>>,
}

impl SchedulerTasks {
    /// Makes the slots; each wakes the scheduler when its task has ended.
    #[must_use]
    pub fn new(engine: &Engine) -> Self {
        fn slot<T: Send + 'static>(engine: &Engine, name: &'static str) -> TaskSlot<T> {
            let look = engine.handles.look.clone();
            TaskSlot::new(name, Grace::default(), move || look.fire())
        }
        Self {
            backlog: slot(engine, "backlog poll"),
            reviews: slot(engine, "request poll"),
            closings: slot(engine, "closings"),
            claims: slot(engine, "claim inspection"),
        }
    }
}

/// What an incarnation is given.
pub struct SchedulerArguments {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Its attached tasks.
    pub tasks: SchedulerTasks,
}

/// What an incarnation remembers; all of it can be had again from the store and the backlog.
pub struct SchedulerState {
    engine: Arc<Engine>,
    tasks: SchedulerTasks,
    board: Board,
    commits: UnboundedReceiver<Arc<Committed>>,
    /// What the backlog was when it was last read.
    revision: Option<Revision>,
    /// The beads of the last complete reading.
    known: std::collections::BTreeSet<BeadId>,
    faults: Vec<String>,
    read_ms: Option<i64>,
    /// Claims that want a slot before anything new does.
    lost: Vec<ClaimRow>,
    has_inspected: bool,
    alarm: Option<AbortHandle>,
}

impl Actor for Scheduler {
    type Msg = SchedulerMsg;
    type Arguments = SchedulerArguments;
    type State = SchedulerState;

    async fn start(
        &self,
        context: &Context<SchedulerMsg>,
        arguments: SchedulerArguments,
    ) -> Result<SchedulerState, Failure> {
        let SchedulerArguments { engine, tasks } = arguments;
        // Followed before the query: what commits in between is taken twice rather than not at all.
        let commits = engine.feed.follow(engine.handles.look.clone());
        let mut board = Board::new(engine.settings.filter.clone(), engine.now_ms());
        for task in engine.reader.tasks(&engine.repo_id).await? {
            board.take_task(task);
        }
        context.send_self(SchedulerMsg::Poll)?;
        context.send_self(SchedulerMsg::Inspect)?;
        Ok(SchedulerState {
            engine,
            tasks,
            board,
            commits,
            revision: None,
            known: std::collections::BTreeSet::new(),
            faults: Vec::new(),
            read_ms: None,
            lost: Vec::new(),
            has_inspected: false,
            alarm: None,
        })
    }

    async fn handle(
        &self,
        context: &Context<SchedulerMsg>,
        msg: SchedulerMsg,
        state: &mut SchedulerState,
    ) -> Result<(), Failure> {
        match msg {
            SchedulerMsg::Look => {}
            SchedulerMsg::Poll => state.poll(context)?,
            SchedulerMsg::Inspect => state.inspect(context)?,
        }
        state.reconcile(context)?;
        context.gauges().progress();
        Ok(())
    }
}

impl SchedulerState {
    /// Looks at everything that may have changed and sees to what follows; doing it twice changes nothing.
    fn reconcile(&mut self, context: &Context<SchedulerMsg>) -> Result<(), Failure> {
        self.engine.handles.look.taken();
        self.take_readings()?;
        self.take_commits();
        self.board.tick(self.engine.now_ms());
        self.withdraw();
        self.close()?;
        self.offer();
        self.publish();
        self.set_alarm(context);
        Ok(())
    }

    fn poll(&mut self, context: &Context<SchedulerMsg>) -> Result<(), Failure> {
        context.send_after(self.engine.settings.poll_interval, SchedulerMsg::Poll);
        if self.tasks.backlog.running().is_none() {
            self.take_readings()?;
            self.tasks.backlog.spawn(backlog_poll::reading(&self.engine, self.revision.clone()))?;
        }
        if self.tasks.reviews.running().is_none() {
            self.tasks.reviews.take_exit().map_or(Ok(()), |exit| exit.into_result().map(|_| ()))?;
            self.tasks.reviews.spawn(reviews::poll(&self.engine))?;
        }
        Ok(())
    }

    fn inspect(&mut self, context: &Context<SchedulerMsg>) -> Result<(), Failure> {
        context.send_after(INSPECTION, SchedulerMsg::Inspect);
        if self.tasks.claims.running().is_none() {
            self.take_lost_claims()?;
            self.tasks.claims.spawn(claims::inspection(&self.engine))?;
        }
        Ok(())
    }

    fn take_readings(&mut self) -> Result<(), Failure> {
        self.take_lost_claims()?;
        let Some(exit) = self.tasks.backlog.take_exit() else { return Ok(()) };
        if let Some(reading) = exit.into_result()? {
            self.take_reading(reading);
        }
        Ok(())
    }

    fn take_lost_claims(&mut self) -> Result<(), Failure> {
        if let Some(exit) = self.tasks.claims.take_exit() {
            self.lost = exit.into_result()?;
            self.has_inspected = true;
        }
        Ok(())
    }

    fn take_reading(&mut self, reading: backlog_poll::Reading) {
        for bead in &reading.beads {
            self.board.take_bead(bead);
        }
        if reading.is_complete {
            let now: std::collections::BTreeSet<BeadId> =
                reading.beads.into_iter().map(|bead| bead.id).collect();
            for gone in self.known.difference(&now) {
                self.board.drop_bead(gone);
            }
            self.known = now;
        }
        self.revision = reading.revision.or(self.revision.take());
        self.faults = reading.faults;
        self.read_ms = Some(self.engine.now_ms());
    }

    fn take_commits(&mut self) {
        while let Ok(committed) = self.commits.try_recv() {
            for task in committed.tasks.iter().filter(|task| task.repo_id == self.engine.repo_id) {
                self.board.take_task(task.clone());
            }
        }
    }

    /// Ends attempts whose issue was closed, reassigned or relabelled elsewhere.
    fn withdraw(&self) {
        for slot in self.engine.slots.iter() {
            let Some(given) = slot.assignment().filter(|given| given.ending.is_none()) else { continue };
            if let Some(why) = self.board.withdrawn(&given.claimed.task.key) {
                slot.end(Ending::Withdrawn(why));
            }
        }
    }

    fn close(&mut self) -> Result<(), Failure> {
        if self.tasks.closings.running().is_some() {
            return Ok(());
        }
        self.tasks.closings.take_exit().map_or(Ok(()), |exit| exit.into_result().map(|_| ()))?;
        let due = self.board.closable(self.engine.settings.close_epics);
        let due: Vec<_> =
            due.into_iter().filter_map(|(key, why)| Some((self.board.task(&key)?.clone(), why))).collect();
        if !due.is_empty() && !self.engine.gate.is_draining() {
            self.tasks.closings.spawn(closings::closing(&self.engine, due))?;
        }
        Ok(())
    }

    /// Offers as many candidates as there are free slots: lost claims first, then the queue in order.
    fn offer(&mut self) {
        let free = self.engine.slots.free();
        let unslotted = |claim: &ClaimRow| self.engine.slots.find(&claim.attempt_id).is_none();
        self.lost.retain(unslotted);
        if free == 0 || !self.has_inspected {
            return;
        }
        let resumes = self.lost.iter().cloned().map(Candidate::Resume);
        let room = self.has_request_room();
        let starts = self
            .board
            .startable()
            .filter(|_| room)
            .map(|task| Candidate::Start { key: task.key.clone(), bead_id: task.bead_id.clone() });
        let candidates: Vec<_> = resumes.chain(starts).take(free).collect();
        if !candidates.is_empty() {
            // A pacer that is restarting asks for an offer when it starts.
            let _ = self.engine.handles.pacer.send(PacerMsg::Offer(candidates));
        }
    }

    fn has_request_room(&self) -> bool {
        let limit = u64::from(self.engine.settings.max_open);
        limit == 0 || self.board.in_review() < limit
    }

    fn publish(&self) {
        let mut queue = self.board.queue();
        queue.read_ms = self.read_ms;
        let full = Reason::TooManyOpenRequests {
            open: u32::try_from(queue.in_review).unwrap_or(u32::MAX),
            limit: self.engine.settings.max_open,
        };
        let held = (!self.has_request_room()).then_some(Wait { reason: full, until_ms: None });
        let is_quiet = self.is_quiet();
        self.engine.board.send_if_modified(|view| {
            let held = held.or_else(|| view.held.take().filter(|_| queue.pending > 0));
            let new = BoardView {
                queue,
                held,
                has_read: self.read_ms.is_some(),
                is_quiet,
                faults: self.faults.clone(),
            };
            std::mem::replace(view, new.clone()) != new
        });
    }

    fn is_quiet(&self) -> bool {
        let waits_for_people = !self.has_request_room() && self.engine.slots.are_all_free();
        let is_done = self.board.is_quiet(self.engine.settings.close_epics) || waits_for_people;
        self.read_ms.is_some()
            && self.has_inspected
            && self.lost.is_empty()
            && self.commits.is_empty()
            && self.tasks.closings.running().is_none()
            && self.engine.slots.are_all_free()
            && is_done
    }

    fn set_alarm(&mut self, context: &Context<SchedulerMsg>) {
        if let Some(alarm) = self.alarm.take() {
            alarm.abort();
        }
        let Some(at) = self.board.next_change_ms() else { return };
        let rest = u64::try_from(at - self.engine.now_ms()).unwrap_or(0);
        self.alarm = Some(context.send_after(Duration::from_millis(rest), SchedulerMsg::Look));
    }
}

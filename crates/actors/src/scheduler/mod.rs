//! The one authority over task state: one idempotent `reconcile`, run after every commit, poll, restart and instant.
//! Its polls (backlog, open requests, lost claims) and its closings run as attached tasks. What may start is
//! `domain::board`'s answer; who may start is `budget_pacer`'s.

mod backlog_poll;
mod chosen;
mod claims;
mod closings;
mod controls;
mod offers;
mod polls;
mod reviews;
mod teller;

use std::collections::BTreeSet;
use std::sync::Arc;

use glitchlab_backlog::Revision;
use glitchlab_domain::bead::BeadId;
use glitchlab_domain::board::Board;
use glitchlab_domain::dispatch::fits_by_now;
use glitchlab_domain::id::TaskKey;
use glitchlab_domain::rows::{ClaimRow, GateRow};
use glitchlab_domain::task::TaskState;
use glitchlab_runtime::{Actor, Context, Failure, Grace, MessageKind, TaskSlot};
use glitchlab_store::Committed;
use tokio::sync::mpsc::UnboundedReceiver;

use self::backlog_poll::Reading;
use self::closings::Due;
use self::polls::Alarms;
use self::teller::Teller;
use crate::carrying::Carried;
use crate::engine::Engine;
use crate::slots::Ending;

/// What the scheduler understands. None of it carries data: each only says "look again".
#[derive(Debug)]
pub enum SchedulerMsg {
    /// Something was committed, a slot is free, an instant has come.
    Look,
    /// It is time to read the backlog and the open requests.
    Poll,
    /// A part of the tree was restarted: compare claims and slots.
    Inspect,
    /// The journal was restarted, and may have committed what it did not publish: read everything again.
    Rebuild,
    /// Say anew why nothing starts.
    Tell,
}

impl MessageKind for SchedulerMsg {
    fn kind(&self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Poll => "poll",
            Self::Inspect => "inspect",
            Self::Rebuild => "rebuild",
            Self::Tell => "tell",
        }
    }
}

/// The actor.
pub struct Scheduler;

/// The names of the attached tasks that should come to an end; what people ask for is heard for ever.
pub(crate) const FINITE: [&str; 4] = ["backlog poll", "request poll", "closings", "claim inspection"];

/// The attached tasks of the scheduler.
#[derive(Clone)]
pub struct SchedulerTasks {
    /// Reads the backlog.
    pub backlog: TaskSlot<Reading>,
    /// Asks the forge about open requests.
    pub reviews: TaskSlot<()>,
    /// Closes parents and epics.
    pub closings: TaskSlot<()>,
    /// Finds claims that nobody works on.
    pub claims: TaskSlot<Vec<ClaimRow>>,
    /// Hears what people ask for.
    pub controls: TaskSlot<Vec<Carried>>,
}

impl SchedulerTasks {
    /// Makes the slots; each wakes the scheduler when its task has ended.
    #[must_use]
    pub fn new(engine: &Engine) -> Self {
        fn slot<T: Send + 'static>(engine: &Engine, name: &'static str) -> TaskSlot<T> {
            let look = engine.handles.look.clone();
            TaskSlot::new(name, Grace::default(), move || look.fire())
        }
        let [backlog, reviews, closings, claims] = FINITE;
        Self {
            backlog: slot(engine, backlog),
            reviews: slot(engine, reviews),
            closings: slot(engine, closings),
            claims: slot(engine, claims),
            controls: slot(engine, "control poll"),
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
    known: BTreeSet<BeadId>,
    /// What is wrong with the backlog as it was last read.
    faults: Vec<String>,
    /// Why it could not be read the last time.
    unreadable: Option<String>,
    read_ms: Option<i64>,
    /// Tasks that exceeded an earlier cap and fit under the present one.
    affordable: Vec<TaskKey>,
    /// Claims that want a slot before anything new does.
    lost: Vec<ClaimRow>,
    has_inspected: bool,
    /// What people had asked for before the start was carried out.
    has_heard: bool,
    /// What keeps every task from starting, whatever it is.
    gate: GateRow,
    /// The root tasks that this run has begun, as far as their number is limited.
    begun: Vec<TaskKey>,
    /// A pause has put down what ran, and is not known to be over.
    puts_down: bool,
    /// Open requests were looked at since the start.
    has_reviewed: bool,
    alarms: Alarms,
    teller: Teller,
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
        let state = SchedulerState::read(arguments).await?;
        context.send_self(SchedulerMsg::Poll)?;
        context.send_self(SchedulerMsg::Inspect)?;
        Ok(state)
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
            SchedulerMsg::Rebuild => state.rebuild(context).await?,
            SchedulerMsg::Tell => return state.tell(context).await,
        }
        state.reconcile(context)?;
        context.gauges().progress();
        Ok(())
    }
}

impl SchedulerState {
    /// Reads all tasks, and follows what is committed from then on.
    async fn read(arguments: SchedulerArguments) -> Result<Self, Failure> {
        let SchedulerArguments { engine, tasks } = arguments;
        // Followed before the query: what commits in between is taken twice rather than not at all.
        let commits = engine.feed.follow(engine.handles.look.clone());
        let mut board = Board::new(engine.live.borrow().filter.clone(), engine.now_ms());
        let ledger = engine.reader.ledger(&engine.scope, engine.now_ms()).await?;
        let cap = ledger.map(|head| head.cap_hour.min(head.cap_day)).unwrap_or_default();
        let mut affordable = Vec::new();
        for task in engine.reader.tasks(&engine.repo_id).await? {
            if fits_by_now(&task, cap) {
                affordable.push(task.key.clone());
            }
            board.take_task(task);
        }
        let gate = engine.reader.gate(&engine.repo_id).await?;
        let boot_id = &engine.boot.boot_id;
        let process = engine.reader.alive_processes().await?.into_iter().find(|row| row.boot_id == *boot_id);
        let begun = process.map(|process| process.begun).unwrap_or_default();
        let has_heard = tasks.controls.running().is_some();
        Ok(Self {
            engine,
            tasks,
            board,
            commits,
            revision: None,
            known: BTreeSet::new(),
            faults: Vec::new(),
            unreadable: None,
            read_ms: None,
            affordable,
            lost: Vec::new(),
            has_inspected: false,
            // What still listens for an earlier incarnation has looked before.
            has_heard,
            gate,
            begun,
            puts_down: false,
            has_reviewed: false,
            alarms: Alarms::default(),
            teller: Teller::default(),
        })
    }

    /// Begins anew without the shell being restarted.
    async fn rebuild(&mut self, context: &Context<SchedulerMsg>) -> Result<(), Failure> {
        let arguments = SchedulerArguments { engine: Arc::clone(&self.engine), tasks: self.tasks.clone() };
        let (alarms, teller) = (std::mem::take(&mut self.alarms), std::mem::take(&mut self.teller));
        *self = Self { alarms, teller, ..Self::read(arguments).await? };
        // A reading that is under way may be of before; the next one is whole, because no revision is known.
        context.send_self(SchedulerMsg::Poll)?;
        context.send_self(SchedulerMsg::Inspect)?;
        Ok(())
    }

    /// Looks at everything that may have changed and sees to what follows; doing it twice changes nothing.
    fn reconcile(&mut self, context: &Context<SchedulerMsg>) -> Result<(), Failure> {
        self.engine.handles.look.taken();
        self.take_exits()?;
        self.listen()?;
        self.read_if_never(context)?;
        self.take_commits();
        self.board.tick(self.engine.now_ms());
        self.withdraw();
        self.put_down(context)?;
        self.close()?;
        self.offer();
        self.publish();
        self.plan_to_tell(context);
        self.set_alarm(context);
        Ok(())
    }

    fn take_commits(&mut self) {
        while let Ok(committed) = self.commits.try_recv() {
            for task in committed.tasks.iter().filter(|task| task.repo_id == self.engine.repo_id) {
                self.board.take_task(task.clone());
            }
            committed.gates.iter().for_each(|gate| self.take_gate(gate));
            let boot_id = &self.engine.boot.boot_id;
            if let Some(process) = committed.processes.iter().find(|row| row.boot_id == *boot_id) {
                self.begun.clone_from(&process.begun);
            }
        }
    }

    /// Ends attempts whose task was put away, or whose issue was closed, reassigned or relabelled elsewhere.
    fn withdraw(&self) {
        for slot in self.engine.slots.iter() {
            let Some(given) = slot.assignment().filter(|given| given.ending.is_none()) else { continue };
            let key = &given.claimed.task.key;
            if self.board.task(key).is_some_and(|task| task.state == TaskState::Dropped) {
                slot.end(Ending::Dropped);
            } else if let Some(why) = self.board.withdrawn(key) {
                slot.end(Ending::Withdrawn(why));
            }
        }
    }

    fn close(&mut self) -> Result<(), Failure> {
        if self.tasks.closings.running().is_some() {
            return Ok(());
        }
        self.tasks.closings.take_exit().map_or(Ok(()), |exit| exit.into_result().map(|_| ()))?;
        let due = self.due();
        if !due.is_empty() && !self.engine.gate.is_draining() {
            let spanned = due.into_iter().map(|due| {
                let span = closings::span(self.board.task(due.key()));
                (due, span)
            });
            self.tasks.closings.spawn(closings::closing(&self.engine, spanned.collect()))?;
        }
        Ok(())
    }

    /// What waits for nothing else but that we write it down.
    fn due(&mut self) -> Vec<Due> {
        let closable = self.board.closable(self.engine.settings.close_epics);
        let close = |(key, why)| Some(Due::Close(Box::new(self.board.task(&key)?.clone()), why));
        let closings = closable.into_iter().filter_map(close);
        let freed = self.board.unblocked().into_iter().map(|key| Due::Free(key, "its blocker is closed"));
        let affordable = self.affordable.drain(..).map(|key| Due::Free(key, "the caps have room for it now"));
        let in_vain = self.board.asking_in_vain().into_iter().map(|(key, why)| Due::CallBack(key, why));
        closings.chain(freed).chain(affordable).chain(in_vain).collect()
    }
}

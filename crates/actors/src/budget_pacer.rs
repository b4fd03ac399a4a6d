//! The waiting room: it keeps the candidates in the scheduler's order and asks for their admission. Only
//! `domain::decide` admits; a refusal is a wait with an instant or a settlement that ends it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use glitchlab_domain::bead::BeadId;
use glitchlab_domain::command::{Claim, Claimed, Command, Refusal, Reply, TakeOver};
use glitchlab_domain::id::{AttemptId, Fence, TaskKey};
use glitchlab_domain::reason::Wait;
use glitchlab_domain::rows::ClaimRow;
use glitchlab_pipeline::workspace::name::branch_name;
use glitchlab_runtime::{Actor, Context, Failure, MessageKind};
use glitchlab_store::StoreError;
use tokio::task::AbortHandle;

use crate::engine::Engine;
use crate::ids::{self, random};
use crate::offer::Candidate;
use crate::scheduler::SchedulerMsg;
use crate::slots::Booking;

/// What the pacer understands.
#[derive(Debug)]
pub enum PacerMsg {
    /// Something was offered, money may have come back, or an instant has come.
    Look,
}

impl MessageKind for PacerMsg {
    fn kind(&self) -> &'static str {
        match self {
            Self::Look => "look",
        }
    }
}

/// The actor.
pub struct BudgetPacer;

/// What an incarnation remembers.
pub struct PacerState {
    engine: Arc<Engine>,
    waiting: Vec<Candidate>,
    /// The last candidate that turned out to be gone.
    gone: Option<TaskKey>,
    alarm: Option<AbortHandle>,
}

impl Actor for BudgetPacer {
    type Msg = PacerMsg;
    type Arguments = Arc<Engine>;
    type State = PacerState;

    async fn start(&self, _context: &Context<PacerMsg>, engine: Arc<Engine>) -> Result<PacerState, Failure> {
        // Whatever was offered before, the scheduler offers again.
        let _stale = engine.handles.offer.take();
        engine.handles.look.fire();
        Ok(PacerState { engine, waiting: Vec::new(), gone: None, alarm: None })
    }

    async fn handle(
        &self,
        context: &Context<PacerMsg>,
        msg: PacerMsg,
        state: &mut PacerState,
    ) -> Result<(), Failure> {
        match msg {
            PacerMsg::Look => state.look(context).await,
        }
        context.gauges().progress();
        Ok(())
    }
}

/// How one request for admission ended.
enum Admitted {
    Yes,
    Waits(Wait),
    /// The task is gone from the queue: somebody else has it, or it is no longer ready.
    Gone,
    Outage,
}

impl PacerState {
    async fn look(&mut self, context: &Context<PacerMsg>) {
        if let Some(offer) = self.engine.handles.offer.take() {
            self.waiting = offer;
        }
        // An offer may be older than the last admission.
        self.waiting.retain(|candidate| !self.engine.slots.have(candidate.key()));
        self.admit(context).await;
    }

    /// Asks for all candidates at once, in order: the writer decides them in that order, each after the one before.
    async fn admit(&mut self, context: &Context<PacerMsg>) {
        if let Some(alarm) = self.alarm.take() {
            alarm.abort();
        }
        let waiting = std::mem::take(&mut self.waiting);
        let closed = self.engine.gate.closed().is_some();
        let may_start = |candidate: &Candidate| !closed || matches!(candidate, Candidate::Resume(_));
        let draining = self.engine.gate.is_draining();
        let offers = waiting.into_iter().filter(|candidate| !draining && may_start(candidate));
        let booked = offers.map_while(|candidate| Some((self.engine.slots.book()?, candidate)));
        let requests: Vec<_> = in_line(booked)
            .map(|(booking, candidate, ahead)| request(&self.engine, booking, candidate, ahead))
            .collect();
        let answers = join_all(requests).await;
        let (mut first_wait, mut gone) = (None, None);
        for (candidate, answer) in answers {
            match answer {
                Admitted::Yes => {}
                Admitted::Gone => gone = Some(candidate),
                Admitted::Waits(wait) => {
                    first_wait.get_or_insert(wait);
                    self.waiting.push(candidate);
                }
                Admitted::Outage => self.waiting.push(candidate),
            }
        }
        self.look_again(gone.as_ref());
        self.set_alarm(context, first_wait);
    }

    /// A slot that was booked for a task that is gone is free again, and nobody else says so. The same task gone twice
    /// in a row changes nothing any more.
    fn look_again(&mut self, gone: Option<&Candidate>) {
        let before = std::mem::replace(&mut self.gone, gone.map(|candidate| candidate.key().clone()));
        match gone.filter(|candidate| before.as_ref() != Some(candidate.key())) {
            // A scheduler that is restarting inspects and looks by itself.
            Some(Candidate::Resume(_)) => drop(self.engine.handles.scheduler.send(SchedulerMsg::Inspect)),
            Some(Candidate::Start { .. }) => self.engine.handles.look.fire(),
            None => {}
        }
    }

    fn set_alarm(&mut self, context: &Context<PacerMsg>, wait: Option<Wait>) {
        self.engine.board.send_if_modified(|board| std::mem::replace(&mut board.held, wait.clone()) != wait);
        if self.waiting.is_empty() {
            return;
        }
        let until = wait.and_then(|wait| wait.until_ms).map(|until| until - self.engine.now_ms());
        let rest = until.and_then(|ms| u64::try_from(ms).ok()).map_or(OUTAGE_REST, Duration::from_millis);
        let rest = rest.min(LOOK_AGAIN);
        let mut settlements = self.engine.feed.settlements();
        let (handle, ended) = (context.handle().clone(), context.ended().clone());
        let alarm = tokio::spawn(async move {
            tokio::select! {
                () = ended.cancelled() => return,
                () = tokio::time::sleep(rest) => {}
                _ = settlements.changed() => {}
            }
            let _ = handle.send(PacerMsg::Look);
        });
        self.alarm = Some(alarm.abort_handle());
    }
}

/// How long to rest when the store does not answer, or when only a settlement can help and none comes.
const OUTAGE_REST: Duration = Duration::from_secs(5);
/// The longest rest before asking again: money may have come back before we listened.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Tells each candidate that starts which one starts right before it.
fn in_line(
    booked: impl Iterator<Item = (Booking, Candidate)>,
) -> impl Iterator<Item = (Booking, Candidate, Option<TaskKey>)> {
    let mut last = None;
    booked.map(move |(booking, candidate)| {
        let ahead = last.clone();
        if let Candidate::Start { key, .. } = &candidate {
            last = Some(key.clone());
        }
        (booking, candidate, ahead)
    })
}

async fn request(
    engine: &Arc<Engine>,
    booking: Booking,
    candidate: Candidate,
    ahead: Option<TaskKey>,
) -> (Candidate, Admitted) {
    let command = match &candidate {
        // Only the pacer gives slots: what has one now was seen between its claim and its slot, and is not lost.
        Candidate::Resume(claim) if engine.slots.find(&claim.attempt_id).is_some() => {
            return (candidate, Admitted::Gone);
        }
        Candidate::Resume(claim) => take_over(engine, &booking, claim),
        Candidate::Start { key, bead_id, goes_on } => {
            claim(engine, &booking, (key, bead_id, goes_on.as_ref()), ahead)
        }
    };
    let answer = engine.queue.submit(command).await;
    let admitted = answered(booking, answer);
    (candidate, admitted)
}

fn answered(booking: Booking, answer: Result<Result<Reply, Refusal>, StoreError>) -> Admitted {
    match answer {
        Ok(Ok(Reply::Claimed(claimed))) => {
            let claimed: Claimed = *claimed;
            booking.give(claimed);
            Admitted::Yes
        }
        Ok(Ok(Reply::Wait(wait))) => Admitted::Waits(wait),
        Ok(Ok(_) | Err(_)) => Admitted::Gone,
        Err(_) => Admitted::Outage,
    }
}

fn claim(
    engine: &Engine,
    booking: &Booking,
    (key, bead_id, goes_on): (&TaskKey, &BeadId, Option<&AttemptId>),
    ahead: Option<TaskKey>,
) -> Command {
    let (hold, hold_tokens) = engine.settings.money.usual_hold(engine.tools.model.price());
    let attempt_id = goes_on.cloned().unwrap_or_else(ids::attempt);
    Command::Claim(Claim {
        by: engine.boot.clone(),
        task_key: key.clone(),
        branch: branch_name(bead_id.as_str(), attempt_id.as_str()),
        attempt_id,
        fence: Fence::new(random()),
        slot: booking.slot().to_owned(),
        repo_id: engine.repo_id.clone(),
        scope: engine.scope.clone(),
        hold,
        hold_tokens,
        ahead,
        model: engine.tools.implements().to_owned(),
        simulated: engine.tools.is_simulated(),
        max_attempts: engine.live.borrow().retry.attempts,
        trace_id: random(),
    })
}

fn take_over(engine: &Engine, booking: &Booking, claim: &ClaimRow) -> Command {
    Command::TakeOver(TakeOver {
        by: engine.boot.clone(),
        task_key: claim.task_key.clone(),
        attempt_id: claim.attempt_id.clone(),
        old_fence: claim.fence.clone(),
        old_boot: claim.boot_id.clone(),
        fence: Fence::new(random()),
        slot: booking.slot().to_owned(),
        max_attempts: engine.live.borrow().retry.attempts,
    })
}

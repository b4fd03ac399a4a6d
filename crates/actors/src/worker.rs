//! One worker slot: it starts the attempt that the slot was given as its attached task, and frees the slot when that has
//! ended. The attempt outlives a crash of this shell; a crash of the attempt crashes the shell, so that its supervisor
//! counts it, and the scheduler finds the claim without a task and has it taken over.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use glitchlab_domain::command::{Bearer, Command, Finish};
use glitchlab_domain::dispatch::crashed_too_often;
use glitchlab_domain::outcome::Outcome;
use glitchlab_domain::rows::AttemptRow;
use glitchlab_domain::trace::attempt_span;
use glitchlab_models::Prompts;
use glitchlab_pipeline::attempt::{self, Ended, Job};
use glitchlab_pipeline::durable::Lost;
use glitchlab_runtime::{Actor, Context, Failure, MessageKind, Task, TaskExit, TaskScope};
use tracing::{Instrument as _, Span};

use crate::durable::StoreDurable;
use crate::engine::Engine;
use crate::scheduler::SchedulerMsg;
use crate::slots::{Assignment, Ending, Slot};

/// What a worker understands.
#[derive(Debug)]
pub enum WorkerMsg {
    /// The slot was given an attempt, or its attempt has ended.
    Look,
}

impl MessageKind for WorkerMsg {
    fn kind(&self) -> &'static str {
        match self {
            Self::Look => "look",
        }
    }
}

/// The actor.
pub struct Worker;

/// What an incarnation is given.
pub struct WorkerArguments {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Its slot.
    pub slot: Arc<Slot>,
}

impl Actor for Worker {
    type Msg = WorkerMsg;
    type Arguments = WorkerArguments;
    type State = WorkerArguments;

    async fn start(
        &self,
        context: &Context<WorkerMsg>,
        arguments: WorkerArguments,
    ) -> Result<WorkerArguments, Failure> {
        // An attempt that is still running goes on; one that ended meanwhile is looked at like any other.
        context.send_self(WorkerMsg::Look)?;
        Ok(arguments)
    }

    async fn handle(
        &self,
        context: &Context<WorkerMsg>,
        msg: WorkerMsg,
        state: &mut WorkerArguments,
    ) -> Result<(), Failure> {
        match msg {
            WorkerMsg::Look => state.look()?,
        }
        context.gauges().progress();
        Ok(())
    }
}

impl WorkerArguments {
    fn look(&self) -> Result<(), Failure> {
        let exit = self.slot.task.take_exit();
        if let Some(exit) = exit {
            let has_stalled = self.has_stalled();
            self.free();
            if has_stalled {
                // Its claim has no task any more, and waits for nothing but to be found.
                let _ = self.engine.handles.scheduler.send(SchedulerMsg::Inspect);
            }
            return match exit {
                TaskExit::Done(()) | TaskExit::Cancelled | TaskExit::Aborted => Ok(()),
                crashed => crashed.into_result().map_err(Into::into),
            };
        }
        if self.slot.task.running().is_none()
            && let Some(assignment) = self.slot.assignment()
        {
            self.slot.task.spawn(working(&self.engine, &self.slot, assignment))?;
            // Told to end before it ran: the slot had no task then that could have been ended.
            if self.slot.assignment().is_some_and(|given| given.ending.is_some()) {
                self.slot.task.end();
            }
        }
        Ok(())
    }

    fn has_stalled(&self) -> bool {
        let ending = self.slot.assignment().and_then(|given| given.ending);
        matches!(ending, Some(Ending::Stalled(_)))
    }

    fn free(&self) {
        self.slot.clear();
        self.engine.handles.look.fire();
    }
}

fn working(engine: &Arc<Engine>, slot: &Arc<Slot>, assignment: Assignment) -> Task<()> {
    let (engine, slot) = (Arc::clone(engine), Arc::clone(slot));
    let name = assignment.claimed.task.bead_id.to_string();
    let (fenced, bearer) = (Arc::clone(&engine), assignment.bearer());
    let span = span(&assignment.claimed.attempt);
    let task = Task::new(name, move |scope| {
        async move {
            work(&engine, &slot, &assignment, &scope).await;
            Ok(())
        }
        .instrument(span)
    });
    task.fenced(move || fence_off(Arc::clone(&fenced), bearer.clone()))
}

/// The span that every line of an attempt takes its task and its trace from.
fn span(attempt: &AttemptRow) -> Span {
    let (task, id) = (&attempt.bead_id, &attempt.attempt_id);
    let trace = attempt.trace_id.as_deref().unwrap_or_default();
    tracing::info_span!("attempt", %task, attempt = %id, trace, span = %attempt_span(id))
}

/// Takes the power to write and to spend from an attempt that cannot be ended: a suspended claim answers nobody.
async fn fence_off(engine: Arc<Engine>, by: Bearer) {
    // A refusal means that it has lost its claim already.
    let _ = crate::durable::insist(&engine.queue, Command::Suspend { by }).await;
}

async fn work(engine: &Arc<Engine>, slot: &Slot, assignment: &Assignment, scope: &TaskScope) {
    let rules = engine.live.borrow().retry;
    if let Some(outcome) = crashed_too_often(&assignment.claimed.attempt, &rules) {
        let detail = "its work crashed again and again".to_owned();
        let ended = Ended { outcome, detail, learned: None, files_changed: 0, keep_worktree: true };
        return finish(engine, assignment, ended).await;
    }
    let root_key = assignment.claimed.task.root_key.clone();
    let vitals = slot.renew_vitals();
    let durable = StoreDurable::new(Arc::clone(engine), assignment.bearer(), root_key, scope.clone(), vitals);
    let durable = Arc::new(durable);
    let job = job(engine, assignment, durable);
    match until_told(&job, scope, engine.settings.grace / 2).await {
        Ok(ended) => finish(engine, assignment, ended).await,
        Err(lost) => put_down(engine, slot, assignment, &lost).await,
    }
}

/// Runs the attempt; one that is told to end has `grace` to end what it has begun, such as a test run or a git call.
async fn until_told(job: &Job, scope: &TaskScope, grace: Duration) -> Result<Ended, Lost> {
    let mut running = pin!(attempt::run(job));
    tokio::select! {
        biased;
        ended = &mut running => return ended,
        () = scope.cancelled() => {}
    }
    let late = tokio::time::timeout(grace, running).await;
    late.unwrap_or_else(|_| Err(Lost::new("it was told to end")))
}

fn job(engine: &Arc<Engine>, assignment: &Assignment, durable: Arc<StoreDurable>) -> Job {
    Job {
        task: assignment.claimed.task.clone(),
        attempt: assignment.claimed.attempt.clone(),
        settings: Arc::clone(&engine.tools.stages),
        durable,
        workspace: Arc::clone(&engine.tools.workspace),
        forge: Arc::clone(&engine.tools.forge),
        model: Arc::clone(&engine.tools.model),
        prompts: Prompts::default(),
        clock: Arc::clone(&engine.clock),
    }
}

/// Makes the outcome durable, then removes the worktree: a crash between the two leaves a worktree for the sweep.
async fn finish(engine: &Arc<Engine>, assignment: &Assignment, ended: Ended) {
    let asks = ended.outcome.is_a_question();
    let command = Command::Finish(Finish {
        by: assignment.bearer(),
        outcome: ended.outcome,
        detail: ended.detail.clone(),
        learned: ended.learned,
        files_changed: ended.files_changed,
        rules: engine.live.borrow().retry,
        scope: engine.scope.clone(),
        repo_id: engine.repo_id.clone(),
        gate: engine.settings.gate,
    });
    let attempt = &assignment.claimed.attempt;
    let (task, attempt_id) = (assignment.claimed.task.bead_id.as_str(), attempt.attempt_id.as_str());
    match crate::durable::insist(&engine.queue, command).await {
        Ok(Ok(_)) => {}
        Ok(Err(refusal)) => {
            tracing::warn!(
                event = "task.lost",
                task,
                attempt = attempt_id,
                "its outcome was not taken: {refusal}"
            );
            return;
        }
        Err(error) => {
            tracing::error!(
                event = "task.lost",
                task,
                attempt = attempt_id,
                "its outcome was not written: {error}"
            );
            return;
        }
    }
    // Work that waits for a person's word is gone on with where it is.
    if !(asks && ended.keep_worktree) {
        attempt::tidy(&engine.tools.workspace, &assignment.claimed.task, attempt, ended.keep_worktree).await;
    }
}

/// Ends an attempt before its time: suspended for the next boot, withdrawn, or simply lost to another holder.
async fn put_down(engine: &Arc<Engine>, slot: &Slot, assignment: &Assignment, lost: &Lost) {
    let (task, attempt) = (assignment.claimed.task.bead_id.as_str(), &assignment.claimed.attempt);
    match slot.assignment().and_then(|given| given.ending) {
        Some(Ending::Withdrawn(why)) => {
            let outcome = Outcome::Cancelled { why: why.clone() };
            let ended = Ended { outcome, detail: why, learned: None, files_changed: 0, keep_worktree: false };
            finish(engine, assignment, ended).await;
        }
        Some(Ending::Suspend) => {
            attempt::checkpoint(&engine.tools.workspace, &assignment.claimed.task, attempt).await;
            let suspend = Command::Suspend { by: assignment.bearer() };
            if let Err(error) = engine.queue.submit(suspend).await {
                tracing::error!(
                    event = "attempt.unsuspended",
                    task,
                    "not written; taken over at the next start: {error}"
                );
            }
        }
        Some(Ending::Dropped) => {
            attempt::tidy(&engine.tools.workspace, &assignment.claimed.task, attempt, false).await;
        }
        Some(Ending::Stalled(why)) => {
            tracing::warn!(
                event = "attempt.stalled",
                task,
                "{why}; it begins again at its last durable point"
            );
        }
        None => tracing::warn!(event = "attempt.lost", task, attempt = attempt.attempt_id.as_str(), "{lost}"),
    }
}

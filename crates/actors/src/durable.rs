//! The pipeline's port to the store: each call of it is one command under the attempt's fence.
//!
//! A store that does not answer parks the attempt at its next command, which is tried again until it is taken or the
//! attempt is told to end.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use glitchlab_domain::command::{Authority, Bearer, Command, FinishStep, Refusal, Reply, Reserve, Settle};
use glitchlab_domain::id::{EffectKey, TaskKey, TryKey};
use glitchlab_domain::reason::Wait;
use glitchlab_domain::rows::ChildRow;
use glitchlab_domain::stage::Stage;
use glitchlab_models::{Reservation, Settlement};
use glitchlab_pipeline::durable::{Ask, Begun, Durable, EffectState, Lost, Reserved, Room, StepDone, Vital};
use glitchlab_pipeline::process::{ChildProcess, ChildWatch, WatchError};
#[cfg(feature = "failpoints")]
use glitchlab_runtime::Moment;
use glitchlab_runtime::TaskScope;
use glitchlab_store::{Queue, StoreError};

use crate::engine::Engine;
use crate::slots::Ending;
use crate::watchdog::Vitals;

/// How long to rest before a command is tried again while the store does not answer.
const OUTAGE_REST: Duration = Duration::from_secs(1);
/// A wait longer than this is not sat out while the engine drains.
const DRAIN_MS: u64 = 30_000;
/// The longest rest before asking again: money may have come back before we listened, and a suspended machine sleeps
/// on by its own clock.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// The port of one attempt under one fence.
pub struct StoreDurable {
    engine: Arc<Engine>,
    bearer: Bearer,
    /// The task at the top, whose money it spends.
    root_key: TaskKey,
    scope: TaskScope,
    vitals: Arc<Vitals>,
}

impl StoreDurable {
    /// Makes the port of an attempt.
    #[must_use]
    pub fn new(
        engine: Arc<Engine>,
        bearer: Bearer,
        root_key: TaskKey,
        scope: TaskScope,
        vitals: Arc<Vitals>,
    ) -> Self {
        Self { engine, bearer, root_key, scope, vitals }
    }

    async fn submit(&self, command: Command) -> Result<Reply, Lost> {
        let answer = self.answer(command).await?;
        answer.map_err(|refusal| Lost::new(refusal.to_string()))
    }

    async fn answer(&self, command: Command) -> Result<Result<Reply, Refusal>, Lost> {
        let answer =
            insist(&self.engine.queue, command).await.map_err(|error| Lost::new(error.to_string()))?;
        self.scope.progress();
        Ok(answer)
    }

    /// Is a point of the stage that is under way.
    #[cfg(feature = "failpoints")]
    fn reach(&self, moment: Moment) {
        if let Some(stage) = self.vitals.stage() {
            self.engine.tree.failpoints().reach(stage.name(), moment);
        }
    }

    /// For a result: the attempt goes on without waiting for its commit. Whatever acts outside begins with a command that
    /// is waited for, and that one comes after this.
    async fn hand_in(&self, command: Command) -> Result<(), Lost> {
        self.engine.queue.hand_in(command).await.map_err(|error| Lost::new(error.to_string()))?;
        self.scope.progress();
        Ok(())
    }

    /// What was handed in before this stage began is in the store: its beginning was waited for.
    async fn read_room(&self) -> Result<Room, StoreError> {
        let Engine { reader, scope, settings, .. } = &*self.engine;
        let purse = reader.purse(&self.root_key).await?.unwrap_or_default();
        let head = reader.head(scope).await?;
        let task = settings.money.per_task.map(|cap| cap + purse.granted - purse.settled);
        Ok(Room { task, cap_day: head.map(|head| head.cap_day).unwrap_or_default() })
    }

    fn key(&self, ask: &Ask) -> TryKey {
        TryKey {
            attempt_id: self.bearer.attempt_id.clone(),
            step_n: ask.step_n,
            call_no: ask.call_no,
            try_no: ask.try_no,
        }
    }

    /// A reservation that is dropped anywhere is settled at its bound.
    fn abandon(&self) -> impl FnOnce(TryKey) + Send + 'static {
        let (queue, task_key, scope) =
            (self.engine.queue.clone(), self.bearer.task_key.clone(), self.engine.scope.clone());
        let root_key = self.root_key.clone();
        move |key| {
            let why = "abandoned before an answer came";
            queue.submit_detached(Command::Settle(Settle::unanswered(key, task_key, root_key, scope, why)));
        }
    }
}

/// Hands a command in until the store takes it, however long its outage lasts.
///
/// # Errors
///
/// Returns a [`StoreError`] that waiting cannot mend.
pub async fn insist(queue: &Queue, command: Command) -> Result<Result<Reply, Refusal>, StoreError> {
    loop {
        match queue.submit(command.clone()).await {
            Err(error) if error.is_outage() => tokio::time::sleep(OUTAGE_REST).await,
            answer => return answer,
        }
    }
}

fn unexpected(reply: &Reply) -> Lost {
    Lost::new(format!("the store answered {reply:?}"))
}

#[async_trait]
impl Durable for StoreDurable {
    async fn begin(&self, n: u32, stage: Stage, input_hash: &str) -> Result<Begun, Lost> {
        let by = self.bearer.clone();
        let command = Command::BeginStep { by, n, stage, input_hash: input_hash.to_owned() };
        match self.submit(command).await? {
            Reply::Run => {
                self.vitals.begin(n, stage);
                #[cfg(feature = "failpoints")]
                self.reach(Moment::Begun);
                Ok(Begun::Run)
            }
            Reply::StepDone { output, ok } => Ok(Begun::Done { output, ok }),
            other => Err(unexpected(&other)),
        }
    }

    async fn finish_step(&self, n: u32, done: StepDone) -> Result<(), Lost> {
        let StepDone { output, ok, summary, size, decision } = done;
        let step = FinishStep { by: self.bearer.clone(), n, output, ok, summary, size, decision };
        #[cfg(feature = "failpoints")]
        self.reach(Moment::Done);
        self.vitals.finish();
        self.hand_in(Command::FinishStep(step)).await
    }

    async fn reserve(&self, ask: Ask) -> Result<Reserved, Lost> {
        let command = Command::Reserve(Reserve {
            by: self.bearer.clone(),
            key: self.key(&ask),
            scope: self.engine.scope.clone(),
            stage: ask.stage,
            model: ask.model,
            input_hash: ask.input_hash,
            bounds: ask.bounds,
            root_key: self.root_key.clone(),
            task_caps: self.engine.settings.money.task_caps(),
        });
        let reserved = match self.answer(command).await? {
            Ok(Reply::Granted(grant)) => Reserved::Granted(Reservation::new(grant, self.abandon())),
            Ok(Reply::Memo { text, input_tokens }) => Reserved::Memo { text, input_tokens },
            Ok(Reply::Wait(wait)) => Reserved::Wait(wait),
            Ok(Reply::ExceedsCap { bound, cap }) => Reserved::ExceedsCap { bound, cap },
            Ok(Reply::Human(reason)) => Reserved::Human(reason),
            Err(Refusal::TryTaken(_)) => Reserved::TryTaken,
            Ok(other) => return Err(unexpected(&other)),
            Err(refusal) => return Err(Lost::new(refusal.to_string())),
        };
        #[cfg(feature = "failpoints")]
        self.reach(Moment::Midway);
        Ok(reserved)
    }

    async fn room(&self) -> Result<Room, Lost> {
        #[cfg(feature = "failpoints")]
        self.reach(Moment::Midway);
        self.read_room().await.map_err(|error| Lost::new(error.to_string()))
    }

    async fn settle(&self, settlement: Settlement) -> Result<(), Lost> {
        let command = Command::Settle(Settle {
            by: Some(self.bearer.clone()),
            key: settlement.key.clone(),
            task_key: self.bearer.task_key.clone(),
            root_key: self.root_key.clone(),
            scope: self.engine.scope.clone(),
            paid: settlement.paid,
            reply: settlement.reply.clone(),
            error: settlement.error.as_ref().map(ToString::to_string),
            latency_ms: settlement.latency_ms,
            response: settlement.response.clone().map(Box::new),
            prompt: settlement.prompt.clone(),
        });
        self.hand_in(command).await?;
        settlement.settled();
        Ok(())
    }

    async fn pause(&self, wait: &Wait) -> Result<(), Lost> {
        let mut settlements = self.engine.feed.settlements();
        self.submit(Command::NoteWait { by: self.bearer.clone(), wait: wait.clone() }).await?;
        let _waits_on_purpose = self.vitals.waits(wait);
        let rest = wait.until_ms.and_then(|until| u64::try_from(until - self.engine.now_ms()).ok());
        tokio::select! {
            () = tokio::time::sleep(rest.map_or(LOOK_AGAIN, Duration::from_millis).min(LOOK_AGAIN)) => {}
            _ = settlements.changed() => {}
            () = self.engine.gate.draining(), if rest.is_none_or(|ms| ms > DRAIN_MS) => {
                // What waits longer than a drain should take goes on at the next start.
                if let Some(slot) = self.engine.slots.find(&self.bearer.attempt_id) {
                    slot.end(Ending::Suspend);
                }
                self.scope.cancelled().await;
            }
        }
        Ok(())
    }

    async fn begin_effect(&self, key: EffectKey, kind: &str, target: &str) -> Result<EffectState, Lost> {
        let command = Command::BeginEffect {
            by: Authority::Attempt(self.bearer.clone()),
            key,
            task_key: self.bearer.task_key.clone(),
            kind: kind.to_owned(),
            target: target.to_owned(),
        };
        let answer = self.submit(command).await?;
        #[cfg(feature = "failpoints")]
        self.reach(Moment::Midway);
        match answer {
            Reply::Act => Ok(EffectState::Act),
            Reply::EffectDone { result } => Ok(EffectState::Done(result)),
            other => Err(unexpected(&other)),
        }
    }

    async fn finish_effect(&self, key: &EffectKey, result: &str) -> Result<(), Lost> {
        let command = Command::FinishEffect {
            by: Authority::Attempt(self.bearer.clone()),
            key: key.clone(),
            task_key: self.bearer.task_key.clone(),
            result: result.to_owned(),
        };
        self.hand_in(command).await
    }

    fn child_watch(&self) -> &dyn ChildWatch {
        self
    }

    fn progress(&self) {
        self.scope.progress();
    }

    fn vital(&self, vital: Vital) {
        self.vitals.vital(vital);
        if vital == Vital::WorkProduct {
            self.scope.progress();
        }
    }
}

/// A process is known by its id and the time it started, which no later process shares.
fn child_n(process: &ChildProcess) -> u32 {
    let ticks = u32::try_from(process.start_ticks & 0xffff_ffff).unwrap_or(0);
    ticks.rotate_left(11) ^ process.pid
}

#[async_trait]
impl ChildWatch for StoreDurable {
    async fn started(&self, process: &ChildProcess) -> Result<(), WatchError> {
        let row = ChildRow {
            attempt_id: self.bearer.attempt_id.clone(),
            n: child_n(process),
            boot_id: self.engine.boot.boot_id.clone(),
            host: process.host.clone(),
            pid: process.pid,
            pgid: process.pgid,
            start_ticks: process.start_ticks,
            ended_ms: None,
        };
        let recorded = self.submit(Command::StartChild { by: self.bearer.clone(), row }).await;
        recorded.map_err(|lost| WatchError { reason: lost.to_string() })?;
        self.vitals.process_started();
        Ok(())
    }

    async fn ended(&self, process: &ChildProcess) {
        let command = Command::EndChild { attempt_id: self.bearer.attempt_id.clone(), n: child_n(process) };
        self.vitals.process_ended();
        // What stays open here is swept at the next start, where it is found to be gone.
        self.engine.queue.submit_detached(command);
    }

    fn progress(&self) {
        self.scope.progress();
        #[cfg(feature = "failpoints")]
        self.reach(Moment::Midway);
    }

    async fn stop_requested(&self) {
        self.scope.cancelled().await;
    }
}

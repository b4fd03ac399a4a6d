//! The port of an attempt to a [`MemoryLog`].

use std::time::Duration;

use async_trait::async_trait;
use glitchlab_domain::command::{Authority, Bearer, Command, FinishStep, Refusal, Reply, Reserve, Settle};
use glitchlab_domain::id::{AttemptId, EffectKey, TaskKey, TryKey};
use glitchlab_domain::reason::Wait;
use glitchlab_domain::stage::Stage;
use glitchlab_models::{Reservation, Settlement};

use super::fuse::Fuse;
use super::log::{MemoryLog, SCOPE};
use crate::durable::{Ask, Begun, Durable, EffectState, Lost, Reserved, Room, StepDone};
use crate::process::{ChildProcess, ChildWatch, WatchError};

/// How long a wait without an instant rests at most.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// The port of one attempt to a [`MemoryLog`].
pub struct MemoryDurable {
    log: MemoryLog,
    bearer: Bearer,
    root_key: TaskKey,
    fuse: Fuse,
}

impl MemoryDurable {
    pub(super) const fn new(log: MemoryLog, bearer: Bearer, root_key: TaskKey, fuse: Fuse) -> Self {
        Self { log, bearer, root_key, fuse }
    }

    async fn submit(&self, command: Command) -> Result<Result<Reply, Refusal>, Lost> {
        self.fuse.pass().await;
        let answer = self.log.submit(&command);
        self.fuse.pass().await;
        match answer {
            Err(Refusal::TryTaken(key)) => Ok(Err(Refusal::TryTaken(key))),
            Err(refusal) => Err(Lost::new(refusal.to_string())),
            Ok(reply) => Ok(Ok(reply)),
        }
    }

    async fn reply(&self, command: Command) -> Result<Reply, Lost> {
        self.submit(command).await?.map_err(|refusal| Lost::new(refusal.to_string()))
    }

    fn settlement(&self, key: TryKey) -> Settle {
        Settle {
            by: None,
            key,
            task_key: self.bearer.task_key.clone(),
            root_key: self.root_key.clone(),
            scope: SCOPE.to_owned(),
            paid: None,
            reply: None,
            error: None,
            latency_ms: 0,
            response: None,
            prompt: Vec::new(),
        }
    }

    fn abandon(&self) -> impl FnOnce(TryKey) + Send + use<> {
        let (log, settle) = (self.log.clone(), self.settlement(nobody()));
        move |key| {
            // It was never granted, or is settled by now: then nothing is left to do.
            let _ = log.submit(&Command::Settle(Settle { key, ..settle }));
        }
    }
}

fn nobody() -> TryKey {
    TryKey { attempt_id: AttemptId::default(), step_n: 0, call_no: 0, try_no: 0 }
}

fn unexpected(reply: &Reply) -> Lost {
    Lost::new(format!("the log answered {reply:?}"))
}

#[async_trait]
impl Durable for MemoryDurable {
    async fn begin(&self, n: u32, stage: Stage, input_hash: &str) -> Result<Begun, Lost> {
        let (by, input_hash) = (self.bearer.clone(), input_hash.to_owned());
        match self.reply(Command::BeginStep { by, n, stage, input_hash }).await? {
            Reply::Run => Ok(Begun::Run),
            Reply::StepDone { output, ok } => Ok(Begun::Done { output, ok }),
            other => Err(unexpected(&other)),
        }
    }

    async fn finish_step(&self, n: u32, done: StepDone) -> Result<(), Lost> {
        let StepDone { output, ok, summary, size, decision } = done;
        let finish = FinishStep { by: self.bearer.clone(), n, output, ok, summary, size, decision };
        self.reply(Command::FinishStep(finish)).await.map(drop)
    }

    async fn reserve(&self, ask: Ask) -> Result<Reserved, Lost> {
        let Ask { step_n, call_no, try_no, stage, model, input_hash, bounds } = ask;
        let key = TryKey { attempt_id: self.bearer.attempt_id.clone(), step_n, call_no, try_no };
        let scope = SCOPE.to_owned();
        let reserve = Reserve {
            by: self.bearer.clone(),
            key,
            scope,
            stage,
            model,
            input_hash,
            bounds,
            root_key: self.root_key.clone(),
            task_caps: self.log.task_caps(),
        };
        // The grant is guarded as soon as it is made: an interruption right after must not leave it open.
        self.fuse.pass().await;
        let reserved = match self.log.submit(&Command::Reserve(reserve)) {
            Ok(Reply::Granted(grant)) => Reserved::Granted(Reservation::new(grant, self.abandon())),
            Ok(Reply::Memo { text, input_tokens }) => Reserved::Memo { text, input_tokens },
            Ok(Reply::Wait(wait)) => Reserved::Wait(wait),
            Ok(Reply::ExceedsCap { bound, cap }) => Reserved::ExceedsCap { bound, cap },
            Ok(Reply::Human(reason)) => Reserved::Human(reason),
            Err(Refusal::TryTaken(_)) => Reserved::TryTaken,
            Ok(other) => return Err(unexpected(&other)),
            Err(refusal) => return Err(Lost::new(refusal.to_string())),
        };
        self.fuse.pass().await;
        Ok(reserved)
    }

    async fn room(&self) -> Result<Room, Lost> {
        self.fuse.pass().await;
        Ok(self.log.room(&self.root_key))
    }

    async fn settle(&self, settlement: Settlement) -> Result<(), Lost> {
        let settle = Settle {
            by: Some(self.bearer.clone()),
            paid: settlement.paid,
            reply: settlement.reply.clone(),
            error: settlement.error.as_ref().map(ToString::to_string),
            latency_ms: settlement.latency_ms,
            response: settlement.response.clone().map(Box::new),
            prompt: settlement.prompt.clone(),
            ..self.settlement(settlement.key.clone())
        };
        self.reply(Command::Settle(settle)).await?;
        settlement.settled();
        Ok(())
    }

    async fn pause(&self, wait: &Wait) -> Result<(), Lost> {
        let settled = self.log.settled.notified();
        self.reply(Command::NoteWait { by: self.bearer.clone(), wait: wait.clone() }).await?;
        let rest = wait.until_ms.map(|until| u64::try_from(until - (self.log.clock)()).unwrap_or(0));
        // Whether its time is over or money came back: either is a reason to look again.
        let _ = tokio::time::timeout(rest.map_or(LOOK_AGAIN, Duration::from_millis), settled).await;
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
        match self.reply(command).await? {
            Reply::Act => Ok(EffectState::Act),
            Reply::EffectDone { result } => Ok(EffectState::Done(result)),
            other => Err(unexpected(&other)),
        }
    }

    async fn finish_effect(&self, key: &EffectKey, result: &str) -> Result<(), Lost> {
        let by = Authority::Attempt(self.bearer.clone());
        let (key, task_key) = (key.clone(), self.bearer.task_key.clone());
        self.reply(Command::FinishEffect { by, key, task_key, result: result.to_owned() }).await.map(drop)
    }

    fn child_watch(&self) -> &dyn ChildWatch {
        self
    }

    fn progress(&self) {}
}

#[async_trait]
impl ChildWatch for MemoryDurable {
    async fn started(&self, _: &ChildProcess) -> Result<(), WatchError> {
        self.fuse.pass().await;
        Ok(())
    }

    async fn ended(&self, _: &ChildProcess) {
        self.fuse.pass().await;
    }

    fn progress(&self) {}
}

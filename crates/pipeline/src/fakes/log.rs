//! A durable log in memory, over the same decisions as every store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use glitchlab_domain::bead::BeadId;
use glitchlab_domain::command::{
    Authority, Bearer, BootBearer, Claim, Claimed, Command, Finish, FinishStep, Refusal, Reply, Reserve,
    Settle, Stamp, TakeOver,
};
use glitchlab_domain::decide::decide;
use glitchlab_domain::event::EventKind;
use glitchlab_domain::id::{AttemptId, BootId, EffectKey, Fence, TaskKey, TryKey};
use glitchlab_domain::ledger::Departures;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::policy::RetryRules;
use glitchlab_domain::reason::{Wait, Window};
use glitchlab_domain::rows::{ProcessRow, Rows, Write};
use glitchlab_domain::stage::Stage;
use glitchlab_domain::task::{SourceTask, TaskRow};
use glitchlab_models::account::Clock;
use glitchlab_models::{Reservation, Settlement};
use tokio::sync::Notify;

use super::fuse::Fuse;
use crate::attempt::Ended;
use crate::durable::{Ask, Begun, Durable, EffectState, Lost, Reserved, StepDone};
use crate::process::{ChildProcess, ChildWatch, WatchError};

const SCOPE: &str = "simulated:fake";
const REPO: &str = "fake";
/// How long a wait without an instant rests at most.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// The log of all attempts of one boot. Clones share it.
#[derive(Clone)]
pub struct MemoryLog {
    contents: Arc<Mutex<Contents>>,
    settled: Arc<Notify>,
    clock: Clock,
    boot: BootBearer,
}

#[derive(Default)]
struct Contents {
    rows: Rows,
    settlements: Vec<(i64, MicroUsd)>,
    events: Vec<EventKind>,
    commands: u64,
}

impl MemoryLog {
    /// Opens an empty log with a ledger of these caps.
    ///
    /// # Panics
    ///
    /// Never: a first boot is always admitted.
    #[must_use]
    pub fn new(clock: Clock, cap_hour: MicroUsd, cap_day: MicroUsd) -> Self {
        let boot = BootBearer { boot_id: BootId::new("boot"), fence: Fence::new("boot-fence") };
        let log = Self { contents: Arc::default(), settled: Arc::default(), clock, boot };
        let process = ProcessRow {
            boot_id: log.boot.boot_id.clone(),
            fence: log.boot.fence.clone(),
            host: "fake".to_owned(),
            pid: 0,
            start_ticks: 0,
            repo_id: REPO.to_owned(),
            listen: String::new(),
            started_ms: (log.clock)(),
            lease_until_ms: i64::MAX,
            alive: true,
        };
        let start =
            Command::StartBoot { process, scope: SCOPE.to_owned(), cap_hour, cap_day, dead: Vec::new() };
        log.submit(&start).expect("a first boot is always admitted");
        log
    }

    /// Decides a command and applies it.
    ///
    /// # Errors
    ///
    /// Returns the refusal.
    pub fn submit(&self, command: &Command) -> Result<Reply, Refusal> {
        let reply = self.lock().decide(command, (self.clock)());
        if matches!(command, Command::Settle(_)) {
            self.settled.notify_waiters();
        }
        reply
    }

    /// Adds a task and claims it for an attempt with the id `attempt`.
    ///
    /// # Panics
    ///
    /// When it cannot be claimed now.
    #[must_use]
    pub fn claim(&self, bead_id: &str, title: &str, attempt: &str) -> Claimed {
        let bead_id = BeadId::from(bead_id);
        let key = TaskKey::of(REPO, &bead_id);
        if !self.lock().rows.tasks.contains_key(&key) {
            let sync = Command::Sync { beads: vec![source(&key, &bead_id, title)] };
            self.submit(&sync).expect("a sync is never refused");
        }
        let claim = Claim {
            by: self.boot.clone(),
            task_key: key,
            attempt_id: AttemptId::new(attempt),
            fence: Fence::new(format!("{attempt}-0")),
            slot: "worker-1".to_owned(),
            scope: SCOPE.to_owned(),
            hold: MicroUsd::new(1),
            model: "fake".to_owned(),
            simulated: true,
            max_attempts: 3,
            trace_id: String::new(),
            span_id: String::new(),
            branch: format!("glitchlab/{bead_id}-{attempt}"),
        };
        claimed(self.submit(&Command::Claim(claim)))
    }

    /// Takes an interrupted attempt over under a new fence.
    ///
    /// # Panics
    ///
    /// When the claim was taken over before, or has ended.
    #[must_use]
    pub fn take_over(&self, old: &Claimed) -> Claimed {
        let fence = Fence::new(format!("{}+", old.fence));
        let take = TakeOver {
            by: self.boot.clone(),
            task_key: old.task.key.clone(),
            attempt_id: old.attempt.attempt_id.clone(),
            old_fence: old.fence.clone(),
            old_boot: self.boot.boot_id.clone(),
            fence,
            slot: "worker-1".to_owned(),
            max_attempts: 3,
        };
        claimed(self.submit(&Command::TakeOver(take)))
    }

    /// Makes the outcome of an attempt durable and returns its task.
    ///
    /// # Panics
    ///
    /// When the claim is held under another fence.
    #[must_use]
    pub fn finish(&self, of: &Claimed, ended: &Ended) -> TaskRow {
        let finish = Finish {
            by: bearer(of),
            outcome: ended.outcome.clone(),
            detail: ended.detail.clone(),
            learned: ended.learned.clone(),
            files_changed: ended.files_changed,
            rules: RetryRules::default(),
        };
        self.submit(&Command::Finish(finish)).expect("the attempt holds its claim");
        self.lock().rows.tasks[&of.task.key].clone()
    }

    /// Makes the port of an attempt.
    #[must_use]
    pub fn durable(&self, of: &Claimed, fuse: Fuse) -> MemoryDurable {
        MemoryDurable { log: self.clone(), bearer: bearer(of), fuse }
    }

    /// Returns all rows.
    #[must_use]
    pub fn rows(&self) -> Rows {
        self.lock().rows.clone()
    }

    /// Returns what happened, in order.
    #[must_use]
    pub fn events(&self) -> Vec<EventKind> {
        self.lock().events.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn claimed(reply: Result<Reply, Refusal>) -> Claimed {
    match reply {
        Ok(Reply::Claimed(claimed)) => *claimed,
        other => panic!("the task cannot be claimed: {other:?}"),
    }
}

fn bearer(of: &Claimed) -> Bearer {
    Bearer {
        task_key: of.task.key.clone(),
        attempt_id: of.attempt.attempt_id.clone(),
        fence: of.fence.clone(),
    }
}

fn source(key: &TaskKey, bead_id: &BeadId, title: &str) -> SourceTask {
    SourceTask {
        key: key.clone(),
        repo_id: REPO.to_owned(),
        bead_id: bead_id.clone(),
        source: "fake".to_owned(),
        parent: None,
        title: title.to_owned(),
        body: String::new(),
        priority: 0,
        kind: "task".to_owned(),
        labels: Vec::new(),
        created_ms: 0,
        state: "open".to_owned(),
        rev: String::new(),
    }
}

impl Contents {
    fn decide(&mut self, command: &Command, clock_ms: i64) -> Result<Reply, Refusal> {
        let now_ms = self.advance(clock_ms);
        self.commands += 1;
        let stamp = Stamp { now_ms, nonce: self.commands.to_string(), entropy: self.commands };
        let writes = decide(&self.rows, command, &stamp)?;
        for write in writes.rows {
            if let Write::Call(row) = &write
                && let (Some(at), Some(actual)) = (row.settled_ms, row.actual)
            {
                self.settlements.push((at, actual));
            }
            self.rows.apply(write);
        }
        self.events.extend(writes.events.into_iter().map(|(_, kind)| kind));
        Ok(writes.reply)
    }

    /// Moves the tails of the ledger to now and returns that now.
    fn advance(&mut self, clock_ms: i64) -> i64 {
        let Some(mut head) = self.rows.heads.remove(SCOPE) else { return clock_ms };
        let now_ms = head.now(clock_ms);
        let left = |window| {
            let (after, up_to) = head.leaving(window, now_ms);
            let gone = self.settlements.iter().filter(|(at, _)| *at > after && *at <= up_to);
            gone.map(|(_, amount)| *amount).sum()
        };
        let (hour, day) = (left(Window::Hour), left(Window::Day));
        head.advance(now_ms, hour, day);
        let inside = |tail| self.settlements.iter().filter(|(at, _)| *at > tail).copied().collect();
        let departures = Departures { hour: inside(head.tail_hour_ms), day: inside(head.tail_day_ms) };
        self.rows.departures.insert(SCOPE.to_owned(), departures);
        self.rows.heads.insert(SCOPE.to_owned(), head);
        now_ms
    }
}

/// The port of one attempt to a [`MemoryLog`].
pub struct MemoryDurable {
    log: MemoryLog,
    bearer: Bearer,
    fuse: Fuse,
}

impl MemoryDurable {
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
            scope: SCOPE.to_owned(),
            paid: None,
            reply: None,
            error: None,
            latency_ms: 0,
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
        match self.reply(Command::BeginStep { by, n, stage, input_hash, span_id: String::new() }).await? {
            Reply::Run => Ok(Begun::Run),
            Reply::StepDone { output, ok } => Ok(Begun::Done { output, ok }),
            other => Err(unexpected(&other)),
        }
    }

    async fn finish_step(&self, n: u32, done: StepDone) -> Result<(), Lost> {
        let StepDone { output, ok, summary, size } = done;
        let finish = FinishStep { by: self.bearer.clone(), n, output, ok, summary, size };
        self.reply(Command::FinishStep(finish)).await.map(drop)
    }

    async fn reserve(&self, ask: Ask) -> Result<Reserved, Lost> {
        let Ask { step_n, call_no, try_no, stage, model, input_hash, bounds } = ask;
        let key = TryKey { attempt_id: self.bearer.attempt_id.clone(), step_n, call_no, try_no };
        let scope = SCOPE.to_owned();
        let reserve = Reserve { by: self.bearer.clone(), key, scope, stage, model, input_hash, bounds };
        // The grant is guarded as soon as it is made: an interruption right after must not leave it open.
        self.fuse.pass().await;
        let reserved = match self.log.submit(&Command::Reserve(reserve)) {
            Ok(Reply::Granted(grant)) => Reserved::Granted(Reservation::new(grant, self.abandon())),
            Ok(Reply::Memo { text }) => Reserved::Memo(text),
            Ok(Reply::Wait(wait)) => Reserved::Wait(wait),
            Ok(Reply::ExceedsCap { bound, cap }) => Reserved::ExceedsCap { bound, cap },
            Err(Refusal::TryTaken(_)) => Reserved::TryTaken,
            Ok(other) => return Err(unexpected(&other)),
            Err(refusal) => return Err(Lost::new(refusal.to_string())),
        };
        self.fuse.pass().await;
        Ok(reserved)
    }

    async fn settle(&self, settlement: Settlement) -> Result<(), Lost> {
        let settle = Settle {
            by: Some(self.bearer.clone()),
            paid: settlement.paid,
            reply: settlement.reply.clone(),
            error: settlement.error.as_ref().map(ToString::to_string),
            latency_ms: settlement.latency_ms,
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

//! The other rows, and the map of rows that a batch of commands works on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::alert::delivery::{OutboxRow, OutboxState};
use crate::alert::{AlertRow, AlerterRow, CursorRow};
use crate::bead::BeadId;
use crate::breaker::Breaker;
use crate::consent::Consent;
use crate::id::{AttemptId, BootId, EffectKey, Fence, TaskKey, TryKey};
use crate::ledger::{self, DEPARTURES, Departures, Head, tokens_scope};
use crate::money::MicroUsd;
use crate::outcome::{FailureKind, Size, Status};
use crate::reason::{Reason, Wait};
use crate::response::{Message, Response};
use crate::stage::Stage;
use crate::task::TaskRow;
use crate::why::Rules;

/// One life of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessRow {
    /// Its id.
    pub boot_id: BootId,
    /// The fence of effects that belong to no attempt.
    pub fence: Fence,
    /// The machine.
    pub host: String,
    /// The process id there.
    pub pid: u32,
    /// Its start time in clock ticks since the machine booted, which tells it from a later process of the same id.
    pub start_ticks: u64,
    /// The repository it works on.
    pub repo_id: String,
    /// The ledger it spends from; only processes that share it hold each other's caps down.
    #[serde(default)]
    pub scope: String,
    /// Where its pages are.
    pub listen: String,
    /// When it began, ms UTC.
    pub started_ms: i64,
    /// Until when it counts as alive without a new beat, ms UTC.
    pub lease_until_ms: i64,
    /// It is alive as far as the store knows.
    pub alive: bool,
    /// What it is set to, for whoever asks from elsewhere why nothing starts.
    #[serde(default)]
    pub rules: Option<Rules>,
    /// Where it reads the backlog, for the same.
    #[serde(default)]
    pub backlog: String,
    /// The root tasks that it has begun, as far as their number is limited.
    #[serde(default)]
    pub begun: Vec<TaskKey>,
}

/// Which process works on which task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRow {
    /// The task.
    pub task_key: TaskKey,
    /// The repository of the task.
    pub repo_id: String,
    /// The attempt.
    pub attempt_id: AttemptId,
    /// The process.
    pub boot_id: BootId,
    /// The slot.
    pub slot: String,
    /// Put down: by a shutdown until the next boot, by a pause until that is over, or by a question to a person until the
    /// task is claimed again.
    pub suspended: bool,
    /// Every write and reservation must carry it.
    pub fence: Fence,
}

/// One execution of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRow {
    /// Its id.
    pub attempt_id: AttemptId,
    /// The task.
    pub task_key: TaskKey,
    /// The task's id in the backlog.
    #[serde(default)]
    pub bead_id: BeadId,
    /// The task at the top.
    pub root_key: TaskKey,
    /// The task's trace, 32 hex digits.
    #[serde(default)]
    pub trace_id: Option<String>,
    /// Which attempt of the task, counted from 1.
    pub n: u32,
    /// The task's generation then.
    pub generation: u32,
    /// The slot that runs or ran it.
    pub slot: String,
    /// The process that runs or ran it.
    pub boot_id: BootId,
    /// The last fence under which it ran: whoever ended it may be told so again.
    #[serde(default)]
    pub fence: Fence,
    /// The model that implements.
    pub model: String,
    /// Money and work are pretended.
    pub simulated: bool,
    /// The size that triage judged.
    pub size: Option<Size>,
    /// The branch.
    pub branch: String,
    /// When its task was first claimed since it was last opened, ms UTC: its span is under that one's.
    #[serde(default)]
    pub accepted_ms: Option<i64>,
    /// The estimate that admission took.
    pub hold: MicroUsd,
    /// The same in tokens, where they have a ledger.
    #[serde(default)]
    pub hold_tokens: u64,
    /// Billed tokens so far.
    pub tokens: u64,
    /// Settled so far.
    pub cost: MicroUsd,
    /// How it ended; none while it runs or rests.
    pub status: Option<Status>,
    /// The class of a failure.
    pub failure: Option<FailureKind>,
    /// What happened, for people.
    pub detail: String,
    /// Files in its diff.
    pub files_changed: u32,
    /// How often its slot lost it within a boot.
    pub crashes: u32,
    /// What it waits for now.
    pub waiting: Option<Wait>,
    /// What a person has agreed to.
    #[serde(default)]
    pub consents: Vec<Consent>,
    /// When it was claimed, ms UTC.
    pub started_ms: i64,
    /// When it ended, ms UTC.
    pub ended_ms: Option<i64>,
}

impl AttemptRow {
    /// Tells whether it was put down because it asks a person, and is not claimed again.
    #[must_use]
    pub fn asks_a_person(&self) -> bool {
        let reason = self.waiting.as_ref().map(|wait| &wait.reason);
        matches!(reason, Some(Reason::NeedsHuman { reason }) if reason.asks().is_some())
    }
}

/// The durable result of one stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRow {
    /// The attempt.
    pub attempt_id: AttemptId,
    /// Counted from 0 within the attempt.
    pub n: u32,
    /// The stage.
    pub stage: Stage,
    /// A hash of what it was given.
    pub input_hash: String,
    /// What it returned, as JSON; none while it runs.
    pub output: Option<String>,
    /// It went well.
    pub ok: bool,
    /// One line for people.
    pub summary: String,
    /// When it began, ms UTC.
    pub started_ms: i64,
    /// When its output became durable, ms UTC.
    pub ended_ms: Option<i64>,
}

/// The state of one reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// The money is set aside.
    Open,
    /// Replaced by what was really paid.
    Settled,
    /// Settled at its bound because nobody knows what was paid.
    Unknown,
}

/// One try: the reservation, the fact for the model pages, and the memo for resume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRow {
    /// Its key.
    pub key: TryKey,
    /// The ledger's scope.
    pub scope: String,
    /// The task.
    pub task_key: TaskKey,
    /// The task at the top.
    pub root_key: TaskKey,
    /// The stage that asked.
    pub stage: Stage,
    /// The model.
    pub model: String,
    /// The process that asked.
    pub boot_id: BootId,
    /// The fence that asked: only its holder may be given the same reservation again.
    pub fence: Fence,
    /// A hash of the request.
    pub input_hash: String,
    /// The reply's text, when it is of use again.
    pub reply: Option<String>,
    /// Where the money is.
    pub state: CallState,
    /// What was set aside.
    pub bound: MicroUsd,
    /// What was paid; none while open.
    pub actual: Option<MicroUsd>,
    /// The most output tokens it may ask for.
    pub max_out: u64,
    /// The most tokens that it can use.
    #[serde(default)]
    pub bound_tokens: u64,
    /// Billed prompt tokens.
    pub input_tokens: u64,
    /// Billed output tokens.
    pub output_tokens: u64,
    /// What the provider said of the reply beside its text; none when there was no reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Box<Response>>,
    /// What the model was given, without secrets and maybe cut; only where prompts are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prompt: Vec<Message>,
    /// The provider answered.
    pub ok: bool,
    /// What went wrong.
    pub error: Option<String>,
    /// How long it took.
    pub latency_ms: i64,
    /// When the money was set aside, ms UTC.
    pub created_ms: i64,
    /// When it was settled, ms UTC.
    pub settled_ms: Option<i64>,
}

impl CallRow {
    /// Returns the tokens that it is charged for, once it is settled: all that it could use when nobody knows.
    #[must_use]
    pub const fn charged_tokens(&self) -> Option<u64> {
        match self.state {
            CallState::Open => None,
            CallState::Settled => Some(self.input_tokens.saturating_add(self.output_tokens)),
            CallState::Unknown => Some(self.bound_tokens),
        }
    }
}

/// Something done outside the store: intent first, result later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectRow {
    /// Its key, the same for every attempt.
    pub key: EffectKey,
    /// The task.
    pub task_key: TaskKey,
    /// `merge`, `pr`, `close`.
    pub kind: String,
    /// What it acts on, for people.
    pub target: String,
    /// The result; none while only intended.
    pub result: Option<String>,
    /// When it was first intended, ms UTC.
    pub created_ms: i64,
    /// When its result became durable, ms UTC.
    pub done_ms: Option<i64>,
}

/// A long process that we started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildRow {
    /// The attempt it works for.
    pub attempt_id: AttemptId,
    /// Its place among the attempt's processes.
    pub n: u32,
    /// The boot that started it.
    pub boot_id: BootId,
    /// The machine.
    pub host: String,
    /// The process id.
    pub pid: u32,
    /// The process group.
    pub pgid: u32,
    /// Its start time in clock ticks since the machine booted, which tells it from a later process of the same id.
    pub start_ticks: u64,
    /// When it was confirmed gone, ms UTC.
    pub ended_ms: Option<i64>,
}

/// The money of one root task: of all its attempts, and of all attempts at its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurseRow {
    /// The task at the top.
    pub root_key: TaskKey,
    /// Settled so far.
    pub settled: MicroUsd,
    /// The open bounds.
    pub reserved: MicroUsd,
    /// Charged tokens so far.
    pub tokens: u64,
    /// The open bounds in tokens.
    #[serde(default)]
    pub reserved_tokens: u64,
    /// What a person has allowed beyond the cap of a task.
    pub granted: MicroUsd,
    /// The same in tokens.
    #[serde(default)]
    pub granted_tokens: u64,
}

/// What keeps the tasks of a repository from starting, whatever they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateRow {
    /// The repository.
    pub repo_id: String,
    /// A person, or the loss limit, has stopped it.
    pub pause: Option<Pause>,
    /// What the last outcomes say of the next.
    pub breaker: Breaker,
    /// Spent since a task last succeeded.
    pub since_success: MicroUsd,
}

/// Nothing new starts until somebody resumes, or an instant comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when, ms UTC.
    pub since_ms: i64,
    /// When it ends by itself, ms UTC.
    pub until_ms: Option<i64>,
    /// Why, for people.
    pub why: String,
    /// Who: a user's name, or `stop_loss`.
    pub by: String,
    /// What runs was put down as well.
    pub now: bool,
}

/// A person's word to the engine of a repository, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlRow {
    /// Its id, made by whoever says it.
    pub id: String,
    /// The repository.
    pub repo_id: String,
    /// What is to be done.
    pub verb: Verb,
    /// Who says it: a user's name.
    pub by: String,
    /// When it was said, ms UTC.
    pub at_ms: i64,
    /// When the engine had done it, ms UTC.
    pub done_ms: Option<i64>,
    /// It was done, not refused.
    pub ok: bool,
    /// What came of it, for people.
    pub result: Option<String>,
}

/// What a person can ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Verb {
    /// Start nothing new; with `now`, put down what runs.
    Pause {
        /// Why, for people.
        why: String,
        /// When to go on without being told, ms UTC.
        until_ms: Option<i64>,
        /// Put down what runs.
        now: bool,
    },
    /// Go on.
    Resume,
    /// Finish what runs, then end.
    Stop,
    /// Let a task that waits for a person go on.
    Approve {
        /// The task's id in the backlog.
        bead_id: BeadId,
    },
    /// Begin a task again, with all its attempts.
    Retry {
        /// The task's id in the backlog.
        bead_id: BeadId,
    },
    /// Leave a task alone for good.
    Drop {
        /// The task's id in the backlog.
        bead_id: BeadId,
        /// Why, for people; may be empty.
        #[serde(default)]
        why: String,
    },
}

/// Names rows that a command needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each names its table")]
pub enum RowKey {
    Task(TaskKey),
    /// The tasks that [`crate::decide::kin`] names for a task, which is loaded first.
    Kin {
        of: TaskKey,
        parts: usize,
    },
    Claim(TaskKey),
    Attempt(AttemptId),
    Step(AttemptId, u32),
    /// All tries of one call.
    Call(AttemptId, u32, u32),
    Effect(EffectKey),
    Child(AttemptId, u32),
    Process(BootId),
    Purse(TaskKey),
    /// The gate of a repository.
    Gate(String),
    Control(String),
    /// What the alerter of a repository works on: its memory, the incidents that are not over, the deliveries that are
    /// queued, and how far the events of a boot were read.
    Alerting {
        repo_id: String,
        boot_id: BootId,
    },
    /// All processes that count as alive.
    AliveProcesses,
    /// The head of a ledger, its tails moved to now; `need` is the most that the command may ask for, so that
    /// departures are loaded when the room may not do.
    Ledger {
        scope: String,
        need: MicroUsd,
    },
    /// What the calls that a ledger counts sum up to as of now, when it has no head yet.
    Opening(String),
}

/// One change of one row.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each names its table")]
#[expect(
    clippy::large_enum_variant,
    reason = "a batch holds a few hundred of them for a moment; most are of tasks and attempts"
)]
pub enum Write {
    Task(TaskRow),
    Claim(ClaimRow),
    DropClaim(TaskKey),
    Attempt(AttemptRow),
    Step(StepRow),
    Call(CallRow),
    Effect(EffectRow),
    Child(ChildRow),
    Process(ProcessRow),
    Head(Head),
    Purse(PurseRow),
    Gate(GateRow),
    Control(ControlRow),
    Alerter(AlerterRow),
    Alert(AlertRow),
    Outbox(OutboxRow),
    Cursor(CursorRow),
}

/// Rows by their keys: what a batch has loaded, or the whole in-memory store.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "each names its table")]
pub struct Rows {
    pub tasks: BTreeMap<TaskKey, TaskRow>,
    pub claims: BTreeMap<TaskKey, ClaimRow>,
    pub attempts: BTreeMap<AttemptId, AttemptRow>,
    pub steps: BTreeMap<(AttemptId, u32), StepRow>,
    pub calls: BTreeMap<TryKey, CallRow>,
    pub effects: BTreeMap<EffectKey, EffectRow>,
    pub children: BTreeMap<(AttemptId, u32), ChildRow>,
    pub processes: BTreeMap<BootId, ProcessRow>,
    pub heads: BTreeMap<String, Head>,
    pub purses: BTreeMap<TaskKey, PurseRow>,
    pub gates: BTreeMap<String, GateRow>,
    pub controls: BTreeMap<String, ControlRow>,
    pub alerters: BTreeMap<String, AlerterRow>,
    pub alerts: BTreeMap<String, AlertRow>,
    pub outbox: BTreeMap<String, OutboxRow>,
    pub cursors: BTreeMap<String, CursorRow>,
    pub departures: BTreeMap<String, Departures>,
    /// Ledgers that may be opened: heads without caps, with the totals of the calls that were there before them.
    pub openings: BTreeMap<String, Head>,
}

impl Rows {
    /// Applies one change.
    pub fn apply(&mut self, write: Write) {
        match write {
            Write::Task(row) => drop(self.tasks.insert(row.key.clone(), row)),
            Write::Claim(row) => drop(self.claims.insert(row.task_key.clone(), row)),
            Write::DropClaim(key) => drop(self.claims.remove(&key)),
            Write::Attempt(row) => drop(self.attempts.insert(row.attempt_id.clone(), row)),
            Write::Step(row) => drop(self.steps.insert((row.attempt_id.clone(), row.n), row)),
            Write::Call(row) => self.apply_call(row),
            Write::Effect(row) => drop(self.effects.insert(row.key.clone(), row)),
            Write::Child(row) => drop(self.children.insert((row.attempt_id.clone(), row.n), row)),
            Write::Process(row) => drop(self.processes.insert(row.boot_id.clone(), row)),
            Write::Head(row) => drop(self.heads.insert(row.scope.clone(), row)),
            Write::Purse(row) => drop(self.purses.insert(row.root_key.clone(), row)),
            Write::Gate(row) => drop(self.gates.insert(row.repo_id.clone(), row)),
            Write::Control(row) => drop(self.controls.insert(row.id.clone(), row)),
            Write::Alerter(row) => drop(self.alerters.insert(row.repo_id.clone(), row)),
            Write::Alert(row) => drop(self.alerts.insert(row.incident_id.clone(), row)),
            Write::Outbox(row) => drop(self.outbox.insert(row.webhook_id.clone(), row)),
            Write::Cursor(row) => drop(self.cursors.insert(row.id(), row)),
        }
    }

    /// A settlement is a departure to come, for the waits that later commands of the same batch are given.
    fn apply_call(&mut self, row: CallRow) {
        let before = self.calls.get(&row.key);
        let (was_known, settled_before) =
            (before.is_some(), before.is_some_and(|old| old.settled_ms.is_some()));
        let tokens = tokens_scope(&row.scope);
        if let Some(opening) = self.openings.get_mut(&tokens) {
            opening.take_in(&row, was_known, settled_before);
        }
        if let (Some(at), Some(actual), false) = (row.settled_ms, row.actual, settled_before) {
            self.depart(row.scope.clone(), (at, actual));
            if self.heads.contains_key(&tokens) {
                self.depart(tokens, (at, ledger::tokens(row.charged_tokens().unwrap_or(0))));
            }
        }
        self.calls.insert(row.key.clone(), row);
    }

    fn depart(&mut self, scope: String, departure: (i64, MicroUsd)) {
        let departures = self.departures.entry(scope).or_default();
        for list in [&mut departures.hour, &mut departures.day] {
            if list.len() < DEPARTURES {
                list.push(departure);
            }
        }
    }

    /// Returns the incidents of a repository that are not over.
    pub fn open_alerts<'a>(&'a self, repo_id: &'a str) -> impl Iterator<Item = &'a AlertRow> {
        self.alerts.values().filter(move |alert| alert.repo_id == repo_id && !alert.is_over())
    }

    /// Returns what is queued for the receivers of a repository.
    pub fn queued<'a>(&'a self, repo_id: &'a str) -> impl Iterator<Item = &'a OutboxRow> {
        let is_queued = |row: &&OutboxRow| row.state == OutboxState::Queued;
        self.outbox.values().filter(move |row| row.repo_id == repo_id).filter(is_queued)
    }

    /// Returns all tries of one call, in order.
    pub fn tries<'a>(
        &'a self,
        attempt_id: &AttemptId,
        step_n: u32,
        call_no: u32,
    ) -> impl Iterator<Item = &'a CallRow> + use<'a> {
        let key = |try_no| TryKey { attempt_id: attempt_id.clone(), step_n, call_no, try_no };
        self.calls.range(key(0)..=key(u32::MAX)).map(|(_, row)| row)
    }
}

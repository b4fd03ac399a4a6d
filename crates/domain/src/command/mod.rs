//! What can be asked of the store's writer, and what it answers.

mod alert;
mod needs;

pub use alert::{Breached, Deliver, Evaluate};
use serde::{Deserialize, Serialize};

use crate::alert::Firing;
use crate::bead::BeadId;
use crate::event::{About, EventKind};
use crate::gate::GateRules;
use crate::id::{AttemptId, BootId, EffectKey, Fence, TaskKey, TryKey};
use crate::ledger::{Bounds, Grant, Terms};
use crate::money::MicroUsd;
use crate::outcome::{FailureKind, HumanReason, Learned, Outcome, Reference, Size, Status};
use crate::policy::RetryRules;
use crate::reason::Wait;
use crate::response::{Message, Response};
use crate::rows::{AttemptRow, ChildRow, ControlRow, ProcessRow};
use crate::stage::{Decision, Stage};
use crate::task::{SourceTask, TaskRow};
use crate::why::Rules;

/// Proves the right to write for an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bearer {
    /// The task.
    pub task_key: TaskKey,
    /// The attempt.
    pub attempt_id: AttemptId,
    /// The fence of the claim.
    pub fence: Fence,
}

/// Proves the right to write for the boot itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootBearer {
    /// The boot.
    pub boot_id: BootId,
    /// The fence of its process row.
    pub fence: Fence,
}

/// Either right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the types say it")]
pub enum Authority {
    Attempt(Bearer),
    Boot(BootBearer),
}

/// A request to the writer. Its natural key makes it idempotent: who does not know whether it was applied sends it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Writes the process row and sets the caps of its scope: freely while no other boot of the scope lives, else only
    /// down.
    StartBoot {
        /// The new process.
        process: ProcessRow,
        /// The ledger's scope; it is written to the process row.
        scope: String,
        /// The cap of a rolling hour.
        cap_hour: MicroUsd,
        /// The cap of a rolling day.
        cap_day: MicroUsd,
        /// How admission is spread, and the cap in tokens.
        terms: Terms,
        /// Boots that the caller has seen to be dead.
        dead: Vec<BootId>,
    },
    /// Lowers the caps of a scope while it is in use; an amount above the present cap changes nothing.
    LowerCaps {
        /// The boot.
        by: BootBearer,
        /// The ledger's scope.
        scope: String,
        /// The cap of a rolling hour.
        cap_hour: MicroUsd,
        /// The cap of a rolling day.
        cap_day: MicroUsd,
    },
    /// Says that the process lives, and what it is now set to.
    Beat {
        /// Which.
        by: BootBearer,
        /// Until when it counts as alive, ms UTC.
        lease_until_ms: i64,
        /// What it is set to; a reload may have changed it.
        rules: Rules,
    },
    /// Ends the process row.
    EndBoot {
        /// Which.
        by: BootBearer,
        /// Why, for people.
        why: String,
    },
    /// Takes over what the source says of these beads.
    Sync {
        /// The beads, at most a few hundred at once.
        beads: Vec<SourceTask>,
    },
    /// Starts an attempt, when the caps have room for it.
    Claim(Claim),
    /// Goes on with an attempt that its slot has lost, under a new fence.
    TakeOver(TakeOver),
    /// Puts an attempt down for the next boot.
    Suspend {
        /// Which.
        by: Bearer,
    },
    /// Begins a step, or returns its output when it is done.
    BeginStep {
        /// The attempt.
        by: Bearer,
        /// Counted from 0 within the attempt.
        n: u32,
        /// The stage.
        stage: Stage,
        /// A hash of what it is given.
        input_hash: String,
    },
    /// Makes the output of a step durable.
    FinishStep(FinishStep),
    /// Sets money aside for one try.
    Reserve(Reserve),
    /// Replaces the bound by what was paid.
    Settle(Settle),
    /// Writes the intent of something outside the store, or returns its result when it is done.
    BeginEffect {
        /// Who.
        by: Authority,
        /// The key.
        key: EffectKey,
        /// The task it belongs to.
        task_key: TaskKey,
        /// `merge`, `pr`, `close`.
        kind: String,
        /// What it acts on, for people.
        target: String,
    },
    /// Makes the result of an effect durable.
    FinishEffect {
        /// Who.
        by: Authority,
        /// The key.
        key: EffectKey,
        /// The task it belongs to.
        task_key: TaskKey,
        /// The result.
        result: String,
    },
    /// Records a long process before its program runs.
    StartChild {
        /// The attempt.
        by: Bearer,
        /// The process.
        row: ChildRow,
    },
    /// Records that a long process is confirmed gone; needs no fence, since it is a fact.
    EndChild {
        /// The attempt.
        attempt_id: AttemptId,
        /// Its place.
        n: u32,
    },
    /// Ends an attempt and puts its task where the outcome sends it.
    Finish(Finish),
    /// Closes a task outside an attempt: a parent, an epic, a merged request.
    Close {
        /// The boot.
        by: BootBearer,
        /// The task.
        task_key: TaskKey,
        /// Where to see it.
        reference: Reference,
        /// Why, for people.
        why: String,
    },
    /// Opens a task again: its request was closed unmerged, or its blocker is resolved.
    Reopen {
        /// The boot.
        by: BootBearer,
        /// The task.
        task_key: TaskKey,
        /// Why, for people.
        why: String,
        /// Whether its effects get new keys.
        anew: bool,
    },
    /// Writes down what a person asks for; anybody may, and said again it is what it was.
    Say(ControlRow),
    /// Does what a person has asked for, once.
    Carry(Box<Carry>),
    /// Records that a running attempt waits.
    NoteWait {
        /// The attempt.
        by: Bearer,
        /// For what.
        wait: Wait,
    },
    /// Records that a supervisor gave up, and stops dispatch until a canary has succeeded.
    Breach(Box<Breached>),
    /// Takes events into the alerts of a repository, each once, and queues what receivers must be told.
    Evaluate(Box<Evaluate>),
    /// Records what a try to deliver a message came to.
    Deliver(Box<Deliver>),
    /// Appends an event that changes no row.
    Note {
        /// What it is about.
        about: About,
        /// What happened.
        kind: EventKind,
    },
}

/// See [`Command::Claim`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The boot that claims.
    pub by: BootBearer,
    /// The task.
    pub task_key: TaskKey,
    /// The new attempt.
    pub attempt_id: AttemptId,
    /// Its fence.
    pub fence: Fence,
    /// The slot that will run it.
    pub slot: String,
    /// The repository, whose gate lets it start.
    pub repo_id: String,
    /// The ledger's scope.
    pub scope: String,
    /// The expected cost, while too few attempts of the repository have ended to know better.
    pub hold: MicroUsd,
    /// The same in tokens.
    pub hold_tokens: u64,
    /// The task right before it in the same offer: for as long as that one waits for money, this one does too, so that
    /// nobody is overtaken.
    pub ahead: Option<TaskKey>,
    /// The model that implements.
    pub model: String,
    /// Money and work are pretended.
    pub simulated: bool,
    /// For the event: how many attempts are allowed.
    pub max_attempts: u32,
    /// The trace to use when the task has none, 32 hex digits.
    pub trace_id: String,
    /// The branch that the attempt will write.
    pub branch: String,
}

/// See [`Command::TakeOver`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeOver {
    /// The boot that takes over.
    pub by: BootBearer,
    /// The task.
    pub task_key: TaskKey,
    /// The attempt.
    pub attempt_id: AttemptId,
    /// The fence that the caller saw.
    pub old_fence: Fence,
    /// The boot that held it.
    pub old_boot: BootId,
    /// The new fence.
    pub fence: Fence,
    /// The slot that will run it.
    pub slot: String,
    /// For the event: how many attempts are allowed.
    pub max_attempts: u32,
}

/// See [`Command::FinishStep`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishStep {
    /// The attempt.
    pub by: Bearer,
    /// The step.
    pub n: u32,
    /// What the stage returned, as JSON.
    pub output: String,
    /// It went well.
    pub ok: bool,
    /// One line for people.
    pub summary: String,
    /// The size, when this was the triage.
    pub size: Option<Size>,
    /// What was decided, when this was the budget gate.
    pub decision: Option<Decision>,
}

/// See [`Command::Reserve`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// The attempt.
    pub by: Bearer,
    /// The try.
    pub key: TryKey,
    /// The ledger's scope.
    pub scope: String,
    /// The stage that asks.
    pub stage: Stage,
    /// The model.
    pub model: String,
    /// A hash of the request.
    pub input_hash: String,
    /// What is asked.
    pub bounds: Bounds,
    /// The task at the top, whose money it is.
    pub root_key: TaskKey,
    /// What that task may cost in all.
    pub task_caps: TaskCaps,
}

/// What a task may cost in all: all its attempts, and those at its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCaps {
    /// In dollars; a person may grant more.
    pub money: Option<MicroUsd>,
    /// In tokens.
    pub tokens: Option<u64>,
}

/// See [`Command::Settle`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settle {
    /// The fence of the asking attempt; a stale one still pays, but its reply is not kept.
    pub by: Option<Bearer>,
    /// The try.
    pub key: TryKey,
    /// The task, for its running cost.
    pub task_key: TaskKey,
    /// The task at the top, whose money it is.
    pub root_key: TaskKey,
    /// The ledger's scope.
    pub scope: String,
    /// What was paid; `None` when nobody knows: the bound is charged.
    pub paid: Option<Paid>,
    /// The reply's text, when it is of use again.
    pub reply: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// How long the call took.
    pub latency_ms: i64,
    /// What the provider said of the reply beside its text; none when there was no reply.
    pub response: Option<Box<Response>>,
    /// What the model was given, without secrets and maybe cut; only where prompts are kept.
    pub prompt: Vec<Message>,
}

impl Settle {
    /// Settles a call at its bound, since no answer came, and says why.
    #[must_use]
    pub fn unanswered(key: TryKey, task_key: TaskKey, root_key: TaskKey, scope: String, why: &str) -> Self {
        Self {
            by: None,
            key,
            task_key,
            root_key,
            scope,
            paid: None,
            reply: None,
            error: Some(why.to_owned()),
            latency_ms: 0,
            response: None,
            prompt: Vec::new(),
        }
    }
}

/// What a provider billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paid {
    /// The price of the call.
    pub cost: MicroUsd,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
}

/// See [`Command::Finish`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// The attempt.
    pub by: Bearer,
    /// How it ended.
    pub outcome: Outcome,
    /// One line for people.
    pub detail: String,
    /// What the next attempt should know.
    pub learned: Option<Learned>,
    /// Files in its diff.
    pub files_changed: u32,
    /// The retry rules.
    pub rules: RetryRules,
    /// The ledger's scope, where its hold is given back.
    pub scope: String,
    /// The repository, whose gate it may close.
    pub repo_id: String,
    /// When the gate closes by itself.
    pub gate: GateRules,
}

/// See [`Command::Carry`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carry {
    /// The boot that does it; none when no engine works on the repository and the caller holds its lock.
    pub by: Option<BootBearer>,
    /// What was asked for, as it was read or as it is said now.
    pub row: ControlRow,
    /// The root of the named task, whose purse an approval may fill.
    pub root_key: Option<TaskKey>,
    /// Ids near the named one, when there is no such task.
    pub nearest: Vec<BeadId>,
    /// The ledger that no longer trusts what is named, when that is a model.
    pub scope: Option<String>,
    /// How the attempt that holds the named task ends, when it is to be put away.
    pub ending: Option<Box<Finish>>,
}

/// What the writer supplies to a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The ledger's time, ms UTC; one for the whole batch.
    pub now_ms: i64,
    /// Random text, new for each command.
    pub nonce: String,
    /// Random bits for spreading.
    pub entropy: u64,
}

/// An answer of the writer.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// Applied, or was applied before.
    Done,
    /// The attempt runs under the given fence.
    Claimed(Box<Claimed>),
    /// Not now.
    Wait(Wait),
    /// The step is new or was interrupted: do it.
    Run,
    /// The step was finished before.
    StepDone {
        /// Its output, as JSON.
        output: String,
        /// It went well.
        ok: bool,
    },
    /// The money is set aside.
    Granted(Grant),
    /// The same request was answered before.
    Memo {
        /// The reply's text.
        text: String,
        /// The prompt tokens that were billed for it; none when nobody knows.
        input_tokens: Option<u64>,
    },
    /// The useful minimum is above a cap.
    ExceedsCap {
        /// What the useful minimum costs.
        bound: MicroUsd,
        /// The smaller cap.
        cap: MicroUsd,
    },
    /// Waiting cannot help: a person must decide.
    Human(HumanReason),
    /// What a person asked for was done, or refused.
    Carried {
        /// It was done.
        ok: bool,
        /// What came of it, for people.
        result: String,
    },
    /// The events are taken in.
    Evaluated {
        /// How many alerts fire.
        firing: Firing,
        /// When time alone changes one of them, ms UTC.
        due_ms: Option<i64>,
    },
    /// The intent is durable: look for the key, then act.
    Act,
    /// The effect was done before.
    EffectDone {
        /// Its result.
        result: String,
    },
    /// The attempt ended.
    Finished {
        /// The status word.
        status: Status,
        /// When the task may start again, ms UTC.
        until_ms: Option<i64>,
    },
}

/// A claim as it now stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The task.
    pub task: TaskRow,
    /// The attempt.
    pub attempt: AttemptRow,
    /// The fence.
    pub fence: Fence,
}

/// Why a command was not applied: a stale fence, or a bug. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Somebody else holds the claim now, or nobody.
    #[error("the claim of task {0} is held under another fence: this attempt may no longer write or spend")]
    StaleFence(TaskKey),
    /// The boot's own fence is not the one in its process row.
    #[error("boot {0} is not alive in the store under this fence")]
    StaleBoot(BootId),
    /// The row does not exist.
    #[error("no {0} row")]
    Missing(&'static str),
    /// The task may not be claimed now.
    #[error("task {key} is {state} and cannot be claimed now")]
    NotClaimable {
        /// The task.
        key: TaskKey,
        /// Its state.
        state: &'static str,
    },
    /// The claim's holder is alive.
    #[error("the claim of task {0} belongs to a live process")]
    HolderLives(TaskKey),
    /// The try's number was used before; the next free one is given.
    #[error("try {0} was used before a restart")]
    TryTaken(TryKey),
    /// The step has not begun.
    #[error("step {0} has not begun")]
    StepNotBegun(u32),
}

impl Outcome {
    /// Returns the class of a failure.
    #[must_use]
    pub const fn failure(&self) -> Option<FailureKind> {
        match self {
            Self::Retryable { failure, .. } | Self::Snoozed { failure, .. } => Some(*failure),
            _ => None,
        }
    }
}

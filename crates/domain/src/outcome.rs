//! How an attempt ends, and the one mapping from outcomes to status words.

use serde::{Deserialize, Serialize};

use crate::id::AttemptId;

/// How large the triage judges a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Size {
    /// Small.
    S,
    /// Medium.
    M,
    /// Large.
    L,
    /// Too large for one attempt; always decomposed.
    Xl,
}

impl Size {
    /// All sizes, the smallest first.
    pub const ALL: [Self; 4] = [Self::S, Self::M, Self::L, Self::Xl];

    /// Returns the size as one or two capital letters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::M => "M",
            Self::L => "L",
            Self::Xl => "XL",
        }
    }
}

/// Why an attempt failed; the label of `glitchlab.failures.total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// A fault that is likely gone on the next try.
    Transient,
    /// The provider asked us to wait.
    RateLimited,
    /// The provider answered with an error of its own.
    Provider,
    /// The model's reply could not be read.
    Parse,
    /// The repository's tests stayed red.
    TestsFailed,
    /// The review refused the change.
    ReviewRejected,
    /// Nothing was changed.
    NoProgress,
    /// Nothing was heard for too long.
    Stalled,
    /// The stage panicked.
    Crashed,
    /// A protected path or another limit of what may be changed was touched.
    Boundary,
    /// The task's own money is used up.
    Budget,
    /// A key or login is missing or refused.
    Credentials,
    /// Trying again cannot help.
    Permanent,
}

impl FailureKind {
    /// All classes.
    pub const ALL: [Self; 13] = [
        Self::Transient,
        Self::RateLimited,
        Self::Provider,
        Self::Parse,
        Self::TestsFailed,
        Self::ReviewRejected,
        Self::NoProgress,
        Self::Stalled,
        Self::Crashed,
        Self::Boundary,
        Self::Budget,
        Self::Credentials,
        Self::Permanent,
    ];

    /// Returns the kind as a label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::RateLimited => "rate_limited",
            Self::Provider => "provider",
            Self::Parse => "parse",
            Self::TestsFailed => "tests_failed",
            Self::ReviewRejected => "review_rejected",
            Self::NoProgress => "no_progress",
            Self::Stalled => "stalled",
            Self::Crashed => "crashed",
            Self::Boundary => "boundary",
            Self::Budget => "budget",
            Self::Credentials => "credentials",
            Self::Permanent => "permanent",
        }
    }
}

/// What an attempt learned, handed to the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// What was tried.
    pub approach: String,
    /// What stood in the way.
    pub obstacle: String,
    /// What was found out on the way.
    pub discoveries: Vec<String>,
    /// What to try next.
    pub recommendation: String,
}

/// One sub-task of a decomposition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubTask {
    /// The title, one line.
    pub title: String,
    /// What is to be done.
    pub description: String,
    /// Places in the same list (from 0) that must be done before this one.
    pub after: Vec<usize>,
}

/// Where a finished piece of work can be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reference {
    /// A merge commit on the base.
    Merge {
        /// The commit's id.
        commit: String,
    },
    /// Triage found it done already.
    AlreadyDone {
        /// The evidence.
        why: String,
    },
    /// All children are closed.
    ChildrenClosed,
}

/// Why a task waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum HumanReason {
    /// All attempts are used up; the last failure is named.
    AttemptsUsed {
        /// The last failure.
        failure: FailureKind,
    },
    /// One call's bound is larger than a cap, so that waiting cannot help.
    ExceedsCap {
        /// The bound, in micro-dollars.
        bound_micro: i64,
        /// The cap, in micro-dollars.
        cap_micro: i64,
    },
    /// What the task may cost in all, its attempts and its parts together, does not pay for another call.
    TaskCap {
        /// Settled so far, in micro-dollars.
        spent_micro: i64,
        /// The cap with what a person has granted beyond it, in micro-dollars.
        cap_micro: i64,
    },
    /// The same in tokens.
    TaskTokens {
        /// Used so far.
        spent: u64,
        /// The cap.
        cap: u64,
    },
    /// One call may use more tokens than a whole day's cap.
    ExceedsTokens {
        /// The most it may use.
        bound: u64,
        /// The cap.
        cap: u64,
    },
    /// Put back too often.
    DeferredTooOften,
    /// The gate rejected the plan.
    GateRejected {
        /// What the gate said.
        why: String,
    },
    /// Decomposed as deep as allowed and still too large.
    TooDeep,
    /// Trying again cannot help.
    Permanent {
        /// What happened.
        why: String,
    },
    /// Its plan waits for a person's word; the attempt goes on with it.
    ApprovePlan {
        /// The attempt that has made it.
        attempt_id: AttemptId,
        /// The size that triage judged.
        size: Size,
        /// How many steps the plan has.
        steps: u32,
    },
    /// Its finished work waits for a person's word before its request is opened or it is merged; the attempt goes on.
    ApproveRequest {
        /// The attempt that has done it.
        attempt_id: AttemptId,
        /// Its branch.
        branch: String,
        /// Files in its diff.
        files: u32,
    },
}

/// How an attempt ended. A closed list: every use is an exhaustive `match`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// A request or branch is open and waits for a merge; dependants stay blocked.
    InReview {
        /// The branch or request.
        request: String,
        /// Why it is not merged, when that is not by choice.
        held: Option<crate::reason::Reason>,
    },
    /// Merged, or found done.
    Completed {
        /// Where to see it.
        reference: Reference,
    },
    /// Split into sub-tasks; the parent waits for them.
    Decomposed {
        /// The parts, in order.
        subtasks: Vec<SubTask>,
    },
    /// Back to the queue with what was learned.
    Deferred {
        /// Why not now.
        why: String,
    },
    /// Parked until a named bead resolves.
    Blocked {
        /// The bead that blocks.
        on: crate::bead::BeadId,
    },
    /// Failed in a way that another attempt may mend.
    Retryable {
        /// The class.
        failure: FailureKind,
        /// What happened, for people.
        message: String,
    },
    /// Waits for an instant without using up an attempt.
    Snoozed {
        /// The class: rate limit, credentials or a lost network.
        failure: FailureKind,
        /// When to look again, ms UTC.
        until_ms: i64,
        /// What happened, for people.
        message: String,
    },
    /// A person must decide.
    NeedsHuman {
        /// About what.
        reason: HumanReason,
    },
    /// Ended from outside: the bead was closed, reassigned or relabelled elsewhere.
    Cancelled {
        /// What changed.
        why: String,
    },
}

/// The status words of spans, metrics, pages and history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each word is its own description")]
pub enum Status {
    PrCreated,
    Completed,
    Decomposed,
    Deferred,
    Blocked,
    NeedsHuman,
    Retried,
    Failed,
    Cancelled,
}

impl Status {
    /// All words.
    pub const ALL: [Self; 9] = [
        Self::PrCreated,
        Self::Completed,
        Self::Decomposed,
        Self::Deferred,
        Self::Blocked,
        Self::NeedsHuman,
        Self::Retried,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Returns the status as a label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PrCreated => "pr_created",
            Self::Completed => "completed",
            Self::Decomposed => "decomposed",
            Self::Deferred => "deferred",
            Self::Blocked => "blocked",
            Self::NeedsHuman => "needs_human",
            Self::Retried => "retried",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Outcome {
    /// Tells whether it only asks a person, and the attempt goes on after the answer.
    #[must_use]
    pub fn is_a_question(&self) -> bool {
        matches!(self, Self::NeedsHuman { reason } if reason.asks().is_some())
    }

    /// Maps the outcome to its status; `last` says that no attempt is left.
    #[must_use]
    pub const fn status(&self, last: bool) -> Status {
        match self {
            Self::InReview { .. } => Status::PrCreated,
            Self::Completed { .. } => Status::Completed,
            Self::Decomposed { .. } => Status::Decomposed,
            Self::Deferred { .. } | Self::Snoozed { .. } => Status::Deferred,
            Self::Blocked { .. } => Status::Blocked,
            Self::NeedsHuman { .. } => Status::NeedsHuman,
            Self::Retryable { .. } if last => Status::Failed,
            Self::Retryable { .. } => Status::Retried,
            Self::Cancelled { .. } => Status::Cancelled,
        }
    }
}

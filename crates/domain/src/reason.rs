//! Why a task is not running: waits, which an instant or an event ends, and skips, where a fact must change.

mod kind;
mod unblock;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bead::BeadId;
use crate::outcome::{FailureKind, HumanReason};

pub use kind::{End, Group, ReasonKind};

/// One rolling window of the caps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// Any 60 minutes.
    Hour,
    /// Any 24 hours.
    Day,
}

impl Window {
    /// Returns the window's length in ms.
    #[must_use]
    pub const fn length_ms(self) -> i64 {
        match self {
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }

    /// Returns the window's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

/// Why a task is not running, as the code knows it; pages and commands show the variant's name verbatim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Reason {
    /// The cap of a rolling window has no room; the instant says when enough of it has left.
    CapReached {
        /// Which window.
        window: Window,
    },
    /// Open reservations fill the cap; the next settlement gives room back.
    AfterSettlement {
        /// Which window.
        window: Window,
    },
    /// The caps have room, but spending is spread over the window; the instant says when the next task may start.
    Paced {
        /// Over which window.
        spread: Window,
    },
    /// The cap in tokens of a rolling window has no room; the instant says when enough of it has left.
    TokenCapReached {
        /// Which window.
        window: Window,
    },
    /// Open reservations fill the cap in tokens; the next settlement gives room back.
    TokensAfterSettlement {
        /// Which window.
        window: Window,
    },
    /// Open reservations of other parts of the same task fill the task's cap; the next settlement gives room back.
    TaskAfterSettlement,
    /// A model billed more than the bound of a try; a person must trust it again.
    ModelOverran {
        /// The model.
        model: String,
    },
    /// The last attempt failed; the next one starts after a back-off.
    Backoff {
        /// How it failed.
        failure: FailureKind,
        /// Attempts used so far.
        attempts: u32,
    },
    /// Put back with what was learned; rests before the next attempt.
    CoolDown {
        /// Why it was put back.
        why: String,
        /// How often so far.
        deferrals: u32,
    },
    /// Waits without using up an attempt: a rate limit, a lost network, an expired login.
    Snoozed {
        /// The class.
        failure: FailureKind,
    },
    /// Nothing new starts until somebody resumes, or until the instant that was set.
    Paused {
        /// Who paused: a user's name, or `stop_loss`.
        by: String,
        /// Why, for people; may be empty.
        why: String,
    },
    /// The dispatch breaker is open.
    BreakerOpen {
        /// The failure that opened it.
        failure: FailureKind,
    },
    /// Another bead must close first.
    BlockedBy {
        /// Which beads.
        on: Vec<BeadId>,
    },
    /// Its children or sub-tasks are open.
    ChildrenOpen,
    /// A branch or request waits for a merge.
    InReview,
    /// Its change overlaps what a person has changed in the checkout of the base.
    BaseCheckedOutDirty {
        /// The files in both.
        files: Vec<String>,
    },
    /// As many requests are open as allowed.
    TooManyOpenRequests {
        /// Open now.
        open: u32,
        /// The limit.
        limit: u32,
    },
    /// The disk of the store or the worktrees has less room than `[store] min_free_disk`.
    DiskLow {
        /// Free bytes.
        free_bytes: u64,
        /// The limit in bytes.
        limit_bytes: u64,
    },
    /// The store refuses writes.
    StoreUnavailable {
        /// What it said.
        why: String,
    },
    /// Every worker is busy.
    NoFreeWorker,
    /// The engine is draining.
    ShuttingDown,
    /// A person must decide.
    NeedsHuman {
        /// About what.
        reason: HumanReason,
    },
    /// Its type is not work.
    NotWork {
        /// The type.
        kind: String,
    },
    /// It has a label that is excluded, or none that is included.
    Label {
        /// The label, or the missing ones.
        label: String,
    },
    /// Its priority number is above `max_priority`.
    LowPriority {
        /// Its priority.
        priority: i64,
    },
    /// Its status in the source is not `open`: somebody holds it, or put it off.
    SourceStatus {
        /// The status.
        status: String,
    },
    /// Put off in the source until an instant.
    DeferredUntil,
    /// Its source marks it as no work item: pinned, ephemeral, or gone.
    NotOffered {
        /// The mark.
        mark: String,
    },
    /// It waits for itself.
    Cycle {
        /// Every member.
        members: Vec<BeadId>,
    },
    /// A person has put it away.
    Dropped,
}

impl Reason {
    /// Returns the variant's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// Returns whose turn it is: that of its kind, but a pause by the loss limit is a question to a person.
    #[must_use]
    pub fn group(&self) -> Group {
        match self {
            Self::Paused { by, .. } if by == crate::gate::STOP_LOSS => Group::You,
            _ => self.kind().group(),
        }
    }

    /// Writes the variant's name with the one fact that tells it from its likes.
    #[must_use]
    pub fn chip(&self) -> String {
        match self.fact() {
            Some(fact) => format!("{}: {fact}", self.name()),
            None => self.name().to_owned(),
        }
    }

    fn fact(&self) -> Option<String> {
        Some(match self {
            Self::CapReached { window }
            | Self::AfterSettlement { window }
            | Self::TokenCapReached { window }
            | Self::TokensAfterSettlement { window }
            | Self::Paced { spread: window } => window.name().to_owned(),
            Self::Backoff { failure, .. } | Self::Snoozed { failure } | Self::BreakerOpen { failure } => {
                failure.name().to_owned()
            }
            Self::BlockedBy { on: ids } | Self::Cycle { members: ids } => match ids.as_slice() {
                [only] => only.to_string(),
                several => several.len().to_string(),
            },
            Self::TooManyOpenRequests { open, limit } => format!("{open} of {limit}"),
            Self::NeedsHuman { reason } => reason.name().to_owned(),
            Self::Paused { by: fact, .. }
            | Self::NotWork { kind: fact }
            | Self::Label { label: fact }
            | Self::SourceStatus { status: fact }
            | Self::NotOffered { mark: fact } => fact.clone(),
            Self::LowPriority { priority } => priority.to_string(),
            Self::ModelOverran { model } => model.clone(),
            Self::CoolDown { .. }
            | Self::TaskAfterSettlement
            | Self::ChildrenOpen
            | Self::InReview
            | Self::BaseCheckedOutDirty { .. }
            | Self::DiskLow { .. }
            | Self::StoreUnavailable { .. }
            | Self::NoFreeWorker
            | Self::ShuttingDown
            | Self::DeferredUntil
            | Self::Dropped => return None,
        })
    }
}

/// Says the reason in one sentence, without the instant.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CapReached { window } => write!(f, "the cap of the rolling {} has no room", window.name()),
            Self::AfterSettlement { window } => {
                write!(f, "open reservations fill the cap of the rolling {}", window.name())
            }
            Self::Paced { spread } => write!(f, "spending is spread over the {}", spread.name()),
            Self::TokenCapReached { window } => {
                write!(f, "the cap in tokens of the rolling {} has no room", window.name())
            }
            Self::TokensAfterSettlement { window } => {
                write!(f, "open reservations fill the cap in tokens of the rolling {}", window.name())
            }
            Self::TaskAfterSettlement => {
                f.write_str("open reservations of other parts of its task fill the task's cap")
            }
            Self::ModelOverran { model } => {
                write!(f, "{model} billed more than its bound and is not used until you trust it again")
            }
            Self::Backoff { failure, attempts } => {
                write!(f, "attempt {attempts} failed ({}), resting before the next", failure.name())
            }
            Self::CoolDown { why, deferrals } => write!(f, "put back {deferrals} times, last because {why}"),
            Self::Snoozed { failure } => write!(f, "waiting out {}", failure.name()),
            Self::Paused { by, why } if why.is_empty() => write!(f, "paused by {by}"),
            Self::Paused { by, why } => write!(f, "paused by {by}: {why}"),
            Self::BreakerOpen { failure } => {
                write!(f, "the dispatch breaker is open after {}", failure.name())
            }
            Self::BlockedBy { on } => write!(f, "blocked by {}", list(on)),
            Self::ChildrenOpen => f.write_str("its children are open"),
            Self::InReview => f.write_str("its branch waits for a merge"),
            Self::BaseCheckedOutDirty { files } => {
                write!(f, "its merge overlaps uncommitted changes in the checkout: {}", files.join(", "))
            }
            Self::TooManyOpenRequests { open, limit } => {
                write!(f, "{open} requests are open, the limit is {limit}")
            }
            Self::DiskLow { free_bytes, limit_bytes } => write!(
                f,
                "{} MiB of disk are free, min_free_disk is {} MiB",
                free_bytes >> 20,
                limit_bytes >> 20
            ),
            Self::StoreUnavailable { why } => write!(f, "the store refuses writes: {why}"),
            Self::NoFreeWorker => f.write_str("every worker is busy"),
            Self::ShuttingDown => f.write_str("the engine is shutting down"),
            Self::NeedsHuman { reason } => write!(f, "{reason}"),
            Self::NotWork { kind } => write!(f, "type `{kind}` is not in work_types"),
            Self::Label { label } => write!(f, "label `{label}` is excluded"),
            Self::LowPriority { priority } => write!(f, "priority {priority} is above max_priority"),
            Self::SourceStatus { status } => write!(f, "its status in the backlog is `{status}`"),
            Self::DeferredUntil => f.write_str("put off in the backlog"),
            Self::NotOffered { mark } => write!(f, "the backlog marks it as {mark}"),
            Self::Cycle { members } => write!(f, "it waits for itself: {}", list(members)),
            Self::Dropped => f.write_str("a person has put it away"),
        }
    }
}

fn list(ids: &[BeadId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl HumanReason {
    /// Returns the variant's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AttemptsUsed { .. } => "AttemptsUsed",
            Self::ExceedsCap { .. } => "ExceedsCap",
            Self::TaskCap { .. } => "TaskCap",
            Self::TaskTokens { .. } => "TaskTokens",
            Self::ExceedsTokens { .. } => "ExceedsTokens",
            Self::DeferredTooOften => "DeferredTooOften",
            Self::GateRejected { .. } => "GateRejected",
            Self::TooDeep => "TooDeep",
            Self::Permanent { .. } => "Permanent",
        }
    }
}

impl fmt::Display for HumanReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AttemptsUsed { failure } => {
                write!(f, "all attempts are used up, the last failed: {}", failure.name())
            }
            Self::ExceedsCap { bound_micro, cap_micro } => write!(
                f,
                "one call may cost {}, more than the cap of {}",
                crate::money::MicroUsd::new(*bound_micro),
                crate::money::MicroUsd::new(*cap_micro)
            ),
            Self::TaskCap { spent_micro, cap_micro } => write!(
                f,
                "{} of the {} that the task may cost in all are spent, and the rest does not pay for one more call",
                crate::money::MicroUsd::new(*spent_micro),
                crate::money::MicroUsd::new(*cap_micro)
            ),
            Self::TaskTokens { spent, cap } => write!(
                f,
                "{spent} of the {cap} tokens that the task may use in all are used, and the rest does not do for one more call"
            ),
            Self::ExceedsTokens { bound, cap } => {
                write!(f, "one call may use {bound} tokens, more than the cap of {cap} a day")
            }
            Self::DeferredTooOften => f.write_str("it was put back too often"),
            Self::GateRejected { why } => write!(f, "the budget gate rejected its plan: {why}"),
            Self::TooDeep => f.write_str("it is still too large at the deepest level of decomposition"),
            Self::Permanent { why } => write!(f, "trying again cannot help: {why}"),
        }
    }
}

/// A wait or skip with its times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// Why.
    pub reason: Reason,
    /// When it ends by itself, ms UTC; none when an event or a person ends it.
    pub until_ms: Option<i64>,
}

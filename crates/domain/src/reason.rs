//! Why a task is not running: waits, which an instant or an event ends, and skips, where a fact must change.

mod kind;
mod say;
mod unblock;

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
        /// It is the use of tokens that is spread.
        #[serde(default)]
        in_tokens: bool,
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
    /// This run has begun as many root tasks as it may.
    TaskLimit {
        /// `work.max_tasks`.
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
            | Self::Paced { spread: window, in_tokens: false } => window.name().to_owned(),
            Self::Paced { spread, in_tokens: true } => format!("{}, tokens", spread.name()),
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
            Self::TaskLimit { limit } => limit.to_string(),
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

/// A wait or skip with its times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// Why.
    pub reason: Reason,
    /// When it ends by itself, ms UTC; none when an event or a person ends it.
    pub until_ms: Option<i64>,
}

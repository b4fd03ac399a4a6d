//! Reasons in one clause each.

use std::fmt;

use super::Reason;
use crate::bead::BeadId;
use crate::outcome::HumanReason;

/// Says the reason in one sentence, without the instant.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CapReached { window } => write!(f, "the cap of the rolling {} has no room", window.name()),
            Self::AfterSettlement { window } => {
                write!(f, "open reservations fill the cap of the rolling {}", window.name())
            }
            Self::Paced { spread, in_tokens } => {
                let what = if *in_tokens { "the use of tokens" } else { "spending" };
                write!(f, "{what} is spread over the {}", spread.name())
            }
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
            Self::TaskLimit { limit: 1 } => f.write_str("this run has begun the one task that it may begin"),
            Self::TaskLimit { limit } => write!(f, "this run has begun the {limit} tasks that it may begin"),
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
            Self::ApprovePlan { .. } => "ApprovePlan",
            Self::ApproveRequest { .. } => "ApproveRequest",
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
            Self::ApprovePlan { size, steps, .. } => {
                let steps = if *steps == 1 { "1 step".to_owned() } else { format!("{steps} steps") };
                write!(f, "its plan waits for your word: {steps}, size {}", size.name())
            }
            Self::ApproveRequest { branch, files, .. } => {
                let files = if *files == 1 { "1 file".to_owned() } else { format!("{files} files") };
                write!(f, "its work waits for your word: {files} on {branch}")
            }
        }
    }
}

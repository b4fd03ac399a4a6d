//! What ends a reason: one sentence for people, with the command or the setting to change in backticks.

use super::{Reason, Window};
use crate::bead::argument;
use crate::outcome::{FailureKind, HumanReason};

impl Reason {
    /// Says what unblocks it, in one sentence without a full stop; commands, settings and files are in backticks. `id`
    /// is the task's id in the backlog, or a place for it such as `ID`.
    #[must_use]
    pub fn unblocks(&self, id: &str) -> String {
        let id = &argument(id);
        match self {
            Self::CapReached { window } => {
                format!("Money that leaves the rolling {}; or raise `{}`", window.name(), cap_key(*window))
            }
            Self::AfterSettlement { .. } => {
                "The next call that ends: it gives back what it had set aside and did not cost".to_owned()
            }
            Self::Paced { spread, in_tokens } => {
                let key = if *in_tokens { "budget.tokens_per_day" } else { cap_key(*spread) };
                format!("The pace, which gives room all the time; or raise `{key}`")
            }
            Self::TokenCapReached { .. } => {
                "Tokens that leave the rolling day; or raise `budget.tokens_per_day`".to_owned()
            }
            Self::TokensAfterSettlement { .. } | Self::TaskAfterSettlement => {
                "The next call that ends: it gives back what it had set aside and did not use".to_owned()
            }
            Self::ModelOverran { model } => format!("`glitchlab approve {model}`, when you know why"),
            Self::Backoff { .. } => {
                format!("Its rest ends by itself; `glitchlab retry {id}` starts it at once")
            }
            Self::CoolDown { .. } => {
                format!("Its cool-down ends by itself; `glitchlab retry {id}` starts it at once")
            }
            Self::Snoozed { failure: FailureKind::Credentials } => {
                "A key or login that works; it is looked at again by itself".to_owned()
            }
            Self::Snoozed { .. } => "The provider, when its wait is over; no attempt is used up".to_owned(),
            Self::Paused { .. } => "`glitchlab resume`".to_owned(),
            Self::BreakerOpen { .. } => {
                "One task on trial after the cool-down; it closes when that does not fail in the same way"
                    .to_owned()
            }
            Self::BlockedBy { on } if on.len() == 1 => "That task, when it is closed".to_owned(),
            Self::BlockedBy { .. } => "These tasks, when all of them are closed".to_owned(),
            Self::ChildrenOpen => "Its children, when all of them are closed".to_owned(),
            Self::InReview => "Merge its branch, or delete it to have the task done anew".to_owned(),
            Self::BaseCheckedOutDirty { files } => format!(
                "Commit or put away your changes in `{}`, then merge its branch",
                files.first().map_or("the checkout", String::as_str)
            ),
            Self::TooManyOpenRequests { .. } => {
                "Merge or close open requests, or raise `forge.max_open`".to_owned()
            }
            Self::TaskLimit { .. } => {
                "The next start of `glitchlab continuous`; or raise `work.max_tasks` for it".to_owned()
            }
            Self::DiskLow { .. } => "Free disk space, or lower `store.min_free_disk`".to_owned(),
            Self::StoreUnavailable { .. } => {
                "The store, when it can be written again: look at its disk and its permissions".to_owned()
            }
            Self::NoFreeWorker => "The next task that ends; or raise `work.workers`".to_owned(),
            Self::ShuttingDown => "The next start of `glitchlab continuous`".to_owned(),
            Self::NeedsHuman { reason } => reason.unblocks(id),
            Self::NotWork { .. } => "`backlog.work_types`, if it is to be worked on".to_owned(),
            Self::Label { .. } => {
                "Its labels, or `backlog.exclude_labels` and `backlog.include_labels`".to_owned()
            }
            Self::LowPriority { .. } => "Its priority, or `backlog.max_priority`".to_owned(),
            Self::SourceStatus { .. } => format!("`bd update {id} --status open`"),
            Self::DeferredUntil => "Its `defer_until` in the backlog".to_owned(),
            Self::NotOffered { .. } => "Its entry in the backlog".to_owned(),
            Self::Cycle { .. } => "Take away one of the dependencies between its members".to_owned(),
            Self::Dropped => format!("`glitchlab retry {id}`"),
        }
    }

    /// Says in a few words what ends it when no instant does.
    #[must_use]
    pub const fn ends_with(&self) -> &'static str {
        match self {
            Self::CapReached { .. } | Self::Paced { .. } => "money comes back",
            Self::TokenCapReached { .. } => "tokens come back",
            Self::AfterSettlement { .. } | Self::TokensAfterSettlement { .. } | Self::TaskAfterSettlement => {
                "a call ends"
            }
            Self::ModelOverran { .. } => "you trust it",
            Self::Backoff { .. } | Self::CoolDown { .. } => "its rest ends",
            Self::Snoozed { .. } => "the provider answers",
            Self::Paused { .. } => "you resume",
            Self::BreakerOpen { .. } => "a trial ends well",
            Self::BlockedBy { on } if on.len() == 1 => "it closes",
            Self::BlockedBy { .. } => "they close",
            Self::ChildrenOpen => "its children close",
            Self::InReview | Self::BaseCheckedOutDirty { .. } | Self::TooManyOpenRequests { .. } => {
                "you merge or close"
            }
            Self::TaskLimit { .. } => "you start anew",
            Self::DiskLow { .. } => "space is free",
            Self::StoreUnavailable { .. } => "the store answers",
            Self::NoFreeWorker => "a task ends",
            Self::ShuttingDown => "the next start",
            Self::NeedsHuman { .. } => "you answer",
            Self::NotWork { .. } | Self::LowPriority { .. } => "a setting changes",
            Self::Label { .. } => "a label changes",
            Self::SourceStatus { .. } | Self::DeferredUntil | Self::NotOffered { .. } => {
                "the backlog changes"
            }
            Self::Cycle { .. } => "you break it",
            Self::Dropped => "you retry it",
        }
    }
}

impl HumanReason {
    fn unblocks(&self, id: &str) -> String {
        match self {
            Self::AttemptsUsed { .. } | Self::DeferredTooOften | Self::Permanent { .. } => {
                format!("`glitchlab retry {id}` begins anew, `glitchlab drop {id}` puts it away")
            }
            Self::ExceedsCap { .. } => {
                format!("Raise `budget.per_hour` and `budget.per_day` above it, or `glitchlab drop {id}`")
            }
            Self::ExceedsTokens { .. } => {
                format!("Raise `budget.tokens_per_day` above it, or `glitchlab drop {id}`")
            }
            Self::TaskCap { .. } | Self::TaskTokens { .. } => {
                format!("`glitchlab approve {id}` grants as much again, `glitchlab drop {id}` puts it away")
            }
            Self::GateRejected { .. } => {
                format!("`glitchlab approve {id}` lets it run as planned, `glitchlab drop {id}` puts it away")
            }
            Self::ApprovePlan { .. } => format!(
                "`glitchlab why {id}` shows the plan; `glitchlab approve {id}` lets it go on, `glitchlab retry {id}` has \
                 another made, `glitchlab drop {id}` puts it away"
            ),
            Self::ApproveRequest { .. } => format!(
                "`glitchlab approve {id}` delivers it, `glitchlab retry {id}` has it done anew, `glitchlab drop {id}` \
                 puts it away"
            ),
            Self::TooDeep => format!("Split it by hand, or `glitchlab drop {id}`"),
        }
    }
}

const fn cap_key(window: Window) -> &'static str {
    match window {
        Window::Hour => "budget.per_hour",
        Window::Day => "budget.per_day",
    }
}

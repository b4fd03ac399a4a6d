//! A wait as the pages show it: its typed name verbatim, what it means for the whole engine, and when it ends.

use glitchlab_domain::reason::{Reason, Wait};

use super::glyph::Glyph;
use super::text::{self, Clock};

/// When a wait ends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Until {
    /// How long from now, `m:ss`.
    pub(crate) left: String,
    /// The instant.
    pub(crate) at: Clock,
}

impl Until {
    /// Reads the end of a wait; one that is past ends now.
    pub(crate) fn of(wait: &Wait, now_ms: i64) -> Option<Self> {
        let until_ms = wait.until_ms?;
        Some(Self { left: text::elapsed(until_ms - now_ms), at: text::clock(until_ms) })
    }
}

/// Writes the type's name as in the code, with the one fact that tells it from its likes.
pub(crate) fn chip(reason: &Reason) -> String {
    let name = reason.name();
    match reason {
        Reason::CapReached { window } | Reason::AfterSettlement { window } => {
            format!("{name}: {}", window.name())
        }
        Reason::Backoff { failure, .. } | Reason::Snoozed { failure } | Reason::BreakerOpen { failure } => {
            format!("{name}: {}", failure.name())
        }
        Reason::BlockedBy { on: ids } | Reason::Cycle { members: ids } => match ids.as_slice() {
            [only] => format!("{name}: {only}"),
            several => format!("{name}: {}", several.len()),
        },
        Reason::TooManyOpenRequests { open, limit } => format!("{name}: {open} of {limit}"),
        Reason::NotWork { kind: fact }
        | Reason::Label { label: fact }
        | Reason::SourceStatus { status: fact } => {
            format!("{name}: {fact}")
        }
        Reason::NotOffered { mark } => format!("{name}: {mark}"),
        _ => name.to_owned(),
    }
}

/// Says what it means for the engine when nothing starts for this reason.
pub(crate) const fn headline(reason: &Reason) -> (Glyph, &'static str) {
    match reason {
        Reason::CapReached { .. } => (Glyph::Wait, "Waiting for money"),
        Reason::AfterSettlement { .. } => (Glyph::Wait, "Waiting for a settlement"),
        Reason::Backoff { .. } | Reason::CoolDown { .. } => (Glyph::Wait, "Resting before the next attempt"),
        Reason::Snoozed { .. } => (Glyph::Wait, "Waiting for the provider"),
        Reason::BreakerOpen { .. } => (Glyph::Crit, "Dispatch is stopped"),
        Reason::BlockedBy { .. } | Reason::ChildrenOpen | Reason::Cycle { .. } => {
            (Glyph::Block, "Everything left is blocked")
        }
        Reason::InReview | Reason::TooManyOpenRequests { .. } => (Glyph::You, "Waiting for merges"),
        Reason::BaseCheckedOutDirty { .. } => (Glyph::You, "Waiting for your checkout"),
        Reason::DiskLow { .. } => (Glyph::Crit, "The disk is almost full"),
        Reason::StoreUnavailable { .. } => (Glyph::Crit, "The store refuses writes"),
        Reason::NoFreeWorker => (Glyph::Wait, "Waiting for a free worker"),
        Reason::ShuttingDown => (Glyph::Stop, "Shutting down"),
        Reason::NeedsHuman { .. } => (Glyph::You, "Waiting for you"),
        Reason::NotWork { .. }
        | Reason::Label { .. }
        | Reason::LowPriority { .. }
        | Reason::SourceStatus { .. }
        | Reason::DeferredUntil
        | Reason::NotOffered { .. } => (Glyph::Skip, "Nothing here may start"),
    }
}

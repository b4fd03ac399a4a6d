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
        wait.until_ms.map(|until_ms| Self::at(until_ms, now_ms))
    }

    /// Writes an end, ms UTC.
    pub(crate) fn at(until_ms: i64, now_ms: i64) -> Self {
        Self { left: text::elapsed(until_ms - now_ms), at: text::clock(until_ms) }
    }
}

/// Says what it means for the engine when nothing starts for this reason.
pub(crate) const fn headline(reason: &Reason) -> (Glyph, &'static str) {
    match reason {
        Reason::CapReached { .. } | Reason::Paced { in_tokens: false, .. } => {
            (Glyph::Wait, "Waiting for money")
        }
        Reason::TokenCapReached { .. } | Reason::Paced { in_tokens: true, .. } => {
            (Glyph::Wait, "Waiting for tokens")
        }
        Reason::AfterSettlement { .. }
        | Reason::TokensAfterSettlement { .. }
        | Reason::TaskAfterSettlement => (Glyph::Wait, "Waiting for a settlement"),
        Reason::Backoff { .. } | Reason::CoolDown { .. } => (Glyph::Wait, "Resting before the next attempt"),
        Reason::Snoozed { .. } => (Glyph::Wait, "Waiting for the provider"),
        Reason::Paused { .. } => (Glyph::Pause, "Paused"),
        Reason::BreakerOpen { .. } => (Glyph::Crit, "Dispatch is stopped"),
        Reason::BlockedBy { .. } | Reason::ChildrenOpen | Reason::Cycle { .. } => {
            (Glyph::Block, "Everything left is blocked")
        }
        Reason::InReview | Reason::TooManyOpenRequests { .. } => (Glyph::You, "Waiting for merges"),
        Reason::TaskLimit { .. } => (Glyph::You, "As many tasks as this run may begin"),
        Reason::BaseCheckedOutDirty { .. } => (Glyph::You, "Waiting for your checkout"),
        Reason::DiskLow { .. } => (Glyph::Crit, "The disk is almost full"),
        Reason::StoreUnavailable { .. } => (Glyph::Crit, "The store refuses writes"),
        Reason::NoFreeWorker => (Glyph::Wait, "Waiting for a free worker"),
        Reason::ShuttingDown => (Glyph::Stop, "Shutting down"),
        Reason::NeedsHuman { .. } | Reason::ModelOverran { .. } => (Glyph::You, "Waiting for you"),
        Reason::NotWork { .. }
        | Reason::Label { .. }
        | Reason::LowPriority { .. }
        | Reason::SourceStatus { .. }
        | Reason::DeferredUntil
        | Reason::NotOffered { .. }
        | Reason::Dropped => (Glyph::Skip, "Nothing here may start"),
    }
}

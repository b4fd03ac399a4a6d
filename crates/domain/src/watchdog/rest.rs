//! What is no stall: the engine has nothing to do, or may not do it yet.

use serde::{Deserialize, Serialize};

use crate::event::EventKind;
use crate::reason::{Reason, ReasonKind, Wait};

/// Why nothing starts, and rightly so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rest {
    /// The backlog has not been read yet.
    Starting,
    /// Nothing is ready.
    Idle,
    /// Something is ready and must wait.
    Held(Reason),
    /// The engine goes down.
    Draining,
}

/// How the engine stands, as its scheduler and its gate say.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The backlog was read at least once.
    pub has_read: bool,
    /// A task or a lost claim could take a slot.
    pub could_start: bool,
    /// Why it does not start.
    pub held: Option<&'a Wait>,
    /// Why nothing at all may start.
    pub closed: Option<&'a Wait>,
    /// The engine goes down.
    pub is_draining: bool,
    /// The wall clock, ms UTC.
    pub now_ms: i64,
}

impl Rest {
    /// Says why nothing starts when that is right. A wait whose instant has come is over.
    #[must_use]
    pub fn of(standing: &Standing<'_>) -> Option<Self> {
        if standing.is_draining {
            return Some(Self::Draining);
        }
        let lasts = |wait: &&Wait| wait.until_ms.is_none_or(|until| until > standing.now_ms);
        let wait = standing.closed.or(standing.held).filter(|wait| explains(&wait.reason)).filter(lasts);
        match wait {
            Some(wait) => Some(Self::Held(wait.reason.clone())),
            None if !standing.has_read => Some(Self::Starting),
            None if !standing.could_start => Some(Self::Idle),
            None => None,
        }
    }

    /// The store does not answer: whoever needs it waits.
    pub(super) const fn is_outage(&self) -> bool {
        matches!(self, Self::Held(Reason::StoreUnavailable { .. }))
    }
}

/// Whether a reason explains that nothing at all starts. That all workers are busy does not, when none is; the others
/// are about single tasks.
fn explains(reason: &Reason) -> bool {
    !matches!(reason.kind(), ReasonKind::NoFreeWorker)
}

/// Whether an event shows that work gets on: a call, a step, an effect or an outcome is durable. That something was
/// claimed, resumed or restarted does not.
#[must_use]
pub const fn is_progress(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::BudgetSettled { .. }
            | EventKind::StageFinished { .. }
            | EventKind::EffectDone { .. }
            | EventKind::TaskFinished { .. }
            | EventKind::TaskClosed { .. }
            | EventKind::TaskDecomposed { .. }
    )
}

//! Why something ended, as a type.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, Weak};

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};

use crate::sync::lock;

/// What an actor or an attached task fails with; any error converts with `?`.
pub type Failure = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Says why a child, a supervisor or a tree ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reason", content = "detail")]
pub enum ExitReason {
    /// It was finished and stopped itself.
    Normal,
    /// It was asked to stop, and did.
    Shutdown,
    /// It was killed: at its next await it was gone, and nothing of it ran afterwards.
    Killed,
    /// It panicked with this message.
    Panicked(String),
    /// It returned this error.
    Failed(String),
    /// It worked off its mailbox first, as asked.
    Drained,
    /// Its task is gone without a word, for example because its runtime is shutting down.
    Vanished,
    /// It was told to end and did not; it may still be running, and nobody waits for it any more.
    Zombie,
    /// It was a supervisor whose children failed too often.
    Breach(Box<Breach>),
}

impl ExitReason {
    /// Returns whether a transient child is left alone after this exit.
    #[must_use]
    pub fn is_normal(&self) -> bool {
        matches!(self, Self::Normal | Self::Shutdown | Self::Drained)
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("normal"),
            Self::Shutdown => f.write_str("shutdown"),
            Self::Killed => f.write_str("killed"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::Failed(message) => write!(f, "failed: {message}"),
            Self::Drained => f.write_str("drained"),
            Self::Vanished => f.write_str("vanished"),
            Self::Zombie => f.write_str("zombie"),
            Self::Breach(breach) => write!(f, "breach: {breach}"),
        }
    }
}

/// Reports that a supervisor gave up: its children were restarted more than `max` times in the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{supervisor} gave up on {child} after {} failures in {window_ms} ms where {max} are tolerated, last {}",
    .reasons.len(), last(.reasons))]
pub struct Breach {
    /// Path of the supervisor that gave up.
    pub supervisor: String,
    /// Path of the child whose failure was one too many.
    pub child: String,
    /// Why the restarts in the window were made, oldest first; the last one was not made any more.
    pub reasons: Vec<ExitReason>,
    /// Length of the window.
    pub window_ms: u64,
    /// Restarts that are tolerated in the window.
    pub max: u32,
}

fn last(reasons: &[ExitReason]) -> String {
    reasons.last().map_or_else(String::new, ToString::to_string)
}

/// Carries how one incarnation failed from the actor, which knows it as a type, to its supervisor.
///
/// The supervision event alone cannot tell a panic from an error, and is never seen during an ordered stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExitRecord(Arc<Mutex<Option<ExitReason>>>);

impl ExitRecord {
    /// Writes the reason; the first one stays.
    pub(crate) fn set(&self, reason: ExitReason) {
        lock(&self.0).get_or_insert(reason);
    }

    /// Returns what tells whether something of the incarnation is still there, since its state goes with the record.
    pub(crate) fn remains(&self) -> Remains {
        Remains(Arc::downgrade(&self.0))
    }

    /// Returns whether nobody else has it, so that nothing of the incarnation is left.
    pub(crate) fn is_last(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Takes out what was recorded, if anything.
    pub(crate) fn take(&self) -> Option<ExitReason> {
        lock(&self.0).take()
    }
}

/// What may be left of an incarnation that ended: `ractor` hands the state of one that was killed to its supervisor,
/// in whose mailbox it lies until its turn comes.
#[derive(Debug, Default)]
pub(crate) struct Remains(Weak<Mutex<Option<ExitReason>>>);

impl Remains {
    /// Returns whether nothing is left.
    pub(crate) fn are_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// Runs `future` and turns both an error and a panic into the reason for an exit.
pub(crate) async fn caught<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, ExitReason> {
    match AssertUnwindSafe(future).catch_unwind().await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(failure)) => Err(ExitReason::Failed(describe(failure.as_ref()))),
        Err(payload) => Err(ExitReason::Panicked(panic_text(payload.as_ref()))),
    }
}

/// Writes an error with all its causes on one line.
pub(crate) fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

/// Returns the message of a panic as text.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic whose payload is not text".to_owned())
}

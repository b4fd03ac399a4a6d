//! The dashboard of GLITCHLAB.
//!
//! Pages, live updates and JSON over plain handles: the live [`Snapshot`] and a few functions. This crate knows no
//! actor and no store; whoever composes the engine hands it [`Sources`] and a bound listener. It is read-only by
//! construction: anything but GET and HEAD is refused before it is routed, and nothing here can write.
//!
//! Everything that comes from tasks and agents is hostile text: templates escape it, and no style, script or handler
//! is ever inline, so that the content security policy can forbid them all.

use std::sync::Arc;

use glitchlab_domain::snapshot::Snapshot;
use glitchlab_domain::why::Why;
use glitchlab_runtime::TreeSnapshot;
use tokio::sync::watch;

mod alerts;
mod api;
mod assets;
mod error;
mod guard;
mod history;
mod pages;
mod records;
mod seats;
mod server;
mod sse;
mod view;

#[cfg(test)]
#[path = "../tests/sample/mod.rs"]
mod sample;

pub use guard::Guard;
pub use records::{Records, Unavailable};
pub use server::{router, serve};

/// Where the pages take what they show from.
#[derive(Clone)]
pub struct Sources {
    /// The state of the engine; published at most four times a second, the first change of a burst at once, and at
    /// least once in ten seconds: the pages say of an older one that it is old.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// Why nothing starts, or what starts next; published at most once a second.
    pub why: watch::Receiver<Arc<Why>>,
    /// The supervision tree, read from shared state without asking an actor; `None` before there is one.
    pub tree: Arc<dyn Fn() -> Option<TreeSnapshot> + Send + Sync>,
    /// How the engine is; asked once a second and for each `/health`, so it must answer without waiting.
    pub health: Arc<dyn Fn() -> Health + Send + Sync>,
    /// The metrics in Prometheus's text format, nothing when they cannot be written; `None` in a process that counts
    /// nothing. Asked for each `/metrics`, so it must answer without waiting.
    pub metrics: Option<Arc<dyn Fn() -> Option<String> + Send + Sync>>,
    /// What is known of tasks, for the history pages.
    pub records: Arc<dyn Records>,
    /// Now, ms UTC; this crate reads no clock of its own.
    pub clock: Arc<dyn Fn() -> i64 + Send + Sync>,
}

/// How the engine is, as `/health` and the banners say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Everything works.
    #[default]
    Ok,
    /// Something is impaired and nothing is lost: one sentence says what. `/health` still answers 200.
    Degraded(String),
    /// The engine cannot do its work: one sentence says why. `/health` answers 503.
    Failing(String),
}

//! The three ports without a store, git or processes, for tests, benches and virtual time.
//!
//! They keep the promises of the ports: a worktree is isolated, a merge happens once and never on another base than
//! asked for, a log gives back what it was given. Each operation passes a [`Fuse`] before and after it acts, where a
//! test can interrupt the attempt.

mod durable;
mod forge;
mod fuse;
mod log;
mod repo;
mod tree;
mod workspace;

pub use durable::MemoryDurable;
pub use forge::FakeForge;
pub use fuse::Fuse;
pub use log::MemoryLog;
pub use repo::FakeRepo;
pub use tree::Files;
pub use workspace::{FakeRun, FakeWorkspace};

use std::sync::Arc;

use glitchlab_models::account::Clock;
use tokio::time::Instant;

/// A morning in November 2023, ms UTC.
const EPOCH_MS: i64 = 1_700_000_000_000;

/// Makes a clock that follows tokio's time, also when that is paused.
#[must_use]
pub fn clock() -> Clock {
    let start = Instant::now();
    Arc::new(move || EPOCH_MS + i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX))
}

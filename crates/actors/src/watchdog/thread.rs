//! The OS thread and the runtime that only the watchdog uses.

use std::io;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A thread with a runtime of its own; it ends when this is dropped.
#[derive(Debug)]
pub struct WatchThread {
    runtime: Handle,
    _until_dropped: DropGuard,
}

impl WatchThread {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// Returns why there is no runtime or no thread.
    pub fn start() -> io::Result<Self> {
        let built = Builder::new_current_thread().enable_all().build()?;
        let (runtime, ended) = (built.handle().clone(), CancellationToken::new());
        let until = ended.clone();
        let work = move || {
            built.block_on(until.cancelled());
            // What it may still be reading or killing is not waited for.
            built.shutdown_background();
        };
        let _detached = thread::Builder::new().name("watchdog".to_owned()).spawn(work)?;
        Ok(Self { runtime, _until_dropped: ended.drop_guard() })
    }

    /// Returns where the watchdog's work runs.
    #[must_use]
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

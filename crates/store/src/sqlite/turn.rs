//! Whose turn it is to write, when several processes share one file.
//!
//! Under `busy_timeout` alone two writers starve each other, and so they do under one lock that its holder takes again
//! at once. Here whoever waits for the turn holds the gate, and whoever has ended its turn must pass the gate before it
//! can wait for the next one: two writers take turns.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::Arc;

use crate::error::StoreError;

/// Two lock files beside the store.
pub(super) struct Turnstile {
    gate: Arc<File>,
    turn: Arc<File>,
}

/// A lock that ends with this value, also when the future that holds it is dropped.
pub(super) struct Held(Arc<File>);

impl Turnstile {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { gate: beside(path, "-gate")?, turn: beside(path, "-turn")? })
    }

    /// Waits for the turn; it ends when the returned value is dropped.
    pub(super) async fn take(&self) -> Result<Held, StoreError> {
        let gate = lock(&self.gate).await?;
        let turn = lock(&self.turn).await;
        drop(gate);
        turn
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

fn beside(path: &Path, suffix: &str) -> Result<Arc<File>, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&name);
    opened.map(Arc::new).map_err(|error| refused(&format!("{}: {error}", Path::new(&name).display())))
}

/// Locks at once when nobody holds it, otherwise on a thread that may block.
async fn lock(file: &Arc<File>) -> Result<Held, StoreError> {
    match file.try_lock() {
        Ok(()) => return Ok(Held(Arc::clone(file))),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(refused(&error)),
    }
    let file = Arc::clone(file);
    // The thread hands over what unlocks: a caller that has gone meanwhile leaves no lock behind.
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| Held(file))).await;
    match locked {
        Ok(held) => held.map_err(|error| refused(&error)),
        Err(_) => Err(StoreError::Busy),
    }
}

fn refused(what: &impl ToString) -> StoreError {
    StoreError::ReadOnly(what.to_string())
}

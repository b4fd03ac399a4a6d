//! A note of what a git call may leave behind, written before the call.
//!
//! git's lock files don't say whose they are. So before each call that takes locks we write down which, and by which
//! life of the engine; the note goes when git ended by itself. A note that stays tells [`super::sweep`] what to look
//! for: its engine died, or killed the call.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::fast_forward::FastForward;
use super::{GitError, GitRepo};
use crate::process::engine::Engine;

/// What a call may leave behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) engine: Engine,
    /// Lock files that git takes in this call.
    pub(crate) locks: Vec<PathBuf>,
    /// The user's checkout that the call changes.
    pub(crate) fast_forward: Option<FastForward>,
}

/// The notes of calls that are running now.
static RUNNING: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);

fn running() -> std::sync::MutexGuard<'static, HashSet<PathBuf>> {
    // The set is whole after each call on it, so a panic elsewhere does not spoil it.
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A note that is written. Dropped without [`Note::done`] it stays, for its call was killed.
#[derive(Debug)]
#[must_use]
pub(crate) struct Note {
    path: PathBuf,
}

impl Intent {
    pub(crate) fn locks(locks: Vec<PathBuf>) -> Self {
        Self { engine: Engine::current().clone(), locks, fast_forward: None }
    }

    pub(crate) fn write(&self, repo: &GitRepo) -> Result<Note, GitError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let Engine { pid, start_ticks, .. } = self.engine;
        let path = directory(repo).join(format!("{pid}-{start_ticks}-{n}.json"));
        let failed = |source| GitError::Io { doing: "write", path: path.clone(), source };
        fs::create_dir_all(directory(repo)).map_err(failed)?;
        let text = serde_json::to_vec(self).map_err(|error| failed(error.into()))?;
        running().insert(path.clone());
        let note = Note { path: path.clone() };
        fs::write(&path, text).map_err(failed)?;
        Ok(note)
    }

    /// Reads the notes of calls that run no more.
    pub(crate) fn left_behind(repo: &GitRepo) -> Vec<(PathBuf, Self)> {
        // A call that ends removes its note before it counts as ended, so one that is still there was left.
        let is_left = |(path, intent): &(PathBuf, Self)| !is_running(path, &intent.engine) && path.exists();
        all(repo).into_iter().filter(is_left).collect()
    }

    /// Says whether a call that runs now takes this lock.
    pub(crate) fn is_taken(repo: &GitRepo, lock: &Path) -> bool {
        let takes = |(path, intent): &(PathBuf, Self)| {
            is_running(path, &intent.engine) && intent.locks.iter().any(|taken| taken == lock)
        };
        all(repo).iter().any(takes)
    }
}

impl Note {
    /// Takes the note away: git ended by itself.
    pub(crate) fn done(self) {
        // A note that cannot be removed only makes a later sweep look for locks that are not there.
        let _ = fs::remove_file(&self.path);
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        running().remove(&self.path);
    }
}

fn is_running(path: &Path, engine: &Engine) -> bool {
    if engine == Engine::current() { running().contains(path) } else { engine.is_alive() }
}

fn directory(repo: &GitRepo) -> PathBuf {
    repo.own_dir().join("intents")
}

/// A note that cannot be read was cut off while it was written, before its call began.
fn all(repo: &GitRepo) -> Vec<(PathBuf, Intent)> {
    let entries = fs::read_dir(directory(repo)).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.path(), read(&entry.path())?))).collect()
}

fn read(path: &Path) -> Option<Intent> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

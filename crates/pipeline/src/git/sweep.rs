//! The locks that calls of ours left behind, and the checkout that one left half changed.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::sleep;

use super::intent::Intent;
use super::{GitError, GitRepo, checkouts};
use crate::process::engine::Engine;
use crate::process::lookup;

/// How long a lock must stay as it is before it is taken for stale.
pub const SETTLE: Duration = Duration::from_secs(1);

/// No call of ours takes longer; a lock that is made later than that after a note is not of its call.
const LONGEST_CALL: Duration = Duration::from_secs(15 * 60);

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweptLocks {
    /// Locks that were removed.
    pub removed: Vec<PathBuf>,
    /// Locks that may be another program's; they are looked at again by the next sweep.
    pub kept: Vec<PathBuf>,
    /// Files of the user's checkout that were set back.
    pub restored: Vec<String>,
}

/// Removes the locks that our own killed git calls left, and sets back what a killed fast-forward left half done.
///
/// A lock is ours when a note says that a call takes it, the call runs no more, and the lock was made while it could
/// run. Even then it stays when a call of ours that runs takes it, when any other git is at work in the repository,
/// or when it changes within `settle`. Locks that no note names are never touched.
///
/// # Errors
///
/// Fails when git does, or when a file cannot be removed.
pub async fn sweep_own_locks(repo: &GitRepo, settle: Duration) -> Result<SweptLocks, GitError> {
    static SWEEPING: Mutex<()> = Mutex::const_new(());
    let _one_at_a_time = SWEEPING.lock().await;
    let mut swept = SweptLocks::default();
    for (note, intent) in Intent::left_behind(repo) {
        let locks: Vec<PathBuf> =
            intent.locks.iter().filter(|lock| is_of_its_time(lock, &note)).cloned().collect();
        remove_stale(repo, &locks, settle, &mut swept.removed).await?;
        let kept: Vec<PathBuf> = intent.locks.iter().filter(|lock| lock.exists()).cloned().collect();
        if !kept.is_empty() {
            swept.kept.extend(kept);
            continue;
        }
        if let Some(fast_forward) = &intent.fast_forward {
            swept.restored.extend(fast_forward.set_back(repo).await?);
        }
        remove(&note)?;
    }
    Ok(swept)
}

fn is_of_its_time(lock: &Path, note: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    modified(lock).zip(modified(note)).is_some_and(|(lock, note)| (note..note + LONGEST_CALL).contains(&lock))
}

async fn remove_stale(
    repo: &GitRepo,
    locks: &[PathBuf],
    settle: Duration,
    removed: &mut Vec<PathBuf>,
) -> Result<(), GitError> {
    let before: Vec<_> = locks.iter().filter_map(|lock| Some((lock, fs::metadata(lock).ok()?))).collect();
    if before.is_empty() {
        return Ok(());
    }
    sleep(settle).await;
    if is_busy(repo).await? {
        return Ok(());
    }
    for (lock, before) in before {
        let is_stale =
            fs::metadata(lock).is_ok_and(|now| is_same(&before, &now)) && !Intent::is_taken(repo, lock);
        if is_stale && remove(lock)? {
            removed.push(lock.clone());
        }
    }
    Ok(())
}

/// Removes a file; `false` when somebody else did.
fn remove(path: &Path) -> Result<bool, GitError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(source) => Err(GitError::Io { doing: "remove", path: path.to_owned(), source }),
    }
}

fn is_same(before: &Metadata, now: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (before.ino(), before.mtime(), before.mtime_nsec(), before.len())
        == (now.ino(), now.mtime(), now.mtime_nsec(), now.len())
}

/// Says whether a git that this engine did not start is at work in the repository or one of its checkouts.
async fn is_busy(repo: &GitRepo) -> Result<bool, GitError> {
    let mut places: Vec<PathBuf> =
        checkouts::list(repo).await?.into_iter().map(|checkout| checkout.path).collect();
    places.push(repo.common_dir.clone());
    Ok(lookup::others_at_work("git", &places, Engine::current()))
}

//! One merge at a time in a repository, whichever engine makes it.

use std::fs::{self, File, TryLockError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{GitError, GitRepo};

const PAUSE: Duration = Duration::from_millis(20);

/// The repository's lock, held until it is dropped, and by the system given free when the process dies.
#[derive(Debug)]
pub struct RepoLock {
    _file: File,
}

impl RepoLock {
    /// Waits for the lock.
    ///
    /// # Errors
    ///
    /// Fails when another engine holds it for longer than `at_most`.
    pub async fn acquire(repo: &GitRepo, at_most: Duration) -> Result<Self, GitError> {
        let path = repo.own_dir().join("lock");
        let failed = |source| GitError::Io { doing: "lock", path: path.clone(), source };
        fs::create_dir_all(repo.own_dir()).map_err(failed)?;
        let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
        let deadline = Instant::now() + at_most;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(PAUSE).await,
                Err(TryLockError::WouldBlock) => {
                    return Err(GitError::Held { path, waited_ms: at_most.as_millis() });
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
    }
}

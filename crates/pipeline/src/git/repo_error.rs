//! What a repository can lack.

use std::path::PathBuf;

use super::GitError;
use super::identity::IdentityError;

/// The first version with `git merge-tree --write-tree`.
pub(super) const OLDEST_GIT: (u32, u32) = (2, 38);

/// Why no work can be done on a repository; each message says how to mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepoError {
    /// There is no git.
    #[error("git cannot be run ({source}); install git {}.{} or newer", OLDEST_GIT.0, OLDEST_GIT.1)]
    NoGit {
        /// Why not.
        source: GitError,
    },
    /// git is too old.
    #[error("this is {found}; install git {}.{} or newer", OLDEST_GIT.0, OLDEST_GIT.1)]
    GitTooOld {
        /// What git says it is.
        found: String,
    },
    /// There is no repository.
    #[error("{} is not a git repository ({said}); name one with --repo, or run `git init` there", path.display())]
    NotARepository {
        /// The path.
        path: PathBuf,
        /// What git says.
        said: String,
    },
    /// There is no commit.
    #[error("{} has no commit yet; make one, for example with `git commit --allow-empty -m start`", path.display())]
    NoCommit {
        /// The repository.
        path: PathBuf,
    },
    /// The base is not there.
    #[error("there is no branch {base:?} in {}; set `base` under [work] to one of: {}", path.display(), branches.join(", "))]
    NoBase {
        /// The base.
        base: String,
        /// The repository.
        path: PathBuf,
        /// Some branches that are there.
        branches: Vec<String>,
    },
    /// The base is only known from the remote.
    #[error(
        "the branch {base:?} is only on the remote; make it here with `git branch {base} {remote_branch}`"
    )]
    BaseOnlyOnRemote {
        /// The base.
        base: String,
        /// The remote's branch.
        remote_branch: String,
    },
    /// No branch is checked out and no base is configured.
    #[error("{} has no branch checked out and no remote; set `base` under [work] to the branch to work on", path.display())]
    NoBranch {
        /// The repository.
        path: PathBuf,
    },
    /// Nobody is there to be the author.
    #[error(
        "commits need an author; set `author = \"Name <mail>\"` under [work], or run \
         `git -C {} config user.name ..` and `user.email ..`", path.display()
    )]
    NoIdentity {
        /// The repository.
        path: PathBuf,
    },
    /// The configured author is not one.
    #[error("`author` under [work]: {0}")]
    BadAuthor(#[from] IdentityError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

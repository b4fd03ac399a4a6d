//! The `git` command, and what it says about the user's repository.

pub mod call;
pub mod checkouts;
pub(crate) mod fast_forward;
pub mod identity;
pub(crate) mod intent;
pub mod lock;
pub(crate) mod merge_tree;
pub mod open;
mod repo_error;
pub mod sweep;

use std::path::PathBuf;

pub use call::Git;
pub use identity::Identity;
pub use open::{GitRepo, RepoOptions};
pub use repo_error::RepoError;

use crate::process::{Exit, ProcessError};

/// Why a git command did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// git could not be run, or took too long.
    #[error("git {what}: {source}")]
    Process {
        /// The git command.
        what: String,
        /// Why.
        source: ProcessError,
    },
    /// git ended with an error.
    #[error("git {what} failed ({exit}): {stderr}")]
    Failed {
        /// The git command.
        what: String,
        /// How it exited.
        exit: Exit,
        /// What it said.
        stderr: String,
    },
    /// git said more than is kept.
    #[error("git {what} printed {bytes} bytes, more than the limit of {limit_bytes}")]
    TooMuch {
        /// The git command.
        what: String,
        /// How much it printed.
        bytes: u64,
        /// The limit.
        limit_bytes: usize,
    },
    /// git said something else than its manual says.
    #[error("cannot read what git {what} printed: {text:?}")]
    Unreadable {
        /// The git command.
        what: String,
        /// What it printed.
        text: String,
    },
    /// A file of ours in the repository could not be used.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Another engine holds the repository.
    #[error("{} is held by another engine for more than {waited_ms} ms; stop that one, or wait", path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// How long we waited.
        waited_ms: u128,
    },
}

//! What can go wrong in a worktree.

use std::path::PathBuf;

use crate::git::GitError;
use crate::process::{Exit, ProcessError};

/// Why a worktree did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkspaceError {
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A process could not be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The file system failed.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The path is absolute, has a `..`, or leads out by a symbolic link.
    #[error("{path:?} leads out of the worktree; name a file inside it, relative to its top")]
    Outside {
        /// The path as given.
        path: String,
    },
    /// The path must not be changed by an attempt.
    #[error("{path:?} is protected by {pattern:?}; leave it as it is")]
    Protected {
        /// The path.
        path: String,
        /// The rule that names it.
        pattern: String,
    },
    /// There is no such file.
    #[error("there is no file {path:?}")]
    NotFound {
        /// The path.
        path: String,
    },
    /// It is a directory, a device or a pipe.
    #[error("{path:?} is not a regular file")]
    NotAFile {
        /// The path.
        path: String,
    },
    /// The file is larger than what is read.
    #[error("{path:?} has {bytes} bytes, more than the limit of {limit_bytes}; search in it instead")]
    TooLarge {
        /// The path.
        path: String,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// The file is not text.
    #[error("{path:?} is not text")]
    Binary {
        /// The path.
        path: String,
    },
    /// The new content is so much shorter that something was probably lost.
    #[error(
        "the new content of {path:?} has {after_bytes} bytes where there were {before_bytes}; replace the parts that \
         change, or write the whole file"
    )]
    Shrinks {
        /// The path.
        path: String,
        /// Its size now.
        before_bytes: u64,
        /// The size it would have.
        after_bytes: u64,
    },
    /// A program left a repository of its own in the worktree.
    #[error("{path:?} is a git repository inside the worktree; remove its .git, or leave it out")]
    Nested {
        /// The path.
        path: String,
    },
    /// A program left more behind than a change is.
    #[error(
        "with {path:?} the change has more than {limit_bytes} bytes; leave out what is made by the build, or have git \
         ignore it"
    )]
    TooMuch {
        /// The file that is too much.
        path: String,
        /// The limit.
        limit_bytes: u64,
    },
    /// A program wrote a secret into a file.
    #[error("{path:?} has a secret of the environment in it; leave it out")]
    Secret {
        /// The path.
        path: String,
    },
    /// The text to replace is not there exactly once.
    #[error(
        "the text to replace occurs {found} times in {path:?}; give enough of its surroundings that it occurs once"
    )]
    NotOnce {
        /// The path.
        path: String,
        /// How often it occurs.
        found: usize,
    },
    /// Nothing to search for.
    #[error("a search needs one line of text; {pattern:?} is not one")]
    Pattern {
        /// The pattern as given.
        pattern: String,
    },
    /// The setup command failed.
    #[error("the setup command {command:?} failed ({exit}): {output}")]
    Setup {
        /// The command.
        command: String,
        /// How it exited.
        exit: Exit,
        /// What it printed.
        output: String,
    },
    /// A hook of the repository refused the commit.
    #[error("the repository's hooks refused the commit: {output}")]
    CommitRefused {
        /// What git and the hook printed.
        output: String,
    },
    /// There is work that is not committed.
    #[error("{files} changed files are not committed; commit them before the base is merged")]
    Uncommitted {
        /// How many files.
        files: usize,
    },
    /// The branch to start from is not there.
    #[error("there is no branch {base:?} to start from; it was deleted or renamed")]
    NoBase {
        /// The branch.
        base: String,
    },
    /// The worktrees would lie inside the user's checkout.
    #[error("{} is inside the checkout; keep worktrees outside of it", path.display())]
    InsideCheckout {
        /// The directory.
        path: PathBuf,
    },
    /// The directory is not a worktree of this workspace, or is no longer connected to its repository.
    #[error("{} is not a worktree of this engine any more: {why}", path.display())]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

//! Where an attempt works: a tree of files of its own, with history.

mod contain;
mod error;
pub mod files;
pub mod git;
mod history;
pub mod name;
pub mod protect;
pub mod prune;
mod record;
mod search;
mod steps;
mod worktree;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use error::WorkspaceError;

use crate::process::contained::Finished;
use crate::process::redact::Redactor;
use crate::process::{ChildWatch, Exit, RunLimits};

/// What a worktree is opened for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorktreeSpec {
    /// The attempt that owns it.
    pub attempt_id: String,
    /// The task's id in the backlog, any text.
    pub bead_id: String,
    /// The branch that the attempt commits to, see [`name::branch_name`].
    pub branch: String,
    /// The branch that the work starts from.
    pub base: String,
    /// A shell command run once in the new worktree.
    pub setup: Option<String>,
}

/// An open worktree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worktree {
    /// Its directory.
    pub path: PathBuf,
    /// The branch checked out in it.
    pub branch: String,
    /// The commit that the work is compared with.
    pub base_commit: String,
    /// Whether this `open` made it; `false` when it was found again.
    pub created: bool,
}

/// One line that a search found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// The file, relative to the worktree.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// The line's text, cut when it is long.
    pub text: String,
}

/// One changed file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// The file, relative to the worktree.
    pub path: String,
    /// Lines added; 0 for a binary file.
    pub added: u64,
    /// Lines removed; 0 for a binary file.
    pub removed: u64,
}

/// What an attempt changed since its base, committed or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffSummary {
    /// The changed files, by path.
    pub files: Vec<FileChange>,
    /// Lines added plus lines removed.
    pub lines: u64,
    /// The size of the patch.
    pub patch_bytes: u64,
    /// The id of the git tree that holds the content, which is equal only for equal content.
    pub tree: String,
    /// Changed files that no attempt may change.
    pub protected: Vec<String>,
}

/// What a program changed that worked in the worktree itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The tree with all files as they then were, which the workspace keeps until the attempt ends.
    pub tree: String,
    /// The files that it changed, by path; true for one that is gone.
    pub touched: BTreeMap<String, bool>,
}

/// A commit message in its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitMessage {
    /// The first line.
    pub subject: String,
    /// The text below it, may be empty.
    pub body: String,
    /// `Key: value` lines at the end.
    pub trailers: Vec<(String, String)>,
}

/// How a run of the tests ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestRun {
    /// Whether the command exited with 0 in time.
    pub passed: bool,
    /// How it exited.
    pub exit: Exit,
    /// How long it took.
    pub duration_ms: u64,
    /// What it printed, both streams as they came, the middle left out when there was too much.
    pub output: String,
    /// Whether it was ended because its time was over.
    pub timed_out: bool,
}

/// What came of taking a newer base into a worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// The worktree has everything of the base already.
    UpToDate,
    /// The base was merged; the worktree is now compared with it.
    Merged(Worktree),
    /// Both sides changed the same places; the worktree is as it was.
    Conflict {
        /// The files that need a decision.
        files: Vec<String>,
    },
}

/// A place to work in for each attempt.
///
/// Every method can be called again after a crash in the middle of it.
#[async_trait]
pub trait Workspace: Send + Sync {
    /// Makes the worktree, or finds it again as the crash left it.
    async fn open(&self, spec: &WorktreeSpec) -> Result<Worktree, WorkspaceError>;

    /// Finds the worktree of an attempt, `None` when it was never made or is gone.
    async fn find(&self, attempt_id: &str, bead_id: &str) -> Result<Option<Worktree>, WorkspaceError>;

    /// Lists the files, tracked and new, without ignored ones; sorted, at most as many as the options say.
    async fn list(&self, at: &Worktree) -> Result<Vec<String>, WorkspaceError>;

    /// Reads a text file.
    async fn read(&self, at: &Worktree, path: &str) -> Result<String, WorkspaceError>;

    /// Finds a fixed text in the files that [`Workspace::list`] names, at most as often as the options say.
    async fn search(&self, at: &Worktree, pattern: &str) -> Result<Vec<Hit>, WorkspaceError>;

    /// Says whether a change would be refused: that of a whole file, or with no `content` any other.
    async fn check_change(
        &self,
        at: &Worktree,
        path: &str,
        content: Option<&str>,
    ) -> Result<(), WorkspaceError>;

    /// Writes a whole file, with its directories.
    async fn write(&self, at: &Worktree, path: &str, content: &str) -> Result<(), WorkspaceError>;

    /// Removes a file.
    async fn remove_file(&self, at: &Worktree, path: &str) -> Result<(), WorkspaceError>;

    /// Replaces a text that occurs exactly once in a file.
    async fn replace(&self, at: &Worktree, path: &str, old: &str, new: &str) -> Result<(), WorkspaceError>;

    /// Tells what changed since the base, committed or not.
    async fn diff(&self, at: &Worktree) -> Result<DiffSummary, WorkspaceError>;

    /// Commits everything that is not ignored; returns the commit, or `None` when there is nothing to commit.
    ///
    /// When the last commit is this very one already, it is returned.
    async fn commit(&self, at: &Worktree, message: &CommitMessage) -> Result<Option<String>, WorkspaceError>;

    /// Runs a shell command in the worktree and ends whatever it leaves behind.
    async fn run_tests(
        &self,
        at: &Worktree,
        command: &str,
        limits: &RunLimits,
        watch: &dyn ChildWatch,
    ) -> Result<TestRun, WorkspaceError>;

    /// Remembers how the worktree stands before step `n`, in which a program works in it. When that step was cut off
    /// before, the worktree is first brought back to where the step began.
    async fn mark(&self, at: &Worktree, attempt_id: &str, n: u32) -> Result<(), WorkspaceError>;

    /// Runs a program that may work in the worktree, and ends all it started. One that traces itself finds the span that
    /// it works under, as W3C has it, in its variable `TRACEPARENT`.
    async fn run_agent(
        &self,
        at: &Worktree,
        command: &[String],
        traceparent: Option<&str>,
        limits: &RunLimits,
        watch: &dyn ChildWatch,
    ) -> Result<Finished, WorkspaceError>;

    /// Names the content of the worktree; equal only for equal content. Also while a program works in it.
    async fn fingerprint(&self, at: &Worktree) -> Result<String, WorkspaceError>;

    /// Takes what was changed since [`Workspace::mark`]. A known secret in it is refused.
    async fn take(
        &self,
        at: &Worktree,
        attempt_id: &str,
        n: u32,
        secrets: &Redactor,
    ) -> Result<Snapshot, WorkspaceError>;

    /// Brings the files to a tree that [`Workspace::take`] has named.
    async fn restore(&self, at: &Worktree, tree: &str) -> Result<(), WorkspaceError>;

    /// Saves the work in progress beside the branch, which stays as it is.
    async fn checkpoint(&self, at: &Worktree, attempt_id: &str) -> Result<(), WorkspaceError>;

    /// Merges the newest base into the branch, so that the tests can run on both together.
    async fn refresh(&self, at: &Worktree, base: &str) -> Result<Refreshed, WorkspaceError>;

    /// Ends the worktree: removes it, or marks it as kept for a person to look at.
    ///
    /// With it goes the branch when the base has all of it.
    async fn close(&self, at: &Worktree, keep: bool) -> Result<(), WorkspaceError>;
}

/// How long and how much a command may run and print.
pub const DEFAULT_TEST_LIMITS: RunLimits =
    RunLimits { timeout: Duration::from_secs(15 * 60), max_output_bytes: 64 * 1024 };

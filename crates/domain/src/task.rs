//! A task: our own copy of a bead and where we stand with it.

mod rounds;
mod source;

pub use rounds::{ROUNDS, Round};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::bead::BeadId;
use crate::consent::GoesOn;
use crate::id::{AttemptId, TaskKey};
use crate::outcome::{Learned, Size};
use crate::reason::Reason;

impl TaskKey {
    /// Hashes the repository's id and the bead's id: two repositories may hold the same bead ids.
    #[must_use]
    pub fn of(repo_id: &str, bead_id: &BeadId) -> Self {
        let mut hash = Sha256::new();
        hash.update((repo_id.len() as u64).to_be_bytes());
        hash.update(repo_id.as_bytes());
        hash.update(bead_id.as_str().as_bytes());
        let digest = hash.finalize();
        Self::new(digest[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }
}

/// Where we stand with a task. What the source says is beside it in [`TaskRow::source_state`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Ours to take when its source says ready and its rest is over.
    Open,
    /// An attempt holds the claim.
    Running,
    /// A branch or request waits for a merge.
    InReview,
    /// Merged, or found done.
    Completed,
    /// Split; waits for its sub-tasks.
    Decomposed,
    /// Parked until a named bead resolves.
    Blocked,
    /// A person must decide.
    NeedsHuman,
    /// All attempts are used up; on the needs-you list as well.
    Failed,
    /// A person put it away.
    Dropped,
}

impl TaskState {
    /// Returns the state's name in rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Running => "running",
            Self::InReview => "in_review",
            Self::Completed => "completed",
            Self::Decomposed => "decomposed",
            Self::Blocked => "blocked",
            Self::NeedsHuman => "needs_human",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }

    /// Tells whether a person must say what becomes of the task.
    #[must_use]
    pub const fn needs_a_person(self) -> bool {
        matches!(self, Self::NeedsHuman | Self::Failed)
    }

    /// Tells whether only a person, or a change of the issue, can open the task again.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::NeedsHuman | Self::Failed | Self::Dropped)
    }
}

/// One task, as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRow {
    /// Its key in every table.
    pub key: TaskKey,
    /// The repository.
    pub repo_id: String,
    /// Its id in the backlog.
    pub bead_id: BeadId,
    /// Rises each time the task is opened again, so that its effects have new keys.
    pub generation: u32,
    /// The backlog source, or `subtask` for those we made.
    pub source: String,
    /// The bead above it.
    pub parent: Option<BeadId>,
    /// The task at the top of the decomposition; its own key for a root.
    pub root_key: TaskKey,
    /// Levels of decomposition above it.
    pub depth: u32,
    /// For sub-tasks of ours: the tasks above it, the root first, the one that was split last.
    #[serde(default)]
    pub above: Vec<Above>,
    /// One line: hostile text.
    pub title: String,
    /// What is to be done: hostile text.
    pub body: String,
    /// 0 is highest.
    pub priority: i64,
    /// The issue type.
    pub kind: String,
    /// The labels.
    pub labels: Vec<String>,
    /// For sub-tasks of ours: what must be done before.
    pub after: Vec<BeadId>,
    /// When the issue was made, ms UTC.
    pub created_ms: i64,
    /// The source's status word.
    pub source_state: String,
    /// A hash of what matters for the work: a change opens a finished task again.
    pub source_rev: String,
    /// Where we stand.
    pub state: TaskState,
    /// Why it is not running, when we know.
    pub reason: Option<Reason>,
    /// When that ends by itself, ms UTC.
    pub until_ms: Option<i64>,
    /// Since when it is in this state for this kind of reason, ms UTC; unset in rows of before there was this field.
    #[serde(default)]
    pub since_ms: Option<i64>,
    /// Attempts that failed.
    pub failures: u32,
    /// Attempts that put it back.
    pub deferrals: u32,
    /// Attempts ever started.
    pub runs: u32,
    /// The size that triage judged in the last attempt that got so far.
    #[serde(default)]
    pub size: Option<Size>,
    /// What the last attempts learned, oldest first, at most [`LEARNED`].
    pub learned: Vec<Learned>,
    /// The trace of the root task, 32 hex digits.
    pub trace_id: Option<String>,
    /// The attempt that made it, for sub-tasks of ours: their spans are under that one's.
    #[serde(default)]
    pub made_by: Option<AttemptId>,
    /// When it was first claimed since it was last opened, ms UTC: its span begins there.
    #[serde(default)]
    pub accepted_ms: Option<i64>,
    /// The last rounds that are over, oldest first, at most [`ROUNDS`]: each is a span that has ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounds: Vec<Round>,
    /// The open or last request or branch.
    pub request: Option<String>,
    /// The merge commit.
    pub merged: Option<String>,
    /// A person lets its plan pass the budget gate, whatever that says.
    #[serde(default)]
    pub approved: bool,
    /// The attempt that goes on when it is claimed next: a person has answered what it asked.
    #[serde(default)]
    pub goes_on: Option<GoesOn>,
    /// When the row last changed, ms UTC.
    pub updated_ms: i64,
}

/// The source of sub-tasks that we made.
pub const SUBTASK: &str = "subtask";

/// A task above a sub-task, as it was when it was split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Above {
    /// Its key.
    pub key: TaskKey,
    /// Its generation then: when it is opened again, its parts are those of another try.
    pub generation: u32,
}

/// How many lessons a task carries to its next attempt.
pub const LEARNED: usize = 3;

impl TaskRow {
    /// Returns the trailer value by which merges of this task are found again.
    #[must_use]
    pub fn trailer(&self) -> String {
        if self.generation == 0 {
            self.bead_id.to_string()
        } else {
            format!("{} generation {}", self.bead_id, self.generation)
        }
    }

    /// Tells whether we made it by splitting another task.
    #[must_use]
    pub fn is_part(&self) -> bool {
        self.source == SUBTASK
    }

    /// Tells whether it is split and one of its parts waits for a person: it cannot go on by itself.
    #[must_use]
    pub const fn is_stuck(&self) -> bool {
        matches!((self.state, &self.reason), (TaskState::Decomposed, Some(Reason::BlockedBy { .. })))
    }

    /// Tells whether an attempt at it waits for a person's word, to go on with it.
    #[must_use]
    pub fn asks_a_person(&self) -> bool {
        let asks = matches!(&self.reason, Some(Reason::NeedsHuman { reason }) if reason.asks().is_some());
        self.state == TaskState::NeedsHuman && asks
    }

    /// Tells whether it is a part of something that is no longer split like that: it was opened again, closed or put away.
    /// `find` knows the rows of those above; one that it does not know is taken as it was.
    #[must_use]
    pub fn is_superseded<'a>(&self, find: impl Fn(&TaskKey) -> Option<&'a Self>) -> bool {
        let is_split = |above: &Above| {
            find(&above.key).is_none_or(|whole| {
                whole.generation == above.generation && whole.state == TaskState::Decomposed
            })
        };
        !self.above.iter().all(is_split)
    }

    /// Tells whether it may be claimed at `now_ms`, as far as our own state goes.
    #[must_use]
    pub fn is_claimable(&self, now_ms: i64) -> bool {
        self.state == TaskState::Open && self.rests_until().is_none_or(|until| until <= now_ms)
    }

    /// Returns until when it rests by our own decision, ms UTC. What holds up whatever is next, such as a wait for money,
    /// is no rest: money may come back before the instant that it was told.
    #[must_use]
    pub fn rests_until(&self) -> Option<i64> {
        let holds_all = self.reason.as_ref().is_some_and(|reason| reason.kind().holds_admission());
        self.until_ms.filter(|_| !holds_all)
    }

    /// Returns since when it is as it is, ms UTC, as far as we know.
    #[must_use]
    pub fn since(&self) -> i64 {
        self.since_ms.unwrap_or(self.updated_ms)
    }

    /// Puts it at rest, or clears the rest.
    pub fn rest(&mut self, state: TaskState, reason: Option<Reason>, until_ms: Option<i64>) {
        self.state = state;
        self.reason = reason;
        self.until_ms = until_ms;
    }
}

/// A bead as its source gave it just now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceTask {
    /// Its key.
    pub key: TaskKey,
    /// The repository.
    pub repo_id: String,
    /// Its id in the backlog.
    pub bead_id: BeadId,
    /// The backlog source.
    pub source: String,
    /// The bead above it.
    pub parent: Option<BeadId>,
    /// One line.
    pub title: String,
    /// What is to be done.
    pub body: String,
    /// 0 is highest.
    pub priority: i64,
    /// The issue type.
    pub kind: String,
    /// The labels.
    pub labels: Vec<String>,
    /// When the issue was made, ms UTC.
    pub created_ms: i64,
    /// The source's status word.
    pub state: String,
    /// A hash of title and body.
    pub rev: String,
}

impl SourceTask {
    /// Hashes what matters for the work.
    #[must_use]
    pub fn revision(title: &str, body: &str) -> String {
        TaskKey::of(title, &BeadId::new(body)).to_string()
    }

    /// Makes the row of a task that we did not know.
    #[must_use]
    pub fn into_row(self, now_ms: i64) -> TaskRow {
        TaskRow {
            root_key: self.key.clone(),
            key: self.key,
            repo_id: self.repo_id,
            bead_id: self.bead_id,
            generation: 0,
            source: self.source,
            parent: self.parent,
            depth: 0,
            above: Vec::new(),
            title: self.title,
            body: self.body,
            priority: self.priority,
            kind: self.kind,
            labels: self.labels,
            after: Vec::new(),
            created_ms: self.created_ms,
            source_state: self.state,
            source_rev: self.rev,
            state: TaskState::Open,
            reason: None,
            until_ms: None,
            since_ms: None,
            failures: 0,
            deferrals: 0,
            runs: 0,
            size: None,
            learned: Vec::new(),
            trace_id: None,
            made_by: None,
            accepted_ms: None,
            rounds: Vec::new(),
            request: None,
            merged: None,
            approved: false,
            goes_on: None,
            updated_ms: now_ms,
        }
    }

    /// Brings an existing row up to date and tells whether anything changed, and whether that opens the task again: one
    /// that is finished, or split with a part that waits for a person.
    pub fn refresh(self, row: &mut TaskRow) -> Refreshed {
        // What asks a person is in the middle of an attempt, as what runs is.
        let rests = (row.state.is_terminal() && !row.asks_a_person()) || row.is_stuck();
        let reopens = rests && self.state == "open" && self.rev != row.source_rev;
        let same = row.title == self.title
            && row.body == self.body
            && row.priority == self.priority
            && row.kind == self.kind
            && row.labels == self.labels
            && row.parent == self.parent
            && row.source_state == self.state;
        if same {
            return Refreshed::Same;
        }
        row.title = self.title;
        row.body = self.body;
        row.priority = self.priority;
        row.kind = self.kind;
        row.labels = self.labels;
        row.parent = self.parent;
        row.source_state = self.state;
        // A finished task keeps what it was finished with: its issue may be changed first and put back to open later.
        if reopens || !rests {
            row.source_rev = self.rev;
        }
        if reopens {
            row.reopen();
            return Refreshed::Reopened;
        }
        Refreshed::Changed
    }
}

impl TaskRow {
    /// Opens the task again as new work: its effects get new keys, its attempts start over.
    pub fn reopen(&mut self) {
        self.generation += 1;
        self.failures = 0;
        self.deferrals = 0;
        self.request = None;
        self.merged = None;
        self.approved = false;
        self.goes_on = None;
        self.rest(TaskState::Open, None, None);
    }
}

/// What [`SourceTask::refresh`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// Nothing.
    Same,
    /// Took over what the source says now.
    Changed,
    /// The same, and a finished task is open again.
    Reopened,
}

#[cfg(test)]
mod tests;

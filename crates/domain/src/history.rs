//! What became of tasks and attempts: the questions of the history pages, and the plain rows that answer them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bead::BeadId;
use crate::id::{AttemptId, TaskKey};
use crate::money::MicroUsd;
use crate::outcome::{FailureKind, Size, Status};
use crate::reason::Wait;
use crate::rows::AttemptRow;
use crate::stage::Stage;
use crate::task::{TaskRow, TaskState};

/// How many of the newest tasks a [`Tally`] counts at most.
pub const COUNTED: u32 = 1_000;

/// Which tasks are asked for, in which order, from where on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskQuestion {
    /// Which.
    pub filter: TaskFilter,
    /// In which order.
    pub order: TaskOrder,
    /// Only what comes after this place; the start when unset.
    pub after: Option<Place>,
    /// The most lines.
    pub limit: u32,
}

/// Which tasks; what is unset or empty lets all pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Where the task stands.
    pub state: Option<TaskState>,
    /// A part of its id or title, in any case.
    pub words: String,
    /// The model that implements in its last attempt.
    pub model: Option<String>,
    /// The size that triage judged.
    pub size: Option<Size>,
    /// Running, or ended since then, ms UTC.
    pub since_ms: Option<i64>,
}

/// The order of a list of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskOrder {
    /// By what.
    pub by: OrderBy,
    /// The smallest first.
    pub ascending: bool,
}

/// What tasks can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderBy {
    /// The end of the last attempt; what runs counts as the newest.
    Ended,
    /// How many attempts.
    Attempts,
    /// Billed tokens, sub-tasks included.
    Tokens,
    /// Settled money, sub-tasks included.
    Cost,
    /// The time that its own attempts took.
    Took,
}

/// A place in a list: the value that it is ordered by, and the key that tells equal values apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The value of the last line that was shown.
    pub value: i64,
    /// Its task.
    pub task_key: TaskKey,
}

/// One task of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskLine {
    /// Its key.
    pub task_key: TaskKey,
    /// Its id in the backlog.
    #[serde(rename = "task")]
    pub bead_id: BeadId,
    /// One line: hostile text.
    pub title: String,
    /// Where it stands.
    pub state: TaskState,
    /// What it waits for, when that is known.
    pub waits: Option<Wait>,
    /// The model that implements in its last attempt.
    pub model: String,
    /// The size that triage judged.
    pub size: Option<Size>,
    /// Its own attempts, the running one included.
    pub attempts: u32,
    /// Billed tokens, sub-tasks included.
    pub tokens: u64,
    /// Settled so far, sub-tasks included.
    #[serde(rename = "cost_micro")]
    pub cost: MicroUsd,
    /// The time that its own attempts took, ms; that of a running one until now is not in it.
    pub took_ms: i64,
    /// When its first attempt was claimed, ms UTC.
    pub started_ms: i64,
    /// When its last attempt was claimed, ms UTC.
    pub claimed_ms: i64,
    /// When its last attempt ended, ms UTC; none while it runs.
    pub ended_ms: Option<i64>,
    /// The open or last request or branch.
    pub request: Option<String>,
    /// The merge commit.
    pub merged: Option<String>,
}

/// A page of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TaskPage {
    /// The lines, in order.
    pub lines: Vec<TaskLine>,
    /// Where the next page begins; none on the last.
    #[serde(skip)]
    pub next: Option<Place>,
    /// What the newest tasks of the same filter came to.
    pub tally: Tally,
    /// Models to filter by, as far as the newest tasks know them.
    #[serde(skip)]
    pub models: Vec<String>,
}

/// What the newest [`COUNTED`] tasks of a filter came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// How many tasks stand where.
    pub states: BTreeMap<TaskState, u64>,
    /// What their own attempts cost together; each dollar counts once.
    #[serde(rename = "cost_micro")]
    pub cost: MicroUsd,
    /// As many were counted as are counted at most: there may be more.
    pub is_cut: bool,
}

impl Tally {
    /// Returns how many tasks stand there.
    #[must_use]
    pub fn count(&self, state: TaskState) -> u64 {
        self.states.get(&state).copied().unwrap_or(0)
    }
}

/// The version of [`EndedAttempt`] as a line of `.glitchlab/history.jsonl`.
pub const LINE_VERSION: u32 = 1;

/// An attempt that has ended: a line of `.glitchlab/history.jsonl` and of `glitchlab history --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedAttempt {
    /// The version of these fields; new ones may come without a new version.
    pub v: u32,
    /// The attempt's id: each has one line.
    pub attempt_id: AttemptId,
    /// The task's id in the backlog.
    #[serde(rename = "task")]
    pub bead_id: BeadId,
    /// The task's title: hostile text.
    pub title: String,
    /// Which attempt of the task, counted from 1.
    pub n: u32,
    /// How it ended.
    pub status: Status,
    /// The class of a failure.
    pub failure: Option<FailureKind>,
    /// What happened, for people: hostile text.
    pub detail: String,
    /// The size that triage judged.
    pub size: Option<Size>,
    /// The model that implements.
    pub model: String,
    /// Money and work were pretended.
    pub simulated: bool,
    /// Billed tokens.
    pub tokens: u64,
    /// Settled, micro-dollars.
    #[serde(rename = "cost_micro")]
    pub cost: MicroUsd,
    /// Files in its diff.
    pub files_changed: u32,
    /// The branch.
    pub branch: String,
    /// The task's trace, 32 hex digits.
    pub trace_id: Option<String>,
    /// When it was claimed, ms UTC.
    pub started_ms: i64,
    /// When it ended, ms UTC.
    pub ended_ms: i64,
}

impl EndedAttempt {
    /// Reads an attempt of a task; none while it runs.
    #[must_use]
    pub fn of(attempt: &AttemptRow, task: &TaskRow) -> Option<Self> {
        Some(Self {
            v: LINE_VERSION,
            attempt_id: attempt.attempt_id.clone(),
            bead_id: task.bead_id.clone(),
            title: task.title.clone(),
            n: attempt.n,
            status: attempt.status?,
            failure: attempt.failure,
            detail: attempt.detail.clone(),
            size: attempt.size,
            model: attempt.model.clone(),
            simulated: attempt.simulated,
            tokens: attempt.tokens,
            cost: attempt.cost,
            files_changed: attempt.files_changed,
            branch: attempt.branch.clone(),
            trace_id: attempt.trace_id.clone(),
            started_ms: attempt.started_ms,
            ended_ms: attempt.ended_ms?,
        })
    }
}

/// What is asked of ended attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndedFilter {
    /// Ended since then, ms UTC.
    pub since_ms: Option<i64>,
    /// Only of this task.
    pub bead_id: Option<BeadId>,
}

/// What was settled for one task, model and stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spend {
    /// The task's id in the backlog.
    pub bead_id: BeadId,
    /// The model that was asked.
    pub model: String,
    /// The stage that asked.
    pub stage: Stage,
    /// The day, ms UTC of its start.
    pub day_ms: i64,
    /// Money and work were pretended.
    pub simulated: bool,
    /// Settled tries.
    pub calls: u64,
    /// Of them, those that the provider did not answer.
    pub failed: u64,
    /// Billed prompt tokens.
    pub input_tokens: u64,
    /// Billed output tokens.
    pub output_tokens: u64,
    /// Settled.
    pub cost: MicroUsd,
}

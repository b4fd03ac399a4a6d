//! The rounds of a task: each lasts from a first claim until we are done with it.

use serde::{Deserialize, Serialize};

use super::{TaskRow, TaskState};
use crate::outcome::Size;
use crate::reason::Reason;

/// A task from its first claim until we were done with it, as it was then: it may be merged, or opened again, later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// When it was first claimed, ms UTC.
    pub accepted_ms: i64,
    /// When we were done with it, ms UTC.
    pub over_ms: i64,
    /// Where we stood with it.
    pub state: TaskState,
    /// Attempts ever started.
    pub runs: u32,
    /// The size that triage judged.
    pub size: Option<Size>,
    /// The request, the branch or the merge commit.
    pub request: Option<String>,
    /// Why a person is needed.
    pub why: Option<String>,
}

/// How many rounds a task remembers.
pub const ROUNDS: usize = 16;

impl TaskRow {
    /// Tells whether we are done with it, unless somebody opens it again. What asks a person goes on with its answer.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self.state {
            TaskState::InReview | TaskState::Completed | TaskState::Failed | TaskState::Dropped => true,
            TaskState::NeedsHuman => !self.asks_a_person(),
            TaskState::Open | TaskState::Running | TaskState::Decomposed | TaskState::Blocked => false,
        }
    }

    /// Notes when what it is now began: see [`TaskRow::since_ms`], [`TaskRow::accepted_ms`] and [`TaskRow::rounds`].
    pub(crate) fn note_times(&mut self, before: Option<&Self>, now_ms: i64) {
        self.note_since(before, now_ms);
        match (before.filter(|before| before.is_over()), self.is_over()) {
            (None, true) => self.end_round(now_ms),
            (Some(_), false) => self.accepted_ms = None,
            (Some(_), true) | (None, false) => {}
        }
    }

    /// One that was never accepted has no round.
    fn end_round(&mut self, over_ms: i64) {
        let Some(accepted_ms) = self.accepted_ms else { return };
        let why = self.reason.as_ref().filter(|_| self.state.needs_a_person()).map(ToString::to_string);
        let request = self.request.clone().or_else(|| self.merged.clone());
        let (state, runs, size) = (self.state, self.runs, self.size);
        self.rounds.push(Round { accepted_ms, over_ms, state, runs, size, request, why });
        self.rounds.drain(..self.rounds.len().saturating_sub(ROUNDS));
    }

    /// From `now_ms` on when its state or its kind of reason is another than `before`.
    fn note_since(&mut self, before: Option<&Self>, now_ms: i64) {
        let kind = |task: &Self| (task.state, task.generation, task.reason.as_ref().map(Reason::kind));
        self.since_ms = match before.filter(|before| kind(before) == kind(self)) {
            Some(before) => Some(before.since()),
            None => Some(now_ms),
        };
    }
}

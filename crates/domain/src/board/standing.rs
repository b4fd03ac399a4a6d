//! Where each task stands for whoever asks why nothing starts.

use std::collections::HashMap;

use super::Board;
use crate::bead::BeadId;
use crate::id::TaskKey;
use crate::readiness::Readiness;
use crate::reason::{Reason, Wait};
use crate::task::{TaskRow, TaskState};

/// Where a task stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stand {
    /// Nothing is left to do for it.
    Done,
    /// An attempt works on it.
    Running,
    /// It may start now.
    Ready,
    /// Something keeps it.
    Waits(Wait),
}

/// The members of each circle of waiting, by each of them.
pub type Circles = HashMap<BeadId, Vec<BeadId>>;

impl Board {
    /// Returns the task of an id in the backlog.
    #[must_use]
    pub fn find(&self, id: &BeadId) -> Option<&TaskRow> {
        self.tasks.get(self.keys.get(id)?)
    }

    /// Returns the circles of waiting by their members.
    #[must_use]
    pub fn circles(&self) -> Circles {
        let mut circles = Circles::new();
        for cycle in self.cycles() {
            let members: Vec<BeadId> = cycle.epics.into_iter().chain(cycle.tasks).collect();
            for id in &members {
                circles.insert(id.clone(), members.clone());
            }
        }
        circles
    }

    /// Says where a task stands.
    #[must_use]
    pub fn stand_of(&self, task: &TaskRow, circles: &Circles) -> Stand {
        if task.state == TaskState::Running {
            return Stand::Running;
        }
        if self.is_done(task) {
            return Stand::Done;
        }
        if let Some(members) = circles.get(&task.bead_id).filter(|_| task.state == TaskState::Open) {
            let reason = Reason::Cycle { members: members.clone() };
            return Stand::Waits(Wait { reason, until_ms: None });
        }
        match self.wait(&task.key) {
            // What a row that may start says is over, or holds up whatever is next.
            Some(_) if self.is_startable(task) && !self.rests(task) => Stand::Ready,
            Some(wait) => Stand::Waits(wait),
            None => Stand::Ready,
        }
    }

    /// Says why a task is not running and until when, or `None` when nothing but a free slot is missing.
    #[must_use]
    pub fn wait(&self, key: &TaskKey) -> Option<Wait> {
        let task = self.tasks.get(key)?;
        let reason = self.why(key)?;
        let until_ms = match reason {
            Reason::DeferredUntil => self.deferred_until(&task.bead_id),
            _ if task.reason.as_ref() == Some(&reason) => task.until_ms,
            _ => None,
        };
        Some(Wait { reason, until_ms })
    }

    fn deferred_until(&self, id: &BeadId) -> Option<i64> {
        match self.index.explain(id) {
            Readiness::DeferredUntil(until_ms) | Readiness::ParentDeferredUntil { until_ms, .. } => {
                Some(until_ms)
            }
            _ => None,
        }
    }

    fn is_startable(&self, task: &TaskRow) -> bool {
        self.standing.get(&task.key) == Some(&super::Standing::Pending)
    }

    fn rests(&self, task: &TaskRow) -> bool {
        task.rests_until().is_some_and(|until_ms| until_ms > self.index.now_ms())
    }

    /// Tells whether a task is finished, by us or by its source, or no longer asked for.
    fn is_done(&self, task: &TaskRow) -> bool {
        match task.state {
            TaskState::Completed => true,
            TaskState::Dropped | TaskState::Running | TaskState::InReview => false,
            _ if self.is_superseded(task) => true,
            _ => matches!(self.root(task).source_state.as_str(), "closed" | "tombstone"),
        }
    }
}

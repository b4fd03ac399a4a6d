//! For an engine that was started for one task alone: which one that is, and how it stands.

use glitchlab_domain::id::TaskKey;
use glitchlab_domain::reason::{ReasonKind, Wait};
use glitchlab_domain::task::{TaskRow, TaskState};

use super::SchedulerState;
use crate::engine::Chosen;

impl SchedulerState {
    /// Tells whether a task is among those that this engine works on.
    pub(super) fn is_chosen(&self, key: &TaskKey) -> bool {
        self.chosen_key().is_none_or(|chosen| chosen == *key)
    }

    fn chosen_key(&self) -> Option<TaskKey> {
        let id = self.engine.settings.only.as_ref()?;
        Some(TaskKey::of(&self.engine.repo_id, id))
    }

    /// Says how the chosen task stands, when there is one.
    pub(super) fn chosen(&self) -> Option<Chosen> {
        let key = self.chosen_key()?;
        let has_looked = self.read_ms.is_some() && self.has_inspected && self.has_heard;
        let Some(task) = self.board.task(&key) else {
            return Some(Chosen { state: None, obstacle: None, is_over: has_looked });
        };
        let obstacle = self.chosen_obstacle(task).filter(|_| !self.engine.slots.have(&key));
        let is_over = match task.state {
            TaskState::Open | TaskState::Running => obstacle.as_ref().is_some_and(|wait| !goes_on(wait)),
            _ => true,
        };
        Some(Chosen { state: Some(task.state), obstacle, is_over: is_over && has_looked })
    }

    fn chosen_obstacle(&self, task: &TaskRow) -> Option<Wait> {
        let wait = |reason| Wait { reason, until_ms: task.until_ms };
        match task.state {
            TaskState::Open => {
                let own = || self.board.why(&task.key).map(wait);
                self.gate_wait().or_else(|| self.full_of_requests().map(wait)).or_else(own)
            }
            TaskState::Running => self.gate_wait().filter(|_| self.puts_down),
            _ => task.reason.clone().map(wait),
        }
    }
}

/// Tells whether a wait ends by itself before long, or may end at any time.
fn goes_on(wait: &Wait) -> bool {
    match wait.reason.kind() {
        ReasonKind::Paused
        | ReasonKind::BreakerOpen
        | ReasonKind::TooManyOpenRequests
        | ReasonKind::TaskLimit => false,
        ReasonKind::Backoff => true,
        kind => kind.holds_admission(),
    }
}

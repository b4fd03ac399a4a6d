//! Why a task is not running, or may no longer run.

use super::Board;
use crate::bead::{BeadId, Status};
use crate::dispatch::skip;
use crate::id::TaskKey;
use crate::readiness::Readiness;
use crate::reason::Reason;
use crate::task::{TaskRow, TaskState};

impl Board {
    /// Says why a task may no longer run: its issue was closed, reassigned or relabelled elsewhere, or it is a part of
    /// what is no longer split like that. A sub-task has no issue of its own and is judged by its root's.
    #[must_use]
    pub fn withdrawn(&self, key: &TaskKey) -> Option<String> {
        let task = self.tasks.get(key)?;
        if self.is_superseded(task) {
            return Some("what it is a part of was opened again or closed".to_owned());
        }
        let root = self.root(task);
        if let Some(reason) = skip(root, &self.filter) {
            return Some(reason.to_string());
        }
        (root.source_state != Status::Open.as_str())
            .then(|| format!("its status in the backlog is now `{}`", root.source_state))
    }

    /// Says why a task is not running, or `None` when nothing but a free slot is missing.
    #[must_use]
    pub fn why(&self, key: &TaskKey) -> Option<Reason> {
        let task = self.tasks.get(key)?;
        match task.state {
            TaskState::Open => {}
            TaskState::Dropped => return Some(Reason::Dropped),
            _ => return task.reason.clone(),
        }
        self.above_obstacle(task)
            .or_else(|| self.obstacle(task))
            .or_else(|| self.open_children(task))
            .or_else(|| skip(self.root(task), &self.filter))
            .or_else(|| task.reason.clone())
    }

    fn obstacle(&self, task: &TaskRow) -> Option<Reason> {
        let mark = |mark: &str| Some(Reason::NotOffered { mark: mark.to_owned() });
        match self.index.explain(&task.bead_id) {
            Readiness::Ready => None,
            Readiness::Unknown => mark("gone"),
            Readiness::NotOpen(status) => Some(Reason::SourceStatus { status: status.to_string() }),
            Readiness::Held if self.kept.contains(&task.bead_id) => mark("unreadable"),
            Readiness::Held => task.reason.clone(),
            Readiness::Pinned => mark("pinned"),
            Readiness::Ephemeral => mark("ephemeral"),
            Readiness::Type(kind) => Some(Reason::NotWork { kind }),
            Readiness::DeferredUntil(_) | Readiness::ParentDeferredUntil { .. } => {
                Some(Reason::DeferredUntil)
            }
            Readiness::BlockedBy(on) | Readiness::ParentBlocked { by: on, .. } => {
                Some(Reason::BlockedBy { on })
            }
        }
    }

    /// What keeps a sub-task from starting that is not its own.
    fn above_obstacle(&self, task: &TaskRow) -> Option<Reason> {
        if !task.is_part() {
            return None;
        }
        if self.is_superseded(task) {
            return Some(Reason::NotOffered { mark: "superseded".to_owned() });
        }
        let status = &self.root(task).source_state;
        (status != Status::Open.as_str()).then(|| Reason::SourceStatus { status: status.clone() })
    }

    /// An epic is no work of its own: it waits for its children.
    fn open_children(&self, task: &TaskRow) -> Option<Reason> {
        let is_open = |id: &BeadId| !matches!(self.index.explain(id), Readiness::NotOpen(Status::Closed));
        let waits = task.kind == "epic" && self.index.children(&task.bead_id).any(is_open);
        waits.then_some(Reason::ChildrenOpen)
    }
}

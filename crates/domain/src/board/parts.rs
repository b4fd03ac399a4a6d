//! Sub-tasks that we made, and the tasks above them.

use super::{Board, overlay};
use crate::bead::{BeadId, Dependency, DependencyKind, Status};
use crate::id::TaskKey;
use crate::readiness::{Facts, Node};
use crate::task::{Above, TaskRow, TaskState};

impl Board {
    /// Returns the task whose issue a task is worked on for: itself, or for a sub-task the root.
    pub(super) fn root<'a>(&'a self, task: &'a TaskRow) -> &'a TaskRow {
        if task.is_part() { self.tasks.get(&task.root_key).unwrap_or(task) } else { task }
    }

    pub(super) fn is_superseded(&self, task: &TaskRow) -> bool {
        task.is_superseded(|key| self.tasks.get(key))
    }

    pub(super) fn add_part(&mut self, task: &TaskRow) {
        for above in &task.above {
            self.below.entry(above.key.clone()).or_default().push(task.key.clone());
        }
    }

    /// Looks again at a task and at all that hangs on its row.
    pub(super) fn review_family(&mut self, key: &TaskKey) {
        let below = self.below.get(key).cloned().unwrap_or_default();
        for key in below.iter().chain([key]) {
            self.place_part(key);
            self.review(key);
            self.review_assembly(key);
        }
        let whole = self.tasks.get(key).and_then(|task| task.above.last()).map(|above| above.key.clone());
        if let Some(whole) = whole {
            self.review_assembly(&whole);
        }
    }

    /// A part of something that is no longer split like that is in nobody's way.
    fn place_part(&mut self, key: &TaskKey) {
        let Some(task) = self.tasks.get(key).filter(|task| task.is_part()) else { return };
        if self.is_superseded(task) {
            self.index.remove(&task.bead_id);
        } else {
            self.index.upsert(node(task));
        }
    }

    fn review_assembly(&mut self, key: &TaskKey) {
        if self.is_assembled(key) {
            self.assembled.insert(key.clone());
        } else {
            self.assembled.remove(key);
        }
    }

    /// Tells whether a task is split and all its parts are done; those of an earlier try do not count.
    fn is_assembled(&self, key: &TaskKey) -> bool {
        let is_split = |task: &&TaskRow| task.state == TaskState::Decomposed && !self.is_superseded(task);
        let Some(whole) = self.tasks.get(key).filter(is_split) else { return false };
        let present = Above { key: key.clone(), generation: whole.generation };
        let below = self.below.get(key).into_iter().flatten().filter_map(|key| self.tasks.get(key));
        let mut parts = below.filter(|part| part.above.last() == Some(&present)).peekable();
        parts.peek().is_some() && parts.all(|part| part.state == TaskState::Completed)
    }
}

fn node(task: &TaskRow) -> Node {
    let depends = |on: &BeadId, kind| Dependency { on: on.clone(), kind };
    let blocks = task.after.iter().map(|on| depends(on, DependencyKind::Blocks));
    let parent = task.parent.iter().map(|on| depends(on, DependencyKind::ParentChild));
    Node {
        id: task.bead_id.clone(),
        facts: Facts {
            status: Status::Open,
            issue_type: task.kind.clone(),
            pinned: false,
            ephemeral: false,
            defer_until_ms: None,
            overlay: overlay(task),
        },
        dependencies: parent.chain(blocks).collect(),
    }
}

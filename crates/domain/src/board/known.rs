//! What a reading of the backlog lacked although we know it.

use super::{Board, overlay};
use crate::bead::{BeadId, Dependency, DependencyKind, Status};
use crate::readiness::{Facts, Node, Overlay, Readiness};
use crate::task::TaskRow;

impl Board {
    /// Keeps issues that we know as unfinished and that an incomplete reading lacked: until they are read again they are
    /// not started, and they stay in the way of others. Doing it twice changes nothing.
    pub fn keep_known(&mut self) {
        let lacking: Vec<Node> = self.tasks.values().filter(|task| self.is_lacking(task)).map(node).collect();
        for node in lacking {
            let id = node.id.clone();
            self.kept.insert(id.clone());
            self.index.upsert(node);
            self.review_bead(&id);
        }
        self.settle();
    }

    /// Lets go of what was kept: a complete reading has said that it is gone.
    pub fn release_known(&mut self) {
        for id in std::mem::take(&mut self.kept) {
            self.drop_bead(&id);
        }
    }

    fn is_lacking(&self, task: &TaskRow) -> bool {
        let is_finished = matches!(task.source_state.as_str(), "closed" | "tombstone");
        !task.is_part() && !is_finished && self.index.explain(&task.bead_id) == Readiness::Unknown
    }

    /// Our own state of a task, laid over its issue; one that is only kept is never started.
    pub(super) fn overlay(&self, task: &TaskRow) -> Overlay {
        if self.kept.contains(&task.bead_id) { held(task) } else { overlay(task) }
    }
}

fn held(task: &TaskRow) -> Overlay {
    match overlay(task) {
        Overlay::None => Overlay::Held,
        known => known,
    }
}

/// What an issue waits for is not known; that its parent has to wait for it is.
fn node(task: &TaskRow) -> Node {
    let parent = |on: &BeadId| Dependency { on: on.clone(), kind: DependencyKind::ParentChild };
    Node {
        id: task.bead_id.clone(),
        facts: Facts {
            status: Status::from(task.source_state.as_str()),
            issue_type: task.kind.clone(),
            pinned: false,
            ephemeral: false,
            defer_until_ms: None,
            overlay: held(task),
        },
        dependencies: task.parent.iter().map(parent).collect(),
    }
}

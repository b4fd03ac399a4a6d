//! What readiness knows of one issue.

use crate::bead::{Bead, BeadId, Dependency, Status};

/// Types that are never work: beads uses them for its own machinery.
const MACHINERY: [&str; 7] = ["merge-request", "gate", "molecule", "message", "agent", "role", "rig"];

/// One issue as readiness sees it: a bead, or a sub-task of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its id.
    pub id: BeadId,
    /// What it is by itself.
    pub facts: Facts,
    /// What it depends on; links of other kinds may be among them and are ignored.
    pub dependencies: Vec<Dependency>,
}

impl Node {
    /// Takes from a bead what readiness needs, with our own state laid over it.
    #[must_use]
    pub fn new(bead: &Bead, overlay: Overlay) -> Self {
        let facts = Facts {
            status: bead.status.clone(),
            issue_type: bead.issue_type.clone(),
            pinned: bead.pinned,
            ephemeral: bead.ephemeral,
            defer_until_ms: bead.defer_until_ms,
            overlay,
        };
        Self { id: bead.id.clone(), facts, dependencies: bead.dependencies.clone() }
    }
}

/// What an issue is by itself, whatever it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its status in the source.
    pub status: Status,
    /// Its type, any word.
    pub issue_type: String,
    /// Kept in view for ever.
    pub pinned: bool,
    /// Made to vanish.
    pub ephemeral: bool,
    /// Not to be started before, ms UTC.
    pub defer_until_ms: Option<i64>,
    /// Our own state, laid over the source's.
    pub overlay: Overlay,
}

/// Our own state of an issue, laid over a source that we only read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Overlay {
    /// The source alone counts.
    #[default]
    None,
    /// We are done with it: it counts as closed.
    Closed,
    /// It is in our hands (running, in review, failed, decomposed, with a person): not ready, but in the way of others
    /// as before.
    Held,
}

impl Facts {
    /// Says whether the issue is there at all; a tombstone is not.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.status != Status::Tombstone
    }

    /// Says whether it is closed, by the source or by us.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_present() && (self.status == Status::Closed || self.overlay == Overlay::Closed)
    }

    /// Says whether it stands in the way of those that wait for it.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.is_present() && !self.is_closed() && self.status != Status::Pinned && !self.ephemeral
    }

    /// Says whether an epic above it has to wait for it: it is neither closed nor ephemeral.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.is_present() && !self.is_closed() && !self.ephemeral
    }

    /// Says whether it would be ready if nothing else and no date were in its way.
    #[must_use]
    pub fn is_eligible(&self) -> bool {
        self.status == Status::Open
            && self.overlay == Overlay::None
            && !self.pinned
            && !self.ephemeral
            && !self.is_machinery()
    }

    /// Says whether its type is one that is never work.
    #[must_use]
    pub fn is_machinery(&self) -> bool {
        MACHINERY.contains(&self.issue_type.as_str())
    }

    /// Says whether it is an epic that we may close once its children are.
    #[must_use]
    pub fn is_open_epic(&self) -> bool {
        self.issue_type == "epic" && self.is_eligible()
    }
}

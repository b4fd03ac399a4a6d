//! Why an issue is ready or not.

use std::collections::BTreeSet;

use super::graph::Entry;
use super::index::Index;
use super::node::{Facts, Overlay};
use crate::bead::{BeadId, Status};

/// Why an issue is ready or not: of several obstacles, the first in the order of these variants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It can be started.
    Ready,
    /// There is no such issue.
    Unknown,
    /// Its status is not `open`, or we closed it.
    NotOpen(Status),
    /// We have it in our hands already.
    Held,
    /// It is context, not work.
    Pinned,
    /// It is made to vanish.
    Ephemeral,
    /// Its type is one of beads' own machinery.
    Type(String),
    /// It is put off until an instant, ms UTC.
    DeferredUntil(i64),
    /// These must be closed first, in the order of ids. For a shut gate: the children behind it.
    BlockedBy(Vec<BeadId>),
    /// Its parent is blocked.
    ParentBlocked {
        /// The parent.
        parent: BeadId,
        /// What blocks the parent, in the order of ids.
        by: Vec<BeadId>,
    },
    /// Its parent is put off.
    ParentDeferredUntil {
        /// The parent.
        parent: BeadId,
        /// Until when, ms UTC.
        until_ms: i64,
    },
}

impl Index {
    /// Says why an issue is ready or not.
    #[must_use]
    pub fn explain(&self, id: &BeadId) -> Readiness {
        let entry = self.graph.find(id).map(|at| (at, self.graph.entry(at)));
        let Some((at, facts)) = entry.and_then(|(at, entry)| Some((at, entry.facts.as_ref()?))) else {
            return Readiness::Unknown;
        };
        own_obstacle(facts)
            .or_else(|| self.deferral(at).map(Readiness::DeferredUntil))
            .or_else(|| self.is_blocked(at).then(|| Readiness::BlockedBy(self.blockers(at))))
            .or_else(|| self.parent_obstacle(self.graph.entry(at)))
            .unwrap_or(Readiness::Ready)
    }

    fn deferral(&self, at: usize) -> Option<i64> {
        self.graph.entry(at).defer_until_ms().filter(|&until_ms| until_ms > self.now_ms())
    }

    fn parent_obstacle(&self, entry: &Entry) -> Option<Readiness> {
        let parents = &entry.edges.parents;
        let blocked = parents.iter().find(|&&parent| self.is_blocked(parent)).map(|&at| {
            Readiness::ParentBlocked { parent: self.graph.entry(at).id.clone(), by: self.blockers(at) }
        });
        blocked.or_else(|| {
            let (at, until_ms) = parents.iter().find_map(|&at| Some((at, self.deferral(at)?)))?;
            Some(Readiness::ParentDeferredUntil { parent: self.graph.entry(at).id.clone(), until_ms })
        })
    }

    fn blockers(&self, at: usize) -> Vec<BeadId> {
        let edges = &self.graph.entry(at).edges;
        let shut = edges.gates.iter().filter(|&&(spawner, gate)| self.graph.entry(spawner).is_shut(gate));
        let behind = shut.flat_map(|&(spawner, _)| &self.graph.entry(spawner).children);
        let all = edges.blockers.iter().chain(behind).map(|&at| self.graph.entry(at));
        let active: BTreeSet<_> = all.filter(|entry| entry.is_active()).map(|entry| &entry.id).collect();
        active.into_iter().cloned().collect()
    }
}

fn own_obstacle(facts: &Facts) -> Option<Readiness> {
    if facts.status != Status::Open {
        Some(Readiness::NotOpen(facts.status.clone()))
    } else if facts.overlay == Overlay::Closed {
        Some(Readiness::NotOpen(Status::Closed))
    } else if facts.overlay == Overlay::Held {
        Some(Readiness::Held)
    } else if facts.pinned {
        Some(Readiness::Pinned)
    } else if facts.ephemeral {
        Some(Readiness::Ephemeral)
    } else {
        facts.is_machinery().then(|| Readiness::Type(facts.issue_type.clone()))
    }
}

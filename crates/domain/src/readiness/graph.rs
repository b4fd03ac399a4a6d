//! The issues and how they hang together: each id has a place, each dependency can be walked both ways.

use std::collections::HashMap;

use super::node::Facts;
use crate::bead::{BeadId, Dependency, DependencyKind, Gate};

/// Ids keep their place for the life of the graph, also when their issue is gone: others may name it, and it may come
/// back. What that costs is one empty entry for each id ever seen.
#[derive(Debug, Default)]
pub(super) struct Graph {
    places: HashMap<BeadId, usize>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: BeadId,
    /// None when the id is only named by others.
    pub(super) facts: Option<Facts>,
    pub(super) edges: Edges,
    /// Those that have this as a blocker.
    pub(super) dependants: Vec<usize>,
    /// Those that wait at a gate of this spawner.
    pub(super) waiters: Vec<usize>,
    pub(super) children: Vec<usize>,
    pub(super) tally: Tally,
}

/// Where the dependencies of one issue lead, each list sorted and without repeats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Edges {
    pub(super) blockers: Vec<usize>,
    pub(super) gates: Vec<(usize, Gate)>,
    pub(super) parents: Vec<usize>,
}

/// How the children of an issue stand; kept so that a gate costs the same for two children and for ten thousand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) active: usize,
    pub(super) closed: usize,
    /// Neither closed nor ephemeral: what an epic waits for.
    pub(super) unfinished: usize,
}

impl Tally {
    fn count(&mut self, facts: &Facts) {
        self.active += usize::from(facts.is_active());
        self.closed += usize::from(facts.is_closed());
        self.unfinished += usize::from(facts.is_unfinished());
    }

    fn discount(&mut self, facts: &Facts) {
        self.active -= usize::from(facts.is_active());
        self.closed -= usize::from(facts.is_closed());
        self.unfinished -= usize::from(facts.is_unfinished());
    }

    /// Says whether all children are closed, and there are any.
    pub(super) fn is_finished(self) -> bool {
        self.closed > 0 && self.unfinished == 0
    }
}

impl Graph {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn entry(&self, at: usize) -> &Entry {
        &self.entries[at]
    }

    pub(super) fn find(&self, id: &BeadId) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// Returns the place of an id, a new one when it has none.
    pub(super) fn place(&mut self, id: &BeadId) -> usize {
        if let Some(at) = self.find(id) {
            return at;
        }
        let at = self.entries.len();
        self.places.insert(id.clone(), at);
        self.entries.push(Entry::named(id.clone()));
        at
    }

    pub(super) fn edges(&mut self, dependencies: &[Dependency]) -> Edges {
        let mut edges = Edges::default();
        for dependency in dependencies {
            match dependency.kind {
                DependencyKind::Blocks | DependencyKind::ConditionalBlocks => {
                    edges.blockers.push(self.place(&dependency.on));
                }
                DependencyKind::WaitsFor { gate } => edges.gates.push((self.place(&dependency.on), gate)),
                DependencyKind::ParentChild => edges.parents.push(self.place(&dependency.on)),
                DependencyKind::Other(_) => {}
            }
        }
        edges.tidy();
        edges
    }

    /// Puts new facts and edges in the place of the old ones and keeps the way back and the tallies true.
    pub(super) fn replace(&mut self, at: usize, facts: Option<Facts>, edges: Edges) {
        if let Some(old) = self.entries[at].facts.take() {
            self.each_parent(at, |tally| tally.discount(&old));
        }
        if self.entries[at].edges != edges {
            self.unlink(at);
            self.entries[at].edges = edges;
            self.link(at);
        }
        if let Some(new) = &facts {
            self.each_parent(at, |tally| tally.count(new));
        }
        self.entries[at].facts = facts;
    }

    fn each_parent(&mut self, at: usize, mut change: impl FnMut(&mut Tally)) {
        for i in 0..self.entries[at].edges.parents.len() {
            let parent = self.entries[at].edges.parents[i];
            change(&mut self.entries[parent].tally);
        }
    }

    fn link(&mut self, at: usize) {
        let edges = self.entries[at].edges.clone();
        edges.blockers.iter().for_each(|&to| self.entries[to].dependants.push(at));
        edges.gates.iter().for_each(|&(to, _)| self.entries[to].waiters.push(at));
        edges.parents.iter().for_each(|&to| self.entries[to].children.push(at));
    }

    fn unlink(&mut self, at: usize) {
        let edges = std::mem::take(&mut self.entries[at].edges);
        edges.blockers.iter().for_each(|&to| drop_one(&mut self.entries[to].dependants, at));
        edges.gates.iter().for_each(|&(to, _)| drop_one(&mut self.entries[to].waiters, at));
        edges.parents.iter().for_each(|&to| drop_one(&mut self.entries[to].children, at));
    }

    pub(super) fn is_blocked(&self, at: usize) -> bool {
        let entry = &self.entries[at];
        entry.is_active()
            && (entry.edges.blockers.iter().any(|&blocker| self.entries[blocker].is_active())
                || entry.edges.gates.iter().any(|&(spawner, gate)| self.entries[spawner].is_shut(gate)))
    }
}

fn drop_one(list: &mut Vec<usize>, value: usize) {
    if let Some(index) = list.iter().position(|&other| other == value) {
        list.swap_remove(index);
    }
}

impl Edges {
    fn tidy(&mut self) {
        self.blockers.sort_unstable();
        self.blockers.dedup();
        self.gates.sort_unstable();
        self.gates.dedup();
        self.parents.sort_unstable();
        self.parents.dedup();
    }
}

impl Entry {
    fn named(id: BeadId) -> Self {
        Self {
            id,
            facts: None,
            edges: Edges::default(),
            dependants: Vec::new(),
            waiters: Vec::new(),
            children: Vec::new(),
            tally: Tally::default(),
        }
    }

    pub(super) fn present(&self) -> Option<&Facts> {
        self.facts.as_ref().filter(|facts| facts.is_present())
    }

    pub(super) fn is_active(&self) -> bool {
        self.facts.as_ref().is_some_and(Facts::is_active)
    }

    pub(super) fn defer_until_ms(&self) -> Option<i64> {
        self.present()?.defer_until_ms
    }

    /// A spawner that is not there holds nobody up, whoever still names it as a parent.
    pub(super) fn is_shut(&self, gate: Gate) -> bool {
        let is_open = match gate {
            Gate::AllChildren => self.tally.active == 0,
            Gate::AnyChildren => self.tally.active == 0 || self.tally.closed > 0,
        };
        self.present().is_some() && !is_open
    }

    /// Says whether the issue is an open epic whose children are all closed.
    pub(super) fn is_closable_epic(&self) -> bool {
        self.tally.is_finished() && self.facts.as_ref().is_some_and(Facts::is_open_epic)
    }
}

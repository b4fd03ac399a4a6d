//! Readiness kept up to date edit by edit: each edit looks only at what it can change.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::graph::{Edges, Graph};
use super::node::{Facts, Node, Overlay};
use crate::bead::{BeadId, Gate};

/// The readiness of a whole backlog, kept up to date.
///
/// An edit costs as much as the issues whose readiness hangs on it, whatever the size of the backlog. It reaches at
/// most three steps: from an issue to those that wait for it, and from these to their children.
#[derive(Debug)]
pub struct Index {
    pub(super) graph: Graph,
    standing: Vec<Standing>,
    now_ms: i64,
    /// Issues that only a date keeps or kept from being ready, by that date. Past ones stay, for clocks that jump back.
    dated: BTreeSet<(i64, usize)>,
    closable: BTreeSet<usize>,
    /// What changed since the last drain, with whether it was ready then.
    touched: BTreeMap<usize, bool>,
}

/// What was last found out about one issue.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    is_blocked: bool,
    /// From when on it is ready, all dates counted; none when something else is in its way.
    ready_from_ms: Option<i64>,
    is_ready: bool,
}

/// What an edit of one issue can change, as it was before.
struct Before {
    is_active: bool,
    defer_until_ms: Option<i64>,
    /// The issue itself and its parents, old and new; and whether their gates were shut.
    spawners: Vec<usize>,
    gates: Vec<[bool; 2]>,
}

/// What became ready and what no longer is, each in the order of ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Ready now, and not at the last drain.
    pub ready: Vec<BeadId>,
    /// Ready at the last drain, and not now.
    pub unready: Vec<BeadId>,
}

impl Index {
    /// Makes an empty index at an instant (ms UTC).
    #[must_use]
    pub fn new(now_ms: i64) -> Self {
        Self {
            graph: Graph::default(),
            standing: Vec::new(),
            now_ms,
            dated: BTreeSet::new(),
            closable: BTreeSet::new(),
            touched: BTreeMap::new(),
        }
    }

    /// Adds an issue or puts it in the place of the one with its id. The same again changes nothing and is cheap.
    pub fn upsert(&mut self, node: Node) {
        let at = self.graph.place(&node.id);
        let edges = self.graph.edges(&node.dependencies);
        self.standing.resize(self.graph.len(), Standing::default());
        self.apply(at, Some(node.facts), edges);
    }

    /// Takes an issue away; those that wait for it no longer do. An unknown id changes nothing.
    pub fn remove(&mut self, id: &BeadId) {
        if let Some(at) = self.graph.find(id) {
            self.apply(at, None, Edges::default());
        }
    }

    /// Lays our own state over an issue. An unknown id changes nothing.
    pub fn set_overlay(&mut self, id: &BeadId, overlay: Overlay) {
        let Some(at) = self.graph.find(id) else { return };
        let entry = self.graph.entry(at);
        let (facts, edges) = (entry.facts.clone(), entry.edges.clone());
        self.apply(at, facts.map(|facts| Facts { overlay, ..facts }), edges);
    }

    /// Moves to another instant (ms UTC), later or, when the clock was put back, earlier.
    pub fn tick(&mut self, now_ms: i64) {
        let (from_ms, to_ms) = (self.now_ms.min(now_ms), self.now_ms.max(now_ms));
        self.now_ms = now_ms;
        if from_ms == to_ms {
            return;
        }
        let span = (Bound::Excluded((from_ms, usize::MAX)), Bound::Included((to_ms, usize::MAX)));
        let passed: Vec<_> = self.dated.range(span).map(|&(_, at)| at).collect();
        passed.into_iter().for_each(|at| self.note(at));
    }

    /// Returns the instant (ms UTC) it is at.
    #[must_use]
    pub const fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Returns the next instant (ms UTC) at which time alone makes an issue ready.
    #[must_use]
    pub fn next_change_ms(&self) -> Option<i64> {
        let later = (Bound::Excluded((self.now_ms, usize::MAX)), Bound::Unbounded);
        self.dated.range(later).next().map(|&(at_ms, _)| at_ms)
    }

    /// Returns what changed since the last call; what changed and changed back is not in it.
    pub fn drain(&mut self) -> Changes {
        let mut changes = Changes::default();
        for (at, was_ready) in std::mem::take(&mut self.touched) {
            match (was_ready, self.standing[at].is_ready) {
                (false, true) => changes.ready.push(self.id(at).clone()),
                (true, false) => changes.unready.push(self.id(at).clone()),
                (true, true) | (false, false) => {}
            }
        }
        changes.ready.sort_unstable();
        changes.unready.sort_unstable();
        changes
    }

    /// Says whether an issue is ready; an unknown one is not.
    #[must_use]
    pub fn is_ready(&self, id: &BeadId) -> bool {
        self.graph.find(id).is_some_and(|at| self.standing[at].is_ready)
    }

    /// Returns every ready issue, in no particular order.
    pub fn ready(&self) -> impl Iterator<Item = &BeadId> {
        (0..self.graph.len()).filter(|&at| self.standing[at].is_ready).map(|at| self.id(at))
    }

    /// Returns the children of an issue, closed ones too, in no particular order.
    pub fn children(&self, id: &BeadId) -> impl Iterator<Item = &BeadId> {
        let children = self.graph.find(id).map(|at| self.graph.entry(at).children.as_slice());
        let children = children.unwrap_or_default().iter().map(|&child| self.graph.entry(child));
        children.filter(|child| child.present().is_some()).map(|child| &child.id)
    }

    /// Returns the open epics that have children, all of them closed: nothing is left of them but to be closed.
    ///
    /// They come in no particular order. Ephemeral children do not count, and what blocks the epic does not matter.
    pub fn closable_epics(&self) -> impl Iterator<Item = &BeadId> {
        self.closable.iter().map(|&at| self.id(at))
    }

    pub(super) fn is_blocked(&self, at: usize) -> bool {
        self.standing[at].is_blocked
    }

    fn id(&self, at: usize) -> &BeadId {
        &self.graph.entry(at).id
    }

    fn apply(&mut self, at: usize, facts: Option<Facts>, edges: Edges) {
        let entry = self.graph.entry(at);
        if entry.facts == facts && entry.edges == edges {
            return;
        }
        let before = self.before(at, &edges);
        self.graph.replace(at, facts, edges);
        self.suspects(at, &before).into_iter().for_each(|suspect| self.review_block(suspect));
        self.review_date(at);
        if self.graph.entry(at).defer_until_ms() != before.defer_until_ms {
            self.review_children(at);
        }
        before.spawners.into_iter().for_each(|epic| self.review_epic(epic));
    }

    fn before(&self, at: usize, edges: &Edges) -> Before {
        let entry = self.graph.entry(at);
        let mut spawners = [&[at], entry.edges.parents.as_slice(), &edges.parents].concat();
        spawners.sort_unstable();
        spawners.dedup();
        let gates = spawners.iter().map(|&spawner| self.gates(spawner)).collect();
        Before { is_active: entry.is_active(), defer_until_ms: entry.defer_until_ms(), spawners, gates }
    }

    /// Returns those that may have become blocked or free.
    fn suspects(&self, at: usize, before: &Before) -> Vec<usize> {
        let entry = self.graph.entry(at);
        let mut suspects = vec![at];
        if entry.is_active() != before.is_active {
            suspects.extend(&entry.dependants);
        }
        for (&spawner, gates) in before.spawners.iter().zip(&before.gates) {
            if self.gates(spawner) != *gates {
                suspects.extend(&self.graph.entry(spawner).waiters);
            }
        }
        suspects
    }

    /// Says of each kind of gate whether it is shut at this spawner.
    fn gates(&self, spawner: usize) -> [bool; 2] {
        [Gate::AllChildren, Gate::AnyChildren].map(|gate| self.graph.entry(spawner).is_shut(gate))
    }

    fn review_block(&mut self, at: usize) {
        let is_blocked = self.graph.is_blocked(at);
        if std::mem::replace(&mut self.standing[at].is_blocked, is_blocked) != is_blocked {
            self.review_date(at);
            self.review_children(at);
        }
    }

    fn review_children(&mut self, at: usize) {
        for i in 0..self.graph.entry(at).children.len() {
            self.review_date(self.graph.entry(at).children[i]);
        }
    }

    fn review_date(&mut self, at: usize) {
        let from_ms = self.ready_from_ms(at);
        let before_ms = std::mem::replace(&mut self.standing[at].ready_from_ms, from_ms);
        if before_ms != from_ms {
            if let Some(before_ms) = before_ms {
                self.dated.remove(&(before_ms, at));
            }
            self.dated.extend(from_ms.filter(|&from_ms| from_ms > i64::MIN).map(|from_ms| (from_ms, at)));
            self.note(at);
        }
    }

    /// Returns from when on an issue is ready, all dates counted: since ever (`i64::MIN`) when there are none.
    fn ready_from_ms(&self, at: usize) -> Option<i64> {
        let entry = self.graph.entry(at);
        let is_free = |at: &usize| !self.standing[*at].is_blocked;
        let parents = &entry.edges.parents;
        let is_possible = entry.facts.as_ref()?.is_eligible() && is_free(&at) && parents.iter().all(is_free);
        let dates = parents.iter().chain([&at]).filter_map(|&at| self.graph.entry(at).defer_until_ms());
        is_possible.then(|| dates.max().unwrap_or(i64::MIN))
    }

    fn review_epic(&mut self, at: usize) {
        if self.graph.entry(at).is_closable_epic() {
            self.closable.insert(at);
        } else {
            self.closable.remove(&at);
        }
    }

    /// Notes whether an issue is ready at this instant.
    fn note(&mut self, at: usize) {
        let standing = &mut self.standing[at];
        let is_ready = standing.ready_from_ms.is_some_and(|from_ms| from_ms <= self.now_ms);
        let was_ready = std::mem::replace(&mut standing.is_ready, is_ready);
        if was_ready != is_ready {
            self.touched.entry(at).or_insert(was_ready);
        }
    }
}

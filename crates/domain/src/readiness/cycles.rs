//! Issues that wait for each other in a circle and so can never become ready.

use std::collections::BTreeSet;

use super::components::components;
use super::graph::Entry;
use super::index::Index;
use super::node::{Facts, Overlay};
use crate::bead::{BeadId, Gate, Status};

/// Active issues that wait for each other in a circle; only a person who changes one of them can end it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cycle {
    /// The epics among them, in the order of ids.
    pub epics: Vec<BeadId>,
    /// The others, in the order of ids.
    pub tasks: Vec<BeadId>,
}

/// What can be waited for. Two events of one issue are two different things: a child waits until its parent is not
/// blocked, not until its parent is closed.
#[derive(Clone, Copy)]
enum Event {
    Closed(usize),
    Unblocked(usize),
    ChildrenClosed(usize),
}

impl Event {
    const KINDS: usize = 3;

    fn number(self) -> usize {
        match self {
            Self::Closed(at) => at * Self::KINDS,
            Self::Unblocked(at) => at * Self::KINDS + 1,
            Self::ChildrenClosed(at) => at * Self::KINDS + 2,
        }
    }

    fn numbered(number: usize) -> Self {
        match (number / Self::KINDS, number % Self::KINDS) {
            (at, 0) => Self::Closed(at),
            (at, 1) => Self::Unblocked(at),
            (at, _) => Self::ChildrenClosed(at),
        }
    }

    /// Returns the issue that waits for this itself; a spawner is not kept by those that wait for its children.
    fn of(self) -> Option<usize> {
        match self {
            Self::Closed(at) | Self::Unblocked(at) => Some(at),
            Self::ChildrenClosed(_) => None,
        }
    }
}

impl Index {
    /// Finds all circles of waiting, each once, in the order of their members; linear in issues and dependencies.
    ///
    /// Work waits for its blockers, for the gates of `all-children`, and for its parent not to be blocked; an epic
    /// waits for its children. An epic without children is closed by people, who look at the issues named under it
    /// (`E.n`): when such an issue is blocked by its own epic, both wait for ever. Whatever is in somebody's hands
    /// (in progress, hooked, held) can end without becoming ready, so it breaks a circle; and a gate of `any-children`
    /// has several ways out, so it makes none.
    #[must_use]
    pub fn cycles(&self) -> Vec<Cycle> {
        let waits = |number| self.waits(Event::numbered(number));
        let found = components(self.graph.len() * Event::KINDS, waits);
        let mut cycles: Vec<_> = found.iter().map(|numbers| self.cycle(numbers)).collect();
        cycles.sort_unstable_by(|a, b| (&a.tasks, &a.epics).cmp(&(&b.tasks, &b.epics)));
        cycles
    }

    fn cycle(&self, numbers: &[usize]) -> Cycle {
        let places: BTreeSet<_> = numbers.iter().filter_map(|&number| Event::numbered(number).of()).collect();
        let entries = places.into_iter().map(|at| self.graph.entry(at)).filter(|entry| entry.is_active());
        let (epics, tasks): (Vec<_>, Vec<_>) = entries.partition(|entry| is_epic(entry));
        Cycle { epics: ids(&epics), tasks: ids(&tasks) }
    }

    fn waits(&self, event: Event) -> Vec<usize> {
        let events = match event {
            Event::Closed(at) => self.before_closing(at),
            Event::Unblocked(at) => self.before_unblocking(at),
            Event::ChildrenClosed(at) => closings(self.active(&self.graph.entry(at).children)),
        };
        events.into_iter().map(Event::number).collect()
    }

    fn before_closing(&self, at: usize) -> Vec<Event> {
        let entry = self.graph.entry(at);
        let Some(facts) = waiting(entry) else { return Vec::new() };
        let is_epic = facts.is_open_epic();
        if is_epic && entry.tally.is_finished() {
            return Vec::new();
        }
        if is_epic && entry.tally.unfinished > 0 {
            return vec![Event::ChildrenClosed(at)];
        }
        let named = self.active(&entry.dependants).filter(|&other| self.is_named_under(other, entry));
        let mut events = closings(named.filter(|_| is_epic));
        events.push(Event::Unblocked(at));
        events.extend(entry.edges.parents.iter().map(|&parent| Event::Unblocked(parent)));
        events
    }

    fn before_unblocking(&self, at: usize) -> Vec<Event> {
        let entry = self.graph.entry(at);
        if waiting(entry).is_none() {
            return Vec::new();
        }
        let mut events = closings(self.active(&entry.edges.blockers));
        let gates = entry.edges.gates.iter().filter(|&&(_, gate)| gate == Gate::AllChildren);
        let shut = gates.filter(|&&(spawner, gate)| self.graph.entry(spawner).is_shut(gate));
        events.extend(shut.map(|&(spawner, _)| Event::ChildrenClosed(spawner)));
        events
    }

    fn active<'a>(&'a self, places: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
        places.iter().copied().filter(|&at| self.graph.entry(at).is_active())
    }

    fn is_named_under(&self, at: usize, epic: &Entry) -> bool {
        self.graph.entry(at).id.is_named_under(&epic.id)
    }
}

/// Returns the facts of an active issue that nobody has in hand.
fn waiting(entry: &Entry) -> Option<&Facts> {
    let facts = entry.facts.as_ref().filter(|facts| facts.is_active())?;
    let in_hand =
        matches!(facts.status, Status::InProgress | Status::Hooked) || facts.overlay == Overlay::Held;
    (!in_hand && !facts.pinned && !facts.is_machinery()).then_some(facts)
}

fn closings(places: impl Iterator<Item = usize>) -> Vec<Event> {
    places.map(Event::Closed).collect()
}

fn is_epic(entry: &Entry) -> bool {
    entry.facts.as_ref().is_some_and(|facts| facts.issue_type == "epic")
}

fn ids(entries: &[&Entry]) -> Vec<BeadId> {
    let mut ids: Vec<_> = entries.iter().map(|entry| entry.id.clone()).collect();
    ids.sort_unstable();
    ids
}

//! The rules: one file for each, and one line in [`RULES`].

mod human_needed;
mod systemic_failure;

use super::rows::{Evidence, Memory};
use super::{Labels, Severity};
use crate::bead::BeadId;
use crate::event::Event;
use crate::rows::GateRow;

/// Every rule, in the order in which pages list them.
pub static RULES: &[&Rule] = &[&systemic_failure::RULE, &human_needed::RULE];

/// When somebody is told of something.
#[derive(Debug)]
pub struct Rule {
    /// Its name, the same for all receivers.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// When it fires, for people, without an end.
    pub fires_when: &'static str,
    /// How long a condition must hold before it fires, in ms.
    pub for_ms: i64,
    /// How long a condition must have passed before it is resolved, in ms.
    pub hold_ms: i64,
    /// The rules that this one silences while it fires: they only follow from it.
    pub inhibits: &'static [&'static str],
    /// The names of the events that it looks at.
    pub kinds: &'static [&'static str],
    /// Takes in one event of [`Rule::kinds`].
    pub observe: fn(&mut Memory, &Event) -> Vec<Signal>,
    /// Says which conditions hold by what the store knows: what changed while no engine followed is found so. None for a
    /// rule that knows only its events.
    pub standing: Option<fn(&Facts) -> Vec<Condition>>,
}

/// What an event says of a rule's conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// It holds; said again it adds evidence.
    Holds(Condition),
    /// The one with these labels has passed.
    Passed(Labels),
}

/// A condition that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What tells it from others of the rule.
    pub labels: Labels,
    /// One sentence.
    pub summary: String,
    /// What supports it.
    pub evidence: Evidence,
}

/// What the store knows of conditions now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The tasks that wait for a person.
    pub waiting: Vec<Waiting>,
    /// What keeps all tasks from starting.
    pub gate: GateRow,
}

/// A task that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its id in the backlog.
    pub bead_id: BeadId,
    /// For what, for people.
    pub why: String,
    /// Its trace, 32 hex digits.
    pub trace_id: Option<String>,
}

/// Finds a rule of `rules` by its name.
#[must_use]
pub fn find(rules: &[&'static Rule], name: &str) -> Option<&'static Rule> {
    rules.iter().copied().find(|rule| rule.name == name)
}

/// Returns the names of all events that some rule of `rules` looks at.
#[must_use]
pub fn kinds(rules: &[&'static Rule]) -> Vec<&'static str> {
    let mut kinds: Vec<_> = rules.iter().flat_map(|rule| rule.kinds).copied().collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

fn label(name: &str, value: impl Into<String>) -> Labels {
    Labels::from([(name.to_owned(), value.into())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_rule_looks_at_something() {
        let mut names: Vec<_> = RULES.iter().map(|rule| rule.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RULES.len());
        assert!(RULES.iter().all(|rule| !rule.kinds.is_empty() && !rule.inhibits.contains(&rule.name)));
    }
}

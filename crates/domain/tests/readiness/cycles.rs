//! Circles of waiting, against a backlog that is worked through until nothing moves.

use std::collections::{BTreeMap, BTreeSet};

use glitchlab_domain::bead::DependencyKind::{Blocks, ConditionalBlocks, ParentChild, WaitsFor};
use glitchlab_domain::bead::{BeadId, Dependency, DependencyKind, Gate, Status};
use glitchlab_domain::readiness::{Cycle, Node, Overlay, full};
use proptest::prelude::*;

use crate::{epic, ids, index, node};

fn cycles(nodes: &[Node]) -> Vec<Cycle> {
    index(nodes.iter().cloned()).cycles()
}

fn cycle(epics: &[&str], tasks: &[&str]) -> Cycle {
    Cycle { epics: ids(epics), tasks: ids(tasks) }
}

#[test]
fn tasks_that_block_each_other_are_a_cycle_and_those_behind_them_are_not() {
    let nodes = [
        node("a", &[(Blocks, "b")]),
        node("b", &[(ConditionalBlocks, "c")]),
        node("c", &[(Blocks, "a")]),
        node("behind", &[(Blocks, "a")]),
        node("self", &[(Blocks, "self")]),
    ];
    assert_eq!(cycles(&nodes), [cycle(&[], &["a", "b", "c"]), cycle(&[], &["self"])]);
}

#[test]
fn a_child_that_its_open_epic_blocks_is_a_cycle() {
    let nodes =
        [epic("e", &[]), node("x", &[(ParentChild, "e"), (Blocks, "e")]), node("y", &[(ParentChild, "e")])];
    assert_eq!(cycles(&nodes), [cycle(&["e"], &["x"])]);
}

#[test]
fn an_issue_named_under_a_childless_epic_that_blocks_it_is_a_cycle() {
    assert_eq!(cycles(&[epic("e", &[]), node("e.1", &[(Blocks, "e")])]), [cycle(&["e"], &["e.1"])]);
    assert_eq!(cycles(&[epic("e", &[]), node("f", &[(Blocks, "e")])]), []);
    assert_eq!(cycles(&[node("e", &[]), node("e.1", &[(Blocks, "e")])]), []);
    let child = node("x", &[(ParentChild, "e")]);
    assert_eq!(cycles(&[epic("e", &[]), node("e.1", &[(Blocks, "e")]), child]), []);
}

#[test]
fn a_parent_that_its_child_blocks_is_a_cycle() {
    let nodes = [node("p", &[(Blocks, "x")]), node("x", &[(ParentChild, "p")])];
    assert_eq!(cycles(&nodes), [cycle(&[], &["p", "x"])]);
}

#[test]
fn a_child_that_waits_for_all_children_is_a_cycle_and_one_that_waits_for_any_is_not() {
    let with = |gate| [epic("e", &[]), node("x", &[(ParentChild, "e"), (WaitsFor { gate }, "e")])];
    assert_eq!(cycles(&with(Gate::AllChildren)), [cycle(&[], &["x"])]);
    assert_eq!(cycles(&with(Gate::AnyChildren)), []);
}

#[test]
fn whatever_somebody_has_in_hand_breaks_a_cycle() {
    let nodes = [node("a", &[(Blocks, "b")]), node("b", &[(Blocks, "a")])];
    let mut index = index(nodes);
    assert_eq!(index.cycles().len(), 1);
    for overlay in [Overlay::Held, Overlay::Closed] {
        index.set_overlay(&BeadId::from("a"), overlay);
        assert_eq!(index.cycles(), []);
    }
    let mut taken = node("a", &[(Blocks, "b")]);
    taken.facts.status = Status::InProgress;
    index.upsert(taken);
    assert_eq!(index.cycles(), []);
}

/// Issues of the statuses, types and dependencies that leave no choice, so that working through them has one end.
fn backlog() -> impl Strategy<Value = Vec<Node>> {
    let kinds = [Blocks, ConditionalBlocks, WaitsFor { gate: Gate::AllChildren }, ParentChild, ParentChild];
    let dependency = (0..8_usize, proptest::sample::select(kinds.to_vec()));
    let issue = (
        proptest::sample::select(vec![
            Status::Open,
            Status::Open,
            Status::Open,
            Status::InProgress,
            Status::Closed,
        ]),
        proptest::bool::weighted(0.4),
        proptest::collection::vec(dependency, 0..3),
    );
    proptest::collection::vec(issue, 1..8).prop_map(|issues| {
        let issues = issues.into_iter().enumerate();
        issues.map(|(number, (status, is_epic, links))| some_node(number, status, is_epic, links)).collect()
    })
}

/// Odd numbers are named under the even ones before them.
fn name(number: usize) -> BeadId {
    BeadId::new(if number.is_multiple_of(2) { format!("n{number}") } else { format!("n{}.1", number - 1) })
}

fn some_node(number: usize, status: Status, is_epic: bool, links: Vec<(usize, DependencyKind)>) -> Node {
    let id = name(number);
    let mut made = if is_epic { epic(id.as_str(), &[]) } else { node(id.as_str(), &[]) };
    made.facts.status = status;
    made.dependencies = links.into_iter().map(|(to, kind)| Dependency { on: name(to), kind }).collect();
    made
}

/// Closes what can be closed, round by round, and returns what never can.
fn work_through(mut nodes: Vec<Node>) -> BTreeSet<BeadId> {
    loop {
        let done = closing_now(&nodes);
        if done.is_empty() {
            return nodes.into_iter().filter(|node| !node.facts.is_closed()).map(|node| node.id).collect();
        }
        for node in nodes.iter_mut().filter(|node| done.contains(&node.id)) {
            node.facts.status = Status::Closed;
        }
    }
}

fn closing_now(nodes: &[Node]) -> BTreeSet<BeadId> {
    let ready: BTreeSet<_> = full(nodes, 0).into_iter().collect();
    let by_id: BTreeMap<_, _> = nodes.iter().map(|node| (&node.id, node)).collect();
    let links_to = |node: &Node, id: &BeadId, is: fn(&DependencyKind) -> bool| {
        node.dependencies.iter().any(|link| link.on == *id && is(&link.kind))
    };
    let can_close = |node: &Node| {
        if node.facts.status == Status::InProgress {
            return true;
        }
        let is_child = |other: &&&Node| links_to(other, &node.id, |kind| *kind == ParentChild);
        let children: Vec<_> = by_id.values().filter(is_child).collect();
        if node.facts.issue_type != "epic" || children.is_empty() {
            let blocks =
                |other: &&Node| links_to(other, &node.id, |kind| matches!(kind, Blocks | ConditionalBlocks));
            let is_named = |other: &&Node| other.id.is_named_under(&node.id) && blocks(other);
            let mut open = by_id.values().copied().filter(|other| !other.facts.is_closed());
            return ready.contains(&node.id)
                && !(node.facts.issue_type == "epic" && open.any(|other| is_named(&other)));
        }
        children.iter().all(|child| child.facts.is_closed())
    };
    nodes
        .iter()
        .filter(|node| !node.facts.is_closed() && can_close(node))
        .map(|node| node.id.clone())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn there_is_a_cycle_exactly_when_work_comes_to_rest_with_something_left(nodes in backlog()) {
        let left = work_through(nodes.clone());
        let cycles = cycles(&nodes);
        prop_assert_eq!(cycles.is_empty(), left.is_empty(), "left {:?}, cycles {:?}", left, cycles);
        for cycle in &cycles {
            prop_assert!(cycle.epics.iter().chain(&cycle.tasks).all(|id| left.contains(id)), "{:?}", cycle);
            prop_assert!(!cycle.epics.is_empty() || !cycle.tasks.is_empty());
        }
    }
}

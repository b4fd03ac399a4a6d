//! Every reason for which an issue is not ready.

use glitchlab_domain::bead::DependencyKind::{Blocks, ConditionalBlocks, Other, ParentChild, WaitsFor};
use glitchlab_domain::bead::{BeadId, Gate, Status};
use glitchlab_domain::readiness::{Facts, Index, Node, Overlay, Readiness};

use crate::{ids, index, node};

const ALL: Gate = Gate::AllChildren;
const ANY: Gate = Gate::AnyChildren;

fn with(node: Node, change: impl FnOnce(&mut Facts)) -> Node {
    let mut node = node;
    change(&mut node.facts);
    node
}

fn why(index: &Index, id: &str) -> Readiness {
    index.explain(&BeadId::from(id))
}

fn alone(change: impl FnOnce(&mut Facts)) -> Readiness {
    why(&index([with(node("a", &[]), change)]), "a")
}

fn blocked_by(on: &[&str]) -> Readiness {
    Readiness::BlockedBy(ids(on))
}

#[test]
fn an_issue_by_itself_is_ready_or_says_what_it_is_instead() {
    assert_eq!(alone(|_| {}), Readiness::Ready);
    assert_eq!(alone(|facts| facts.status = Status::Hooked), Readiness::NotOpen(Status::Hooked));
    assert_eq!(alone(|facts| facts.status = Status::Tombstone), Readiness::NotOpen(Status::Tombstone));
    assert_eq!(alone(|facts| facts.overlay = Overlay::Closed), Readiness::NotOpen(Status::Closed));
    assert_eq!(alone(|facts| facts.overlay = Overlay::Held), Readiness::Held);
    assert_eq!(alone(|facts| facts.pinned = true), Readiness::Pinned);
    assert_eq!(alone(|facts| facts.ephemeral = true), Readiness::Ephemeral);
    assert_eq!(alone(|facts| facts.defer_until_ms = Some(1)), Readiness::DeferredUntil(1));
    assert_eq!(alone(|facts| facts.defer_until_ms = Some(0)), Readiness::Ready);
    assert_eq!(why(&index([]), "a"), Readiness::Unknown);
    assert_eq!(why(&index([node("a", &[(Blocks, "b")])]), "b"), Readiness::Unknown);
}

#[test]
fn the_types_of_the_trackers_own_machinery_are_never_ready() {
    for kind in ["merge-request", "gate", "molecule", "message", "agent", "role", "rig"] {
        assert_eq!(alone(|facts| facts.issue_type = kind.to_owned()), Readiness::Type(kind.to_owned()));
    }
    assert_eq!(alone(|facts| facts.issue_type = "convoy".to_owned()), Readiness::Ready);
}

#[test]
fn only_active_targets_block_and_only_by_dependencies_that_do() {
    let target = |change: fn(&mut Facts)| {
        let index = index([
            node("a", &[(Blocks, "t"), (Other("related".to_owned()), "b")]),
            with(node("t", &[]), change),
        ]);
        why(&index, "a")
    };
    assert_eq!(target(|_| {}), blocked_by(&["t"]));
    assert_eq!(target(|facts| facts.status = Status::Deferred), blocked_by(&["t"]));
    assert_eq!(target(|facts| facts.status = Status::Custom("in_qa".to_owned())), blocked_by(&["t"]));
    assert_eq!(target(|facts| facts.overlay = Overlay::Held), blocked_by(&["t"]));
    assert_eq!(target(|facts| facts.pinned = true), blocked_by(&["t"]));
    assert_eq!(target(|facts| facts.overlay = Overlay::Closed), Readiness::Ready);
    assert_eq!(target(|facts| facts.status = Status::Closed), Readiness::Ready);
    assert_eq!(target(|facts| facts.status = Status::Pinned), Readiness::Ready);
    assert_eq!(target(|facts| facts.status = Status::Tombstone), Readiness::Ready);
    assert_eq!(target(|facts| facts.ephemeral = true), Readiness::Ready);
    assert_eq!(
        why(&index([node("a", &[(ConditionalBlocks, "t")]), node("t", &[])]), "a"),
        blocked_by(&["t"])
    );
    assert_eq!(why(&index([node("a", &[(Blocks, "missing")])]), "a"), Readiness::Ready);
}

#[test]
fn a_gate_opens_with_the_last_child_or_with_the_first_as_it_says() {
    for (gate, after_one) in [(ALL, blocked_by(&["y"])), (ANY, Readiness::Ready)] {
        let children = [node("x", &[(ParentChild, "s")]), node("y", &[(ParentChild, "s")])];
        let mut index = index([node("a", &[(WaitsFor { gate }, "s")]), node("s", &[])]);
        assert_eq!(why(&index, "a"), Readiness::Ready);
        children.into_iter().for_each(|child| index.upsert(child));
        assert_eq!(why(&index, "a"), blocked_by(&["x", "y"]));
        index.set_overlay(&BeadId::from("x"), Overlay::Closed);
        assert_eq!(why(&index, "a"), after_one);
        index.set_overlay(&BeadId::from("y"), Overlay::Closed);
        assert_eq!(why(&index, "a"), Readiness::Ready);
    }
}

#[test]
fn a_gate_without_its_spawner_is_open() {
    let child = node("x", &[(ParentChild, "s")]);
    let mut index = index([node("a", &[(WaitsFor { gate: ALL }, "s")]), child, node("s", &[])]);
    assert_eq!(why(&index, "a"), blocked_by(&["x"]));
    index.remove(&BeadId::from("s"));
    assert_eq!(why(&index, "a"), Readiness::Ready);
}

#[test]
fn a_blocked_or_deferred_parent_holds_back_its_children_and_no_one_further_down() {
    let family = [
        node("child", &[(ParentChild, "parent")]),
        node("grandchild", &[(ParentChild, "child")]),
        node("blocker", &[]),
    ];
    let parent = node("parent", &[(Blocks, "blocker")]);
    let mut index = index(family.into_iter().chain([parent.clone()]));
    let parent_blocked = Readiness::ParentBlocked { parent: BeadId::from("parent"), by: ids(&["blocker"]) };
    assert_eq!(why(&index, "child"), parent_blocked);
    assert_eq!(why(&index, "grandchild"), Readiness::Ready);

    index.remove(&BeadId::from("blocker"));
    index.upsert(with(parent, |facts| facts.defer_until_ms = Some(5)));
    let parent_deferred = Readiness::ParentDeferredUntil { parent: BeadId::from("parent"), until_ms: 5 };
    assert_eq!(why(&index, "child"), parent_deferred);
    assert_eq!(why(&index, "grandchild"), Readiness::Ready);
    assert_eq!(index.next_change_ms(), Some(5));
    index.tick(5);
    assert_eq!(why(&index, "child"), Readiness::Ready);
}

#[test]
fn a_closed_parent_is_not_blocked_whatever_it_waited_for() {
    let parent = with(node("parent", &[(Blocks, "blocker")]), |facts| facts.status = Status::Closed);
    let index = index([parent, node("blocker", &[]), node("child", &[(ParentChild, "parent")])]);
    assert_eq!(why(&index, "child"), Readiness::Ready);
}

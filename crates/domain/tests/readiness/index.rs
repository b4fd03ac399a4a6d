//! After every edit the index says what the full computation says.

use std::collections::{BTreeMap, BTreeSet};

use glitchlab_domain::bead::{Bead, BeadId, Dependency, DependencyKind, Gate, Status};
use glitchlab_domain::readiness::{Changes, Index, Node, Overlay, Readiness, full};
use proptest::prelude::*;

use crate::{epic, ids, index, node};

/// Few enough that most edits touch what others hang on.
const IDS: usize = 9;
/// All instants lie in 0 to this, so that dates pass, and are passed over backwards.
const LAST_MS: i64 = 6;

#[derive(Clone, Debug)]
enum Edit {
    Upsert(Node),
    SetStatus(BeadId, Status),
    SetOverlay(BeadId, Overlay),
    Remove(BeadId),
    Tick(i64),
}

fn id() -> impl Strategy<Value = BeadId> {
    (0..IDS).prop_map(|number| BeadId::new(format!("n{number}")))
}

fn status() -> impl Strategy<Value = Status> {
    let words = ["in_progress", "blocked", "deferred", "pinned", "hooked", "tombstone", "in_qa"];
    prop_oneof![
        6 => Just(Status::Open),
        3 => Just(Status::Closed),
        2 => proptest::sample::select(words.to_vec()).prop_map(Status::from),
    ]
}

fn overlay() -> impl Strategy<Value = Overlay> {
    proptest::sample::select(vec![Overlay::None, Overlay::None, Overlay::Closed, Overlay::Held])
}

fn dependency() -> impl Strategy<Value = Dependency> {
    let kinds = vec![
        DependencyKind::Blocks,
        DependencyKind::ConditionalBlocks,
        DependencyKind::WaitsFor { gate: Gate::AllChildren },
        DependencyKind::WaitsFor { gate: Gate::AnyChildren },
        DependencyKind::ParentChild,
        DependencyKind::ParentChild,
        DependencyKind::Other("related".to_owned()),
    ];
    (id(), proptest::sample::select(kinds)).prop_map(|(on, kind)| Dependency { on, kind })
}

fn any_node() -> impl Strategy<Value = Node> {
    let rarely = || proptest::bool::weighted(0.1);
    let kinds = ["task", "task", "epic", "epic", "gate", "convoy"];
    (
        (id(), status(), overlay(), proptest::sample::select(kinds.to_vec())),
        (rarely(), rarely(), proptest::option::weighted(0.3, 0..=LAST_MS)),
        proptest::collection::vec(dependency(), 0..4),
    )
        .prop_map(|((id, status, overlay, kind), (pinned, ephemeral, defer_until_ms), dependencies)| {
            let issue_type = kind.to_owned();
            let bead = Bead {
                status,
                issue_type,
                pinned,
                ephemeral,
                defer_until_ms,
                dependencies,
                ..Bead::new(id, "title")
            };
            Node::new(&bead, overlay)
        })
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        5 => any_node().prop_map(Edit::Upsert),
        3 => (id(), status()).prop_map(|(id, status)| Edit::SetStatus(id, status)),
        3 => (id(), overlay()).prop_map(|(id, overlay)| Edit::SetOverlay(id, overlay)),
        1 => id().prop_map(Edit::Remove),
        2 => (0..=LAST_MS).prop_map(Edit::Tick),
    ]
}

/// The same edits on an index and on a plain map, which is computed anew after each.
struct Pair {
    index: Index,
    nodes: BTreeMap<BeadId, Node>,
    now_ms: i64,
    /// What the drained changes say is ready.
    followed: BTreeSet<BeadId>,
}

impl Pair {
    fn new() -> Self {
        Self { index: Index::new(0), nodes: BTreeMap::new(), now_ms: 0, followed: BTreeSet::new() }
    }

    fn apply(&mut self, edit: Edit) {
        match edit {
            Edit::Upsert(node) => self.upsert(node),
            Edit::SetStatus(id, status) => {
                if let Some(mut node) = self.nodes.get(&id).cloned() {
                    node.facts.status = status;
                    self.upsert(node);
                }
            }
            Edit::SetOverlay(id, overlay) => {
                self.index.set_overlay(&id, overlay);
                self.nodes.entry(id).and_modify(|node| node.facts.overlay = overlay);
            }
            Edit::Remove(id) => {
                self.index.remove(&id);
                self.nodes.remove(&id);
            }
            Edit::Tick(now_ms) => {
                self.index.tick(now_ms);
                self.now_ms = now_ms;
            }
        }
    }

    fn upsert(&mut self, node: Node) {
        self.index.upsert(node.clone());
        self.nodes.insert(node.id.clone(), node);
    }

    fn ready_at(&self, now_ms: i64) -> BTreeSet<BeadId> {
        let nodes: Vec<_> = self.nodes.values().cloned().collect();
        full(&nodes, now_ms).into_iter().cloned().collect()
    }

    fn next_change_ms(&self) -> Option<i64> {
        let now = self.ready_at(self.now_ms);
        (self.now_ms + 1..=LAST_MS).find(|&later_ms| self.ready_at(later_ms) != now)
    }

    fn children(&self, id: &BeadId) -> BTreeSet<&BeadId> {
        let is_child = |node: &&Node| {
            let mut links = node.dependencies.iter();
            links.any(|link| link.kind == DependencyKind::ParentChild && link.on == *id)
        };
        let present = self.nodes.values().filter(|node| node.facts.status != Status::Tombstone);
        present.filter(is_child).map(|node| &node.id).collect()
    }

    fn is_closable(&self, node: &Node) -> bool {
        let children: Vec<_> = self.children(&node.id).into_iter().map(|id| &self.nodes[id].facts).collect();
        node.facts.issue_type == "epic"
            && (node.facts.status == Status::Open && node.facts.overlay == Overlay::None)
            && !(node.facts.pinned || node.facts.ephemeral)
            && children.iter().any(|child| child.is_closed())
            && children.iter().all(|child| child.is_closed() || child.ephemeral)
    }

    fn follow(&mut self) {
        let Changes { ready, unready } = self.index.drain();
        for id in unready {
            assert!(self.followed.remove(&id), "{id} was not ready before");
        }
        for id in ready {
            assert!(self.followed.insert(id.clone()), "{id} was ready before");
        }
    }

    fn check(&self) {
        let expected = self.ready_at(self.now_ms);
        let ready: BTreeSet<_> = self.index.ready().cloned().collect();
        assert_eq!(ready, expected);
        assert_eq!(self.index.next_change_ms(), self.next_change_ms());
        for number in 0..IDS {
            let id = BeadId::new(format!("n{number}"));
            assert_eq!(self.index.is_ready(&id), expected.contains(&id));
            assert_eq!(self.index.explain(&id) == Readiness::Ready, expected.contains(&id));
            assert_eq!(self.index.children(&id).collect::<BTreeSet<_>>(), self.children(&id));
        }
        let closable: BTreeSet<_> = self.index.closable_epics().collect();
        let expected = self.nodes.values().filter(|node| self.is_closable(node));
        assert_eq!(closable, expected.map(|node| &node.id).collect());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn after_every_edit_the_index_equals_the_full_computation(
        edits in proptest::collection::vec((edit(), any::<bool>()), 1..80),
    ) {
        let mut pair = Pair::new();
        for (edit, drains) in edits {
            pair.apply(edit);
            pair.check();
            if drains {
                pair.follow();
                prop_assert_eq!(&pair.followed, &pair.ready_at(pair.now_ms));
            }
        }
    }
}

#[test]
fn of_nodes_with_one_id_the_full_computation_takes_the_last() {
    let mut closed = node("a", &[]);
    closed.facts.status = Status::Closed;
    let waiting = node("b", &[(DependencyKind::Blocks, "a")]);
    assert_eq!(full(&[node("a", &[]), waiting.clone(), closed.clone()], 0), [&BeadId::from("b")]);
    assert_eq!(full(&[closed, waiting, node("a", &[])], 0), [&BeadId::from("a")]);
}

#[test]
fn a_change_that_was_taken_back_before_the_drain_is_not_reported() {
    let mut index = index([node("a", &[]), node("b", &[])]);
    assert_eq!(index.drain(), Changes { ready: ids(&["a", "b"]), unready: vec![] });
    index.set_overlay(&"a".into(), Overlay::Held);
    index.set_overlay(&"a".into(), Overlay::None);
    index.set_overlay(&"b".into(), Overlay::Held);
    assert_eq!(index.drain(), Changes { ready: vec![], unready: ids(&["b"]) });
    assert_eq!(index.drain(), Changes::default());
}

#[test]
fn a_date_that_makes_nothing_ready_is_no_next_change() {
    let mut blocked = node("a", &[(DependencyKind::Blocks, "b")]);
    blocked.facts.defer_until_ms = Some(5);
    let mut closed = node("c", &[]);
    (closed.facts.status, closed.facts.defer_until_ms) = (Status::Closed, Some(3));
    let mut index = index([blocked, node("b", &[]), closed]);
    assert_eq!(index.next_change_ms(), None);
    index.set_overlay(&"b".into(), Overlay::Closed);
    assert_eq!(index.next_change_ms(), Some(5));
    index.tick(5);
    assert_eq!(index.next_change_ms(), None);
    assert!(index.is_ready(&"a".into()));
}

#[test]
fn a_clock_that_is_put_back_takes_back_what_time_made_ready() {
    let mut deferred = node("a", &[]);
    deferred.facts.defer_until_ms = Some(5);
    let mut index = index([deferred]);
    index.tick(7);
    assert!(index.is_ready(&"a".into()));
    index.tick(4);
    assert!(!index.is_ready(&"a".into()));
    assert_eq!((index.now_ms(), index.next_change_ms()), (4, Some(5)));
}

#[test]
fn an_epic_closes_behind_its_last_child_and_the_epic_above_behind_it() {
    let parent = |id| (DependencyKind::ParentChild, id);
    let mut index = index([epic("e", &[]), epic("e.1", &[parent("e")]), node("e.1.1", &[parent("e.1")])]);
    assert_eq!(index.closable_epics().count(), 0);
    for id in ["e.1.1", "e.1"] {
        index.set_overlay(&id.into(), Overlay::Closed);
    }
    assert_eq!(index.closable_epics().collect::<Vec<_>>(), [&BeadId::from("e")]);
    index.upsert(node("e.2", &[parent("e")]));
    assert_eq!(index.closable_epics().count(), 0);
}

#[test]
fn an_epic_without_children_is_not_ours_to_close() {
    assert_eq!(index([epic("e", &[])]).closable_epics().count(), 0);
}

//! The rules of readiness as a text-book would have them: every issue looked at anew.

use std::collections::{BTreeSet, HashMap};

use super::node::Node;
use crate::bead::{BeadId, DependencyKind, Gate};

/// Computes the ready issues at an instant (ms UTC) from nothing; when an id occurs twice, the last one counts.
///
/// This is the definition that [`super::Index`] is tested against, linear in issues and dependencies but for gates,
/// which look at each child of their spawner.
#[must_use]
pub fn full(nodes: &[Node], now_ms: i64) -> BTreeSet<&BeadId> {
    let rules = Rules::of(nodes, now_ms);
    rules.nodes.values().filter(|node| rules.is_ready(node)).map(|node| &node.id).collect()
}

struct Rules<'a> {
    nodes: HashMap<&'a BeadId, &'a Node>,
    children: HashMap<&'a BeadId, Vec<&'a Node>>,
    now_ms: i64,
}

impl<'a> Rules<'a> {
    fn of(nodes: &'a [Node], now_ms: i64) -> Self {
        let mut by_id: HashMap<_, _> = nodes.iter().map(|node| (&node.id, node)).collect();
        by_id.retain(|_, node| node.facts.is_present());
        let mut children: HashMap<_, Vec<_>> = HashMap::new();
        for &node in by_id.values() {
            for dependency in node.dependencies.iter().filter(|d| d.kind == DependencyKind::ParentChild) {
                children.entry(&dependency.on).or_default().push(node);
            }
        }
        Self { nodes: by_id, children, now_ms }
    }

    fn is_ready(&self, node: &Node) -> bool {
        node.facts.is_eligible()
            && !self.is_deferred(node)
            && !self.is_blocked(node)
            && self.parents(node).all(|parent| !self.is_blocked(parent) && !self.is_deferred(parent))
    }

    fn is_deferred(&self, node: &Node) -> bool {
        node.facts.defer_until_ms.is_some_and(|until_ms| until_ms > self.now_ms)
    }

    fn is_blocked(&self, node: &Node) -> bool {
        node.facts.is_active()
            && node.dependencies.iter().any(|dependency| match dependency.kind {
                DependencyKind::Blocks | DependencyKind::ConditionalBlocks => self.is_active(&dependency.on),
                DependencyKind::WaitsFor { gate } => self.is_shut(gate, &dependency.on),
                DependencyKind::ParentChild | DependencyKind::Other(_) => false,
            })
    }

    fn is_active(&self, id: &BeadId) -> bool {
        self.nodes.get(id).is_some_and(|node| node.facts.is_active())
    }

    /// A spawner that is not there holds nobody up, whoever still names it as a parent.
    fn is_shut(&self, gate: Gate, spawner: &BeadId) -> bool {
        let children = self.children.get(spawner).map(Vec::as_slice).unwrap_or_default();
        self.nodes.contains_key(spawner)
            && children.iter().any(|child| child.facts.is_active())
            && (gate == Gate::AllChildren || !children.iter().any(|child| child.facts.is_closed()))
    }

    fn parents(&self, node: &'a Node) -> impl Iterator<Item = &'a Node> {
        let parents = node.dependencies.iter().filter(|d| d.kind == DependencyKind::ParentChild);
        parents.filter_map(|dependency| self.nodes.get(&dependency.on).copied())
    }
}

//! The rules of readiness as a text-book would have them: every issue looked at anew.

use std::collections::HashMap;

use super::node::Node;
use crate::bead::{BeadId, Dependency, DependencyKind, Gate};

/// Computes the ready issues at an instant (ms UTC) from nothing, in the order given; when an id occurs twice, the last
/// one counts.
///
/// This is the definition that [`super::Index`] is tested against. It is linear in issues and dependencies but for
/// gates, which look at each child of their spawner.
#[must_use]
pub fn full(nodes: &[Node], now_ms: i64) -> Vec<&BeadId> {
    let rules = Rules::of(nodes, now_ms);
    nodes.iter().filter(|node| rules.is_ready(node) && rules.is_latest(node)).map(|node| &node.id).collect()
}

struct Rules<'a> {
    nodes: HashMap<&'a BeadId, &'a Node>,
    /// Of spawners only: nobody else's children are asked for.
    children: HashMap<&'a BeadId, Vec<&'a Node>>,
    now_ms: i64,
}

impl<'a> Rules<'a> {
    fn of(nodes: &'a [Node], now_ms: i64) -> Self {
        let mut latest = HashMap::with_capacity(nodes.len());
        latest.extend(nodes.iter().map(|node| (&node.id, node)));
        let mut rules = Self { nodes: latest, children: spawners(nodes), now_ms };
        rules.add_children(nodes);
        rules
    }

    fn add_children(&mut self, nodes: &'a [Node]) {
        for (node, link) in links(nodes).filter(|(_, link)| link.kind == DependencyKind::ParentChild) {
            let counts = node.facts.is_present() && self.is_latest(node);
            if let Some(children) = self.children.get_mut(&link.on).filter(|_| counts) {
                children.push(node);
            }
        }
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
        self.present(id).is_some_and(|node| node.facts.is_active())
    }

    /// A spawner that is not there holds nobody up, whoever still names it as a parent.
    fn is_shut(&self, gate: Gate, spawner: &BeadId) -> bool {
        let children = self.children.get(spawner).map(Vec::as_slice).unwrap_or_default();
        self.present(spawner).is_some()
            && children.iter().any(|child| child.facts.is_active())
            && (gate == Gate::AllChildren || !children.iter().any(|child| child.facts.is_closed()))
    }

    fn parents(&self, node: &Node) -> impl Iterator<Item = &'a Node> {
        let parents = node.dependencies.iter().filter(|link| link.kind == DependencyKind::ParentChild);
        parents.filter_map(|link| self.present(&link.on))
    }

    fn present(&self, id: &BeadId) -> Option<&'a Node> {
        self.nodes.get(id).copied().filter(|node| node.facts.is_present())
    }

    fn is_latest(&self, node: &Node) -> bool {
        self.nodes.get(&node.id).is_some_and(|latest| std::ptr::eq(*latest, node))
    }
}

/// Returns every issue that a gate names, with no children yet.
fn spawners(nodes: &[Node]) -> HashMap<&BeadId, Vec<&Node>> {
    let gates = links(nodes).filter(|(_, link)| matches!(link.kind, DependencyKind::WaitsFor { .. }));
    gates.map(|(_, link)| (&link.on, Vec::new())).collect()
}

fn links(nodes: &[Node]) -> impl Iterator<Item = (&Node, &Dependency)> {
    nodes.iter().flat_map(|node| node.dependencies.iter().map(move |link| (node, link)))
}

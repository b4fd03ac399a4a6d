//! Readiness: the index against the full computation, and circles against a backlog that is worked through.

mod cycles;
mod explain;
mod index;

use glitchlab_domain::bead::{Bead, BeadId, Dependency, DependencyKind};
use glitchlab_domain::readiness::{Index, Node, Overlay};

/// An open task with these dependencies.
fn node(id: &str, dependencies: &[(DependencyKind, &str)]) -> Node {
    let mut bead = Bead::new(BeadId::from(id), id);
    let dependency =
        |(kind, on): &(DependencyKind, &str)| Dependency { on: BeadId::from(*on), kind: kind.clone() };
    bead.dependencies = dependencies.iter().map(dependency).collect();
    Node::new(&bead, Overlay::None)
}

fn epic(id: &str, dependencies: &[(DependencyKind, &str)]) -> Node {
    let mut node = node(id, dependencies);
    node.facts.issue_type = "epic".to_owned();
    node
}

fn index(nodes: impl IntoIterator<Item = Node>) -> Index {
    let mut index = Index::new(0);
    nodes.into_iter().for_each(|node| index.upsert(node));
    index
}

fn ids(ids: &[&str]) -> Vec<BeadId> {
    ids.iter().map(|&id| BeadId::from(id)).collect()
}

//! Which handlers take longer than they may. Pure: it looks at a snapshot, which has the time in it.
//!
//! A supervisor hears of what dies; of what hangs it hears nothing. Whoever watches takes a
//! [`TreeSnapshot`] from a thread of its own, asks [`Budgets::overdue`], and has the tree
//! [kill](crate::TreeHandle::kill) what it finds: that ends a handler at its next await, and what has none becomes a
//! zombie with a successor.

use std::collections::HashMap;
use std::time::Duration;

use crate::snapshot::{NodeSnapshot, NodeState, TreeSnapshot, ms};

/// Says how long a handler may take, for each kind of message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budgets {
    default: Duration,
    kinds: HashMap<String, Duration>,
    actors: HashMap<String, HashMap<String, Duration>>,
}

/// Is a handler that has taken longer than it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// Place of the actor in the tree.
    pub path: String,
    /// Which life of it.
    pub incarnation: u32,
    /// The kind of the message.
    pub kind: String,
    /// Which message of this actor, from 1: the same handler has the same number at every look.
    pub seq: u64,
    /// How long it has been at it, or at the row of messages that it is in, see [`Handling`](crate::Handling).
    pub elapsed_ms: u64,
    /// How long it may be.
    pub budget_ms: u64,
}

impl Budgets {
    /// Gives every message the same time.
    #[must_use]
    pub fn new(default: Duration) -> Self {
        Self { default, kinds: HashMap::new(), actors: HashMap::new() }
    }

    /// Gives messages of one kind, in whatever actor, their own time.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>, budget: Duration) -> Self {
        self.kinds.insert(kind.into(), budget);
        self
    }

    /// Gives messages of one kind in the actor at `path` their own time.
    #[must_use]
    pub fn kind_at(mut self, path: impl Into<String>, kind: impl Into<String>, budget: Duration) -> Self {
        self.actors.entry(path.into()).or_default().insert(kind.into(), budget);
        self
    }

    /// Returns the time for a message: that of the actor's kind, else of the kind, else the default.
    #[must_use]
    pub fn of(&self, path: &str, kind: &str) -> Duration {
        let own = self.actors.get(path).and_then(|kinds| kinds.get(kind));
        own.or_else(|| self.kinds.get(kind)).copied().unwrap_or(self.default)
    }

    /// Returns the handlers that have taken longer than they may, in the order of the tree.
    ///
    /// Only of actors that run: one that stops, or was given up, is its supervisor's matter already.
    #[must_use]
    pub fn overdue(&self, tree: &TreeSnapshot) -> Vec<Overdue> {
        let mut found = Vec::new();
        self.search(&tree.root, &mut found);
        found
    }

    fn search(&self, node: &NodeSnapshot, found: &mut Vec<Overdue>) {
        found.extend(self.judge(node));
        for child in &node.children {
            self.search(child, found);
        }
    }

    fn judge(&self, node: &NodeSnapshot) -> Option<Overdue> {
        let current = node.activity.as_ref()?.current.as_ref()?;
        let budget_ms = ms(self.of(&node.path, &current.kind));
        (node.state == NodeState::Running && current.elapsed_ms > budget_ms).then(|| Overdue {
            path: node.path.clone(),
            incarnation: node.incarnation,
            kind: current.kind.clone(),
            seq: current.seq,
            elapsed_ms: current.elapsed_ms,
            budget_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Budgets;

    #[test]
    fn the_closest_rule_gives_the_budget() {
        let seconds = Duration::from_secs;
        let budgets =
            Budgets::new(seconds(30)).kind("poll", seconds(5)).kind_at("root/slow", "poll", seconds(60));
        assert_eq!(budgets.of("root/fast", "poll"), seconds(5));
        assert_eq!(budgets.of("root/slow", "poll"), seconds(60));
        assert_eq!(budgets.of("root/slow", "look"), seconds(30));
    }
}

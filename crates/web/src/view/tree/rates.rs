//! How fast an actor works, from two looks at it.

use std::collections::{BTreeMap, HashMap};

use glitchlab_runtime::{Activity, TreeSnapshot};
use serde::Serialize;

use super::collect;

/// What an actor did between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Rates {
    /// Tenths of messages a second, rounded up, so that one message is never none.
    pub(crate) decimessages_per_second: u64,
    /// The share of the time that was spent in handlers, so many of 10 000.
    pub(crate) busy_permyriad: u64,
}

impl Rates {
    /// Compares two looks; nothing when no time has passed between them.
    pub(crate) fn of(before: &Activity, now: &Activity, passed_ms: u64) -> Option<Self> {
        let handled = now.messages_total.saturating_sub(before.messages_total);
        let handling = now.current.as_ref().map_or(0, |current| current.elapsed_ms.min(passed_ms));
        let busy_ms = now.busy_total_ms.saturating_sub(before.busy_total_ms).max(handling);
        (passed_ms > 0).then(|| Self {
            decimessages_per_second: (handled * 10_000).div_ceil(passed_ms),
            busy_permyriad: (busy_ms * 10_000 / passed_ms).min(10_000),
        })
    }
}

/// Compares two looks at a tree, by path.
pub(crate) fn rates<'a>(earlier: &TreeSnapshot, now: &'a TreeSnapshot) -> BTreeMap<&'a str, Rates> {
    let (mut before, mut after) = (HashMap::new(), HashMap::new());
    collect(&earlier.root, &mut before);
    collect(&now.root, &mut after);
    let passed_ms = now.as_of_ms.saturating_sub(earlier.as_of_ms);
    let both = after.into_iter().filter_map(|(path, activity)| Some((path, before.get(path)?, activity)));
    both.filter_map(|(path, before, now)| Some((path, Rates::of(before, now, passed_ms)?))).collect()
}

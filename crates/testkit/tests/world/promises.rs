//! What the last table of `docs/supervision.md` says of a panic at each place.

use std::collections::{BTreeMap, BTreeSet};

const PAGE: &str = include_str!("../../../../docs/supervision.md");

/// What attempts can do.
const WORDS: [&str; 3] = ["undisturbed", "go on", "go on in the next process"];

/// What the page says of a panic somewhere.
#[derive(Debug)]
pub(super) struct Promise {
    /// Who is restarted.
    pub(super) restarted: BTreeSet<String>,
    /// Attempts do not notice.
    pub(super) undisturbed: bool,
    /// Who gives up, and who above them, when it happens again and again.
    pub(super) gives_up: BTreeSet<String>,
}

/// The promises by place.
pub(super) fn promised() -> BTreeMap<String, Promise> {
    let rows = PAGE.lines().skip_while(|line| !line.starts_with("| a panic in |")).skip(2);
    let mut promised = BTreeMap::new();
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let [places, restarted, attempts, gives_up] = cells[..] else { panic!("four cells: {row}") };
        let attempts = attempts.trim();
        assert!(WORDS.contains(&attempts), "attempts do one of {WORDS:?}: {row}");
        for place in named(places) {
            let promise = Promise {
                restarted: named(restarted).collect(),
                undisturbed: attempts == "undisturbed",
                gives_up: named(gives_up).collect(),
            };
            assert!(promised.insert(place.clone(), promise).is_none(), "{place} is there twice");
        }
    }
    promised
}

/// What is between backticks.
fn named(cell: &str) -> impl Iterator<Item = String> + '_ {
    cell.split('`').skip(1).step_by(2).map(ToOwned::to_owned)
}

/// One worker is like the other.
pub(super) fn general(place: &str) -> String {
    place.replace("worker-1", "worker-N").replace("worker-2", "worker-N")
}

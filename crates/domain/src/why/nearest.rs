//! What somebody may have meant by an id that nobody knows.

use std::collections::BTreeSet;

use crate::bead::BeadId;

/// How many are offered.
const OFFERED: usize = 3;

/// Returns the ids that are most like `asked`, the nearest first, at most three; none that has little in common with it.
pub fn nearest<'a>(ids: impl IntoIterator<Item = &'a BeadId>, asked: &str) -> Vec<BeadId> {
    let most = asked.chars().count() / 4 + 1;
    let near = ids.into_iter().map(|id| (distance(asked, id.as_str()), id)).filter(|(far, _)| *far <= most);
    let sorted: BTreeSet<(usize, &BeadId)> = near.collect();
    sorted.into_iter().take(OFFERED).map(|(_, id)| id.clone()).collect()
}

/// Counts the letters to change, to add or to take away; the end of an id that was left out counts only once.
fn distance(asked: &str, id: &str) -> usize {
    if id.ends_with(asked) || id.starts_with(asked) { 1 } else { strsim::levenshtein(asked, id) }
}

/// Says that there is no such task, and which ids may have been meant.
#[must_use]
pub fn no_such_task(asked: &str, near: &[BeadId]) -> String {
    let near: Vec<&str> = near.iter().map(BeadId::as_str).collect();
    match near[..] {
        [] => format!("no task has the id {asked}; `glitchlab why` lists those that wait"),
        _ => format!("no task has the id {asked}; did you mean {}?", near.join(" or ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_and_a_missing_prefix_find_the_id_that_was_meant() {
        let ids = ["gl-9f2.4", "gl-9f2.5", "gl-k2v", "other-x"].map(BeadId::from);
        assert_eq!(nearest(&ids, "gl-9f24"), ["gl-9f2.4", "gl-9f2.5"].map(BeadId::from));
        assert_eq!(nearest(&ids, "k2v"), [BeadId::from("gl-k2v")]);
        assert_eq!(nearest(&ids, "zzzzzzzzz"), [] as [BeadId; 0]);
    }
}

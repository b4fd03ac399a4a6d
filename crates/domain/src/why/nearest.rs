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
    if id.ends_with(asked) || id.starts_with(asked) {
        return 1;
    }
    let letters: Vec<char> = id.chars().collect();
    let mut row: Vec<usize> = (0..=letters.len()).collect();
    for (i, asked) in asked.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, letter) in letters.iter().enumerate() {
            let changed = diagonal + usize::from(asked != *letter);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[letters.len()]
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

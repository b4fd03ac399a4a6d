//! What somebody may have meant.

/// Returns the nearest of the known names, when it is near enough to be meant.
pub(crate) fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, name) = known.into_iter().map(|name| (strsim::levenshtein(unknown, name), name)).min()?;
    (distance <= unknown.chars().count().div_ceil(2)).then_some(name)
}

/// Returns `; did you mean ..?`, or nothing.
pub(crate) fn hint<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(unknown, known).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_nonsense_finds_none() {
        assert_eq!(nearest("workrs", ["test", "workers"]), Some("workers"));
        assert_eq!(nearest("xyzzy", ["test", "workers"]), None);
        assert_eq!(hint("tset", ["test"]), "; did you mean `test`?");
    }
}

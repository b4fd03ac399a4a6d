//! Paths that no attempt may change.

/// Rules for paths, each a pattern of whole path segments: `*` and `?` match inside one, `**` any number of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protected {
    patterns: Vec<String>,
}

impl Protected {
    /// Takes patterns, each from the top of the worktree.
    pub fn new(patterns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { patterns: patterns.into_iter().map(Into::into).collect() }
    }

    /// Returns the pattern that protects a path.
    #[must_use]
    pub fn pattern_of(&self, path: &str) -> Option<&str> {
        let path: Vec<&str> = path.split('/').collect();
        let protects = |pattern: &&String| matches_segments(&pattern.split('/').collect::<Vec<_>>(), &path);
        self.patterns.iter().find(protects).map(String::as_str)
    }
}

/// What drives the engine and the checks on its work.
impl Default for Protected {
    fn default() -> Self {
        Self::new([".github/**", ".glitchlab/**", ".beads/**"])
    }
}

fn matches_segments(pattern: &[&str], path: &[&str]) -> bool {
    match pattern {
        [] => path.is_empty(),
        ["**", rest @ ..] => (0..=path.len()).any(|skipped| matches_segments(rest, &path[skipped..])),
        [segment, rest @ ..] => match path {
            [first, others @ ..] => {
                matches_segment(segment.as_bytes(), first.as_bytes()) && matches_segments(rest, others)
            }
            [] => false,
        },
    }
}

fn matches_segment(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|skipped| matches_segment(rest, &text[skipped..])),
        ([b'?', rest @ ..], [_, others @ ..]) => matches_segment(rest, others),
        ([p, rest @ ..], [t, others @ ..]) => p == t && matches_segment(rest, others),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_segments() {
        let rules = Protected::new(["ci/**", "*.lock", "docs/?.md", "**/secret/*", "exact"]);
        for path in ["ci/a", "ci/a/b", "ci", "x.lock", "docs/a.md", "secret/a", "a/b/secret/c", "exact"] {
            assert!(rules.pattern_of(path).is_some(), "{path}");
        }
        for path in ["cia/b", "a/ci/b", "a/x.lock", "docs/ab.md", "secret/a/b", "exactly", "exact/a"] {
            assert!(rules.pattern_of(path).is_none(), "{path}");
        }
    }

    #[test]
    fn the_engines_own_directories_are_protected_by_default() {
        let rules = Protected::default();
        assert_eq!(rules.pattern_of(".github/workflows/ci.yml"), Some(".github/**"));
        assert_eq!(rules.pattern_of(".beads/issues.jsonl"), Some(".beads/**"));
        assert_eq!(rules.pattern_of("src/main.rs"), None);
    }
}

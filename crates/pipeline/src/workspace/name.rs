//! Names made from ids of any text: branches, directories, refs.

use sha2::{Digest, Sha256};

/// How much of a task's id goes into a name.
const ID_CHARACTERS: usize = 60;

/// Names the branch of an attempt: `glitchlab/<bead id, made safe>-<first 8 of the attempt id>`.
#[must_use]
pub fn branch_name(bead_id: &str, attempt_id: &str) -> String {
    let attempt: String = attempt_id.chars().take(8).collect();
    format!("glitchlab/{}-{}", safe(bead_id, "task"), safe(&attempt, "attempt"))
}

/// Names the directory of an attempt's worktree; the hash keeps ids apart that look alike when made safe.
#[must_use]
pub fn worktree_directory(bead_id: &str, attempt_id: &str) -> String {
    format!("{}-{}", safe(bead_id, "task"), hash(&[bead_id, attempt_id]))
}

/// Says whether a directory of this name can be the worktree of an attempt.
#[must_use]
pub fn is_worktree_directory(name: &str) -> bool {
    let is_hash =
        |text: &str| text.len() == 12 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    name.rsplit_once('-').is_some_and(|(task, hash)| !task.is_empty() && is_hash(hash))
}

/// Names the ref that keeps an attempt's work in progress.
#[must_use]
pub fn wip_ref(attempt_id: &str) -> String {
    own_ref("wip", attempt_id)
}

/// Names the ref that keeps the worktree as it was before and after steps.
#[must_use]
pub fn steps_ref(attempt_id: &str) -> String {
    own_ref("steps", attempt_id)
}

fn own_ref(kind: &str, attempt_id: &str) -> String {
    let name = safe(attempt_id, "attempt");
    if name == attempt_id {
        return format!("refs/glitchlab/{kind}/{name}");
    }
    format!("refs/glitchlab/{kind}/{name}-{}", hash(&[attempt_id]))
}

/// Keeps letters, digits, `-`, `_` and single dots inside, so that git and every file system take it.
///
/// Ends that git refuses (`.lock`, a dot) or programs misread (a leading `-`) go.
fn safe(text: &str, if_empty: &str) -> String {
    let mut name = String::new();
    for character in text.chars().take(ID_CHARACTERS) {
        let plain = character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
        let next = if plain { character } else { '-' };
        // Two dots mean a range, and runs of dashes only tell how much was replaced.
        if !(matches!(next, '.' | '-') && name.ends_with(next)) {
            name.push(next);
        }
    }
    let mut name = name.trim_matches(['.', '-']);
    while let Some(shorter) = name.strip_suffix(".lock") {
        name = shorter.trim_end_matches(['.', '-']);
    }
    if name.is_empty() { if_empty.to_owned() } else { name.to_owned() }
}

fn hash(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        // With its length, so that no two lists of parts are the same bytes.
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_ids_stay_readable() {
        assert_eq!(branch_name("gl-1.2", "k3f9a0b1c2d3"), "glitchlab/gl-1.2-k3f9a0b1");
        assert!(worktree_directory("gl-1.2", "k3f9a0b1c2d3").starts_with("gl-1.2-"));
        assert!(is_worktree_directory(&worktree_directory("gl-1.2", "k3f9a0b1c2d3")));
        assert!(!["gl-1.2", "-0123456789ab", "gl-0123456789xy", ""].into_iter().any(is_worktree_directory));
        assert_eq!(wip_ref("k3f9-a0b1"), "refs/glitchlab/wip/k3f9-a0b1");
    }

    #[test]
    fn odd_ids_become_names_that_git_takes() {
        let cases = [
            ("a/b", "a-b"),
            ("../../etc", "etc"),
            ("a..b", "a.b"),
            ("x.lock", "x"),
            ("x.lock.lock", "x"),
            ("x.lock.", "x"),
            (".hidden", "hidden"),
            ("-rf", "rf"),
            ("a@{b}", "a-b"),
            ("@", "task"),
            ("", "task"),
            ("größe", "gr-e"),
            ("日本", "task"),
            ("a b\tc\n", "a-b-c"),
            ("a~^:?*[\\b", "a-b"),
            (".lock", "lock"),
        ];
        for (id, name) in cases {
            assert_eq!(branch_name(id, "0123456789"), format!("glitchlab/{name}-01234567"), "{id:?}");
        }
        assert!(branch_name(&"x".repeat(255), "0123456789").len() < 90);
    }

    #[test]
    fn ids_that_look_alike_when_made_safe_get_directories_of_their_own() {
        assert_ne!(worktree_directory("a/b", "1"), worktree_directory("a-b", "1"));
        assert_ne!(worktree_directory("a", "1"), worktree_directory("a", "2"));
        assert_ne!(worktree_directory("a1", ""), worktree_directory("a", "1"));
        assert_ne!(wip_ref("a/b"), wip_ref("a-b"));
    }

    /// The rules of git-check-ref-format(1).
    fn git_takes(name: &str) -> bool {
        let parts_fit = name
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"));
        let bad = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
        parts_fit
            && !name.contains("..")
            && !name.contains("@{")
            && !name.ends_with('.')
            && !name.contains(bad)
    }

    proptest! {
        #[test]
        fn any_id_makes_a_valid_branch_and_a_plain_directory(bead in any::<String>(), attempt in any::<String>()) {
            let branch = branch_name(&bead, &attempt);
            prop_assert!(git_takes(&branch), "{branch}");
            prop_assert!(git_takes(&wip_ref(&attempt)));
            let directory = worktree_directory(&bead, &attempt);
            prop_assert!(!directory.contains(['/', '\\']) && !directory.starts_with(['.', '-']) && directory.len() < 100);
        }

        #[test]
        fn pieces_of_refs_do_too(bead in "(\\.|/|-|@\\{|\\.lock|a|~){0,30}", attempt in "(\\.|-|\\.lock|b){0,12}") {
            let branch = branch_name(&bead, &attempt);
            prop_assert!(git_takes(&branch), "{branch}");
        }
    }
}

//! The ids that this process makes.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use glitchlab_domain::id::{AttemptId, BootId};
use uuid::Uuid;

/// Returns the id of a new life of the process.
#[must_use]
pub fn boot() -> BootId {
    BootId::new(random())
}

/// Returns the id of a new attempt: 8 hex digits that count on from where this process began at random, and 24 random ones.
///
/// Branches carry the first eight: those of one process never meet. What one attempt writes lies beside what the others
/// write at the same time, in every table whose key begins with an attempt.
pub(crate) fn attempt() -> AttemptId {
    static COUNT: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(Uuid::new_v4().as_fields().0));
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    AttemptId::new(format!("{n:08x}{}", &random()[8..]))
}

/// Returns 32 random hex digits, random from the first on.
pub(crate) fn random() -> String {
    Uuid::new_v4().simple().to_string()
}

#[cfg(test)]
mod tests {
    use super::attempt;

    #[test]
    fn attempts_of_one_process_follow_each_other_and_differ_in_their_first_eight_digits() {
        let (first, second) = (attempt(), attempt());
        let number = |id: &str| u32::from_str_radix(&id[..8], 16).unwrap();
        let (before, after) = (number(first.as_str()), number(second.as_str()));
        let others = after.wrapping_sub(before);
        assert!((1..1_000).contains(&others), "{first} and {second}");
        assert!([&first, &second].iter().all(|id| id.as_str().len() == 32));
        assert_ne!(first.as_str()[8..], second.as_str()[8..]);
    }
}

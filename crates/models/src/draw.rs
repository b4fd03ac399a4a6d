//! Draws that depend on their names and a seed only, so that a resumed attempt is answered as before.

use glitchlab_domain::bead::BeadId;
use sha2::{Digest, Sha256};

/// A source of draws for one question.
#[derive(Clone)]
pub(crate) struct Draw {
    hash: Sha256,
}

impl Draw {
    /// Begins with what all draws of a task share.
    pub(crate) fn new(seed: u64, bead_id: &BeadId, generation: u32) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_be_bytes());
        hash.update(generation.to_be_bytes());
        hash.update(bead_id.as_str().as_bytes());
        Self { hash }
    }

    /// Narrows it down by one more number.
    #[must_use]
    pub(crate) fn at(mut self, n: u32) -> Self {
        self.hash.update(n.to_be_bytes());
        self
    }

    /// Draws 64 bits under a name; the same name draws the same bits.
    fn bits(&self, name: &str) -> u64 {
        let mut hash = self.hash.clone();
        // What no id and no number can end with keeps `a` + `bc` from being `ab` + `c`.
        hash.update([0xff]);
        hash.update(name.as_bytes());
        let digest = hash.finalize();
        let (first, _) = digest.split_first_chunk::<8>().expect("a SHA-256 digest has 32 bytes");
        u64::from_be_bytes(*first)
    }

    /// Draws what tells one thing from all others, behind a word that says what it is.
    pub(crate) fn id(&self, what: &str) -> String {
        format!("{what}-{:016x}", self.bits("id"))
    }

    /// Draws a number from `low` to `high`, both included.
    pub(crate) fn between(&self, name: &str, low: u64, high: u64) -> u64 {
        low + self.bits(name) % (high - low + 1)
    }

    /// Tells whether something happens that happens `in_1000` times of 1 000.
    pub(crate) fn happens(&self, name: &str, in_1000: u64) -> bool {
        self.bits(name) % 1_000 < in_1000
    }

    /// Picks one of several.
    pub(crate) fn pick<'a, T>(&self, name: &str, from: &'a [T]) -> &'a T {
        let place = self.between(name, 0, from.len() as u64 - 1);
        &from[usize::try_from(place).expect("less than the length of a slice")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_seed_task_place_and_name_and_on_nothing_else() {
        let id = BeadId::from("gl-1");
        let draw = |seed, generation, n| Draw::new(seed, &id, generation).at(n).bits("size");
        assert_eq!(draw(1, 0, 2), draw(1, 0, 2));
        for other in [draw(2, 0, 2), draw(1, 1, 2), draw(1, 0, 3)] {
            assert_ne!(draw(1, 0, 2), other);
        }
        assert_ne!(draw(1, 0, 2), Draw::new(1, &id, 0).at(2).bits("other"));
    }

    #[test]
    fn what_happens_4_times_of_100_does_so_over_many_tasks() {
        let times = (0..10_000)
            .filter(|n| Draw::new(7, &BeadId::new(format!("gl-{n}")), 0).happens("large", 40))
            .count();
        assert!((340..460).contains(&times), "{times} of 10 000");
    }
}

//! Actors by their numbers, which `ractor` gives once: they need no hash that withstands an attacker.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use ractor::ActorId;

/// A map from actors.
pub(crate) type ByActor<T> = HashMap<ActorId, T, BuildHasherDefault<NumberHasher>>;

/// Spreads a number over the bits that a map looks at.
#[derive(Debug, Default)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    fn write_u64(&mut self, number: u64) {
        // The golden ratio, as Knuth's multiplicative hash has it.
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number.cast_unsigned() as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

//! The texts of statements, each made once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Statement texts that live as long as the program: a few dozen, one for each shape and size, so that the statement cache
/// knows them again.
pub(super) struct Texts<K>(LazyLock<Mutex<HashMap<K, &'static str>>>);

impl<K: Eq + Hash> Texts<K> {
    pub(super) const fn new() -> Self {
        Self(LazyLock::new(Mutex::default))
    }

    pub(super) fn get(&self, key: K, make: impl FnOnce() -> String) -> &'static str {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        texts.entry(key).or_insert_with(|| Box::leak(make().into_boxed_str()))
    }
}

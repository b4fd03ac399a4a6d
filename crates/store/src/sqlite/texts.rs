//! The texts of statements, each made once.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Statement texts by table, that live as long as the program: so the statement cache knows them again.
pub(super) struct Texts(LazyLock<Mutex<HashMap<&'static str, &'static str>>>);

impl Texts {
    pub(super) const fn new() -> Self {
        Self(LazyLock::new(Mutex::default))
    }

    pub(super) fn get(&self, table: &'static str, make: impl FnOnce() -> String) -> &'static str {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        texts.entry(table).or_insert_with(|| Box::leak(make().into_boxed_str()))
    }
}

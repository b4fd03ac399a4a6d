//! Money that is set aside, as a value that is used once.

use crate::id::TryKey;
use crate::money::MicroUsd;

/// Money set aside for one try. It can't be copied, and only [`crate::decide`] makes one.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a grant that is dropped keeps its money reserved until it is settled at its bound"]
pub struct Grant {
    key: TryKey,
    bound: MicroUsd,
    prompt_tokens: u64,
    max_out: u64,
}

impl Grant {
    pub(crate) const fn new(key: TryKey, bound: MicroUsd, prompt_tokens: u64, max_out: u64) -> Self {
        Self { key, bound, prompt_tokens, max_out }
    }

    /// Returns which try may spend.
    #[must_use]
    pub const fn key(&self) -> &TryKey {
        &self.key
    }

    /// Returns the most that the try may cost.
    #[must_use]
    pub const fn bound(&self) -> MicroUsd {
        self.bound
    }

    /// Returns the most prompt tokens that the try may be billed.
    #[must_use]
    pub const fn prompt_tokens(&self) -> u64 {
        self.prompt_tokens
    }

    /// Returns the most output tokens that the try may ask for.
    #[must_use]
    pub const fn max_out(&self) -> u64 {
        self.max_out
    }
}

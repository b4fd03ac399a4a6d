//! How often a process may restart itself.

use serde::{Deserialize, Serialize};

/// The most restarts within [`WITHIN_MS`].
pub const MAX_RESTARTS: usize = 3;
/// The window of restarts, ms: 6 h.
pub const WITHIN_MS: i64 = 6 * 3_600_000;

/// When a process restarted itself, ms UTC, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restarts(Vec<i64>);

impl Restarts {
    /// Counts one more, unless the window is full. Returns whether it was counted.
    #[must_use]
    pub fn count(&mut self, now_ms: i64) -> bool {
        // One of the future is of a clock that was set back: it counts, once its time is plausible again it leaves.
        self.0.retain(|at_ms| now_ms - at_ms < WITHIN_MS);
        if self.0.len() >= MAX_RESTARTS {
            return false;
        }
        self.0.push(now_ms);
        true
    }

    /// Returns how many count now.
    #[must_use]
    pub fn within(&self, now_ms: i64) -> usize {
        self.0.iter().filter(|at_ms| now_ms - **at_ms < WITHIN_MS).count()
    }
}

//! The one place that reads the wall clock.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the time in ms UTC; a test passes one of its own.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Returns the machine's wall clock.
#[must_use]
pub fn wall() -> Clock {
    Arc::new(now_ms)
}

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

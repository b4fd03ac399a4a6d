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

/// Returns a clock that starts at `start_ms` and runs with tokio's time, which a test can pause.
#[must_use]
pub fn tokio_time(start_ms: i64) -> Clock {
    let start = tokio::time::Instant::now();
    Arc::new(move || start_ms + i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

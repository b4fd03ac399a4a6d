//! The time of a world: it runs with the runtime of the process that lives, stands still between two processes, and
//! goes on in the next one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use glitchlab_store::clock::Clock;
use tokio::time::Instant;

/// When every world begins, ms UTC: the first of March 2026, noon.
pub const BEGIN_MS: i64 = 1_772_366_400_000;

/// The time of a world. Clones share it.
#[derive(Clone, Debug)]
pub struct WorldClock(Arc<Mutex<Time>>);

#[derive(Clone, Copy, Debug)]
struct Time {
    /// What had passed when the present process began, or when the last one ended.
    passed: Duration,
    /// When the present process began; none between processes.
    since: Option<Instant>,
    /// How far the wall clock is off.
    jump_ms: i64,
}

impl Default for WorldClock {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Time { passed: Duration::ZERO, since: None, jump_ms: 0 })))
    }
}

impl WorldClock {
    /// Returns what has passed since the world began. Nothing that happens to the wall clock changes it.
    #[must_use]
    pub fn passed(&self) -> Duration {
        self.lock().passed()
    }

    /// Returns the wall clock, which [`Self::jump`] changes.
    #[must_use]
    pub fn wall(&self) -> Clock {
        let clock = self.clone();
        Arc::new(move || {
            let time = clock.lock();
            BEGIN_MS + millis(time.passed()) + time.jump_ms
        })
    }

    /// Returns a clock that no jump changes: the provider's.
    #[must_use]
    pub fn steady(&self) -> Clock {
        let clock = self.clone();
        Arc::new(move || BEGIN_MS + millis(clock.passed()))
    }

    /// Sets the wall clock forward, or back with a negative number.
    pub fn jump(&self, by_ms: i64) {
        self.lock().jump_ms += by_ms;
    }

    /// Begins to run with the runtime of a new process; called inside of it.
    pub(crate) fn start(&self) {
        self.lock().since = Some(Instant::now());
    }

    /// Stands still; called inside the runtime that ends.
    pub(crate) fn stop(&self) {
        let mut time = self.lock();
        time.passed = time.passed();
        time.since = None;
    }

    fn lock(&self) -> MutexGuard<'_, Time> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Time {
    fn passed(&self) -> Duration {
        self.passed + self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_stands_still_between_processes_and_goes_on_in_the_next() {
        let clock = WorldClock::default();
        clock.start();
        tokio::time::advance(Duration::from_secs(3)).await;
        clock.stop();
        tokio::time::advance(Duration::from_secs(100)).await;
        assert_eq!(clock.passed(), Duration::from_secs(3));
        clock.start();
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!((clock.wall())(), BEGIN_MS + 7_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_jump_moves_the_wall_clock_and_not_the_steady_one() {
        let clock = WorldClock::default();
        clock.start();
        clock.jump(-5_000);
        assert_eq!((clock.wall())(), BEGIN_MS - 5_000);
        assert_eq!((clock.steady())(), BEGIN_MS);
    }
}

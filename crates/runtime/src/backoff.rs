//! How long a supervisor waits before it restarts a child that keeps failing. Pure: randomness is an argument.
//!
//! This is an extension to OTP, which restarts at once.

use std::time::Duration;

/// Spreads the restarts of one child: exponential, with full jitter.
///
/// The wait is uniform between nothing and `min(max, base * 2^failures)`, so that children which failed together
/// do not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Ceiling of the first wait.
    pub base: Duration,
    /// Ceiling of every wait.
    pub max: Duration,
    /// A child that ran this long counts as healthy: its next failure is its first again.
    pub reset_after: Duration,
}

impl Backoff {
    /// Makes a back-off that resets after twice its longest wait.
    #[must_use]
    pub fn new(base: Duration, max: Duration) -> Self {
        Self { base, max, reset_after: max.saturating_mul(2) }
    }

    /// Sets how long a child must run to count as healthy.
    #[must_use]
    pub fn reset_after(self, reset_after: Duration) -> Self {
        Self { reset_after, ..self }
    }

    /// Returns the longest wait that may follow after `failures` earlier failures in a row.
    #[must_use]
    pub fn ceiling(&self, failures: u32) -> Duration {
        self.base.saturating_mul(2_u32.saturating_pow(failures)).min(self.max)
    }

    /// Returns the wait for a `roll` that is uniform over all of `u64`.
    #[must_use]
    pub fn delay(&self, failures: u32, roll: u64) -> Duration {
        let ceiling_ns = u64::try_from(self.ceiling(failures).as_nanos()).unwrap_or(u64::MAX);
        let scaled = (u128::from(roll) * u128::from(ceiling_ns)) >> 64;
        Duration::from_nanos(u64::try_from(scaled).unwrap_or(ceiling_ns))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::Backoff;

    #[test]
    fn the_ceiling_doubles_up_to_the_maximum() {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let ceilings_ms: Vec<u128> = (0..6).map(|n| backoff.ceiling(n).as_millis()).collect();
        assert_eq!(ceilings_ms, [100, 200, 400, 800, 1_000, 1_000]);
        assert_eq!(backoff.ceiling(u32::MAX), Duration::from_secs(1));
    }

    #[test]
    fn full_jitter_reaches_from_nothing_to_the_ceiling() {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        assert_eq!(backoff.delay(0, 0), Duration::ZERO);
        assert!(backoff.delay(0, u64::MAX) > Duration::from_micros(99_999));
        assert_eq!(backoff.delay(0, u64::MAX / 2).as_millis(), 49);
    }

    proptest! {
        #[test]
        fn no_wait_exceeds_its_ceiling(base_ms in 0_u64..100_000, max_ms in 0_u64..100_000, failures: u32, roll: u64) {
            let backoff = Backoff::new(Duration::from_millis(base_ms), Duration::from_millis(max_ms));
            prop_assert!(backoff.delay(failures, roll) <= backoff.ceiling(failures));
        }
    }
}

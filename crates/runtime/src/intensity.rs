//! How many restarts a supervisor may make before it gives up. Pure: the instant is an argument.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Bounds the restarts of one supervisor: more than `max` within `within` is a breach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intensity {
    /// Restarts that are tolerated in the window; 0 breaches at the first crash.
    pub max: u32,
    /// Length of the window.
    pub within: Duration,
}

impl Default for Intensity {
    /// Tolerates one restart in five seconds, as OTP does.
    fn default() -> Self {
        Self { max: 1, within: Duration::from_secs(5) }
    }
}

/// Remembers the restarts of one supervisor, and why each was made, for as long as they count.
#[derive(Debug)]
pub struct RestartLog<T> {
    intensity: Intensity,
    entries: VecDeque<(Instant, T)>,
}

impl<T> RestartLog<T> {
    /// Makes an empty log.
    #[must_use]
    pub fn new(intensity: Intensity) -> Self {
        Self { intensity, entries: VecDeque::new() }
    }

    /// Records a restart that is about to be made at `now`, and returns whether it exceeds the intensity.
    ///
    /// `now` never goes back from one call to the next.
    pub fn record(&mut self, now: Instant, cause: T) -> bool {
        self.forget_before(now);
        self.entries.push_back((now, cause));
        self.entries.len() > self.intensity.max as usize
    }

    /// Returns the number of restarts that count at `now`.
    #[must_use]
    pub fn in_window(&self, now: Instant) -> usize {
        self.entries.iter().filter(|(at, _)| self.counts(*at, now)).count()
    }

    /// Returns why the restarts that are still remembered were made, oldest first.
    pub fn causes(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|(_, cause)| cause)
    }

    /// Returns the bounds this log is measured against.
    #[must_use]
    pub fn intensity(&self) -> Intensity {
        self.intensity
    }

    fn forget_before(&mut self, now: Instant) {
        while self.entries.front().is_some_and(|(at, _)| !self.counts(*at, now)) {
            self.entries.pop_front();
        }
    }

    /// An entry exactly as old as the window still counts, as in OTP.
    fn counts(&self, at: Instant, now: Instant) -> bool {
        now.saturating_duration_since(at) <= self.intensity.within
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use tokio::time::Instant;

    use super::{Intensity, RestartLog};

    /// OTP's own words: add now, keep what is at least now - period, breach when more than intensity are left.
    fn naive(times_ms: &[u64], max: u32, within_ms: u64) -> Vec<bool> {
        (0..times_ms.len())
            .map(|i| {
                let now = times_ms[i];
                let kept = times_ms[..=i].iter().filter(|&&t| t + within_ms >= now).count();
                kept > max as usize
            })
            .collect()
    }

    proptest! {
        #[test]
        fn the_log_agrees_with_a_naive_recomputation(
            gaps_ms in vec(0_u64..400, 1..60),
            max in 0_u32..6,
            within_ms in 0_u64..1_000,
        ) {
            let start = Instant::now();
            let mut log = RestartLog::new(Intensity { max, within: Duration::from_millis(within_ms) });
            let times_ms: Vec<u64> = gaps_ms
                .iter()
                .scan(0, |at, gap| { *at += gap; Some(*at) })
                .collect();
            let seen: Vec<bool> =
                times_ms.iter().map(|&t| log.record(start + Duration::from_millis(t), ())).collect();
            prop_assert_eq!(seen, naive(&times_ms, max, within_ms));
        }
    }

    #[test]
    fn an_intensity_of_zero_breaches_at_the_first_crash() {
        let mut log = RestartLog::new(Intensity { max: 0, within: Duration::from_secs(5) });
        assert!(log.record(Instant::now(), "crash"));
        assert_eq!(log.causes().collect::<Vec<_>>(), [&"crash"]);
    }

    #[test]
    fn old_restarts_leave_the_window_without_a_new_one() {
        let start = Instant::now();
        let mut log = RestartLog::new(Intensity::default());
        assert!(!log.record(start, ()));
        assert_eq!(log.in_window(start + Duration::from_secs(5)), 1);
        assert_eq!(log.in_window(start + Duration::from_millis(5_001)), 0);
    }
}

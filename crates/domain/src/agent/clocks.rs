//! How long an agent may say nothing, change nothing, and take.

use std::fmt;

use crate::outcome::FailureKind;

/// The limits of one run, ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// Without a word.
    pub silence_ms: u64,
    /// Without a change to the worktree.
    pub idle_ms: u64,
    /// In all.
    pub wall_ms: u64,
}

/// What was seen of a run, as instants of one monotonic clock, ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// It began.
    pub began_ms: u64,
    /// It said something, or began.
    pub spoke_ms: u64,
    /// It changed something, or began.
    pub changed_ms: u64,
}

/// Why a run is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// It said nothing for so long, ms.
    Silent(u64),
    /// It changed nothing for so long, ms, whatever it said.
    Idle(u64),
    /// It took so long, ms.
    Long(u64),
}

impl Seen {
    /// Begins a run.
    #[must_use]
    pub const fn begin(now_ms: u64) -> Self {
        Self { began_ms: now_ms, spoke_ms: now_ms, changed_ms: now_ms }
    }
}

impl Clocks {
    /// Says by which clock a run is to be ended now.
    #[must_use]
    pub fn judge(&self, seen: &Seen, now_ms: u64) -> Option<Overdue> {
        let is_over = |since_ms: u64, limit_ms: u64| now_ms.saturating_sub(since_ms) >= limit_ms;
        if is_over(seen.began_ms, self.wall_ms) {
            return Some(Overdue::Long(self.wall_ms));
        }
        if is_over(seen.spoke_ms, self.silence_ms) {
            return Some(Overdue::Silent(self.silence_ms));
        }
        is_over(seen.changed_ms, self.idle_ms).then_some(Overdue::Idle(self.idle_ms))
    }

    /// Returns the first instant at which [`Clocks::judge`] can find something, when nothing more is seen.
    #[must_use]
    pub fn due_ms(&self, seen: &Seen) -> u64 {
        let due = [
            seen.began_ms.saturating_add(self.wall_ms),
            seen.spoke_ms.saturating_add(self.silence_ms),
            seen.changed_ms.saturating_add(self.idle_ms),
        ];
        due.into_iter().min().unwrap_or(u64::MAX)
    }
}

impl Overdue {
    /// Returns the class of the failure.
    #[must_use]
    pub const fn failure(self) -> FailureKind {
        match self {
            Self::Silent(_) | Self::Long(_) => FailureKind::Stalled,
            Self::Idle(_) => FailureKind::NoProgress,
        }
    }

    /// Says what the next attempt should do differently.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Silent(_) => "say what you do while you do it, and start nothing that waits for a person",
            Self::Idle(_) => "change files early and in small steps",
            Self::Long(_) => "do less in one run",
        }
    }
}

/// Completes "the agent ...".
impl fmt::Display for Overdue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(ms) => write!(f, "said nothing for {}", seconds(*ms)),
            Self::Idle(ms) => write!(f, "changed nothing for {}", seconds(*ms)),
            Self::Long(ms) => write!(f, "was not done after {}", seconds(*ms)),
        }
    }
}

fn seconds(ms: u64) -> String {
    if ms < 1_000 { format!("{ms} ms") } else { format!("{} s", ms / 1_000) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLOCKS: Clocks = Clocks { silence_ms: 300, idle_ms: 1_800, wall_ms: 7_200 };

    #[test]
    fn each_clock_runs_from_what_it_measures() {
        let seen = Seen { began_ms: 0, spoke_ms: 1_000, changed_ms: 500 };
        assert_eq!(CLOCKS.judge(&seen, 1_299), None);
        assert_eq!(CLOCKS.judge(&seen, 1_300), Some(Overdue::Silent(300)));
        let talks = Seen { spoke_ms: 2_290, ..seen };
        assert_eq!(CLOCKS.judge(&talks, 2_300), Some(Overdue::Idle(1_800)));
        let works = Seen { spoke_ms: 7_199, changed_ms: 7_199, ..seen };
        assert_eq!(CLOCKS.judge(&works, 7_200), Some(Overdue::Long(7_200)));
    }

    #[test]
    fn silence_and_length_are_stalls_and_idleness_is_no_progress() {
        assert_eq!(Overdue::Silent(1).failure(), FailureKind::Stalled);
        assert_eq!(Overdue::Long(1).failure(), FailureKind::Stalled);
        assert_eq!(Overdue::Idle(1).failure(), FailureKind::NoProgress);
        assert_eq!(Overdue::Idle(90_000).to_string(), "changed nothing for 90 s");
    }

    proptest! {
        #[test]
        fn nothing_is_overdue_before_the_instant_that_is_named_and_something_is_then(
            began in 0u64..10_000, spoke in 0u64..10_000, changed in 0u64..10_000,
        ) {
            let seen = Seen { began_ms: began, spoke_ms: began + spoke, changed_ms: began + changed };
            let due = CLOCKS.due_ms(&seen);
            prop_assert_eq!(CLOCKS.judge(&seen, due - 1), None);
            prop_assert!(CLOCKS.judge(&seen, due).is_some());
        }
    }
}

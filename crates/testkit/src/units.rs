//! Spans of time and amounts of money, as scenarios write them: `40.secs()`, `5.usd()`.

use std::time::Duration;

use glitchlab_domain::money::MicroUsd;

/// Turns a number into what it counts.
pub trait Units {
    /// So many milliseconds.
    fn millis(self) -> Duration;
    /// So many seconds.
    fn secs(self) -> Duration;
    /// So many minutes.
    fn minutes(self) -> Duration;
    /// So many hours.
    fn hours(self) -> Duration;
    /// So many days.
    fn days(self) -> Duration;
    /// So many dollars.
    fn usd(self) -> MicroUsd;
    /// So many cents.
    fn cents(self) -> MicroUsd;
}

impl Units for u32 {
    fn millis(self) -> Duration {
        Duration::from_millis(self.into())
    }

    fn secs(self) -> Duration {
        Duration::from_secs(self.into())
    }

    fn minutes(self) -> Duration {
        self.secs() * 60
    }

    fn hours(self) -> Duration {
        self.minutes() * 60
    }

    fn days(self) -> Duration {
        self.hours() * 24
    }

    fn usd(self) -> MicroUsd {
        MicroUsd::new(i64::from(self) * 1_000_000)
    }

    fn cents(self) -> MicroUsd {
        MicroUsd::new(i64::from(self) * 10_000)
    }
}

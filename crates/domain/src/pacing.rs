//! Pacing: how fast admission approaches a cap. The ledger keeps the cap; a bucket only spreads what it allows.
//!
//! The bucket holds `L(t) = min(B, L0 + rho (t - t0))`. A task takes its *hold*, the expected cost of the whole task,
//! when it is admitted, which needs `L >= min(hold, B)`: one whose hold is larger than the bucket is admitted by a full
//! bucket and repaid as silence. At its outcome `L = min(B, L + hold - spent)`. So by any time t at most `B + rho t` and
//! one hold for each free slot has been admitted.

mod costs;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::money::MicroUsd;
use crate::reason::Window;

pub use costs::Costs;

/// Over which window admission is spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spread {
    /// The hour's cap may be used up within any hour.
    #[default]
    Hour,
    /// The day's cap is spread over 24 hours.
    Day,
}

impl Spread {
    /// Returns the setting's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How long the rate takes to fill an empty bucket: a tenth of an hour, so that B is a tenth of the hour's cap, or of an
/// hour's share of the day's.
pub const FILL_MS: i64 = Window::Hour.length_ms() / 10;

/// The rate at which a bucket fills: `cap` in every `window_ms`. A cap of nothing paces nothing; the ledger refuses then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// What flows in during a window.
    pub cap: MicroUsd,
    /// The window's length.
    pub window_ms: i64,
}

impl Flow {
    /// Returns the rate of a spread under two caps: never faster than the hour's cap, and never more than the day's.
    #[must_use]
    pub fn of(spread: Spread, cap_hour: MicroUsd, cap_day: MicroUsd) -> Self {
        let hours_of_a_day = Window::Day.length_ms() / Window::Hour.length_ms();
        let (cap, window) = match spread {
            Spread::Hour => (cap_hour.min(cap_day), Window::Hour),
            Spread::Day => {
                let day = MicroUsd::new(cap_hour.micro().saturating_mul(hours_of_a_day));
                (cap_day.min(day), Window::Day)
            }
        };
        Self { cap, window_ms: window.length_ms() }
    }

    /// Returns the bucket's depth B: what flows in within [`FILL_MS`].
    #[must_use]
    pub fn depth(self) -> MicroUsd {
        MicroUsd::new(narrow(i128::from(self.cap.micro()) * i128::from(FILL_MS) / i128::from(self.window_ms)))
    }
}

/// The level of a bucket at an instant. It is exact: what is less than a micro-dollar is kept as well, so that many looks
/// at it lose nothing and the instant that a wait is told stays the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// How admission is spread.
    pub spread: Spread,
    /// The level; negative when tasks took or spent more than had flowed in.
    pub level: MicroUsd,
    /// What is less than a micro-dollar, in parts of [`Flow::window_ms`].
    pub part: i64,
    /// When the level was so, ms UTC; none for a bucket that was never used: it is full.
    pub at_ms: Option<i64>,
}

impl Bucket {
    /// Returns the bucket as it is at `now_ms`.
    #[must_use]
    pub fn at(self, flow: Flow, now_ms: i64) -> Self {
        let full = Self { level: flow.depth(), part: 0, at_ms: Some(now_ms), ..self };
        let Some(at_ms) = self.at_ms else { return full };
        let passed = i128::from(now_ms.saturating_sub(at_ms).max(0));
        let window = i128::from(flow.window_ms);
        let flowed = i128::from(flow.cap.micro().max(0)) * passed + i128::from(self.part);
        let level = self.level + MicroUsd::new(narrow(flowed / window));
        if level >= flow.depth() {
            return full;
        }
        Self { level, part: narrow(flowed % window), at_ms: Some(now_ms.max(at_ms)), ..self }
    }

    /// Says when a hold may be taken from the bucket as it is at `now_ms`: none when it may be now, else the instant.
    #[must_use]
    pub fn wait_for(self, flow: Flow, hold: MicroUsd, now_ms: i64) -> Option<i64> {
        if flow.cap <= MicroUsd::ZERO {
            return None;
        }
        let bucket = self.at(flow, now_ms);
        let missing = hold.min(flow.depth()) - bucket.level;
        if missing <= MicroUsd::ZERO {
            return None;
        }
        let parts = i128::from(missing.micro()) * i128::from(flow.window_ms) - i128::from(bucket.part);
        let cap = i128::from(flow.cap.micro());
        Some(bucket.at_ms.unwrap_or(now_ms).saturating_add(narrow((parts + cap - 1) / cap)))
    }

    /// Takes a hold.
    #[must_use]
    pub fn take(self, flow: Flow, hold: MicroUsd, now_ms: i64) -> Self {
        self.give(flow, MicroUsd::ZERO - hold, now_ms)
    }

    /// Gives back what a hold had too much, or takes what it had too little; never more than a full bucket.
    #[must_use]
    pub fn give(self, flow: Flow, amount: MicroUsd, now_ms: i64) -> Self {
        if flow.cap <= MicroUsd::ZERO {
            return self;
        }
        let bucket = self.at(flow, now_ms);
        let level = bucket.level + amount;
        if level >= flow.depth() {
            return Self { level: flow.depth(), part: 0, ..bucket };
        }
        Self { level, ..bucket }
    }

    /// Fills another way from now on.
    #[must_use]
    pub fn spread_over(self, spread: Spread, flow: Flow, now_ms: i64) -> Self {
        if spread == self.spread {
            return self;
        }
        match self.at_ms {
            None => Self { spread, ..self },
            Some(_) => Self { spread, part: 0, ..self.at(flow, now_ms) },
        }
    }
}

fn narrow(wide: i128) -> i64 {
    i64::try_from(wide).unwrap_or(if wide < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests;

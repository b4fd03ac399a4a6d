//! The arithmetic of the caps: `U_W(t) = open bounds + what settled in (t - W, t]`, and `U_W <= cap` always.
//!
//! Only a reservation raises `U`, and only when `U + bound <= cap`; settling replaces the bound by what was really
//! paid; time only removes. A settlement at `s` leaves the window at exactly `s + W`.

use serde::{Deserialize, Serialize};

use crate::id::TryKey;
use crate::money::{MicroUsd, Price};
use crate::reason::{Reason, Wait, Window};

/// The running totals of one scope of money, one row that every ledger command rewrites.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// `real`, or `simulated:<repo>` so that pretended dollars never use up the real cap.
    pub scope: String,
    /// Written anew by every change, so that two writers can never write the same value.
    pub nonce: String,
    /// The latest instant seen, ms UTC; the ledger's clock never runs back.
    pub last_ms: i64,
    /// The sum of the open bounds.
    pub reserved: MicroUsd,
    /// What settled within the hour before [`Head::tail_hour_ms`] was last moved.
    pub sum_hour: MicroUsd,
    /// The same for the day.
    pub sum_day: MicroUsd,
    /// Settlements at or before this instant have left the hour.
    pub tail_hour_ms: i64,
    /// Settlements at or before this instant have left the day.
    pub tail_day_ms: i64,
    /// The cap of any rolling hour.
    pub cap_hour: MicroUsd,
    /// The cap of any rolling day.
    pub cap_day: MicroUsd,
    /// Everything ever settled in this scope.
    pub settled_total: MicroUsd,
}

/// What the windows hold, for events and pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The sum of the open bounds.
    pub reserved: MicroUsd,
    /// Settled within the rolling hour.
    pub hour: MicroUsd,
    /// Settled within the rolling day.
    pub day: MicroUsd,
    /// Everything ever settled.
    pub total: MicroUsd,
    /// The cap of the rolling hour.
    pub cap_hour: MicroUsd,
    /// The cap of the rolling day.
    pub cap_day: MicroUsd,
}

/// Settlements that are still inside a window, oldest first, as `(settled_ms, amount)`.
///
/// A list may be cut at [`DEPARTURES`] rows; the last one is then only an instant at which to look again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Departures {
    /// Those inside the hour.
    pub hour: Vec<(i64, MicroUsd)>,
    /// Those inside the day.
    pub day: Vec<(i64, MicroUsd)>,
}

/// The most rows of a [`Departures`] list.
pub const DEPARTURES: usize = 512;

impl Head {
    /// Opens an empty ledger.
    #[must_use]
    pub fn new(scope: impl Into<String>, cap_hour: MicroUsd, cap_day: MicroUsd) -> Self {
        Self { scope: scope.into(), cap_hour, cap_day, ..Self::default() }
    }

    /// Returns the ledger's time: never before the latest it has seen, whatever the clock says.
    #[must_use]
    pub fn now(&self, clock_ms: i64) -> i64 {
        clock_ms.max(self.last_ms)
    }

    /// Returns the span `(after, up to]` of settlement times that leave `window` by `now_ms`.
    #[must_use]
    pub fn leaving(&self, window: Window, now_ms: i64) -> (i64, i64) {
        let tail = match window {
            Window::Hour => self.tail_hour_ms,
            Window::Day => self.tail_day_ms,
        };
        (tail, tail.max(now_ms - window.length_ms()))
    }

    /// Moves the tails to `now_ms`, given the sums of what [`Head::leaving`] named.
    pub fn advance(&mut self, now_ms: i64, left_hour: MicroUsd, left_day: MicroUsd) {
        self.tail_hour_ms = self.leaving(Window::Hour, now_ms).1;
        self.tail_day_ms = self.leaving(Window::Day, now_ms).1;
        self.sum_hour = self.sum_hour - left_hour;
        self.sum_day = self.sum_day - left_day;
        self.last_ms = self.now(now_ms);
    }

    /// Returns the room that `window` has left; negative after an overrun or a lowered cap.
    #[must_use]
    pub fn room(&self, window: Window) -> MicroUsd {
        self.cap(window) - self.reserved - self.settled(window)
    }

    /// Returns the smaller room of the two windows.
    #[must_use]
    pub fn headroom(&self) -> MicroUsd {
        self.room(Window::Hour).min(self.room(Window::Day))
    }

    /// Returns the cap of `window`.
    #[must_use]
    pub const fn cap(&self, window: Window) -> MicroUsd {
        match window {
            Window::Hour => self.cap_hour,
            Window::Day => self.cap_day,
        }
    }

    const fn settled(&self, window: Window) -> MicroUsd {
        match window {
            Window::Hour => self.sum_hour,
            Window::Day => self.sum_day,
        }
    }

    /// Returns the totals for events and pages.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        Usage {
            reserved: self.reserved,
            hour: self.sum_hour,
            day: self.sum_day,
            total: self.settled_total,
            cap_hour: self.cap_hour,
            cap_day: self.cap_day,
        }
    }

    /// Books a granted bound.
    pub(crate) fn reserve(&mut self, bound: MicroUsd, nonce: &str) {
        self.reserved += bound;
        nonce.clone_into(&mut self.nonce);
    }

    /// Replaces a bound by what was really paid.
    pub(crate) fn settle(&mut self, bound: MicroUsd, actual: MicroUsd, nonce: &str) {
        self.reserved = self.reserved - bound;
        self.sum_hour += actual;
        self.sum_day += actual;
        self.settled_total += actual;
        nonce.clone_into(&mut self.nonce);
    }

    /// Says how long `need` has to wait, or that it fits now (`None`).
    #[must_use]
    pub fn wait_for(&self, need: MicroUsd, departures: &Departures) -> Option<Wait> {
        let waits = [(Window::Hour, &departures.hour), (Window::Day, &departures.day)]
            .into_iter()
            .filter_map(|(window, leaving)| self.wait_in(window, need, leaving));
        waits.max_by_key(|wait| wait.until_ms.unwrap_or(i64::MAX))
    }

    fn wait_in(&self, window: Window, need: MicroUsd, leaving: &[(i64, MicroUsd)]) -> Option<Wait> {
        let mut room = self.room(window);
        if need <= room {
            return None;
        }
        for (settled_ms, amount) in leaving {
            room += *amount;
            if need <= room {
                return Some(reached(window, *settled_ms));
            }
        }
        match leaving.last() {
            Some((settled_ms, _)) if leaving.len() >= DEPARTURES => Some(reached(window, *settled_ms)),
            _ => Some(Wait { reason: Reason::AfterSettlement { window }, until_ms: None }),
        }
    }
}

fn reached(window: Window, settled_ms: i64) -> Wait {
    Wait { reason: Reason::CapReached { window }, until_ms: Some(settled_ms + window.length_ms()) }
}

/// What one try asks of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// The most prompt tokens that can be billed.
    pub prompt_tokens: u64,
    /// The most output tokens that are of use.
    pub max_out: u64,
    /// The fewest output tokens that are of use; below that it is better to wait.
    pub floor_out: u64,
    /// What the model charges.
    pub price: Price,
}

/// What the ledger says to [`Bounds`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It fits, with this many output tokens and this bound.
    Fits {
        /// The output is clamped to this many tokens.
        max_out: u64,
        /// The most that it can cost.
        bound: MicroUsd,
    },
    /// It must wait.
    Waits(Wait),
    /// Even the useful minimum is larger than a cap: waiting cannot help.
    ExceedsCap {
        /// What the useful minimum costs.
        bound: MicroUsd,
        /// The smaller cap.
        cap: MicroUsd,
    },
}

/// Clamps the output to what the headroom pays, or says how long to wait for the useful floor.
#[must_use]
pub fn judge(head: &Head, bounds: &Bounds, departures: &Departures) -> Verdict {
    let floor = bounds.floor_out.min(bounds.max_out);
    let least = bounds.price.cost(bounds.prompt_tokens, floor);
    let cap = head.cap_hour.min(head.cap_day);
    if least > cap {
        return Verdict::ExceedsCap { bound: least, cap };
    }
    if let Some(wait) = head.wait_for(least, departures) {
        return Verdict::Waits(wait);
    }
    let max_out =
        bounds.price.affordable_output(bounds.prompt_tokens, head.headroom(), bounds.max_out).max(floor);
    Verdict::Fits { max_out, bound: bounds.price.cost(bounds.prompt_tokens, max_out) }
}

/// Money set aside for one try. It can't be copied, and only [`crate::decide`] makes one.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a grant that is dropped keeps its money reserved until it is settled at its bound"]
pub struct Grant {
    key: TryKey,
    bound: MicroUsd,
    max_out: u64,
}

impl Grant {
    pub(crate) const fn new(key: TryKey, bound: MicroUsd, max_out: u64) -> Self {
        Self { key, bound, max_out }
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

    /// Returns the most output tokens that the try may ask for.
    #[must_use]
    pub const fn max_out(&self) -> u64 {
        self.max_out
    }
}

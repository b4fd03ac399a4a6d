//! The arithmetic of the caps: `U_W(t) = open bounds + what settled in (t - W, t]`, and `U_W <= cap` always.
//!
//! Only a reservation raises `U`, and only when `U + bound <= cap`; settling replaces the bound by what was really
//! paid; time only removes. A settlement at `s` leaves the window at exactly `s + W`.

mod grant;
mod judge;
mod opening;
mod outlook;

use serde::{Deserialize, Serialize};

use crate::money::MicroUsd;
use crate::pacing::{Bucket, Costs, Flow, Spread};
use crate::reason::{Reason, Wait, Window};

pub use grant::Grant;
pub use judge::{Bounds, Lack, lack};
pub use outlook::{Prospect, admissions};

/// The running totals of one scope of money, one row that every ledger command rewrites.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// See [`scope_of`].
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
    /// How fast admission approaches the caps.
    #[serde(default)]
    pub bucket: Bucket,
    /// What attempts cost, for the holds of those to come.
    #[serde(default)]
    pub costs: Costs,
    /// Models that billed more than the bound of a try: not used again until a person trusts them.
    #[serde(default)]
    pub distrusted: Vec<String>,
}

/// What the amounts of a ledger count. Both kinds are kept by the same code in the same table: the ledger of tokens is a
/// row of its own beside that of money, so that one that nobody wants costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Micro-dollars.
    Money,
    /// Tokens, in fields that are named after money.
    Tokens,
}

/// The ledger of real money, one for all repositories of a store.
pub const REAL: &str = "real";

/// Names the ledger of money that is pretended, so that it never uses up a real cap: each repository has one of its own.
#[must_use]
pub fn simulated_scope(repo_id: &str) -> String {
    format!("simulated:{repo_id}")
}

/// Names the ledger that work in a repository spends from.
#[must_use]
pub fn scope_of(is_simulated: bool, repo_id: &str) -> String {
    if is_simulated { simulated_scope(repo_id) } else { REAL.to_owned() }
}

/// What the name of a ledger of tokens ends with.
const TOKENS: &str = "#tokens";

/// Names the ledger of tokens beside that of money.
#[must_use]
pub fn tokens_scope(scope: &str) -> String {
    format!("{scope}{TOKENS}")
}

/// Counts tokens in an amount of their ledger.
#[must_use]
pub fn tokens(count: u64) -> MicroUsd {
    MicroUsd::new(i64::try_from(count).unwrap_or(i64::MAX))
}

/// Returns the scope whose calls a ledger counts, and what of them.
#[must_use]
pub fn counted(scope: &str) -> (&str, Unit) {
    scope.strip_suffix(TOKENS).map_or((scope, Unit::Money), |money| (money, Unit::Tokens))
}

/// What a start asks of a ledger beside its caps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Over which window admission is spread.
    pub spread: Spread,
    /// The cap of any rolling day in tokens, for models that are paid by subscription.
    pub tokens_per_day: Option<u64>,
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
    /// What is above a cap, after an overrun or after a cap was lowered: it has to leave before anything is reserved.
    #[serde(default)]
    pub debt: MicroUsd,
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
    pub fn usage(&self) -> Usage {
        Usage {
            reserved: self.reserved,
            hour: self.sum_hour,
            day: self.sum_day,
            total: self.settled_total,
            cap_hour: self.cap_hour,
            cap_day: self.cap_day,
            debt: MicroUsd::ZERO.max(MicroUsd::ZERO - self.headroom()),
        }
    }

    /// Returns what the amounts count.
    #[must_use]
    pub fn unit(&self) -> Unit {
        counted(&self.scope).1
    }

    /// Returns how fast admission may approach the caps.
    #[must_use]
    pub fn flow(&self) -> Flow {
        Flow::of(self.bucket.spread, self.cap_hour, self.cap_day)
    }

    /// Tells whether a model may be used.
    #[must_use]
    pub fn trusts(&self, model: &str) -> bool {
        !self.distrusted.iter().any(|distrusted| distrusted == model)
    }

    /// Lets a model be used again, or no longer.
    pub(crate) fn trust(&mut self, model: &str, trusted: bool, nonce: &str) {
        self.distrusted.retain(|distrusted| distrusted != model);
        if !trusted {
            self.distrusted.push(model.to_owned());
        }
        nonce.clone_into(&mut self.nonce);
    }

    /// Moves the bucket by what a hold takes from it (less than nothing) or leaves of it.
    pub(crate) fn pour(&mut self, amount: MicroUsd, now_ms: i64, nonce: &str) {
        self.bucket = self.bucket.give(self.flow(), amount, now_ms);
        nonce.clone_into(&mut self.nonce);
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

    /// Says how long `need` has to wait, or that it fits now (`None`). What costs nothing fits also where a lowered cap or an
    /// overrun has left less than nothing.
    #[must_use]
    pub fn wait_for(&self, need: MicroUsd, departures: &Departures) -> Option<Wait> {
        let waits = [(Window::Hour, &departures.hour), (Window::Day, &departures.day)]
            .into_iter()
            .filter_map(|(window, leaving)| self.wait_in(window, need, leaving));
        waits.max_by_key(|wait| wait.until_ms.unwrap_or(i64::MAX))
    }

    /// Says how long the caps keep a task from starting that is expected to cost so much.
    ///
    /// It may start when every cap has room for the smaller of its expected cost and a tenth of that cap, so that a small
    /// cap still admits tasks that are usually cheaper than their estimate. A cap of nothing admits as well: waiting would
    /// never end, and a call that costs something is then told that it exceeds the cap.
    #[must_use]
    pub fn cap_wait(&self, expected: MicroUsd, departures: &Departures) -> Option<Wait> {
        let tenth = MicroUsd::new(self.cap_hour.min(self.cap_day).micro() / 10);
        let least = MicroUsd::new(1).min(self.cap_hour).min(self.cap_day);
        self.wait_for(expected.min(tenth).max(least), departures)
    }

    fn wait_in(&self, window: Window, need: MicroUsd, leaving: &[(i64, MicroUsd)]) -> Option<Wait> {
        let mut room = self.room(window);
        if need <= room.max(MicroUsd::ZERO) {
            return None;
        }
        for (settled_ms, amount) in leaving {
            room += *amount;
            if need <= room {
                return Some(self.reached(window, *settled_ms));
            }
        }
        match leaving.last() {
            Some((settled_ms, _)) if leaving.len() >= DEPARTURES => Some(self.reached(window, *settled_ms)),
            _ => Some(Wait { reason: self.after_settlement(window), until_ms: None }),
        }
    }

    fn reached(&self, window: Window, settled_ms: i64) -> Wait {
        let reason = match self.unit() {
            Unit::Money => Reason::CapReached { window },
            Unit::Tokens => Reason::TokenCapReached { window },
        };
        Wait { reason, until_ms: Some(settled_ms + window.length_ms()) }
    }

    fn after_settlement(&self, window: Window) -> Reason {
        match self.unit() {
            Unit::Money => Reason::AfterSettlement { window },
            Unit::Tokens => Reason::TokensAfterSettlement { window },
        }
    }
}

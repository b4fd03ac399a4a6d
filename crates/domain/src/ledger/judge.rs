//! What the ledger says to one try.

use serde::{Deserialize, Serialize};

use super::{Departures, Head};
use crate::money::{MicroUsd, Price};
use crate::reason::Wait;

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

impl Bounds {
    /// Returns the fewest output tokens that are of use.
    #[must_use]
    pub fn floor(&self) -> u64 {
        self.floor_out.min(self.max_out)
    }

    /// Returns what a try needs at least.
    #[must_use]
    pub fn least(&self) -> MicroUsd {
        self.price.cost(self.prompt_tokens, self.floor())
    }

    /// Returns the same question to a ledger that counts tokens: each costs one, whatever the model charges.
    #[must_use]
    pub fn in_tokens(&self) -> Self {
        let one = 1_000_000;
        Self { price: Price { input_per_mtok_micro: one, output_per_mtok_micro: one }, ..self.clone() }
    }
}

/// Clamps the output to what the headroom pays, and to `room`, what its task has left; or says how long to wait for the
/// useful floor.
#[must_use]
pub fn judge(head: &Head, bounds: &Bounds, room: MicroUsd, departures: &Departures) -> Verdict {
    let least = bounds.least();
    let cap = head.cap_hour.min(head.cap_day);
    if least > cap {
        return Verdict::ExceedsCap { bound: least, cap };
    }
    if let Some(wait) = head.wait_for(least, departures) {
        return Verdict::Waits(wait);
    }
    let room = room.min(head.headroom());
    let max_out =
        bounds.price.affordable_output(bounds.prompt_tokens, room, bounds.max_out).max(bounds.floor());
    Verdict::Fits { max_out, bound: bounds.price.cost(bounds.prompt_tokens, max_out) }
}

//! What a ledger says to one try.

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

/// Why a ledger has no room for a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
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
    /// Returns the bounds of something that is not priced by tokens: it costs at most `amount`, however many of its
    /// `tokens` it uses.
    #[must_use]
    pub fn flat(amount: MicroUsd, tokens: u64) -> Self {
        let tokens = tokens.max(1);
        let micro = u128::try_from(amount.micro()).unwrap_or(0) * 1_000_000;
        let per_mtok = u64::try_from(micro.div_ceil(u128::from(tokens))).unwrap_or(u64::MAX);
        let price = Price { input_per_mtok_micro: per_mtok, output_per_mtok_micro: 0 };
        Self { prompt_tokens: tokens, max_out: 0, floor_out: 0, price }
    }

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

    /// Clamps the output to what `room` pays, but not below what is of use.
    #[must_use]
    pub fn clamped(&self, room: MicroUsd) -> Self {
        let paid = self.price.affordable_output(self.prompt_tokens, room.max(MicroUsd::ZERO), self.max_out);
        Self { max_out: paid.max(self.floor()), ..self.clone() }
    }
}

/// Says why a ledger has no room for the least that a try can do with, or `None` when it has.
#[must_use]
pub fn lack(head: &Head, bounds: &Bounds, departures: &Departures) -> Option<Lack> {
    let (bound, cap) = (bounds.least(), head.cap_hour.min(head.cap_day));
    if bound > cap {
        return Some(Lack::ExceedsCap { bound, cap });
    }
    head.wait_for(bound, departures).map(Lack::Waits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn flat_bounds_cost_their_amount(micro in 0i64..1_000_000_000, tokens in 1u64..1_000_000_000) {
            let least = Bounds::flat(MicroUsd::new(micro), tokens).least().micro();
            // A price for each token cannot say every amount exactly; it is never less.
            let grain = i64::try_from(tokens.div_ceil(1_000_000)).unwrap();
            prop_assert!((micro..=micro + grain).contains(&least), "{} for {}", least, micro);
        }
    }

    #[test]
    fn flat_bounds_of_a_million_tokens_are_exact() {
        let bounds = Bounds::flat(MicroUsd::new(2_500_001), 1_000_000);
        assert_eq!(bounds.least(), MicroUsd::new(2_500_001));
        assert_eq!(bounds.in_tokens().least(), MicroUsd::new(1_000_000));
    }
}

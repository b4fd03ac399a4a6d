//! Money in whole micro-dollars, and prices that round up.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An amount in micro-dollars (1 USD = 1 000 000). Sums saturate instead of wrapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MicroUsd(i64);

impl MicroUsd {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// Wraps an amount in micro-dollars.
    #[must_use]
    pub const fn new(micro: i64) -> Self {
        Self(micro)
    }

    /// Returns the amount in micro-dollars.
    #[must_use]
    pub const fn micro(self) -> i64 {
        self.0
    }

    /// Tells how much of `part` in 10 000 this amount is of `whole`, for meters; 0 when the whole is 0.
    #[must_use]
    pub fn basis_points_of(self, whole: Self) -> i64 {
        if whole.0 == 0 { 0 } else { self.0.saturating_mul(10_000) / whole.0 }
    }
}

impl Add for MicroUsd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for MicroUsd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for MicroUsd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl std::iter::Sum for MicroUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// Writes dollars and cents; what is more than nothing and less than a cent is `<$0.01`.
impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let micro = self.0.unsigned_abs();
        if micro > 0 && micro < 10_000 {
            return write!(f, "{sign}<$0.01");
        }
        let cents = (micro + 5_000) / 10_000;
        write!(f, "{sign}${}.{:02}", cents / 100, cents % 100)
    }
}

/// Says why a text is not an amount of dollars.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an amount of dollars: write digits with at most six decimals, such as 5.00")]
pub struct BadAmount {
    text: String,
}

/// Reads a non-negative decimal amount of dollars with at most six decimals, `5`, `0.05` or `$5.00`.
impl FromStr for MicroUsd {
    type Err = BadAmount;

    fn from_str(text: &str) -> Result<Self, BadAmount> {
        parse_dollars(text.trim()).ok_or_else(|| BadAmount { text: text.to_owned() })
    }
}

fn parse_dollars(text: &str) -> Option<MicroUsd> {
    let digits = text.strip_prefix('$').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || part.len() > 6 || !all_digits(whole) || !all_digits(part) {
        return None;
    }
    let dollars: i64 = whole.parse().ok()?;
    let micro: i64 = format!("{part:0<6}").parse().ok()?;
    dollars.checked_mul(1_000_000)?.checked_add(micro).map(MicroUsd)
}

/// What a model charges, in micro-dollars for a million tokens of each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Prompt tokens, the cache-write surcharge included.
    pub input_per_mtok_micro: u64,
    /// Output tokens, reasoning included.
    pub output_per_mtok_micro: u64,
}

impl Price {
    /// Returns what so many prompt and output tokens cost at most, rounded up to a micro-dollar.
    #[must_use]
    pub fn cost(&self, input_tokens: u64, output_tokens: u64) -> MicroUsd {
        let raw = u128::from(input_tokens) * u128::from(self.input_per_mtok_micro)
            + u128::from(output_tokens) * u128::from(self.output_per_mtok_micro);
        MicroUsd(i64::try_from(raw.div_ceil(1_000_000)).unwrap_or(i64::MAX))
    }

    /// Returns how many output tokens `room` pays after the prompt, by binary search over [`Price::cost`].
    #[must_use]
    pub fn affordable_output(&self, input_tokens: u64, room: MicroUsd, at_most: u64) -> u64 {
        let (mut low, mut high) = (0, at_most + 1);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.cost(input_tokens, middle) <= room { low = middle } else { high = middle }
        }
        if self.cost(input_tokens, 0) > room { 0 } else { low }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_exactly_and_nonsense_is_refused() {
        assert_eq!("5.00".parse(), Ok(MicroUsd::new(5_000_000)));
        assert_eq!("$0.05".parse(), Ok(MicroUsd::new(50_000)));
        assert_eq!("0.000001".parse(), Ok(MicroUsd::new(1)));
        for bad in ["", ".5", "-1", "1e3", "5,00", "0.0000001", "99999999999999999999", "nan", "5.0.0"] {
            assert!(bad.parse::<MicroUsd>().is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn an_amount_under_a_cent_never_shows_as_zero() {
        assert_eq!(MicroUsd::new(1).to_string(), "<$0.01");
        assert_eq!(MicroUsd::ZERO.to_string(), "$0.00");
        assert_eq!(MicroUsd::new(1_005_000).to_string(), "$1.01");
    }

    proptest::proptest! {
        #[test]
        fn affordable_output_is_the_most_that_the_room_pays(
            input in 0u64..100_000, room in 0i64..5_000_000, most in 0u64..100_000,
            price_in in 0u64..30_000_000, price_out in 0u64..90_000_000,
        ) {
            let price = Price { input_per_mtok_micro: price_in, output_per_mtok_micro: price_out };
            let out = price.affordable_output(input, MicroUsd::new(room), most);
            proptest::prop_assert!(out <= most);
            if out > 0 {
                proptest::prop_assert!(price.cost(input, out) <= MicroUsd::new(room));
            }
            if out < most && price.cost(input, 0) <= MicroUsd::new(room) {
                proptest::prop_assert!(price.cost(input, out + 1) > MicroUsd::new(room));
            }
        }
    }
}

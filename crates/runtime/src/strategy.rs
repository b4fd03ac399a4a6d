//! Which children are restarted together. Pure.

use std::ops::Bound;

use serde::{Deserialize, Serialize};

/// Says which children share the fate of one that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Only the child that failed.
    #[default]
    OneForOne,
    /// All children.
    OneForAll,
    /// The child that failed and those that were started after it.
    RestForOne,
    /// Only the child that failed, of many that a [`Template`](crate::Template) makes at run time. Without an order
    /// among them they stop together.
    SimpleOneForOne,
}

impl Strategy {
    /// Returns the bounds, in start order, of the children that are restarted when the child at `failed` fails.
    #[must_use]
    pub fn group<P: Copy>(self, failed: P) -> (Bound<P>, Bound<P>) {
        match self {
            Self::OneForOne | Self::SimpleOneForOne => (Bound::Included(failed), Bound::Included(failed)),
            Self::OneForAll => (Bound::Unbounded, Bound::Unbounded),
            Self::RestForOne => (Bound::Included(failed), Bound::Unbounded),
        }
    }

    /// Returns the name that OTP uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OneForOne => "one_for_one",
            Self::OneForAll => "one_for_all",
            Self::RestForOne => "rest_for_one",
            Self::SimpleOneForOne => "simple_one_for_one",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::RangeBounds;

    use super::Strategy;

    #[test]
    fn each_strategy_names_its_group_in_start_order() {
        let of = |strategy: Strategy| -> Vec<u32> {
            (0..4).filter(|place| strategy.group(1).contains(place)).collect()
        };
        assert_eq!(of(Strategy::OneForOne), [1]);
        assert_eq!(of(Strategy::OneForAll), [0, 1, 2, 3]);
        assert_eq!(of(Strategy::RestForOne), [1, 2, 3]);
        assert_eq!(of(Strategy::SimpleOneForOne), [1]);
    }
}

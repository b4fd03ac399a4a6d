//! Which children are restarted together. Pure.

use std::ops::Range;

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
}

impl Strategy {
    /// Returns the places, in start order, of the children that are restarted when the child at `failed` of
    /// `children` fails.
    #[must_use]
    pub fn group(self, failed: usize, children: usize) -> Range<usize> {
        match self {
            Self::OneForOne => failed..failed + 1,
            Self::OneForAll => 0..children,
            Self::RestForOne => failed..children,
        }
    }

    /// Returns the name that OTP uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OneForOne => "one_for_one",
            Self::OneForAll => "one_for_all",
            Self::RestForOne => "rest_for_one",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Strategy;

    #[test]
    fn each_strategy_names_its_group_in_start_order() {
        assert_eq!(Strategy::OneForOne.group(1, 4), 1..2);
        assert_eq!(Strategy::OneForAll.group(1, 4), 0..4);
        assert_eq!(Strategy::RestForOne.group(1, 4), 1..4);
    }
}

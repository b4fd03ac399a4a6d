//! When a supervisor shuts itself down because its children are done. Pure.

use serde::{Deserialize, Serialize};

/// Says whether the end of significant children ends their supervisor, as in OTP.
///
/// Only an end that comes from the child itself counts, and that no restart follows: not one by an order to the
/// supervisor, nor one for the sake of a sibling that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoShutdown {
    /// It goes on, also without children.
    #[default]
    Never,
    /// It ends with the first significant child that ends.
    AnySignificant,
    /// It ends with the last significant child that ends.
    AllSignificant,
}

impl AutoShutdown {
    /// Returns whether a supervisor ends when a child ended that was `significant`, and `others` says whether another
    /// significant child runs or waits for its restart.
    #[must_use]
    pub fn follows(self, significant: bool, others: bool) -> bool {
        match self {
            Self::Never => false,
            Self::AnySignificant => significant,
            Self::AllSignificant => significant && !others,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AutoShutdown::{AllSignificant, AnySignificant, Never};

    #[test]
    fn a_supervisor_ends_with_any_or_the_last_significant_child_and_never_with_another() {
        let cases = [(false, false), (false, true), (true, false), (true, true)];
        let of =
            |rule: super::AutoShutdown| cases.map(|(significant, others)| rule.follows(significant, others));
        assert_eq!(of(Never), [false; 4]);
        assert_eq!(of(AnySignificant), [false, false, true, true]);
        assert_eq!(of(AllSignificant), [false, false, true, false]);
    }
}

//! What waits for a person's word before an attempt goes on, and the word once it is given.

use serde::{Deserialize, Serialize};

use crate::id::AttemptId;
use crate::outcome::{HumanReason, Size};

/// What a person is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// The plan, before anything is changed.
    Plan,
    /// The finished work, before its request is opened or it is merged.
    Request,
}

/// What waits for a person's word: the setting `work.approve`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// Nothing.
    #[default]
    None,
    /// Every plan that is to be worked on.
    Plan,
    /// All finished work.
    Request,
    /// The plans of tasks of this size and of larger ones.
    Size(Size),
}

impl Approval {
    /// Tells whether a person is asked about the plan of a task that triage judged to be of `size`.
    #[must_use]
    pub fn asks_about_plan(self, size: Size) -> bool {
        match self {
            Self::None | Self::Request => false,
            Self::Plan => true,
            Self::Size(least) => size >= least,
        }
    }

    /// Tells whether a person is asked about finished work.
    #[must_use]
    pub const fn asks_about_request(self) -> bool {
        matches!(self, Self::Request)
    }
}

/// An attempt that a person has let go on, and with what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoesOn {
    /// The attempt.
    pub attempt_id: AttemptId,
    /// What the person has agreed to.
    pub consent: Consent,
}

impl HumanReason {
    /// Returns what goes on when a person agrees; none when the attempt that asked is over.
    #[must_use]
    pub fn asks(&self) -> Option<GoesOn> {
        let (attempt_id, consent) = match self {
            Self::ApprovePlan { attempt_id, .. } => (attempt_id, Consent::Plan),
            Self::ApproveRequest { attempt_id, .. } => (attempt_id, Consent::Request),
            _ => return None,
        };
        Some(GoesOn { attempt_id: attempt_id.clone(), consent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_asked_about_plans_of_the_size_that_is_named_and_above() {
        let asked = |approval: Approval| {
            [Size::S, Size::M, Size::L, Size::Xl].map(|size| approval.asks_about_plan(size))
        };
        assert_eq!(asked(Approval::None), [false; 4]);
        assert_eq!(asked(Approval::Request), [false; 4]);
        assert_eq!(asked(Approval::Plan), [true; 4]);
        assert_eq!(asked(Approval::Size(Size::L)), [false, false, true, true]);
        assert_eq!(asked(Approval::Size(Size::S)), [true; 4]);
        assert!(Approval::Request.asks_about_request() && !Approval::Plan.asks_about_request());
    }
}

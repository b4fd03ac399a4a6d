//! The named parts of an attempt.

use serde::{Deserialize, Serialize};

/// A named part of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Is it already done, and how large is it?
    ArchitectTriage,
    /// The steps, the files and the estimates.
    Planner,
    /// Passes, decomposes or rejects; asks no model.
    BudgetGate,
    /// Plans again, smaller, when the gate says so.
    Replan,
    /// Writes the sub-tasks.
    Decompose,
    /// Edits the worktree.
    Implement,
    /// Runs the repository's own tests.
    Test,
    /// Edits again after red tests; an attempt can have several.
    Debug,
    /// Reads the diff.
    Review,
    /// Opens the request or merges.
    PullRequest,
}

impl Stage {
    /// All parts, in the order in which an attempt can first come to them.
    pub const ALL: [Self; 10] = [
        Self::ArchitectTriage,
        Self::Planner,
        Self::BudgetGate,
        Self::Replan,
        Self::Decompose,
        Self::Implement,
        Self::Test,
        Self::Debug,
        Self::Review,
        Self::PullRequest,
    ];

    /// The parts of an undisturbed attempt, in order, as the pages show them.
    pub const MAIN_LINE: [Self; 7] = [
        Self::ArchitectTriage,
        Self::Planner,
        Self::BudgetGate,
        Self::Implement,
        Self::Test,
        Self::Review,
        Self::PullRequest,
    ];

    /// Returns the stage's name in rows, spans and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ArchitectTriage => "architect_triage",
            Self::Planner => "planner",
            Self::BudgetGate => "budget_gate",
            Self::Replan => "replan",
            Self::Decompose => "decompose",
            Self::Implement => "implement",
            Self::Test => "test",
            Self::Debug => "debug",
            Self::Review => "review",
            Self::PullRequest => "pull_request",
        }
    }

    /// Returns the place in [`Stage::MAIN_LINE`] where this stage shows.
    #[must_use]
    pub const fn main_line_place(self) -> usize {
        match self {
            Self::ArchitectTriage => 0,
            Self::Planner => 1,
            Self::BudgetGate | Self::Replan | Self::Decompose => 2,
            Self::Implement | Self::Debug => 3,
            Self::Test => 4,
            Self::Review => 5,
            Self::PullRequest => 6,
        }
    }

    /// Returns the short word for narrow places.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ArchitectTriage => "triage",
            Self::Planner => "plan",
            Self::BudgetGate => "gate",
            Self::Replan => "replan",
            Self::Decompose => "decompose",
            Self::Implement => "implement",
            Self::Test => "test",
            Self::Debug => "debug",
            Self::Review => "review",
            Self::PullRequest => "PR",
        }
    }
}

/// The part that a model plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Judges and splits tasks.
    Architect,
    /// Plans.
    Planner,
    /// Writes code.
    Implementer,
    /// Reads diffs.
    Reviewer,
}

impl Role {
    /// All roles, in the order of an attempt.
    pub const ALL: [Self; 4] = [Self::Architect, Self::Planner, Self::Implementer, Self::Reviewer];

    /// Returns who does the thinking in a stage.
    #[must_use]
    pub const fn of(stage: Stage) -> Self {
        match stage {
            Stage::ArchitectTriage | Stage::Decompose => Self::Architect,
            Stage::Planner | Stage::Replan | Stage::BudgetGate => Self::Planner,
            Stage::Implement | Stage::Debug | Stage::Test | Stage::PullRequest => Self::Implementer,
            Stage::Review => Self::Reviewer,
        }
    }

    /// Returns the role as a label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Architect => "architect",
            Self::Planner => "planner",
            Self::Implementer => "implementer",
            Self::Reviewer => "reviewer",
        }
    }
}

/// What the budget gate says to a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It fits.
    Pass,
    /// It is split.
    Decompose,
    /// It is planned once more, smaller.
    Replan,
    /// It is for a person: it cannot be paid, or cannot be split any more.
    Reject,
}

impl Decision {
    /// All decisions.
    pub const ALL: [Self; 4] = [Self::Pass, Self::Decompose, Self::Replan, Self::Reject];

    /// Returns the decision as a label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Decompose => "decompose",
            Self::Replan => "replan",
            Self::Reject => "reject",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Stage;

    #[test]
    fn every_stage_is_listed() {
        let known = serde_json::from_str::<Stage>("\"none\"").expect_err("no stage is called so").to_string();
        let named: Vec<&str> = known.split('`').skip(3).step_by(2).collect();
        assert_eq!(named, Stage::ALL.map(Stage::name));
    }
}

//! What each stage expects as a reply: one JSON object. Stages read these types, providers that pretend write them.

use glitchlab_domain::outcome::{Size, SubTask};
use serde::{Deserialize, Serialize};

/// The reply of triage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Triage {
    /// Nothing is left to do.
    pub already_done: bool,
    /// Where that can be seen; needed when it is so.
    #[serde(default)]
    pub evidence: String,
    /// How large the task is.
    pub size: Size,
    /// What the planner should know.
    #[serde(default)]
    pub notes: String,
}

/// The reply of planner and replan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The idea, in a few sentences.
    pub approach: String,
    /// What to do, in order.
    pub steps: Vec<String>,
    /// Files that will likely change.
    #[serde(default)]
    pub files: Vec<String>,
    /// Tokens that the work will take.
    pub estimated_tokens: u64,
}

/// The reply of decompose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decomposition {
    /// The parts.
    pub subtasks: Vec<SubTask>,
}

/// One round of the edit loop, the reply of implement and debug.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditRound {
    /// What to do, in order.
    #[serde(default)]
    pub actions: Vec<Action>,
    /// This was the last round.
    pub done: bool,
    /// What was done, in a sentence.
    #[serde(default)]
    pub summary: String,
}

/// One use of a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "tool", rename_all = "snake_case")]
pub enum Action {
    /// Names the files.
    List,
    /// Shows a file.
    Read {
        /// Relative to the worktree.
        path: String,
    },
    /// Finds a fixed text.
    Search {
        /// One line of text.
        pattern: String,
    },
    /// Writes a whole file.
    Write {
        /// Relative to the worktree.
        path: String,
        /// All of its content.
        content: String,
    },
    /// Replaces a text that occurs exactly once.
    Replace {
        /// Relative to the worktree.
        path: String,
        /// What is there.
        old: String,
        /// What is to be there.
        new: String,
    },
    /// Removes a file.
    Remove {
        /// Relative to the worktree.
        path: String,
    },
    /// Runs the repository's tests.
    RunTests,
}

/// The reply of review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Whether the change may go out.
    pub verdict: Verdict,
    /// What is good or bad about it.
    #[serde(default)]
    pub comments: Vec<String>,
}

/// What a review comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It may go out.
    Approve,
    /// It may not.
    Reject,
}

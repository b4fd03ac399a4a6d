//! What a step came to, read from its stored output as far as pages show it. The output is the stage's own affair: a field
//! that is not there is empty, and an output that cannot be read is [`Output::Other`].

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::rows::StepRow;
use crate::stage::{Decision, Stage};

/// How much of a test run's output is told, bytes: its end.
const TEST_BYTES: usize = 8_192;

/// What a step came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Output {
    /// Nothing yet, nothing of note, or nothing that can be read.
    Other,
    /// A plan.
    Plan(Plan),
    /// A test run.
    Tests(Tests),
    /// Edits.
    Edits(Edits),
    /// A review.
    Review(Review),
}

/// What is to be done, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// The idea.
    pub approach: String,
    /// The steps.
    pub steps: Vec<String>,
    /// Files that will likely change.
    pub files: Vec<String>,
    /// Tokens that the work will take.
    pub estimated_tokens: u64,
}

/// What the repository's tests said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tests {
    /// They are green, or there are none.
    pub passed: bool,
    /// There is no test command.
    pub skipped: bool,
    /// How it went, in a few words.
    pub verdict: String,
    /// The end of what was printed.
    pub output: String,
    /// The files that differ from the base, with their changed lines.
    pub changes: Vec<FileDelta>,
}

/// How much of one file changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDelta {
    /// The file.
    pub path: String,
    /// Lines added; 0 for a binary file.
    pub added: u64,
    /// Lines removed; 0 for a binary file.
    pub removed: u64,
}

/// What an edit step touched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Edits {
    /// Files that were written or removed, by path; true for one that was removed.
    pub files: BTreeMap<String, bool>,
}

/// What the reviewer said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Review {
    /// The change may go out.
    pub approved: bool,
    /// What is good or bad about it.
    pub comments: Vec<String>,
}

/// An output as the engine stores it.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stored {
    Went(Value),
    Ended(serde::de::IgnoredAny),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StoredEdits {
    made: Made,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Made {
    changes: BTreeMap<String, Option<serde::de::IgnoredAny>>,
    snapshot: Touched,
}

/// What a program changed that works by itself.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Touched {
    touched: BTreeMap<String, bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StoredReview {
    verdict: String,
    comments: Vec<String>,
}

impl Output {
    /// Reads the stored output of a stage.
    pub(super) fn read(stage: Stage, output: Option<&str>) -> Self {
        let Some(Ok(Stored::Went(value))) = output.map(serde_json::from_str) else { return Self::Other };
        match stage {
            Stage::Planner | Stage::Replan => kind(value, Self::Plan),
            Stage::Test => kind(value, |tests: Tests| Self::Tests(tests.shortened())),
            Stage::Implement | Stage::Debug => kind(value, |edits: StoredEdits| Self::Edits(edits.into())),
            Stage::Review => kind(value, |review: StoredReview| Self::Review(review.into())),
            Stage::ArchitectTriage | Stage::BudgetGate | Stage::Decompose | Stage::PullRequest => Self::Other,
        }
    }
}

/// Returns what the budget gate decided; none for another step.
#[must_use]
pub fn decision(step: &StepRow) -> Option<Decision> {
    let value = went(step).filter(|_| step.stage == Stage::BudgetGate)?;
    match value.get("verdict")?.as_str()? {
        // As deep as splits go: for a person, like what cannot be paid.
        "too_deep" => Some(Decision::Reject),
        _ => serde_json::from_value(value.get("verdict")?.clone()).ok(),
    }
}

/// Returns how many sub-tasks a step has made; none for another step.
#[must_use]
pub fn parts(step: &StepRow) -> Option<usize> {
    let value = went(step).filter(|_| step.stage == Stage::Decompose)?;
    Some(value.get("subtasks")?.as_array()?.len())
}

fn went(step: &StepRow) -> Option<Value> {
    match step.output.as_deref().map(serde_json::from_str) {
        Some(Ok(Stored::Went(value))) => Some(value),
        _ => None,
    }
}

fn kind<T: DeserializeOwned>(value: Value, make: impl FnOnce(T) -> Output) -> Output {
    serde_json::from_value(value).map_or(Output::Other, make)
}

impl Plan {
    /// Reads the plan that a step has made; none when it is another step, or made none.
    #[must_use]
    pub fn of(step: &StepRow) -> Option<Self> {
        match Output::read(step.stage, step.output.as_deref()) {
            Output::Plan(plan) => Some(plan),
            _ => None,
        }
    }
}

impl Tests {
    fn shortened(mut self) -> Self {
        let start = self.output.ceil_char_boundary(self.output.len().saturating_sub(TEST_BYTES));
        self.output.drain(..start);
        self
    }
}

impl From<StoredEdits> for Edits {
    fn from(stored: StoredEdits) -> Self {
        let changes = stored.made.changes.into_iter().map(|(path, content)| (path, content.is_none()));
        Self { files: stored.made.snapshot.touched.into_iter().chain(changes).collect() }
    }
}

impl From<StoredReview> for Review {
    fn from(stored: StoredReview) -> Self {
        Self { approved: stored.verdict == "approve", comments: stored.comments }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_keep_the_paths_and_drop_the_files() {
        let stored = r#"{"went":{"made":{"changes":{"a.rs":"fn main() {}","old.rs":null},"base_commit":"c"},"done":true}}"#;
        let Output::Edits(edits) = Output::read(Stage::Implement, Some(stored)) else { panic!("no edits") };
        assert_eq!(edits.files, BTreeMap::from([("a.rs".to_owned(), false), ("old.rs".to_owned(), true)]));
    }

    #[test]
    fn what_a_program_touched_counts_like_edits() {
        let stored = r#"{"went":{"made":{"changes":{},"base_commit":"c","snapshot":{"tree":"t","touched":{"a.rs":false,"old.rs":true}}},"done":true}}"#;
        let Output::Edits(edits) = Output::read(Stage::Implement, Some(stored)) else { panic!("no edits") };
        assert_eq!(edits.files, BTreeMap::from([("a.rs".to_owned(), false), ("old.rs".to_owned(), true)]));
    }

    #[test]
    fn a_review_says_whether_it_approves() {
        let stored = r#"{"went":{"verdict":"approve","comments":["fine"]}}"#;
        let review = Review { approved: true, comments: vec!["fine".to_owned()] };
        assert_eq!(Output::read(Stage::Review, Some(stored)), Output::Review(review));
    }

    #[test]
    fn long_test_output_keeps_its_end_on_a_character_boundary() {
        let long = "ä".repeat(TEST_BYTES) + "the end";
        let stored =
            serde_json::json!({"went": {"passed": false, "verdict": "failed", "output": long}}).to_string();
        let Output::Tests(tests) = Output::read(Stage::Test, Some(&stored)) else { panic!("no tests") };
        assert!(tests.output.ends_with("the end") && tests.output.len() <= TEST_BYTES);
        assert!(!tests.passed && tests.changes.is_empty());
    }

    #[test]
    fn what_ended_the_attempt_or_cannot_be_read_is_nothing_of_note() {
        for stored in [None, Some(""), Some("{}"), Some(r#"{"went":7}"#), Some(r#"{"ended":{"detail":"x"}}"#)]
        {
            assert_eq!(Output::read(Stage::Planner, stored), Output::Other, "{stored:?}");
        }
    }
}

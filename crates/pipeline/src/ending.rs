//! How a stage stops the flow: with an outcome, or because the attempt has lost its right to work.

use glitchlab_domain::outcome::{FailureKind, HumanReason, Learned, Outcome};
use serde::{Deserialize, Serialize};

use crate::durable::Lost;

/// How long a task rests that waits for somebody to put the repository right.
const SNOOZE_MS: i64 = 60_000;
/// Stands for an instant that is not known yet.
const FROM_ITS_END: i64 = 0;

/// How an attempt ends, with what the next one should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct End {
    pub(crate) outcome: Outcome,
    /// One line for people.
    pub(crate) detail: String,
    /// What was found out on the way.
    #[serde(default)]
    pub(crate) discoveries: Vec<String>,
    /// What to try next.
    #[serde(default)]
    pub(crate) recommendation: String,
}

/// Why a stage does not go on.
#[derive(Debug)]
pub(crate) enum Stop {
    Ended(Box<End>),
    Lost(Lost),
}

impl From<Lost> for Stop {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

impl From<End> for Stop {
    fn from(end: End) -> Self {
        Self::Ended(Box::new(end))
    }
}

impl End {
    pub(crate) fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        let detail = one_line(&detail.into());
        Self { outcome, detail, discoveries: Vec::new(), recommendation: String::new() }
    }

    /// Another attempt may do better.
    pub(crate) fn retry(failure: FailureKind, message: impl Into<String>) -> Self {
        let message = one_line(&message.into());
        Self::new(Outcome::Retryable { failure, message: message.clone() }, message)
    }

    /// Trying again cannot help.
    /// A rest that uses up no attempt; the attempt's end fills in from when it counts.
    pub(crate) fn snooze(message: impl Into<String>) -> Self {
        let message = one_line(&message.into());
        let outcome = Outcome::Snoozed {
            failure: FailureKind::Transient,
            until_ms: FROM_ITS_END,
            message: message.clone(),
        };
        Self::new(outcome, message)
    }

    /// Sets the instant of a snooze that counts from the end of the attempt.
    pub(crate) fn dated(mut self, now_ms: i64) -> Self {
        if let Outcome::Snoozed { until_ms, .. } = &mut self.outcome
            && *until_ms == FROM_ITS_END
        {
            *until_ms = now_ms + SNOOZE_MS;
        }
        self
    }

    pub(crate) fn permanent(why: impl Into<String>) -> Self {
        let why = one_line(&why.into());
        Self::human(HumanReason::Permanent { why })
    }

    /// A person must decide.
    pub(crate) fn human(reason: HumanReason) -> Self {
        let detail = reason.to_string();
        Self::new(Outcome::NeedsHuman { reason }, detail)
    }

    pub(crate) fn discovered(mut self, discoveries: Vec<String>) -> Self {
        self.discoveries = discoveries;
        self
    }

    pub(crate) fn recommending(mut self, recommendation: impl Into<String>) -> Self {
        self.recommendation = recommendation.into();
        self
    }

    /// Returns what the next attempt should know; nothing when there is none to come.
    pub(crate) fn learned(&self, approach: &str) -> Option<Learned> {
        match self.outcome {
            Outcome::Retryable { .. } | Outcome::Deferred { .. } => Some(Learned {
                approach: approach.to_owned(),
                obstacle: self.detail.clone(),
                discoveries: self.discoveries.clone(),
                recommendation: self.recommendation.clone(),
            }),
            _ => None,
        }
    }
}

/// The most characters of a line for people.
const LINE: usize = 400;

/// Makes one bounded line of any text.
pub(crate) fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LINE {
        return line;
    }
    line.chars().take(LINE - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_end_that_another_attempt_follows_teaches_it_something() {
        let end = End::retry(FailureKind::Parse, "no\n JSON").recommending("write JSON");
        let learned = end.learned("the plan").unwrap();
        assert_eq!((learned.approach.as_str(), learned.obstacle.as_str()), ("the plan", "no JSON"));
        assert_eq!(learned.recommendation, "write JSON");
        assert_eq!(End::permanent("why").learned("the plan"), None);
    }

    #[test]
    fn a_line_for_people_is_one_line_and_bounded() {
        assert_eq!(one_line(" a\n\tb "), "a b");
        assert_eq!(one_line(&"é".repeat(1_000)).chars().count(), LINE);
    }
}

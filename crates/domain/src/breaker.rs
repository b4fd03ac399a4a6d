//! The dispatch breaker: when the last outcomes say that the next one will fail too, nothing starts for a while, and then
//! one task alone, the canary, finds out whether that has passed.

use serde::{Deserialize, Serialize};

use crate::id::AttemptId;
use crate::outcome::{FailureKind, HumanReason, Outcome};

/// When the breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerRules {
    /// So many failures of one kind within the window among the last outcomes, twice as many, or so many outcomes in a
    /// row that all failed, open it; 0 is never.
    pub failures: u32,
    /// The window, in ms.
    pub window_ms: i64,
    /// The first cool-down; it doubles each time the canary fails in the same way.
    pub cool_down_ms: i64,
    /// The longest cool-down.
    pub cool_down_max_ms: i64,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self { failures: 5, window_ms: 300_000, cool_down_ms: 600_000, cool_down_max_ms: 7_200_000 }
    }
}

/// What the last outcomes say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// The last outcomes, oldest first: when, in ms UTC, and of which kind the failure was, if it was one. So few that a
    /// fast engine, in which some work always fails, is not stopped by the mere number of its failures.
    #[serde(default)]
    pub recent: Vec<(i64, Option<FailureKind>)>,
    /// How many of the last outcomes failed without one between them that did not.
    #[serde(default)]
    pub in_a_row: u32,
    /// It is open.
    #[serde(default)]
    pub open: Option<Open>,
}

/// An open breaker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The failure that opened it.
    pub failure: FailureKind,
    /// Since when, ms UTC.
    pub since_ms: i64,
    /// When a canary may start, ms UTC.
    pub until_ms: i64,
    /// How long this cool-down is, in ms.
    pub cool_down_ms: i64,
    /// The attempt that finds out whether it has passed.
    pub canary: Option<AttemptId>,
}

/// What an outcome says of those to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It did not fail.
    Went,
    /// It failed.
    Failed(FailureKind),
    /// Nothing: it was put off or called back before it could tell.
    Nothing,
}

impl Verdict {
    /// Judges an outcome. A snooze is no failure.
    #[must_use]
    pub const fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Retryable { failure, .. } => Self::Failed(*failure),
            Outcome::NeedsHuman { reason: HumanReason::Permanent { .. } } => {
                Self::Failed(FailureKind::Permanent)
            }
            Outcome::Snoozed { .. } | Outcome::Cancelled { .. } => Self::Nothing,
            Outcome::InReview { .. }
            | Outcome::Completed { .. }
            | Outcome::Decomposed { .. }
            | Outcome::Deferred { .. }
            | Outcome::Blocked { .. }
            | Outcome::NeedsHuman { .. } => Self::Went,
        }
    }
}

/// What a verdict did to the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is as open or closed as it was.
    None,
    /// It opened, or opened again.
    Opened,
    /// It closed.
    Closed,
}

impl Breaker {
    /// Takes in how an attempt ended at `now_ms`. While it is open only the canary counts: what was running already when
    /// it opened says nothing of what would start now.
    pub fn take(
        &mut self,
        attempt_id: &AttemptId,
        verdict: Verdict,
        now_ms: i64,
        rules: &BreakerRules,
    ) -> Turn {
        match (self.open.as_mut(), verdict) {
            (None, Verdict::Went) => {
                self.in_a_row = 0;
                self.note(None, now_ms, rules);
                Turn::None
            }
            (None, Verdict::Failed(kind)) => self.fail(kind, now_ms, rules),
            (Some(open), verdict) if open.canary.as_ref() == Some(attempt_id) => {
                open.canary = None;
                self.judge(verdict, now_ms, rules)
            }
            (None, Verdict::Nothing) | (Some(_), _) => Turn::None,
        }
    }

    /// Opens it for a reason other than an outcome, or lets an open one rest anew; a canary that runs goes on.
    pub fn trip(&mut self, failure: FailureKind, now_ms: i64, rules: &BreakerRules) {
        let until_ms = now_ms.saturating_add(rules.cool_down_ms);
        match &mut self.open {
            Some(open) => open.until_ms = open.until_ms.max(until_ms),
            None => self.begin(failure, now_ms, rules),
        }
    }

    fn begin(&mut self, failure: FailureKind, now_ms: i64, rules: &BreakerRules) {
        let open = Open {
            failure,
            since_ms: now_ms,
            until_ms: now_ms.saturating_add(rules.cool_down_ms),
            cool_down_ms: rules.cool_down_ms,
            canary: None,
        };
        *self = Self { open: Some(open), ..Self::default() };
    }

    /// Takes what its canary has found out.
    fn judge(&mut self, verdict: Verdict, now_ms: i64, rules: &BreakerRules) -> Turn {
        let Some(open) = &mut self.open else { return Turn::None };
        match verdict {
            Verdict::Nothing => return Turn::None,
            Verdict::Failed(kind) if kind == open.failure => {
                open.cool_down_ms = open.cool_down_ms.saturating_mul(2).min(rules.cool_down_max_ms);
                open.until_ms = now_ms.saturating_add(open.cool_down_ms);
                return Turn::Opened;
            }
            Verdict::Failed(_) | Verdict::Went => *self = Self::default(),
        }
        if let Verdict::Failed(kind) = verdict {
            // The first failure after a closing; a limit of one opens it again at once.
            return match self.fail(kind, now_ms, rules) {
                Turn::Opened => Turn::Opened,
                _ => Turn::Closed,
            };
        }
        Turn::Closed
    }

    fn fail(&mut self, kind: FailureKind, now_ms: i64, rules: &BreakerRules) -> Turn {
        self.note(Some(kind), now_ms, rules);
        self.in_a_row = self.in_a_row.saturating_add(1);
        let is_alike = |(at, other): &&(i64, Option<FailureKind>)| {
            *other == Some(kind) && at.saturating_add(rules.window_ms) > now_ms
        };
        let alike = self.recent.iter().filter(is_alike).count();
        let most = rules.failures;
        if most == 0 || (self.in_a_row < most && alike < most as usize) {
            return Turn::None;
        }
        self.begin(kind, now_ms, rules);
        Turn::Opened
    }

    /// Keeps an outcome, and of the earlier ones as many as are looked at; those before the first failure among them say
    /// nothing, so that what goes well changes nothing.
    fn note(&mut self, failure: Option<FailureKind>, now_ms: i64, rules: &BreakerRules) {
        self.recent.push((now_ms, failure));
        let looked_at = (rules.failures as usize).saturating_mul(2);
        let surplus = self.recent.len().saturating_sub(looked_at);
        let first = self.recent.iter().position(|(_, failure)| failure.is_some());
        self.recent.drain(..surplus.max(first.unwrap_or(self.recent.len())));
    }
}

#[cfg(test)]
mod tests;

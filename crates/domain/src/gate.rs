//! The gate of a repository: what keeps its tasks from starting, whatever they are. A person pauses it, the loss limit
//! pauses it, the breaker opens.

use serde::{Deserialize, Serialize};

use crate::breaker::{BreakerRules, Turn, Verdict};
use crate::event::EventKind;
use crate::id::AttemptId;
use crate::money::MicroUsd;
use crate::outcome::Outcome;
use crate::reason::{Reason, Wait};
use crate::rows::{AttemptRow, GateRow, Pause};

/// Who pauses when too much was spent without a success.
pub const STOP_LOSS: &str = "stop_loss";

/// When the gate closes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateRules {
    /// When the breaker opens.
    pub breaker: BreakerRules,
    /// What may be spent since a task last succeeded; nothing is no limit.
    pub stop_loss: MicroUsd,
}

impl GateRules {
    /// Never closes by itself.
    pub const NEVER: Self = Self {
        breaker: BreakerRules { failures: 0, window_ms: 0, cool_down_ms: 0, cool_down_max_ms: 0 },
        stop_loss: MicroUsd::ZERO,
    };
}

impl Default for GateRules {
    fn default() -> Self {
        Self { breaker: BreakerRules::default(), stop_loss: MicroUsd::new(10_000_000) }
    }
}

impl Pause {
    /// Takes in another one that was asked for while it holds. It keeps who asked first and why, unless the other one
    /// lasts longer.
    pub(crate) fn joined_by(self, other: Self) -> Self {
        let is_longer = |until: i64| other.until_ms.is_none_or(|its| its > until);
        let now = self.now || other.now;
        match self.until_ms {
            Some(until) if is_longer(until) => Self { since_ms: self.since_ms, now, ..other },
            _ => Self { now, ..self },
        }
    }
}

impl GateRow {
    /// Returns the pause that holds at `now_ms`.
    #[must_use]
    pub fn pause_at(&self, now_ms: i64) -> Option<&Pause> {
        self.pause.as_ref().filter(|pause| pause.until_ms.is_none_or(|until| until > now_ms))
    }

    /// Says why nothing may start at `now_ms`, or `None` when a task may. With an open breaker that has cooled down it
    /// is one task alone: see [`GateRow::admits_one`].
    #[must_use]
    pub fn wait(&self, now_ms: i64) -> Option<Wait> {
        if let Some(pause) = self.pause_at(now_ms) {
            let reason = Reason::Paused { by: pause.by.clone(), why: pause.why.clone() };
            return Some(Wait { reason, until_ms: pause.until_ms });
        }
        let open = self.breaker.open.as_ref()?;
        let until_ms = if open.canary.is_some() { None } else { Some(open.until_ms) };
        until_ms
            .is_none_or(|until| until > now_ms)
            .then_some(Wait { reason: Reason::BreakerOpen { failure: open.failure }, until_ms })
    }

    /// Tells whether no more than one task may start: the breaker's canary.
    #[must_use]
    pub const fn admits_one(&self) -> bool {
        self.breaker.open.is_some()
    }

    /// Tells whether what runs is to be put down, and what was put down is to stay so.
    #[must_use]
    pub fn puts_down(&self, now_ms: i64) -> bool {
        self.pause_at(now_ms).is_some_and(|pause| pause.now)
    }

    /// Returns the next instant at which time alone opens it, ms UTC.
    #[must_use]
    pub fn next_change_ms(&self, now_ms: i64) -> Option<i64> {
        let pause = self.pause_at(now_ms).and_then(|pause| pause.until_ms);
        let breaker = self.breaker.open.as_ref().filter(|open| open.canary.is_none());
        let instants = pause.into_iter().chain(breaker.map(|open| open.until_ms));
        instants.filter(|until| *until > now_ms).min()
    }

    /// Takes in that an attempt starts: a pause that was for a time is over, and the first one through an open breaker
    /// is its canary.
    pub(crate) fn admit(&mut self, attempt_id: &AttemptId) -> Option<EventKind> {
        if let Some(open) = &mut self.breaker.open {
            open.canary = Some(attempt_id.clone());
        }
        let paused = self.pause.take()?;
        Some(EventKind::EngineResumed { by: paused.by, why: "its time is over".to_owned() })
    }

    /// Takes in that an attempt waits for a person: it is no canary any more.
    pub(crate) fn release(&mut self, attempt_id: &AttemptId) {
        if let Some(open) = &mut self.breaker.open {
            open.canary.take_if(|canary| canary == attempt_id);
        }
    }

    /// Takes in how an attempt ended, and says what that led to.
    pub(crate) fn end(
        &mut self,
        attempt: &AttemptRow,
        outcome: &Outcome,
        rules: &GateRules,
        now_ms: i64,
    ) -> Vec<EventKind> {
        let (verdict, was) = (Verdict::of(outcome), self.breaker.open.as_ref().map(|open| open.failure));
        let turn = self.breaker.take(&attempt.attempt_id, verdict, now_ms, &rules.breaker);
        let mut events = Vec::new();
        match (turn, &self.breaker.open) {
            (Turn::Opened, Some(open)) => {
                events.push(EventKind::BreakerOpened { failure: open.failure, until_ms: open.until_ms });
            }
            (Turn::Closed, _) => events.extend(was.map(|failure| EventKind::BreakerClosed { failure })),
            _ => {}
        }
        events.extend(self.count(attempt.cost, outcome, rules, now_ms));
        events
    }

    /// Counts what is spent between two successes. The limit pauses the engine and calls a person, once.
    fn count(&mut self, cost: MicroUsd, outcome: &Outcome, rules: &GateRules, now_ms: i64) -> Vec<EventKind> {
        if is_success(outcome) {
            self.since_success = MicroUsd::ZERO;
            return Vec::new();
        }
        self.since_success += cost;
        let is_reached = rules.stop_loss > MicroUsd::ZERO && self.since_success >= rules.stop_loss;
        let before = self.pause_at(now_ms);
        if !is_reached || before.is_some_and(|pause| pause.by == STOP_LOSS) {
            return Vec::new();
        }
        let why = format!(
            "{} were spent since a task last succeeded, budget.stop_loss is {}",
            self.since_success, rules.stop_loss
        );
        let now = before.is_some_and(|pause| pause.now);
        let by = STOP_LOSS.to_owned();
        self.pause = Some(Pause { since_ms: now_ms, until_ms: None, why: why.clone(), by: by.clone(), now });
        vec![EventKind::EnginePaused { by, why: why.clone(), until_ms: None }, EventKind::HumanNeeded { why }]
    }
}

const fn is_success(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Completed { .. } | Outcome::InReview { .. } | Outcome::Decomposed { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breaker::{Breaker, Open};
    use crate::outcome::FailureKind;

    fn paused(until_ms: Option<i64>, now: bool) -> GateRow {
        let pause = Pause { since_ms: 0, until_ms, why: "lunch".to_owned(), by: "ana".to_owned(), now };
        GateRow { pause: Some(pause), ..GateRow::default() }
    }

    fn open(canary: Option<AttemptId>) -> GateRow {
        let failure = FailureKind::Provider;
        let open = Open { failure, since_ms: 0, until_ms: 100, cool_down_ms: 100, canary };
        GateRow { breaker: Breaker { open: Some(open), ..Breaker::default() }, ..GateRow::default() }
    }

    #[test]
    fn a_pause_holds_until_its_instant_or_for_ever() {
        let wait = paused(Some(50), false).wait(49).expect("paused");
        assert_eq!((wait.reason.name(), wait.until_ms), ("Paused", Some(50)));
        assert_eq!(paused(Some(50), false).wait(50), None);
        assert!(paused(None, false).wait(i64::MAX).is_some());
        assert!(paused(None, true).puts_down(1) && !paused(Some(1), true).puts_down(1));
    }

    #[test]
    fn an_open_breaker_lets_one_through_after_its_cool_down() {
        assert_eq!(open(None).wait(99).and_then(|wait| wait.until_ms), Some(100));
        assert_eq!(open(None).wait(100), None);
        let wait = open(Some(AttemptId::from("c"))).wait(100).expect("the canary runs");
        assert_eq!(wait.until_ms, None, "its end is an event, not an instant");
    }

    #[test]
    fn the_next_instant_is_that_of_a_pause_or_of_a_cool_down_to_come() {
        assert_eq!(paused(Some(50), false).next_change_ms(0), Some(50));
        assert_eq!(open(None).next_change_ms(0), Some(100));
        assert_eq!(open(None).next_change_ms(100), None);
        assert_eq!(open(Some(AttemptId::from("c"))).next_change_ms(0), None);
    }
}

//! The life of one incident: pending for a while, firing, resolved after a hold-down.
//!
//! Every transition happens at an instant that follows from the events and the rule alone, never from when somebody
//! looked: so it does not matter how often, or in which portions, events are evaluated.

use super::rows::{AlertRow, AlertState, Told};
use super::rules::{Condition, Rule};
use super::{dedup_key, incident_id};

impl AlertRow {
    /// Begins an incident: its condition holds since `at_ms`, by what the event numbered `seq` says.
    #[must_use]
    pub fn begin(rule: &Rule, repo_id: &str, condition: Condition, (at_ms, seq): (i64, u64)) -> Self {
        let key = dedup_key(rule.name, &condition.labels);
        let fires_at_once = rule.for_ms <= 0;
        Self {
            incident_id: incident_id(repo_id, &key, (at_ms, seq)),
            repo_id: repo_id.to_owned(),
            key,
            rule: rule.name.to_owned(),
            severity: rule.severity,
            labels: condition.labels,
            state: if fires_at_once { AlertState::Firing } else { AlertState::Pending },
            summary: condition.summary,
            evidence: condition.evidence,
            since_ms: at_ms,
            fired_ms: fires_at_once.then_some(at_ms),
            cleared_ms: None,
            ended_ms: None,
            told: Told::Nothing,
            inhibited_by: None,
        }
    }

    /// Takes in that its condition holds, again or still.
    pub fn hold(&mut self, condition: Condition) {
        self.evidence.add(condition.evidence);
        self.cleared_ms = None;
    }

    /// Takes in that its condition has passed at `at_ms`.
    pub fn pass(&mut self, rule: &Rule, at_ms: i64) {
        match self.state {
            AlertState::Pending => self.end(AlertState::Lapsed, at_ms),
            AlertState::Firing if rule.hold_ms <= 0 => self.end(AlertState::Resolved, at_ms),
            AlertState::Firing => {
                self.cleared_ms.get_or_insert(at_ms);
            }
            AlertState::Resolved | AlertState::Lapsed => {}
        }
    }

    /// Does what time alone does until `now_ms`: a pending alert fires, one that is held down is resolved.
    pub fn tick(&mut self, rule: &Rule, now_ms: i64) {
        let Some(due_ms) = self.due_ms(rule).filter(|due_ms| *due_ms <= now_ms) else { return };
        match self.state {
            AlertState::Pending => {
                self.state = AlertState::Firing;
                self.fired_ms = Some(due_ms);
            }
            AlertState::Firing => self.end(AlertState::Resolved, due_ms),
            AlertState::Resolved | AlertState::Lapsed => {}
        }
    }

    /// Returns when time alone changes it, ms UTC.
    #[must_use]
    pub fn due_ms(&self, rule: &Rule) -> Option<i64> {
        match self.state {
            AlertState::Pending => Some(self.since_ms.saturating_add(rule.for_ms)),
            AlertState::Firing => self.cleared_ms.map(|cleared| cleared.saturating_add(rule.hold_ms)),
            AlertState::Resolved | AlertState::Lapsed => None,
        }
    }

    /// Ends an incident whose rule is no more.
    pub fn retire(&mut self, at_ms: i64) {
        if !self.is_over() {
            self.end(AlertState::Resolved, at_ms);
        }
    }

    /// Tells whether it is over.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.ended_ms.is_some()
    }

    fn end(&mut self, state: AlertState, at_ms: i64) {
        self.state = state;
        self.cleared_ms = None;
        self.ended_ms = Some(at_ms);
        self.inhibited_by = None;
    }
}

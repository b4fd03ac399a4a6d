//! Folds events over all rules: which incidents begin, go on and end, and what must be told.

use std::collections::BTreeMap;

use super::rows::{AlertRow, AlertState, Memory, Told};
use super::rules::{self, Condition, Facts, Rule, Signal};
use super::{Labels, dedup_key};
use crate::event::Event;

/// What is looked at, after what was looked at before.
#[derive(Clone, Copy, Debug)]
pub struct Portion<'a> {
    /// Events in their order.
    pub events: &'a [Event],
    /// What the store knew after them, when that was looked up.
    pub facts: Option<&'a Facts>,
    /// Now, ms UTC.
    pub now_ms: i64,
}

/// Something that receivers are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The incident as it then was.
    pub alert: AlertRow,
    /// What is told: that it fires, or that it is over.
    pub told: Told,
}

/// The incidents of a repository that are not over, and what its rules remember.
#[derive(Clone, Debug)]
pub struct Watch {
    rules: &'static [&'static Rule],
    repo_id: String,
    /// The incidents: those that were not over, and those that have begun since.
    pub alerts: Vec<AlertRow>,
    /// What each rule remembers.
    pub memory: BTreeMap<String, Memory>,
    notices: Vec<Notice>,
}

impl Watch {
    /// Goes on with what is kept.
    #[must_use]
    pub fn new(
        rules: &'static [&'static Rule],
        repo_id: &str,
        alerts: Vec<AlertRow>,
        memory: BTreeMap<String, Memory>,
    ) -> Self {
        Self { rules, repo_id: repo_id.to_owned(), alerts, memory, notices: Vec::new() }
    }

    /// Takes in a portion, and returns what must be told, in order. In which portions events come changes nothing.
    pub fn take(&mut self, portion: &Portion<'_>) -> Vec<Notice> {
        for event in portion.events {
            self.tick(event.at_ms);
            self.observe(event);
            self.tell();
        }
        if let Some(facts) = portion.facts {
            let seq = portion.events.last().map_or(0, |event| event.id.seq);
            self.compare(facts, (portion.now_ms, seq));
        }
        self.tick(portion.now_ms);
        self.tell();
        std::mem::take(&mut self.notices)
    }

    /// Returns the next instant at which time alone changes something, ms UTC.
    #[must_use]
    pub fn due_ms(&self) -> Option<i64> {
        let due = |alert: &AlertRow| alert.due_ms(rules::find(self.rules, &alert.rule)?);
        self.alerts.iter().filter_map(due).min()
    }

    fn observe(&mut self, event: &Event) {
        for rule in self.rules {
            if !rule.kinds.contains(&event.kind.name()) {
                continue;
            }
            let memory = self.memory.entry(rule.name.to_owned()).or_default();
            for signal in (rule.observe)(memory, event) {
                self.signal(rule, signal, (event.at_ms, event.id.seq));
            }
        }
    }

    fn signal(&mut self, rule: &'static Rule, signal: Signal, at: (i64, u64)) {
        match signal {
            Signal::Holds(condition) => match self.find(rule, &condition.labels) {
                Some(alert) => alert.hold(condition),
                None => self.alerts.push(AlertRow::begin(rule, &self.repo_id, condition, at)),
            },
            Signal::Passed(labels) => {
                if let Some(alert) = self.find(rule, &labels) {
                    alert.pass(rule, at.0);
                }
            }
        }
    }

    fn find(&mut self, rule: &Rule, labels: &Labels) -> Option<&mut AlertRow> {
        let key = dedup_key(rule.name, labels);
        self.alerts.iter_mut().find(|alert| alert.key == key && !alert.is_over())
    }

    /// Brings the incidents in line with what the store knows, where a rule can tell from that.
    fn compare(&mut self, facts: &Facts, at: (i64, u64)) {
        for rule in self.rules {
            let Some(standing) = rule.standing else { continue };
            let conditions = standing(facts);
            self.pass_others(rule, &conditions, at.0);
            for condition in conditions {
                if self.find(rule, &condition.labels).is_none_or(|alert| alert.cleared_ms.is_some()) {
                    self.signal(rule, Signal::Holds(condition), at);
                }
            }
        }
    }

    fn pass_others(&mut self, rule: &Rule, conditions: &[Condition], at_ms: i64) {
        let holds = |alert: &AlertRow| conditions.iter().any(|condition| condition.labels == alert.labels);
        for alert in self.alerts.iter_mut().filter(|alert| alert.rule == rule.name && !alert.is_over()) {
            if !holds(alert) {
                alert.pass(rule, at_ms);
            }
        }
    }

    fn tick(&mut self, now_ms: i64) {
        for alert in &mut self.alerts {
            match rules::find(self.rules, &alert.rule) {
                Some(rule) => alert.tick(rule, now_ms),
                // A rule of another version of the program: nobody would ever end it.
                None => alert.retire(now_ms),
            }
        }
    }

    /// Notes what receivers do not know yet. A silenced alert is told when what silences it is over; one that nobody was
    /// told of ends in silence.
    fn tell(&mut self) {
        self.inhibit();
        for alert in &mut self.alerts {
            let told = match (alert.state, alert.told) {
                (AlertState::Firing, Told::Nothing) if alert.inhibited_by.is_none() => Told::Firing,
                (AlertState::Resolved, Told::Firing) => Told::Resolved,
                _ => continue,
            };
            alert.told = told;
            self.notices.push(Notice { alert: alert.clone(), told });
        }
    }

    fn inhibit(&mut self) {
        let firing = self.alerts.iter().filter(|alert| alert.state == AlertState::Firing);
        let firing: Vec<_> = firing.filter_map(|alert| rules::find(self.rules, &alert.rule)).collect();
        for alert in self.alerts.iter_mut().filter(|alert| !alert.is_over()) {
            let by = firing.iter().find(|rule| rule.inhibits.contains(&alert.rule.as_str()));
            alert.inhibited_by = by.map(|rule| rule.name.to_owned());
        }
    }
}

#[cfg(test)]
mod tests;

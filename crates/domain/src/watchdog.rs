//! What hangs, and what is done about it. Pure: a look says how everything stands, [`Watch`] remembers since when.
//!
//! Every clock counts the time in which a *mark* did not change: the number of a handler's message, how often an attempt
//! got on, how many answers supervisors gave. It counts only time in which the watchdog itself was awake: a machine that
//! slept, or a process that was stopped, has a gap there and nothing to answer for. What rests on purpose restarts its
//! clock.

mod clock;
mod ladder;
mod limits;
mod look;
mod rest;
mod restarts;
mod time;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use clock::Clock;
pub use ladder::{Measure, SCHEDULER};
pub use limits::Limits;
pub use look::{Agent, Attempt, Engine, Handler, Look, Task};
pub use rest::{Rest, Standing, is_progress};
pub use restarts::{MAX_RESTARTS, Restarts, WITHIN_MS};
pub use time::Gap;

use ladder::Ladder;
use time::AwakeTime;

/// What was found to hang, and what is to be done about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// By which clock.
    pub clock: Clock,
    /// What hangs: the path of an actor, or `engine`.
    pub subject: String,
    /// The kind of the message, the task and its stage, or the like.
    pub detail: String,
    /// How long it has not got on, ms that the watchdog was awake.
    pub age_ms: u64,
    /// How long it may, ms.
    pub limit_ms: u64,
    /// What is to be done.
    pub measure: Measure,
}

/// What one look came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// The watchdog was not awake, or the wall clock was set.
    pub gap: Option<Gap>,
    /// What is to be done now, worst last.
    pub findings: Vec<Finding>,
    /// Nothing is beyond its limit, whether or not something is done about it just now.
    pub is_well: bool,
}

/// Remembers since when each thing has not got on.
#[derive(Clone, Debug)]
pub struct Watch {
    limits: Limits,
    time: AwakeTime,
    looks: u64,
    seen: BTreeMap<Key, Seen>,
    ladder: Ladder,
}

type Key = (Clock, String);

#[derive(Clone, Debug)]
struct Seen {
    mark: String,
    since_ms: u64,
    look: u64,
}

/// One thing that should get on, as it is in one look.
struct Subject {
    clock: Clock,
    place: String,
    detail: String,
    mark: String,
    limit_ms: u64,
    rests: bool,
}

impl Subject {
    /// One actor can have several works beside it.
    fn key(&self) -> Key {
        let work = if self.clock == Clock::Task { self.detail.as_str() } else { "" };
        (self.clock, format!("{}{work}", self.place))
    }
}

impl Watch {
    /// Begins to watch.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            time: AwakeTime::default(),
            looks: 0,
            seen: BTreeMap::new(),
            ladder: Ladder::default(),
        }
    }

    /// Returns its limits.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Takes one look and says what is to be done.
    pub fn look(&mut self, look: &Look) -> Judgement {
        let gap = self.time.pass(look.mono_ms, look.wall_ms, self.limits.tick_ms());
        self.looks += 1;
        let subjects = look.subjects(&self.limits);
        let late: Vec<(Subject, u64)> =
            subjects.into_iter().filter_map(|subject| self.late(subject)).collect();
        self.seen.retain(|_, seen| seen.look == self.looks);
        let is_well = late.is_empty();
        let now_ms = self.time.awake_ms();
        let findings = late.into_iter().filter_map(|(subject, age_ms)| self.finding(subject, age_ms, now_ms));
        let mut findings: Vec<Finding> = findings.collect();
        findings.sort_by_key(|finding| finding.measure.weight());
        if let Some(last) = findings.pop_if(|finding| finding.measure == Measure::Process) {
            // The process takes everything else with it.
            findings = vec![last];
        }
        Judgement { gap, findings, is_well }
    }

    /// Keeps since when it has not got on, and returns it when that is too long.
    fn late(&mut self, subject: Subject) -> Option<(Subject, u64)> {
        let now_ms = self.time.awake_ms();
        let fresh = Seen { mark: subject.mark.clone(), since_ms: now_ms, look: self.looks };
        let key = subject.key();
        let seen = self.seen.entry(key).or_insert_with(|| fresh.clone());
        seen.look = self.looks;
        if subject.rests || seen.mark != subject.mark {
            *seen = fresh;
        }
        let age_ms = now_ms - seen.since_ms;
        let is_new = subject.clock != Clock::Beat && now_ms < self.limits.grace_ms;
        (age_ms > subject.limit_ms && !is_new).then_some((subject, age_ms))
    }

    fn finding(&mut self, subject: Subject, age_ms: u64, now_ms: u64) -> Option<Finding> {
        let Subject { clock, place, detail, mark, limit_ms, .. } = subject;
        let measure = self.ladder.climb(clock, &place, mark, now_ms, &self.limits)?;
        Some(Finding { clock, subject: place, detail, age_ms, limit_ms, measure })
    }
}

#[cfg(test)]
mod tests;

//! What the narrow table of tasks holds, and the same made from maps for the in-memory store.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

use glitchlab_domain::history::{
    COUNTED, EndedAttempt, OrderBy, Place, Spend, Tally, TaskFilter, TaskOrder, TaskQuestion,
};
use glitchlab_domain::id::TaskKey;
use glitchlab_domain::ledger::REAL;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::Size;
use glitchlab_domain::rows::AttemptRow;
use glitchlab_domain::task::{TaskRow, TaskState};

use super::history::Found;
use crate::memory::Contents;
use crate::task_list::words;

/// A row of the narrow table; sums are of attempts that have ended.
#[derive(Clone, Debug)]
pub(super) struct Summary {
    pub(super) task_key: TaskKey,
    pub(super) model: String,
    pub(super) size: Option<Size>,
    pub(super) attempts: u32,
    pub(super) tokens: u64,
    pub(super) cost: MicroUsd,
    pub(super) took_ms: i64,
    pub(super) started_ms: i64,
    pub(super) claimed_ms: i64,
    pub(super) ended_ms: Option<i64>,
}

impl Summary {
    /// Returns its place in an order.
    pub(super) fn place(&self, by: OrderBy) -> Place {
        Place { value: self.value(by), task_key: self.task_key.clone() }
    }

    fn value(&self, by: OrderBy) -> i64 {
        match by {
            OrderBy::Ended => self.ended_ms.unwrap_or(i64::MAX),
            OrderBy::Attempts => i64::from(self.attempts),
            OrderBy::Tokens => i64::try_from(self.tokens).unwrap_or(i64::MAX),
            OrderBy::Cost => self.cost.micro(),
            OrderBy::Took => self.took_ms,
        }
    }
}

/// A summary with what only filters and counts look at.
pub(super) struct Known {
    summary: Summary,
    words: String,
    state: TaskState,
    own: MicroUsd,
}

/// Summarises every task of a repository that was ever attempted.
pub(super) fn all(contents: &Contents, repo_id: &str) -> Vec<Known> {
    let rows = &contents.rows;
    let mut attempts = BTreeMap::<&TaskKey, Vec<&AttemptRow>>::new();
    for attempt in rows.attempts.values() {
        attempts.entry(&attempt.task_key).or_default().push(attempt);
    }
    let mut known = BTreeMap::new();
    for (key, mut own) in attempts {
        let Some(task) = rows.tasks.get(key).filter(|task| task.repo_id == repo_id) else { continue };
        own.sort_by_key(|attempt| attempt.n);
        known.insert(key.clone(), summarise(task, &own));
    }
    let owns: Vec<_> = known.iter().map(|(key, it)| (key.clone(), it.summary.tokens, it.own)).collect();
    for (key, tokens, cost) in owns {
        for above in rows.tasks.get(&key).map_or(&[][..], |task| &task.above) {
            if let Some(above) = known.get_mut(&above.key) {
                above.summary.tokens += tokens;
                above.summary.cost += cost;
            }
        }
    }
    known.into_values().collect()
}

/// Summarises a task by its attempts, oldest first, at least one.
fn summarise(task: &TaskRow, attempts: &[&AttemptRow]) -> Known {
    let ended = || attempts.iter().filter(|attempt| attempt.ended_ms.is_some());
    let last = attempts.last();
    let own = ended().map(|attempt| attempt.cost).sum();
    let summary = Summary {
        task_key: task.key.clone(),
        model: last.map(|last| last.model.clone()).unwrap_or_default(),
        size: ended().rev().find_map(|attempt| attempt.size),
        attempts: u32::try_from(attempts.len()).unwrap_or(u32::MAX),
        tokens: ended().map(|attempt| attempt.tokens).sum(),
        cost: own,
        took_ms: ended().filter_map(|attempt| Some(attempt.ended_ms? - attempt.started_ms)).sum(),
        started_ms: attempts.first().map_or(0, |first| first.started_ms),
        claimed_ms: last.map_or(0, |last| last.started_ms),
        ended_ms: last.and_then(|last| last.ended_ms),
    };
    Known { summary, words: words(task), state: task.state, own }
}

/// Filters, counts, orders and cuts as the database does.
pub(super) fn page(all: &[Known], question: &TaskQuestion) -> Found {
    let mut passing = newest(all.iter().filter(|known| passes(known, &question.filter)));
    let tally = tally(&passing);
    let TaskOrder { by, ascending } = question.order;
    let order = |a: &Summary, b: &Summary| {
        let order = (a.value(by), &a.task_key).cmp(&(b.value(by), &b.task_key));
        if ascending { order } else { order.reverse() }
    };
    passing.sort_by(|a, b| order(&a.summary, &b.summary));
    let is_after = |known: &&Known| match &question.after {
        None => true,
        Some(place) => {
            let order =
                (known.summary.value(by), &known.summary.task_key).cmp(&(place.value, &place.task_key));
            order == if ascending { Ordering::Greater } else { Ordering::Less }
        }
    };
    let found = passing.into_iter().filter(is_after).take(question.limit as usize + 1);
    let newest = newest(all.iter()).into_iter().take(COUNTED as usize);
    let models: BTreeSet<_> = newest.map(|known| known.summary.model.clone()).collect();
    Found {
        found: found.map(|known| known.summary.clone()).collect(),
        tally,
        models: models.into_iter().collect(),
    }
}

fn newest<'a>(all: impl Iterator<Item = &'a Known>) -> Vec<&'a Known> {
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|known| Reverse(known.summary.value(OrderBy::Ended)));
    all
}

fn passes(known: &Known, filter: &TaskFilter) -> bool {
    let TaskFilter { state, words, model, size, since_ms } = filter;
    let summary = &known.summary;
    since_ms.is_none_or(|since| summary.value(OrderBy::Ended) >= since)
        && state.is_none_or(|state| state == known.state)
        && model.as_ref().is_none_or(|model| *model == summary.model)
        && size.is_none_or(|size| Some(size) == summary.size)
        && known.words.contains(&words.to_ascii_lowercase())
}

/// Counts the newest.
fn tally(newest: &[&Known]) -> Tally {
    let mut tally = Tally { is_cut: newest.len() >= COUNTED as usize, ..Tally::default() };
    for known in newest.iter().take(COUNTED as usize) {
        *tally.states.entry(known.state).or_default() += 1;
        tally.cost += known.own;
    }
    tally
}

/// Returns the attempts of a repository that have ended, the newest first.
pub(super) fn ended(contents: &Contents, repo_id: &str) -> Vec<EndedAttempt> {
    let rows = &contents.rows;
    let ours = |key: &TaskKey| rows.tasks.get(key).filter(|task| task.repo_id == repo_id);
    let mut ended: Vec<_> = rows
        .attempts
        .values()
        .filter_map(|attempt| EndedAttempt::of(attempt, ours(&attempt.task_key)?))
        .collect();
    ended.sort_by(|a, b| (b.ended_ms, &b.attempt_id).cmp(&(a.ended_ms, &a.attempt_id)));
    ended
}

/// Adds up what was settled since then, in the database's order.
pub(super) fn spend(contents: &Contents, repo_id: &str, since_ms: i64) -> Vec<Spend> {
    let mut sums = BTreeMap::<_, Spend>::new();
    for call in contents.rows.calls.values() {
        let Some(task) = contents.rows.tasks.get(&call.task_key).filter(|task| task.repo_id == repo_id)
        else {
            continue;
        };
        let Some(settled_ms) = call.settled_ms.filter(|settled| *settled >= since_ms) else { continue };
        let (day_ms, simulated) = (settled_ms - settled_ms % 86_400_000, call.scope != REAL);
        let key = (day_ms, task.bead_id.clone(), call.model.clone(), call.stage.name(), simulated);
        let sum = sums.entry(key).or_insert_with(|| Spend {
            bead_id: task.bead_id.clone(),
            model: call.model.clone(),
            stage: call.stage,
            day_ms,
            simulated,
            calls: 0,
            failed: 0,
            input_tokens: 0,
            output_tokens: 0,
            cost: MicroUsd::ZERO,
        });
        sum.calls += 1;
        sum.failed += u64::from(!call.ok);
        sum.input_tokens += call.input_tokens;
        sum.output_tokens += call.output_tokens;
        sum.cost += call.actual.unwrap_or_default();
    }
    sums.into_values().collect()
}

//! One look at all tasks.

use std::collections::BTreeMap;

use super::Facts;
use crate::board::{Circles, Stand};
use crate::dispatch::Place;
use crate::id::TaskKey;
use crate::reason::{Group, Reason, ReasonKind, Wait};
use crate::task::TaskRow;

/// All tasks by where they stand.
pub(super) struct Survey<'a> {
    pub(super) circles: Circles,
    pub(super) all: u64,
    pub(super) done: u64,
    pub(super) running: Vec<&'a TaskRow>,
    /// May start now, first come first.
    pub(super) ready: Vec<&'a TaskRow>,
    /// Ready in the backlog, but resting, by when that ends.
    pub(super) resting: Vec<(&'a TaskRow, Wait)>,
    /// Ready in the backlog, but not for us.
    pub(super) filtered: Vec<(&'a TaskRow, Wait)>,
    /// Everything else that waits, in the order of the queue.
    pub(super) waiting: Vec<(&'a TaskRow, Wait)>,
}

impl<'a> Survey<'a> {
    pub(super) fn of(facts: &Facts<'a>) -> Self {
        let mut survey = Self {
            circles: facts.board.circles(),
            all: 0,
            done: 0,
            running: Vec::new(),
            ready: facts.board.startable().collect(),
            resting: Vec::new(),
            filtered: Vec::new(),
            waiting: Vec::new(),
        };
        for task in facts.board.tasks() {
            survey.take(facts, task);
        }
        survey.resting.sort_by_key(|(task, wait)| (wait.until_ms, Place::of(task)));
        for list in [&mut survey.filtered, &mut survey.waiting] {
            list.sort_by_key(|(task, _)| Place::of(task));
        }
        survey
    }

    fn take(&mut self, facts: &Facts<'a>, task: &'a TaskRow) {
        self.all += 1;
        match facts.board.stand_of(task, &self.circles) {
            Stand::Done => self.done += 1,
            Stand::Running => self.running.push(task),
            Stand::Ready => {}
            Stand::Waits(wait) if is_rest(&wait.reason) => self.resting.push((task, wait)),
            Stand::Waits(wait) if is_filter(&wait.reason) => self.filtered.push((task, wait)),
            Stand::Waits(wait) => self.waiting.push((task, wait)),
        }
    }

    /// Returns how many tasks the backlog says are ready.
    pub(super) fn ready_in_backlog(&self) -> u64 {
        self.for_us() + size(&self.filtered)
    }

    /// Returns how many of them are work for us.
    pub(super) fn for_us(&self) -> u64 {
        size(&self.ready) + size(&self.resting)
    }

    /// Returns the place in the queue, from 1, of a task that may start.
    pub(super) fn place(&self, key: &TaskKey) -> Option<u64> {
        let before = self.ready.iter().position(|task| task.key == *key)?;
        u64::try_from(before + 1).ok()
    }

    /// Says what holds up the first of those that may start, as it was last told.
    pub(super) fn told(&self, now_ms: i64) -> Option<Wait> {
        let first = self.ready.first()?;
        let reason = first.reason.clone().filter(|reason| reason.kind().holds_admission())?;
        let lasts = first.until_ms.is_none_or(|until_ms| until_ms > now_ms);
        lasts.then_some(Wait { reason, until_ms: first.until_ms })
    }

    /// Counts the waits of some lists by their kind, or by their chip where the kind alone says little.
    pub(super) fn tally(waits: &[(&TaskRow, Wait)], name: impl Fn(&Reason) -> String) -> Vec<(String, u64)> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for (_, wait) in waits {
            *counts.entry(name(&wait.reason)).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by(|(name, n), (other, m)| m.cmp(n).then_with(|| name.cmp(other)));
        counts
    }
}

/// Returns the length of a list as the pages count.
pub(super) fn size<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

const fn is_rest(reason: &Reason) -> bool {
    matches!(reason.kind(), ReasonKind::Backoff | ReasonKind::CoolDown | ReasonKind::Snoozed)
}

/// Tells whether our own settings leave it out although the backlog says that it is ready.
fn is_filter(reason: &Reason) -> bool {
    reason.kind().group() == Group::Skipped
        && matches!(reason.kind(), ReasonKind::NotWork | ReasonKind::Label | ReasonKind::LowPriority)
}

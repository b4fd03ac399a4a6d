//! Which task is next, and what an outcome means for its task.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::bead::BeadId;
use crate::id::TaskKey;
use crate::money::MicroUsd;
use crate::outcome::{FailureKind, HumanReason, Outcome};
use crate::policy::{RetryRules, WorkFilter};
use crate::reason::Reason;
use crate::rows::AttemptRow;
use crate::task::{LEARNED, TaskRow, TaskState};

/// The place of a task in the queue: priority first, then age, then id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// 0 is first.
    pub priority: i64,
    /// Older is first, ms UTC.
    pub created_ms: i64,
    /// Decides between equals.
    pub bead_id: BeadId,
    /// The task.
    pub key: TaskKey,
}

impl Place {
    /// Returns the place of a task.
    #[must_use]
    pub fn of(task: &TaskRow) -> Self {
        Self {
            priority: task.priority,
            created_ms: task.created_ms,
            bead_id: task.bead_id.clone(),
            key: task.key.clone(),
        }
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.priority, self.created_ms, &self.bead_id).cmp(&(
            other.priority,
            other.created_ms,
            &other.bead_id,
        ))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The ready tasks in the order in which they start.
pub type Queue = BTreeSet<Place>;

/// Says why a ready task is not for us, or `None` when it is.
#[must_use]
pub fn skip(task: &TaskRow, filter: &WorkFilter) -> Option<Reason> {
    if !filter.types.contains(&task.kind) {
        return Some(Reason::NotWork { kind: task.kind.clone() });
    }
    if let Some(label) = task.labels.iter().find(|label| filter.exclude_labels.contains(label)) {
        return Some(Reason::Label { label: label.clone() });
    }
    let wanted = &filter.include_labels;
    if !wanted.is_empty() && !task.labels.iter().any(|label| wanted.contains(label)) {
        return Some(Reason::Label { label: format!("none of {}", wanted.join(", ")) });
    }
    (task.priority > filter.max_priority).then_some(Reason::LowPriority { priority: task.priority })
}

/// How many more tasks may start before as many requests wait for a merge as `limit` allows; 0 is no limit. When nothing
/// is merged here, what runs now will wait for a merge as well.
#[must_use]
pub fn request_room(limit: u32, in_review: u64, running: u64, merges_here: bool) -> usize {
    if limit == 0 {
        return usize::MAX;
    }
    let to_come = if merges_here { 0 } else { running };
    usize::try_from(u64::from(limit).saturating_sub(in_review + to_come)).unwrap_or(usize::MAX)
}

/// Says that as many requests wait for a merge as `limit` allows, so that only a person can go on.
#[must_use]
pub fn full_of_requests(limit: u32, in_review: u64) -> Option<Reason> {
    let is_full = limit > 0 && in_review >= u64::from(limit);
    is_full.then(|| Reason::TooManyOpenRequests { open: u32::try_from(in_review).unwrap_or(u32::MAX), limit })
}

/// Tells whether a run that begins at most `limit` root tasks, 0 is no limit, may start an attempt at `task`, when it has
/// begun those of `begun`. What only goes on was begun before.
#[must_use]
pub fn may_begin(limit: u32, begun: &[TaskKey], task: &TaskRow) -> bool {
    let is_begun = || task.goes_on.is_some() || begun.contains(&task.root_key);
    full_of_tasks(limit, begun).is_none() || is_begun()
}

/// Says that a run has begun as many root tasks as it may, so that only their own parts and attempts go on.
#[must_use]
pub fn full_of_tasks(limit: u32, begun: &[TaskKey]) -> Option<Reason> {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    (limit > 0 && begun.len() >= most).then_some(Reason::TaskLimit { limit })
}

/// Puts a task where its outcome sends it. `entropy` spreads back-offs; any number will do.
pub fn after(task: &mut TaskRow, outcome: &Outcome, rules: &RetryRules, now_ms: i64, entropy: u64) {
    match outcome {
        Outcome::InReview { request, held } => {
            task.request = Some(request.clone());
            task.rest(TaskState::InReview, Some(held.clone().unwrap_or(Reason::InReview)), None);
        }
        Outcome::Completed { reference } => complete(task, reference),
        Outcome::Decomposed { .. } => task.rest(TaskState::Decomposed, Some(Reason::ChildrenOpen), None),
        Outcome::Deferred { why } => defer(task, why, rules, now_ms),
        Outcome::Blocked { on } => {
            task.rest(TaskState::Blocked, Some(Reason::BlockedBy { on: vec![on.clone()] }), None);
        }
        Outcome::Retryable { failure, .. } => {
            task.failures += 1;
            if task.failures >= rules.attempts {
                let reason = Reason::NeedsHuman { reason: HumanReason::AttemptsUsed { failure: *failure } };
                task.rest(TaskState::Failed, Some(reason), None);
            } else {
                let reason = Reason::Backoff { failure: *failure, attempts: task.failures };
                let until = now_ms + backoff_ms(task.failures, rules, entropy);
                task.rest(TaskState::Open, Some(reason), Some(until));
            }
        }
        Outcome::Snoozed { failure, until_ms, .. } => {
            task.rest(TaskState::Open, Some(Reason::Snoozed { failure: *failure }), Some(*until_ms));
        }
        Outcome::NeedsHuman { reason } => {
            task.rest(TaskState::NeedsHuman, Some(Reason::NeedsHuman { reason: reason.clone() }), None);
        }
        Outcome::Cancelled { .. } => task.rest(TaskState::Open, None, None),
    }
}

/// Decides whether an attempt that its slot has lost again and again goes on once more: `None`, or the outcome that ends
/// it before it takes down another slot.
#[must_use]
pub fn crashed_too_often(attempt: &AttemptRow, rules: &RetryRules) -> Option<Outcome> {
    let message = || format!("its work crashed {} times", attempt.crashes);
    (attempt.crashes >= rules.crashes)
        .then(|| Outcome::Retryable { failure: FailureKind::Crashed, message: message() })
}

/// Tells whether a task that a person was asked about, because one call exceeded a cap, fits under the caps as they are.
#[must_use]
pub fn fits_by_now(task: &TaskRow, cap: MicroUsd) -> bool {
    let Some(Reason::NeedsHuman { reason: HumanReason::ExceedsCap { bound_micro, .. } }) = &task.reason
    else {
        return false;
    };
    task.state == TaskState::NeedsHuman && MicroUsd::new(*bound_micro) <= cap
}

/// Marks a task as done.
pub fn complete(task: &mut TaskRow, reference: &crate::outcome::Reference) {
    if let crate::outcome::Reference::Merge { commit } = reference {
        task.merged = Some(commit.clone());
    }
    task.rest(TaskState::Completed, None, None);
}

fn defer(task: &mut TaskRow, why: &str, rules: &RetryRules, now_ms: i64) {
    task.deferrals += 1;
    if task.deferrals > rules.deferrals {
        let reason = Reason::NeedsHuman { reason: HumanReason::DeferredTooOften };
        return task.rest(TaskState::NeedsHuman, Some(reason), None);
    }
    let rest = doubled(rules.cool_down_ms, task.deferrals, rules.cool_down_max_ms);
    let reason = Reason::CoolDown { why: why.to_owned(), deferrals: task.deferrals };
    task.rest(TaskState::Open, Some(reason), Some(now_ms + rest));
}

/// Returns the rest after the `failures`th failure: doubled each time, bounded, the upper half of it by chance.
#[must_use]
pub fn backoff_ms(failures: u32, rules: &RetryRules, entropy: u64) -> i64 {
    let full = doubled(rules.backoff_ms, failures, rules.backoff_max_ms);
    let half = full / 2;
    let chance = i64::try_from(entropy % u64::try_from(half.max(1)).unwrap_or(1)).unwrap_or(0);
    full - half + chance
}

fn doubled(first: i64, times: u32, most: i64) -> i64 {
    let factor = 1_i64.checked_shl(times.saturating_sub(1).min(40)).unwrap_or(i64::MAX);
    first.saturating_mul(factor).min(most)
}

/// Keeps what an attempt learned, the last few only.
pub fn learn(task: &mut TaskRow, learned: Option<crate::outcome::Learned>) {
    task.learned.extend(learned);
    let surplus = task.learned.len().saturating_sub(LEARNED);
    task.learned.drain(..surplus);
}

#[cfg(test)]
mod tests;

//! An attempt that asks a person: put down without a slot and without money, and claimed again with the answer. What it
//! has done stays its own, so that nothing of it is paid twice.

use crate::command::{Claim, Finish, Refusal, Reply, Stamp};
use crate::consent::GoesOn;
use crate::dispatch;
use crate::event::EventKind;
use crate::outcome::{Outcome, Status};
use crate::reason::Wait;
use crate::rows::{AttemptRow, ClaimRow, Rows, Write};
use crate::task::{TaskRow, TaskState};

use super::admission::{self, Admission, Spent};
use super::attempt::{at_work, human_event, refuse, resumed};
use super::{Writes, about_attempt, parts};

/// Puts an attempt down until a person answers. Its claim stays, so that its worktree does.
pub(super) fn ask(rows: &Rows, held: &AttemptRow, finish: &Finish, stamp: &Stamp) -> Result<Writes, Refusal> {
    let key = &finish.by.task_key;
    let mut task = rows.tasks.get(key).ok_or(Refusal::Missing("task"))?.clone();
    let claim = rows.claims.get(key).ok_or_else(|| Refusal::StaleFence(key.clone()))?;
    dispatch::after(&mut task, &finish.outcome, &finish.rules, stamp.now_ms, stamp.entropy);
    task.size = held.size.or(task.size);
    task.updated_ms = stamp.now_ms;
    let about = about_attempt(held);
    let mut events = vec![(about.clone(), EventKind::AttemptSuspended)];
    events.extend(human_event(&task).map(|kind| (about, kind)));
    let mut rows_to_write = parts::tell_above(rows, &task, stamp.now_ms);
    rows_to_write.extend(admission::set_down(rows, &finish.scope, held, stamp));
    rows_to_write.extend([
        Write::Claim(ClaimRow { suspended: true, ..claim.clone() }),
        Write::Attempt(put_down(held, &task, finish.files_changed)),
        Write::Task(task),
    ]);
    Ok(Writes {
        rows: rows_to_write,
        events,
        reply: Reply::Finished { status: Status::NeedsHuman, until_ms: None },
    })
}

/// It holds what it has spent, and no more.
fn put_down(held: &AttemptRow, task: &TaskRow, files_changed: u32) -> AttemptRow {
    AttemptRow {
        hold: held.hold.min(held.cost),
        hold_tokens: held.hold_tokens.min(held.tokens),
        waiting: task.reason.clone().map(|reason| Wait { reason, until_ms: None }),
        files_changed,
        ..held.clone()
    }
}

/// Returns an attempt that asks a person, when it is to be called back: it does not work, so that nobody else ends it.
pub(super) fn called_back<'a>(rows: &'a Rows, finish: &Finish) -> Option<&'a AttemptRow> {
    let claim = rows.claims.get(&finish.by.task_key)?;
    let is_its = claim.fence == finish.by.fence && claim.attempt_id == finish.by.attempt_id;
    let attempt = rows.attempts.get(&finish.by.attempt_id).filter(|attempt| attempt.asks_a_person())?;
    let is_over = matches!(finish.outcome, Outcome::Cancelled { .. });
    (is_its && claim.suspended && is_over).then_some(attempt)
}

/// Tells whether a claim is for an attempt that has its answer.
pub(super) fn is_answered(rows: &Rows, claim: &Claim) -> bool {
    rows.tasks.get(&claim.task_key).is_some_and(|task| GoingOn::of(rows, claim, task).is_some())
}

/// An attempt that has its answer and is claimed to go on.
pub(super) struct GoingOn<'a> {
    task: &'a TaskRow,
    attempt: &'a AttemptRow,
    held: &'a ClaimRow,
    answer: &'a GoesOn,
}

impl<'a> GoingOn<'a> {
    pub(super) fn of(rows: &'a Rows, claim: &Claim, task: &'a TaskRow) -> Option<Self> {
        let answer = task.goes_on.as_ref().filter(|answer| answer.attempt_id == claim.attempt_id)?;
        let held = rows.claims.get(&task.key)?;
        let attempt = rows.attempts.get(&answer.attempt_id)?;
        let is_put_down = held.suspended && held.attempt_id == answer.attempt_id && attempt.status.is_none();
        (is_put_down && task.state == TaskState::Open).then_some(Self { task, attempt, held, answer })
    }

    /// Admits it as any other start, for what it is still expected to cost.
    pub(super) fn claim(self, rows: &Rows, claim: &Claim, stamp: &Stamp) -> Result<Writes, Refusal> {
        let spent = Spent { money: self.attempt.cost, tokens: self.attempt.tokens };
        let admission = Admission::of(rows, claim, self.task, spent)?;
        if let Some(wait) = admission.wait(rows, stamp.now_ms) {
            return Ok(refuse(self.task, wait, stamp));
        }
        let (task, attempt) = (self.task(stamp), self.attempt(claim, &admission));
        let row = ClaimRow {
            boot_id: claim.by.boot_id.clone(),
            slot: claim.slot.clone(),
            suspended: false,
            fence: claim.fence.clone(),
            ..self.held.clone()
        };
        let event = resumed(&task, &attempt, claim.max_attempts, &self.held.boot_id);
        let mut writes = at_work(task, attempt, row, event);
        writes.rows.extend(admission.take(stamp));
        Ok(writes)
    }

    fn task(&self, stamp: &Stamp) -> TaskRow {
        let mut task = self.task.clone();
        task.rest(TaskState::Running, None, None);
        task.goes_on = None;
        task.updated_ms = stamp.now_ms;
        task
    }

    fn attempt(&self, claim: &Claim, admission: &Admission<'_>) -> AttemptRow {
        let holds = admission.holds();
        let mut attempt = AttemptRow {
            boot_id: claim.by.boot_id.clone(),
            fence: claim.fence.clone(),
            slot: claim.slot.clone(),
            hold: self.attempt.cost + holds.money,
            hold_tokens: self.attempt.tokens.saturating_add(holds.tokens),
            waiting: None,
            ..self.attempt.clone()
        };
        attempt.consents.push(self.answer.consent);
        attempt
    }
}

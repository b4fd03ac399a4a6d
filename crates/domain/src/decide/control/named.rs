//! The verbs that name a task.

use super::grant::{Granted, grant};
use super::{Deed, No, refused};
use crate::bead::{BeadId, argument};
use crate::command::{Bearer, Carry, Refusal, Stamp};
use crate::decide::{Writes, about, attempt, boot, gate, parts};
use crate::event::EventKind;
use crate::reason::Reason;
use crate::rows::{ClaimRow, ControlRow, Rows, Write};
use crate::task::{TaskRow, TaskState};
use crate::why::no_such_task;

/// Finds the task that is named, or says which ones are near.
pub(super) fn named<'a>(rows: &'a Rows, carry: &Carry, row: &ControlRow) -> Result<&'a TaskRow, No> {
    let (key, id) = (row.task_key().unwrap_or_default(), row.verb.bead_id());
    let asked = id.map(BeadId::as_str).unwrap_or_default();
    rows.tasks.get(&key).ok_or_else(|| refused(no_such_task(asked, &carry.nearest)))
}

/// Lets a model be used again that had billed more than the bound of a try.
pub(super) fn trust(rows: &Rows, carry: &Carry, model: &BeadId, stamp: &Stamp) -> Result<Deed, No> {
    let scope = carry.scope.as_deref().unwrap_or_default();
    let writes = boot::trust(rows, scope, model.as_str(), stamp)?;
    Ok(Deed { writes, result: format!("{model} is used again") })
}

/// Lets a task that waits for a person go on, with what it waits for granted.
pub(super) fn approve(rows: &Rows, task: &TaskRow, by: &str, stamp: &Stamp) -> Result<Deed, No> {
    let reason = match (&task.state, &task.reason) {
        (TaskState::NeedsHuman, Some(Reason::NeedsHuman { reason })) => Some(reason),
        (TaskState::NeedsHuman, _) => None,
        _ => return Err(refused(standing(task, "approve"))),
    };
    let mut task = task.clone();
    let granted = match reason {
        Some(reason) => grant(rows, &mut task, reason)?,
        None => Granted::nothing("it goes on"),
    };
    task.rest(TaskState::Open, None, None);
    let deed = changed(rows, task, format!("approved by {by}"), granted.words, stamp);
    Ok(granted.purse.into_iter().fold(deed, |deed, purse| deed.with(Write::Purse(purse))))
}

/// Begins a task again as new work, or ends the rest of one that would go on by itself.
pub(super) fn retry(rows: &Rows, carry: &Carry, task: &TaskRow, by: &str, stamp: &Stamp) -> Result<Deed, No> {
    let ends = task.state.is_terminal() || task.is_stuck();
    if ends && task.is_superseded(|key| rows.tasks.get(key)) {
        return Err(refused(format!(
            "{} was a part of a task that has been opened again or closed since; retry that one",
            task.bead_id
        )));
    }
    let rests = task.state == TaskState::Blocked
        || (task.state == TaskState::Open && task.rests_until().is_some_and(|until| until > stamp.now_ms));
    let asking = rows.claims.get(&task.key).filter(|_| task.asks_a_person());
    let ended = asking.map(|claim| call_back(rows, carry, claim, stamp)).transpose()?;
    let mut task = task.clone();
    let words = if ends {
        task.reopen();
        "it begins again, with all its attempts"
    } else if rests {
        task.rest(TaskState::Open, None, None);
        "its rest is over: it starts with the next free worker"
    } else {
        return Err(refused(standing(&task, "retry")));
    };
    Ok(changed(rows, task, format!("retried by {by}"), words, stamp).after(ended))
}

/// Puts a task away. What runs of it is called back, and its money settled, whoever holds the claim.
pub(super) fn put_away(
    rows: &Rows,
    carry: &Carry,
    task: &TaskRow,
    by: &str,
    why: &str,
    stamp: &Stamp,
) -> Result<Deed, No> {
    if matches!(task.state, TaskState::Completed | TaskState::Dropped) {
        return Err(refused(standing(task, "drop")));
    }
    let claim = rows.claims.get(&task.key);
    let ended = claim.map(|claim| call_back(rows, carry, claim, stamp)).transpose()?;
    let mut task = task.clone();
    task.rest(TaskState::Dropped, Some(Reason::Dropped), None);
    let words = match (&ended, &task.request) {
        (Some(_), _) => "it is put away, and its attempt is called back".to_owned(),
        (None, Some(request)) => format!("it is put away; its branch {request} stays as it is"),
        (None, None) => "it is put away".to_owned(),
    };
    let why = if why.is_empty() { format!("put away by {by}") } else { format!("put away by {by}: {why}") };
    Ok(closed(rows, task, why, words, stamp).after(ended))
}

/// Ends the attempt of a claim, also one that was put down: whoever still works on it may no longer write.
fn call_back(rows: &Rows, carry: &Carry, claim: &ClaimRow, stamp: &Stamp) -> Result<Writes, No> {
    let stale = || Refusal::StaleFence(claim.task_key.clone());
    let is_it = |by: &Bearer| by.fence == claim.fence && by.attempt_id == claim.attempt_id;
    let finish = carry.ending.as_deref().filter(|finish| is_it(&finish.by)).ok_or_else(stale)?;
    let held = rows.attempts.get(&claim.attempt_id).ok_or(Refusal::Missing("attempt"))?;
    let writes = attempt::end(rows, held, finish, stamp)?;
    Ok(gate::ended(rows, finish, writes, stamp))
}

fn changed(rows: &Rows, task: TaskRow, why: String, words: impl Into<String>, stamp: &Stamp) -> Deed {
    written(rows, task, EventKind::TaskReopened { why }, words, stamp)
}

fn closed(rows: &Rows, task: TaskRow, why: String, words: impl Into<String>, stamp: &Stamp) -> Deed {
    written(rows, task, EventKind::TaskClosed { why, merged: false }, words, stamp)
}

fn written(rows: &Rows, mut task: TaskRow, kind: EventKind, words: impl Into<String>, stamp: &Stamp) -> Deed {
    task.updated_ms = stamp.now_ms;
    let deed = Deed::new(format!("{}: {}", task.bead_id, words.into())).telling(about(&task), kind);
    let above = parts::tell_above(rows, &task, stamp.now_ms);
    above.into_iter().fold(deed, Deed::with).with(Write::Task(task))
}

/// Says how a task stands and what would work, when a verb does not.
fn standing(task: &TaskRow, verb: &str) -> String {
    let (id, word) = (&task.bead_id, argument(task.bead_id.as_str()));
    let why = task.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    match task.state {
        TaskState::Open => {
            format!("{id} is in the queue{why} and waits for nobody; `glitchlab why {word}` says for what")
        }
        TaskState::Running => format!("{id} runs now and waits for nobody; `glitchlab drop {word}` ends it"),
        TaskState::InReview => format!(
            "{id} is done and waits for a merge of {}; merge it, or delete the branch to have it done anew",
            task.request.as_deref().unwrap_or("its branch")
        ),
        TaskState::Completed => format!("{id} is completed; `glitchlab retry {word}` begins it again"),
        TaskState::Decomposed => format!("{id} is split and waits for its parts; {verb} one of those"),
        TaskState::Blocked => {
            format!("{id} is parked{why}; `glitchlab retry {word}` lets it start all the same")
        }
        TaskState::NeedsHuman => {
            format!("{id} waits for you{why}; `glitchlab approve {word}` or `glitchlab drop {word}`")
        }
        TaskState::Failed => format!("{id} has failed{why}; `glitchlab retry {word}` begins it again"),
        TaskState::Dropped => format!("{id} is put away; `glitchlab retry {word}` begins it again"),
    }
}

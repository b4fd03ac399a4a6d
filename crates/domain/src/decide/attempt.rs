//! The life of an attempt: claim, take over, suspend, finish.

use crate::command::{Bearer, Claim, Claimed, Finish, Refusal, Reply, Stamp, TakeOver};
use crate::dispatch;
use crate::event::EventKind;
use crate::id::BootId;
use crate::money::MicroUsd;
use crate::outcome::{Outcome, Status};
use crate::reason::Wait;
use crate::rows::{AttemptRow, ClaimRow, ProcessRow, Rows, Write};
use crate::task::{TaskRow, TaskState};

use super::admission::{self, Admission, Holds, Spent};
use super::question::{self, GoingOn};
use super::{Writes, about, about_attempt, hold, live, parts};

pub(super) fn claim(rows: &Rows, claim: &Claim, stamp: &Stamp) -> Result<Writes, Refusal> {
    let process = live(rows, &claim.by)?;
    let task = rows.tasks.get(&claim.task_key).ok_or(Refusal::Missing("task"))?;
    if let Some(going_on) = GoingOn::of(rows, claim, task) {
        return going_on.claim(rows, claim, stamp);
    }
    if let Some(held) = rows.claims.get(&claim.task_key) {
        return already_claimed(rows, claim, held, task);
    }
    // A claim that arrives after its own attempt has ended would begin the same attempt anew.
    if rows.attempts.contains_key(&claim.attempt_id) || !task.is_claimable(stamp.now_ms) {
        return Err(Refusal::NotClaimable { key: task.key.clone(), state: task.state.name() });
    }
    if let Some(wait) = task_limit(process, task) {
        return Ok(Writes::nothing(Reply::Wait(wait)));
    }
    let admission = Admission::of(rows, claim, task, Spent::default())?;
    if let Some(wait) = admission.wait(rows, stamp.now_ms) {
        return Ok(refuse(task, wait, stamp));
    }
    let mut writes = admit(claim, task, &process.repo_id, admission.holds(), stamp);
    writes.rows.extend(admission.take(stamp));
    writes.rows.extend(begin(process, task));
    Ok(writes)
}

/// The limit is the run's and not written to the task: the next run begins with none.
fn task_limit(process: &ProcessRow, task: &TaskRow) -> Option<Wait> {
    let limit = process.rules.map_or(0, |rules| rules.max_tasks);
    if dispatch::may_begin(limit, &process.begun, task) {
        return None;
    }
    dispatch::full_of_tasks(limit, &process.begun).map(|reason| Wait { reason, until_ms: None })
}

/// Counts a root task that is begun, where their number is limited.
fn begin(process: &ProcessRow, task: &TaskRow) -> Option<Write> {
    let is_limited = process.rules.is_some_and(|rules| rules.max_tasks > 0);
    if !is_limited || process.begun.contains(&task.root_key) {
        return None;
    }
    let mut process = process.clone();
    process.begun.push(task.root_key.clone());
    Some(Write::Process(process))
}

/// The wait is written to the task, so that every page can say it; the same wait again changes nothing.
pub(super) fn refuse(task: &TaskRow, wait: Wait, stamp: &Stamp) -> Writes {
    let known = task.reason.as_ref() == Some(&wait.reason) && task.until_ms == wait.until_ms;
    if known {
        return Writes::nothing(Reply::Wait(wait));
    }
    let mut task = task.clone();
    task.rest(TaskState::Open, Some(wait.reason.clone()), wait.until_ms);
    task.updated_ms = stamp.now_ms;
    let refused = EventKind::AdmissionRefused { wait: wait.clone() };
    Writes { events: vec![(about(&task), refused)], rows: vec![Write::Task(task)], reply: Reply::Wait(wait) }
}

/// The same claim sent again is answered as the first time; any other holder refuses it.
fn already_claimed(rows: &Rows, claim: &Claim, held: &ClaimRow, task: &TaskRow) -> Result<Writes, Refusal> {
    match rows.attempts.get(&claim.attempt_id) {
        Some(attempt) if held.attempt_id == claim.attempt_id && held.fence == claim.fence => {
            Ok(Writes::nothing(claimed(task, attempt, held)))
        }
        _ => Err(Refusal::NotClaimable { key: task.key.clone(), state: TaskState::Running.name() }),
    }
}

fn admit(claim: &Claim, task: &TaskRow, repo_id: &str, holds: Holds, stamp: &Stamp) -> Writes {
    let mut task = task.clone();
    task.rest(TaskState::Running, None, None);
    task.runs += 1;
    task.trace_id.get_or_insert_with(|| claim.trace_id.clone());
    task.accepted_ms.get_or_insert(stamp.now_ms);
    task.updated_ms = stamp.now_ms;
    let attempt = begun(claim, &task, holds, stamp);
    let row = ClaimRow {
        task_key: task.key.clone(),
        repo_id: repo_id.to_owned(),
        attempt_id: attempt.attempt_id.clone(),
        boot_id: claim.by.boot_id.clone(),
        slot: claim.slot.clone(),
        suspended: false,
        fence: claim.fence.clone(),
    };
    let event = EventKind::TaskClaimed {
        title: task.title.clone(),
        n: task.failures + 1,
        max_attempts: claim.max_attempts,
        slot: claim.slot.clone(),
        model: claim.model.clone(),
        simulated: claim.simulated,
    };
    at_work(task, attempt, row, event)
}

/// The row of a new attempt at a task.
fn begun(claim: &Claim, task: &TaskRow, holds: Holds, stamp: &Stamp) -> AttemptRow {
    AttemptRow {
        attempt_id: claim.attempt_id.clone(),
        task_key: task.key.clone(),
        bead_id: task.bead_id.clone(),
        root_key: task.root_key.clone(),
        trace_id: task.trace_id.clone(),
        n: task.runs,
        generation: task.generation,
        slot: claim.slot.clone(),
        boot_id: claim.by.boot_id.clone(),
        fence: claim.fence.clone(),
        model: claim.model.clone(),
        simulated: claim.simulated,
        size: None,
        branch: claim.branch.clone(),
        accepted_ms: task.accepted_ms,
        hold: holds.money,
        hold_tokens: holds.tokens,
        tokens: 0,
        cost: MicroUsd::ZERO,
        status: None,
        failure: None,
        detail: String::new(),
        files_changed: 0,
        crashes: 0,
        waiting: None,
        consents: Vec::new(),
        started_ms: stamp.now_ms,
        ended_ms: None,
    }
}

/// Writes down that an attempt is at work under a claim, and answers with both.
pub(super) fn at_work(task: TaskRow, attempt: AttemptRow, claim: ClaimRow, event: EventKind) -> Writes {
    let about = about_attempt(&attempt);
    let reply = claimed(&task, &attempt, &claim);
    Writes {
        rows: vec![Write::Task(task), Write::Attempt(attempt), Write::Claim(claim)],
        events: vec![(about, event)],
        reply,
    }
}

/// Says that an attempt goes on in another slot, or under another boot than `from`.
pub(super) fn resumed(task: &TaskRow, attempt: &AttemptRow, max_attempts: u32, from: &BootId) -> EventKind {
    EventKind::AttemptResumed {
        title: task.title.clone(),
        n: task.failures + 1,
        max_attempts,
        slot: attempt.slot.clone(),
        model: attempt.model.clone(),
        simulated: attempt.simulated,
        from: from.clone(),
    }
}

fn claimed(task: &TaskRow, attempt: &AttemptRow, claim: &ClaimRow) -> Reply {
    Reply::Claimed(Box::new(Claimed {
        task: task.clone(),
        attempt: attempt.clone(),
        fence: claim.fence.clone(),
    }))
}

pub(super) fn take_over(rows: &Rows, take: &TakeOver, stamp: &Stamp) -> Result<Writes, Refusal> {
    live(rows, &take.by)?;
    let stale = || Refusal::StaleFence(take.task_key.clone());
    let claim = rows.claims.get(&take.task_key).ok_or_else(stale)?;
    let task = rows.tasks.get(&take.task_key).ok_or(Refusal::Missing("task"))?;
    let attempt = rows.attempts.get(&take.attempt_id).ok_or(Refusal::Missing("attempt"))?;
    if claim.fence == take.fence {
        return Ok(Writes::nothing(claimed(task, attempt, claim)));
    }
    let seen = (&claim.fence, &claim.attempt_id, &claim.boot_id);
    if seen != (&take.old_fence, &take.attempt_id, &take.old_boot) {
        return Err(stale());
    }
    // What asks a person, or has its answer, is claimed and not taken over.
    if task.state != TaskState::Running {
        return Err(stale());
    }
    let holder_lives = rows.processes.get(&claim.boot_id).is_some_and(|holder| holder.alive);
    if holder_lives && claim.boot_id != take.by.boot_id && !claim.suspended {
        return Err(Refusal::HolderLives(take.task_key.clone()));
    }
    Ok(resume(take, task, attempt, claim, stamp))
}

fn resume(take: &TakeOver, task: &TaskRow, attempt: &AttemptRow, old: &ClaimRow, stamp: &Stamp) -> Writes {
    let mut task = task.clone();
    task.rest(TaskState::Running, None, None);
    task.updated_ms = stamp.now_ms;
    let boot_id = take.by.boot_id.clone();
    let crashed = old.boot_id == boot_id && !old.suspended;
    let attempt = AttemptRow {
        boot_id: boot_id.clone(),
        fence: take.fence.clone(),
        slot: take.slot.clone(),
        crashes: attempt.crashes + u32::from(crashed),
        waiting: None,
        ..attempt.clone()
    };
    let claim = ClaimRow {
        boot_id,
        slot: take.slot.clone(),
        suspended: false,
        fence: take.fence.clone(),
        ..old.clone()
    };
    let event = resumed(&task, &attempt, take.max_attempts, &old.boot_id);
    at_work(task, attempt, claim, event)
}

pub(super) fn suspend(rows: &Rows, by: &Bearer) -> Result<Writes, Refusal> {
    let stale = || Refusal::StaleFence(by.task_key.clone());
    let claim = rows.claims.get(&by.task_key).ok_or_else(stale)?;
    if claim.fence == by.fence && claim.suspended {
        return Ok(Writes::nothing(Reply::Done));
    }
    let attempt = hold(rows, by)?;
    Ok(Writes {
        rows: vec![Write::Claim(ClaimRow { suspended: true, ..claim.clone() })],
        events: vec![(about_attempt(attempt), EventKind::AttemptSuspended)],
        reply: Reply::Done,
    })
}

pub(super) fn note_wait(rows: &Rows, by: &Bearer, wait: &Wait) -> Result<Writes, Refusal> {
    let attempt = hold(rows, by)?;
    if attempt.waiting.as_ref() == Some(wait) {
        return Ok(Writes::nothing(Reply::Done));
    }
    let waiting = AttemptRow { waiting: Some(wait.clone()), ..attempt.clone() };
    Ok(Writes {
        rows: vec![Write::Attempt(waiting)],
        events: vec![(about_attempt(attempt), EventKind::CallWaiting { wait: wait.clone() })],
        reply: Reply::Done,
    })
}

pub(super) fn finish(rows: &Rows, finish: &Finish, stamp: &Stamp) -> Result<Writes, Refusal> {
    let held = match hold(rows, &finish.by) {
        Ok(held) => held,
        Err(refusal) => match question::called_back(rows, finish) {
            Some(asking) => asking,
            None => return finished_before(rows, finish).ok_or(refusal),
        },
    };
    if finish.outcome.is_a_question() {
        return question::ask(rows, held, finish, stamp);
    }
    end(rows, held, finish, stamp)
}

/// Ends an attempt whose caller may end it.
pub(super) fn end(rows: &Rows, held: &AttemptRow, finish: &Finish, stamp: &Stamp) -> Result<Writes, Refusal> {
    let mut task = rows.tasks.get(&finish.by.task_key).ok_or(Refusal::Missing("task"))?.clone();
    let about = about_attempt(held);
    dispatch::after(&mut task, &finish.outcome, &finish.rules, stamp.now_ms, stamp.entropy);
    dispatch::learn(&mut task, finish.learned.clone());
    task.goes_on = None;
    task.size = held.size.or(task.size);
    task.updated_ms = stamp.now_ms;
    let status = finish.outcome.status(task.state == TaskState::Failed);
    let attempt = AttemptRow {
        status: Some(status),
        failure: finish.outcome.failure(),
        detail: finish.detail.clone(),
        files_changed: finish.files_changed,
        waiting: None,
        ended_ms: Some(stamp.now_ms),
        ..held.clone()
    };
    let mut events = vec![(about.clone(), finished_event(&task, &attempt, finish))];
    let mut writes = vec![Write::DropClaim(task.key.clone())];
    if let Outcome::Decomposed { subtasks } = &finish.outcome {
        let parts = parts::split(rows, &task, &finish.by.attempt_id, subtasks, stamp.now_ms);
        let ids = parts.iter().map(|row| row.bead_id.clone()).collect();
        events.push((about.clone(), EventKind::TaskDecomposed { subtasks: ids, depth: task.depth + 1 }));
        writes.extend(parts.into_iter().map(Write::Task));
    }
    events.extend(human_event(&task).map(|kind| (about, kind)));
    let reply = Reply::Finished { status, until_ms: task.until_ms };
    writes.extend(parts::tell_above(rows, &task, stamp.now_ms));
    writes.extend(admission::give_back(rows, &finish.scope, held, &task.repo_id, stamp));
    writes.extend([Write::Attempt(attempt), Write::Task(task)]);
    Ok(Writes { rows: writes, events, reply })
}

/// A `Finish` sent again after its commit's answer was lost is answered by the attempt's own row, whatever has become of
/// the task since. A zombie under an older fence ended nothing.
fn finished_before(rows: &Rows, finish: &Finish) -> Option<Writes> {
    let attempt = rows.attempts.get(&finish.by.attempt_id)?;
    let task = rows.tasks.get(&finish.by.task_key)?;
    let asked = (attempt.status.is_none() && finish.outcome.is_a_question()).then_some(Status::NeedsHuman);
    let status = attempt.status.or(asked).filter(|_| attempt.fence == finish.by.fence)?;
    Some(Writes::nothing(Reply::Finished { status, until_ms: task.until_ms }))
}

fn finished_event(task: &TaskRow, attempt: &AttemptRow, finish: &Finish) -> EventKind {
    EventKind::TaskFinished {
        status: finish.outcome.status(task.state == TaskState::Failed),
        detail: finish.detail.clone(),
        until_ms: task.until_ms,
        tokens: attempt.tokens,
        cost: attempt.cost,
        took_ms: attempt.ended_ms.map_or(0, |ended| ended - attempt.started_ms),
        attempts: task.failures,
        failure: attempt.failure,
        size: attempt.size,
    }
}

pub(super) fn human_event(task: &TaskRow) -> Option<EventKind> {
    let why = task.reason.as_ref().filter(|_| task.state.needs_a_person())?.to_string();
    Some(EventKind::HumanNeeded { why })
}

//! What a person asks for: written down by whoever says it, carried out once by the engine, or by the command itself
//! where no engine works.

use std::fmt::Write as _;

use crate::bead::BeadId;
use crate::command::{Carry, Refusal, Reply, Stamp};
use crate::event::{About, EventKind};
use crate::gate::STOP_LOSS;
use crate::id::TaskKey;
use crate::money::MicroUsd;
use crate::outcome::HumanReason;
use crate::reason::Reason;
use crate::rows::{ClaimRow, ControlRow, GateRow, Pause, PurseRow, Rows, Verb, Write};
use crate::task::{TaskRow, TaskState};

use super::{Writes, about, attempt, boot, gate, live, parts};

/// Writes down what somebody says; said again, it is what it was.
pub(super) fn say(rows: &Rows, row: &ControlRow) -> Writes {
    let is_known = rows.controls.contains_key(&row.id);
    let rows = if is_known { Vec::new() } else { vec![Write::Control(row.clone())] };
    Writes { rows, ..Writes::nothing(Reply::Done) }
}

/// What a verb changes, and what came of it for people.
struct Deed {
    writes: Writes,
    result: String,
}

impl Deed {
    fn new(result: impl Into<String>) -> Self {
        Self { writes: Writes::nothing(Reply::Done), result: result.into() }
    }

    fn with(mut self, write: Write) -> Self {
        self.writes.rows.push(write);
        self
    }

    fn telling(mut self, about: About, kind: EventKind) -> Self {
        self.writes.events.push((about, kind));
        self
    }
}

/// Why a verb was not carried out.
enum No {
    /// The person is told so.
    Refused(String),
    /// What the caller saw has changed: it looks again.
    Stale(Refusal),
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        Self::Stale(refusal)
    }
}

fn refused(why: impl Into<String>) -> No {
    No::Refused(why.into())
}

pub(super) fn carry(rows: &Rows, carry: &Carry, stamp: &Stamp) -> Result<Writes, Refusal> {
    if let Some(by) = &carry.by {
        live(rows, by)?;
    }
    let row = rows.controls.get(&carry.row.id).unwrap_or(&carry.row);
    if row.done_ms.is_some() {
        let result = row.result.clone().unwrap_or_default();
        return Ok(Writes::nothing(Reply::Carried { ok: row.ok, result }));
    }
    let (ok, Deed { mut writes, result }) = match act(rows, carry, row, stamp) {
        Ok(deed) => (true, deed),
        Err(No::Refused(why)) => (false, Deed::new(why)),
        Err(No::Stale(refusal)) => return Err(refusal),
    };
    let done = ControlRow { done_ms: Some(stamp.now_ms), ok, result: Some(result.clone()), ..row.clone() };
    let told = EventKind::ControlDone {
        verb: row.verb.name().to_owned(),
        by: row.by.clone(),
        ok,
        result: result.clone(),
    };
    let subject = row.task_key().and_then(|key| rows.tasks.get(&key)).map(about).unwrap_or_default();
    writes.rows.push(Write::Control(done));
    writes.events.push((subject, told));
    writes.reply = Reply::Carried { ok, result };
    Ok(writes)
}

fn act(rows: &Rows, carry: &Carry, row: &ControlRow, stamp: &Stamp) -> Result<Deed, No> {
    match &row.verb {
        Verb::Pause { why, until_ms, now } => pause(rows, row, (why, *until_ms, *now), stamp),
        Verb::Resume => Ok(resume(rows, row, stamp)),
        Verb::Stop => stop(rows, carry, row),
        Verb::Approve { bead_id } if carry.scope.is_some() => trust(rows, carry, bead_id, stamp),
        Verb::Approve { .. } => approve(rows, named(rows, carry, row)?, &row.by, stamp),
        Verb::Retry { .. } => retry(rows, named(rows, carry, row)?, &row.by, stamp),
        Verb::Drop { why, .. } => put_away(rows, carry, named(rows, carry, row)?, &row.by, why, stamp),
    }
}

fn gate_of(rows: &Rows, row: &ControlRow) -> GateRow {
    let fresh = || GateRow { repo_id: row.repo_id.clone(), ..GateRow::default() };
    rows.gates.get(&row.repo_id).cloned().unwrap_or_else(fresh)
}

/// Nothing new starts; the gate's row says so to every start to come.
fn pause(
    rows: &Rows,
    row: &ControlRow,
    (why, until_ms, now): (&str, Option<i64>, bool),
    stamp: &Stamp,
) -> Result<Deed, No> {
    if until_ms.is_some_and(|until| until <= stamp.now_ms) {
        return Err(refused("its time was over before it could begin"));
    }
    let mut gate = gate_of(rows, row);
    let since_ms = gate.pause_at(stamp.now_ms).map_or(stamp.now_ms, |pause| pause.since_ms);
    let (by, why) = (row.by.clone(), why.to_owned());
    gate.pause = Some(Pause { since_ms, until_ms, why: why.clone(), by: by.clone(), now });
    let runs = if now { "what runs is put down" } else { "what runs goes on" };
    let ends = if until_ms.is_some() { "when its time is over" } else { "with `glitchlab resume`" };
    Ok(Deed::new(format!("nothing new starts, {runs}; it ends {ends}"))
        .with(Write::Gate(gate))
        .telling(About::default(), EventKind::EnginePaused { by, why, until_ms }))
}

/// Opens the gate, whatever closed it. With an open breaker the next task is its canary, without further rest; a limit of
/// losses begins to count anew.
fn resume(rows: &Rows, row: &ControlRow, stamp: &Stamp) -> Deed {
    let mut gate = gate_of(rows, row);
    let pause = gate.pause.take().filter(|pause| pause.until_ms.is_none_or(|until| until > stamp.now_ms));
    let cools =
        gate.breaker.open.as_mut().filter(|open| open.canary.is_none() && open.until_ms > stamp.now_ms);
    let result = match (&pause, cools) {
        (Some(_), None) => "new tasks start again",
        (_, Some(open)) => {
            open.until_ms = stamp.now_ms;
            "the breaker's rest is over: one task starts, and the others when it has not failed in the same way"
        }
        (None, None) => return Deed::new("it was not paused"),
    };
    if pause.as_ref().is_some_and(|pause| pause.by == STOP_LOSS) {
        gate.since_success = MicroUsd::ZERO;
    }
    let told =
        pause.map(|pause| EventKind::EngineResumed { by: pause.by, why: format!("{} resumes", row.by) });
    let deed = Deed::new(result).with(Write::Gate(gate));
    match told {
        Some(kind) => deed.telling(About::default(), kind),
        None => deed,
    }
}

/// Is said to one engine: a later one does not end because of it.
fn stop(rows: &Rows, carry: &Carry, row: &ControlRow) -> Result<Deed, No> {
    let by = carry.by.as_ref().ok_or_else(|| refused("no engine works on this repository"))?;
    let process = rows.processes.get(&by.boot_id);
    if process.is_some_and(|process| process.started_ms > row.at_ms) {
        return Err(refused("the engine that it was said to had ended already"));
    }
    Ok(Deed::new("nothing new starts, what runs is finished, then the engine ends"))
}

/// Finds the task that is named, or says which ones are near.
fn named<'a>(rows: &'a Rows, carry: &Carry, row: &ControlRow) -> Result<&'a TaskRow, No> {
    let (key, id) = (row.task_key().unwrap_or_default(), row.verb.bead_id());
    rows.tasks.get(&key).ok_or_else(|| {
        let mut why = format!("no task has the id {}", id.map(ToString::to_string).unwrap_or_default());
        let near: Vec<String> = carry.nearest.iter().map(ToString::to_string).collect();
        if near.is_empty() {
            why.push_str("; `glitchlab why` lists those that wait");
        } else {
            // Writing to text does not fail.
            let _ = write!(why, "; did you mean {}?", near.join(" or "));
        }
        refused(why)
    })
}

/// Lets a model be used again that had billed more than the bound of a try.
fn trust(rows: &Rows, carry: &Carry, model: &BeadId, stamp: &Stamp) -> Result<Deed, No> {
    let scope = carry.scope.as_deref().unwrap_or_default();
    let writes = boot::trusted(rows, scope, model.as_str(), stamp)?;
    Ok(Deed { writes, result: format!("{model} is used again") })
}

/// Lets a task that waits for a person go on, with what it waits for granted.
fn approve(rows: &Rows, task: &TaskRow, by: &str, stamp: &Stamp) -> Result<Deed, No> {
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

/// What an approval gives.
struct Granted {
    words: String,
    purse: Option<PurseRow>,
}

impl Granted {
    fn nothing(words: &str) -> Self {
        Self { words: words.to_owned(), purse: None }
    }
}

fn grant(rows: &Rows, task: &mut TaskRow, reason: &HumanReason) -> Result<Granted, No> {
    match reason {
        HumanReason::ExceedsCap { bound_micro, .. } => Err(refused(format!(
            "{} needs {} for one call, and that is above a cap, which an approval cannot lift; start again with \
             `--budget-per-hour` and `--budget-per-day` at least as large, and it goes on by itself",
            task.bead_id,
            MicroUsd::new(*bound_micro)
        ))),
        HumanReason::ExceedsTokens { bound, .. } => Err(refused(format!(
            "{} needs {bound} tokens for one call, and that is above the cap of a day, which an approval cannot lift; \
             raise `budget.tokens_per_day` and `glitchlab retry {}`",
            task.bead_id, task.bead_id
        ))),
        HumanReason::GateRejected { .. } | HumanReason::TooDeep => {
            task.approved = true;
            Ok(Granted::nothing("it goes on, and the budget gate lets its plan pass"))
        }
        HumanReason::DeferredTooOften => {
            task.deferrals = 0;
            Ok(Granted::nothing("it goes on, and may be put back as often as a new task"))
        }
        HumanReason::TaskCap { cap_micro, .. } => Ok(more_money(rows, task, MicroUsd::new(*cap_micro))),
        HumanReason::TaskTokens { cap, .. } => Ok(more_tokens(rows, task, *cap)),
        HumanReason::AttemptsUsed { .. } | HumanReason::Permanent { .. } => {
            Ok(Granted::nothing("it goes on"))
        }
    }
}

fn purse_of(rows: &Rows, task: &TaskRow) -> PurseRow {
    let fresh = || PurseRow { root_key: task.root_key.clone(), ..PurseRow::default() };
    rows.purses.get(&task.root_key).cloned().unwrap_or_else(fresh)
}

/// Grants as much as the cap of a task is without what was granted before.
fn more_money(rows: &Rows, task: &TaskRow, cap: MicroUsd) -> Granted {
    let purse = purse_of(rows, task);
    let granted = cap;
    let more = cap - purse.granted;
    let words = format!("it goes on, and may cost {more} more, {} in all", cap + more);
    Granted { words, purse: Some(PurseRow { granted, ..purse }) }
}

fn more_tokens(rows: &Rows, task: &TaskRow, cap: u64) -> Granted {
    let purse = purse_of(rows, task);
    let granted_tokens = cap;
    let more = cap.saturating_sub(purse.granted_tokens);
    let words = format!("it goes on, and may use {more} tokens more, {} in all", cap + more);
    Granted { words, purse: Some(PurseRow { granted_tokens, ..purse }) }
}

/// Begins a task again as new work, or ends the rest of one that would go on by itself.
fn retry(rows: &Rows, task: &TaskRow, by: &str, stamp: &Stamp) -> Result<Deed, No> {
    let ends = task.state.is_terminal() || task.is_stuck();
    if ends && is_superseded(rows, task) {
        return Err(refused(format!(
            "{} was a part of a task that has been opened again or closed since; retry that one",
            task.bead_id
        )));
    }
    let rests = task.state == TaskState::Blocked
        || (task.state == TaskState::Open && task.rests_until().is_some_and(|until| until > stamp.now_ms));
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
    Ok(changed(rows, task, format!("retried by {by}"), words, stamp))
}

fn is_superseded(rows: &Rows, task: &TaskRow) -> bool {
    let is_split = |key: &TaskKey, generation: u32| {
        rows.tasks
            .get(key)
            .is_some_and(|whole| whole.generation == generation && whole.state == TaskState::Decomposed)
    };
    !task.above.iter().all(|above| is_split(&above.key, above.generation))
}

/// Puts a task away. What runs of it is called back, and its money settled, whoever holds the claim.
fn put_away(
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
    let deed = closed(rows, task, why, words, stamp);
    Ok(match ended {
        // What the end of the attempt made of the task comes first, so that it stays put away.
        Some(mut before) => {
            before.rows.extend(deed.writes.rows);
            before.events.extend(deed.writes.events);
            Deed { writes: before, result: deed.result }
        }
        None => deed,
    })
}

/// Ends the attempt of a claim, also one that was put down: whoever still works on it may no longer write.
fn call_back(rows: &Rows, carry: &Carry, claim: &ClaimRow, stamp: &Stamp) -> Result<Writes, No> {
    let stale = || Refusal::StaleFence(claim.task_key.clone());
    let is_it = |by: &crate::command::Bearer| by.fence == claim.fence && by.attempt_id == claim.attempt_id;
    let finish = carry.ending.as_deref().filter(|finish| is_it(&finish.by)).ok_or_else(stale)?;
    let held = rows.attempts.get(&claim.attempt_id).ok_or(Refusal::Missing("attempt"))?;
    let writes = attempt::end(rows, held, finish, stamp)?;
    Ok(gate::ended(rows, finish, writes, stamp))
}

fn changed(rows: &Rows, task: TaskRow, why: String, words: impl Into<String>, stamp: &Stamp) -> Deed {
    written(rows, task, EventKind::TaskReopened { why }, words, stamp)
}

fn closed(rows: &Rows, task: TaskRow, why: String, words: impl Into<String>, stamp: &Stamp) -> Deed {
    written(rows, task, EventKind::TaskClosed { why }, words, stamp)
}

fn written(rows: &Rows, mut task: TaskRow, kind: EventKind, words: impl Into<String>, stamp: &Stamp) -> Deed {
    task.updated_ms = stamp.now_ms;
    let deed = Deed::new(format!("{}: {}", task.bead_id, words.into())).telling(about(&task), kind);
    let above = parts::tell_above(rows, &task, stamp.now_ms);
    above.into_iter().fold(deed, Deed::with).with(Write::Task(task))
}

/// Says how a task stands and what would work, when a verb does not.
fn standing(task: &TaskRow, verb: &str) -> String {
    let id = &task.bead_id;
    let why = task.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    match task.state {
        TaskState::Open => {
            format!("{id} is in the queue{why} and waits for nobody; `glitchlab why {id}` says for what")
        }
        TaskState::Running => format!("{id} runs now and waits for nobody; `glitchlab drop {id}` ends it"),
        TaskState::InReview => format!(
            "{id} is done and waits for a merge of {}; merge it, or delete the branch to have it done anew",
            task.request.as_deref().unwrap_or("its branch")
        ),
        TaskState::Completed => format!("{id} is completed; `glitchlab retry {id}` begins it again"),
        TaskState::Decomposed => format!("{id} is split and waits for its parts; {verb} one of those"),
        TaskState::Blocked => {
            format!("{id} is parked{why}; `glitchlab retry {id}` lets it start all the same")
        }
        TaskState::NeedsHuman => {
            format!("{id} waits for you{why}; `glitchlab approve {id}` or `glitchlab drop {id}`")
        }
        TaskState::Failed => format!("{id} has failed{why}; `glitchlab retry {id}` begins it again"),
        TaskState::Dropped => format!("{id} is put away; `glitchlab retry {id}` begins it again"),
    }
}

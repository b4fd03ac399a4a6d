//! What a person asks for: written down by whoever says it, carried out once by the engine, or by the command itself
//! where no engine works.

mod grant;
mod named;

use crate::command::{Carry, Refusal, Reply, Stamp};
use crate::event::{About, EventKind};
use crate::gate::STOP_LOSS;
use crate::money::MicroUsd;
use crate::rows::{ControlRow, GateRow, Pause, Rows, Verb, Write};

use self::named::{approve, named, put_away, retry, trust};
use super::{Writes, about, live};

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

    /// Puts the end of an attempt before it: what that makes of the task does not count.
    fn after(mut self, ended: Option<Writes>) -> Self {
        if let Some(mut before) = ended {
            before.rows.append(&mut self.writes.rows);
            before.events.append(&mut self.writes.events);
            self.writes = before;
        }
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
        Verb::Retry { .. } => retry(rows, carry, named(rows, carry, row)?, &row.by, stamp),
        Verb::Drop { why, .. } => put_away(rows, carry, named(rows, carry, row)?, &row.by, why, stamp),
    }
}

fn gate_of(rows: &Rows, row: &ControlRow) -> GateRow {
    let fresh = || GateRow { repo_id: row.repo_id.clone(), ..GateRow::default() };
    rows.gates.get(&row.repo_id).cloned().unwrap_or_else(fresh)
}

/// Nothing new starts; the gate's row says so to every start to come. A pause that holds already ends no sooner and puts
/// down no less because of another: only `resume` ends it before its time.
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
    let asked = Pause { since_ms: stamp.now_ms, until_ms, why: why.to_owned(), by: row.by.clone(), now };
    let pause = match gate.pause_at(stamp.now_ms) {
        Some(held) => held.clone().joined_by(asked),
        None => asked,
    };
    let runs = if pause.now { "what runs is put down" } else { "what runs goes on" };
    let ends = if pause.until_ms.is_some() { "when its time is over" } else { "with `glitchlab resume`" };
    let whose =
        if pause.by == row.by { String::new() } else { format!(", the pause by {} stands", pause.by) };
    let (by, why, until_ms) = (pause.by.clone(), pause.why.clone(), pause.until_ms);
    gate.pause = Some(pause);
    Ok(Deed::new(format!("nothing new starts, {runs}{whose}; it ends {ends}"))
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

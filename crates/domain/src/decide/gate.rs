//! The gate around admission and outcomes: what keeps every task of a repository from starting, and what an outcome says
//! of those to come. Most commands leave it as it is, and then nothing is written.

use crate::command::{Breached, Claim, Finish, Refusal, Reply, Stamp};
use crate::event::{About, EventKind};
use crate::outcome::FailureKind;
use crate::rows::{AttemptRow, GateRow, Rows, Write};

use super::{Writes, attempt, question};

/// Admits an attempt unless the gate is closed. A gate's wait is not written to the task: it is the repository's, and may
/// end before the instant that it was told.
pub(super) fn claim(rows: &Rows, claim: &Claim, stamp: &Stamp) -> Result<Writes, Refusal> {
    let gate = rows.gates.get(&claim.repo_id);
    let is_new = !rows.claims.contains_key(&claim.task_key) || question::is_answered(rows, claim);
    if let Some(wait) = gate.filter(|_| is_new).and_then(|gate| gate.wait(stamp.now_ms)) {
        return Ok(Writes::nothing(Reply::Wait(wait)));
    }
    let mut writes = attempt::claim(rows, claim, stamp)?;
    if let (Some(before), Reply::Claimed(_), true) = (gate, &writes.reply, is_new) {
        let mut gate = before.clone();
        let event = gate.admit(&claim.attempt_id);
        writes.events.extend(event.map(|kind| (About::default(), kind)));
        keep(&mut writes, before, gate);
    }
    Ok(writes)
}

/// Ends an attempt, and takes in what its outcome says of those to come.
pub(super) fn finish(rows: &Rows, finish: &Finish, stamp: &Stamp) -> Result<Writes, Refusal> {
    let writes = attempt::finish(rows, finish, stamp)?;
    Ok(ended(rows, finish, writes, stamp))
}

/// Takes in an outcome that `writes` writes down; one that was written down before says nothing new.
pub(super) fn ended(rows: &Rows, finish: &Finish, mut writes: Writes, stamp: &Stamp) -> Writes {
    let is_it = |row: &&AttemptRow| row.attempt_id == finish.by.attempt_id && row.ended_ms.is_some();
    let written = writes.rows.iter().filter_map(|write| match write {
        Write::Attempt(row) => Some(row),
        _ => None,
    });
    if finish.outcome.is_a_question() {
        return asked(rows, finish, writes);
    }
    let Some(attempt) = written.rev().find(is_it) else { return writes };
    let fresh = GateRow { repo_id: finish.repo_id.clone(), ..GateRow::default() };
    let before = rows.gates.get(&finish.repo_id).unwrap_or(&fresh);
    let mut gate = before.clone();
    let events = gate.end(attempt, &finish.outcome, &finish.gate, stamp.now_ms);
    writes.events.extend(events.into_iter().map(|kind| (About::default(), kind)));
    keep(&mut writes, before, gate);
    writes
}

/// A canary that asks a person has found nothing out: the next task is one.
fn asked(rows: &Rows, finish: &Finish, mut writes: Writes) -> Writes {
    if let Some(before) = rows.gates.get(&finish.repo_id) {
        let mut gate = before.clone();
        gate.release(&finish.by.attempt_id);
        keep(&mut writes, before, gate);
    }
    writes
}

/// Stops dispatch because a supervisor gave up: what it ran would only fail again.
pub(super) fn breach(rows: &Rows, breached: &Breached, stamp: &Stamp) -> Writes {
    let fresh = GateRow { repo_id: breached.repo_id.clone(), ..GateRow::default() };
    let before = rows.gates.get(&breached.repo_id).unwrap_or(&fresh);
    let mut gate = before.clone();
    gate.breaker.trip(FailureKind::Crashed, stamp.now_ms, &breached.rules);
    let told = EventKind::SystemicFailure {
        supervisor: breached.supervisor.clone(),
        child: breached.child.clone(),
        reasons: breached.reasons.clone(),
        within_ms: breached.within_ms,
    };
    let mut writes = Writes::nothing(Reply::Done);
    writes.events.push((About::default(), told));
    if let (None, Some(open)) = (&before.breaker.open, &gate.breaker.open) {
        let opened = EventKind::BreakerOpened { failure: open.failure, until_ms: open.until_ms };
        writes.events.push((About::default(), opened));
    }
    keep(&mut writes, before, gate);
    writes
}

fn keep(writes: &mut Writes, before: &GateRow, after: GateRow) {
    if *before != after {
        writes.rows.push(Write::Gate(after));
    }
}

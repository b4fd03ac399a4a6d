//! Reserve and settle: the only two commands that move the ledger's head.

use crate::command::{Paid, Refusal, Reply, Reserve, Settle, Stamp};
use crate::event::EventKind;
use crate::ledger::{self, Departures, Grant, Head, Verdict};
use crate::money::MicroUsd;
use crate::rows::{AttemptRow, CallRow, CallState, Rows, Write};

use super::{Writes, about_attempt, hold};

pub(super) fn reserve(rows: &Rows, ask: &Reserve, stamp: &Stamp) -> Result<Writes, Refusal> {
    let held = hold(rows, &ask.by)?;
    let tries = rows.tries(&ask.key.attempt_id, ask.key.step_n, ask.key.call_no);
    for row in tries {
        if let Some(text) = row.reply.as_ref().filter(|_| row.ok && row.input_hash == ask.input_hash) {
            return Ok(Writes::nothing(Reply::Memo { text: text.clone() }));
        }
    }
    if let Some(row) = rows.calls.get(&ask.key) {
        return granted_before(row, ask);
    }
    let head = rows.heads.get(&ask.scope).ok_or(Refusal::Missing("ledger head"))?;
    let none = Departures::default();
    match ledger::judge(head, &ask.bounds, rows.departures.get(&ask.scope).unwrap_or(&none)) {
        Verdict::Waits(wait) => Ok(Writes::nothing(Reply::Wait(wait))),
        Verdict::ExceedsCap { bound, cap } => Ok(Writes::nothing(Reply::ExceedsCap { bound, cap })),
        Verdict::Fits { max_out, bound } => Ok(grant(held, head, ask, (max_out, bound), stamp)),
    }
}

/// The same reservation sent again by the same holder is answered as the first time while it is open. A settled one is
/// spent, and one of an earlier fence may still be spent by a zombie.
fn granted_before(row: &CallRow, ask: &Reserve) -> Result<Writes, Refusal> {
    let same = row.input_hash == ask.input_hash && row.fence == ask.by.fence;
    if row.state == CallState::Open && same {
        let grant = Grant::new(row.key.clone(), row.bound, row.max_out);
        return Ok(Writes::nothing(Reply::Granted(grant)));
    }
    Err(Refusal::TryTaken(ask.key.clone()))
}

fn grant(
    held: &AttemptRow,
    head: &Head,
    ask: &Reserve,
    (max_out, bound): (u64, MicroUsd),
    stamp: &Stamp,
) -> Writes {
    let mut head = head.clone();
    head.reserve(bound, &stamp.nonce);
    let row = CallRow {
        key: ask.key.clone(),
        scope: ask.scope.clone(),
        task_key: held.task_key.clone(),
        root_key: held.root_key.clone(),
        stage: ask.stage,
        model: ask.model.clone(),
        boot_id: held.boot_id.clone(),
        fence: ask.by.fence.clone(),
        input_hash: ask.input_hash.clone(),
        reply: None,
        state: CallState::Open,
        bound,
        actual: None,
        max_out,
        input_tokens: 0,
        output_tokens: 0,
        ok: false,
        error: None,
        latency_ms: 0,
        created_ms: stamp.now_ms,
        settled_ms: None,
    };
    let reserved = EventKind::BudgetReserved { model: ask.model.clone(), bound, usage: head.usage() };
    let mut writes = vec![Write::Call(row), Write::Head(head)];
    if held.waiting.is_some() {
        writes.push(Write::Attempt(AttemptRow { waiting: None, ..held.clone() }));
    }
    Writes {
        rows: writes,
        events: vec![(about_attempt(held), reserved)],
        reply: Reply::Granted(Grant::new(ask.key.clone(), bound, max_out)),
    }
}

/// Pays. A stale fence, or none, still pays: the money is gone whoever asks; only its reply is not kept.
pub(super) fn settle(rows: &Rows, settle: &Settle, stamp: &Stamp) -> Result<Writes, Refusal> {
    let row = rows.calls.get(&settle.key).ok_or(Refusal::Missing("reservation"))?;
    if row.state != CallState::Open {
        return Ok(Writes::nothing(Reply::Done));
    }
    let head = rows.heads.get(&settle.scope).ok_or(Refusal::Missing("ledger head"))?;
    let fenced = settle.by.as_ref().is_none_or(|by| hold(rows, by).is_err());
    let call = settled_row(row, settle, fenced, stamp);
    let actual = call.actual.unwrap_or(row.bound);
    let mut head = head.clone();
    head.settle(row.bound, actual, &stamp.nonce);
    let mut writes = Writes::nothing(Reply::Done);
    let subject = rows.attempts.get(&settle.key.attempt_id).map(about_attempt).unwrap_or_default();
    if actual > row.bound {
        let overrun = EventKind::BudgetOverrun { model: row.model.clone(), bound: row.bound, actual };
        writes.events.push((subject.clone(), overrun));
    }
    writes.events.push((subject, settled_event(&call, actual, &head)));
    writes.rows.extend(running_totals(rows, &call, actual));
    writes.rows.push(Write::Call(call));
    writes.rows.push(Write::Head(head));
    Ok(writes)
}

fn settled_row(row: &CallRow, settle: &Settle, fenced: bool, stamp: &Stamp) -> CallRow {
    let paid = settle.paid.unwrap_or(Paid { cost: row.bound, input_tokens: 0, output_tokens: 0 });
    let known = settle.paid.is_some();
    CallRow {
        // A reply whose price is unknown was charged at its bound and is as good a memo as any other.
        reply: settle.reply.clone().filter(|_| !fenced),
        state: if known { CallState::Settled } else { CallState::Unknown },
        actual: Some(paid.cost),
        input_tokens: paid.input_tokens,
        output_tokens: paid.output_tokens,
        ok: settle.error.is_none() && (known || settle.reply.is_some()),
        error: settle.error.clone(),
        latency_ms: settle.latency_ms,
        settled_ms: Some(stamp.now_ms),
        ..row.clone()
    }
}

fn settled_event(call: &CallRow, actual: MicroUsd, head: &Head) -> EventKind {
    EventKind::BudgetSettled {
        model: call.model.clone(),
        bound: call.bound,
        actual,
        input_tokens: call.input_tokens,
        output_tokens: call.output_tokens,
        latency_ms: call.latency_ms,
        ok: call.ok,
        unknown: call.state == CallState::Unknown,
        usage: head.usage(),
    }
}

fn running_totals(rows: &Rows, call: &CallRow, actual: MicroUsd) -> Option<Write> {
    let mut attempt = rows.attempts.get(&call.key.attempt_id)?.clone();
    attempt.tokens += call.input_tokens + call.output_tokens;
    attempt.cost += actual;
    Some(Write::Attempt(attempt))
}

//! Reserve and settle: the only two commands that move the ledger's head.

use crate::command::{Paid, Refusal, Reply, Reserve, Settle, Stamp};
use crate::event::EventKind;
use crate::id::TaskKey;
use crate::ledger::{Grant, Head, tokens, tokens_scope};
use crate::money::MicroUsd;
use crate::rows::{AttemptRow, CallRow, CallState, PurseRow, Rows, Write};

use super::admission::charge;
use super::judgement::{self, Bound};
use super::{Writes, about_attempt, hold};

pub(super) fn reserve(rows: &Rows, ask: &Reserve, stamp: &Stamp) -> Result<Writes, Refusal> {
    let held = hold(rows, &ask.by)?;
    if held.root_key != ask.root_key {
        return Err(Refusal::Missing("purse of the task at the top"));
    }
    let tries = rows.tries(&ask.key.attempt_id, ask.key.step_n, ask.key.call_no);
    for row in tries {
        if let Some(text) = row.reply.as_ref().filter(|_| row.ok && row.input_hash == ask.input_hash) {
            let input_tokens = (row.state == CallState::Settled).then_some(row.input_tokens);
            return Ok(Writes::nothing(Reply::Memo { text: text.clone(), input_tokens }));
        }
    }
    if let Some(row) = rows.calls.get(&ask.key) {
        return granted_before(row, ask);
    }
    match judgement::judge(rows, ask)? {
        Ok(bound) => grant(rows, held, ask, bound, stamp),
        Err(reply) => Ok(Writes::nothing(reply)),
    }
}

/// The same reservation sent again by the same holder is answered as the first time while it is open. A settled one is
/// spent, and one of an earlier fence may still be spent by a zombie.
fn granted_before(row: &CallRow, ask: &Reserve) -> Result<Writes, Refusal> {
    let same = row.input_hash == ask.input_hash && row.fence == ask.by.fence;
    if row.state == CallState::Open && same {
        let prompt_tokens = row.bound_tokens.saturating_sub(row.max_out);
        let grant = Grant::new(row.key.clone(), row.bound, prompt_tokens, row.max_out);
        return Ok(Writes::nothing(Reply::Granted(grant)));
    }
    Err(Refusal::TryTaken(ask.key.clone()))
}

fn grant(
    rows: &Rows,
    held: &AttemptRow,
    ask: &Reserve,
    bound: Bound,
    stamp: &Stamp,
) -> Result<Writes, Refusal> {
    let mut head = rows.heads.get(&ask.scope).ok_or(Refusal::Missing("ledger head"))?.clone();
    head.reserve(bound.money, &stamp.nonce);
    let reserved =
        EventKind::BudgetReserved { model: ask.model.clone(), bound: bound.money, usage: head.usage() };
    let mut writes = vec![Write::Call(open_row(held, ask, bound, stamp)), Write::Head(head)];
    if let Some(mut head) = rows.heads.get(&tokens_scope(&ask.scope)).cloned() {
        head.reserve(tokens(bound.tokens), &stamp.nonce);
        writes.push(Write::Head(head));
    }
    let mut purse = purse(rows, &ask.root_key);
    purse.reserved += bound.money;
    purse.reserved_tokens += bound.tokens;
    writes.push(Write::Purse(purse));
    if held.waiting.is_some() {
        writes.push(Write::Attempt(AttemptRow { waiting: None, ..held.clone() }));
    }
    let prompt_tokens = bound.tokens - bound.max_out;
    Ok(Writes {
        rows: writes,
        events: vec![(about_attempt(held), reserved)],
        reply: Reply::Granted(Grant::new(ask.key.clone(), bound.money, prompt_tokens, bound.max_out)),
    })
}

fn purse(rows: &Rows, root_key: &TaskKey) -> PurseRow {
    let new = || PurseRow { root_key: root_key.clone(), ..PurseRow::default() };
    rows.purses.get(root_key).cloned().unwrap_or_else(new)
}

fn open_row(held: &AttemptRow, ask: &Reserve, bound: Bound, stamp: &Stamp) -> CallRow {
    CallRow {
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
        bound: bound.money,
        actual: None,
        max_out: bound.max_out,
        bound_tokens: bound.tokens,
        input_tokens: 0,
        output_tokens: 0,
        response: None,
        prompt: Vec::new(),
        ok: false,
        error: None,
        latency_ms: 0,
        created_ms: stamp.now_ms,
        settled_ms: None,
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
    let attempt = rows.attempts.get(&settle.key.attempt_id);
    let mut head = head.clone();
    head.settle(row.bound, actual, &stamp.nonce);
    attempt.into_iter().for_each(|attempt| charge(&mut head, attempt, actual, stamp));
    let mut writes = Writes::nothing(Reply::Done);
    let subject = attempt.map(about_attempt).unwrap_or_default();
    if actual > row.bound {
        head.trust(&row.model, false, &stamp.nonce);
        let overrun = EventKind::BudgetOverrun { model: row.model.clone(), bound: row.bound, actual };
        writes.events.push((subject.clone(), overrun));
    }
    writes.events.push((subject, settled_event(&call, actual, &head)));
    writes.rows.extend(running_totals(rows, &call, actual));
    writes.rows.extend(settled_tokens(rows, settle, &call, stamp));
    writes.rows.extend(settled_purse(rows, settle, &call, actual));
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
        response: settle.response.clone(),
        prompt: settle.prompt.clone(),
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
        stage: Some(call.stage),
        bound: call.bound,
        actual,
        input_tokens: call.input_tokens,
        output_tokens: call.output_tokens,
        charged_tokens: call.charged_tokens().unwrap_or(0),
        latency_ms: call.latency_ms,
        ok: call.ok,
        unknown: call.state == CallState::Unknown,
        usage: head.usage(),
        key: Some(call.key.clone()),
    }
}

fn running_totals(rows: &Rows, call: &CallRow, actual: MicroUsd) -> Option<Write> {
    let mut attempt = rows.attempts.get(&call.key.attempt_id)?.clone();
    attempt.tokens = attempt.tokens.saturating_add(call.charged_tokens().unwrap_or(0));
    attempt.cost += actual;
    Some(Write::Attempt(attempt))
}

fn settled_tokens(rows: &Rows, settle: &Settle, call: &CallRow, stamp: &Stamp) -> Option<Write> {
    let mut head = rows.heads.get(&tokens_scope(&settle.scope))?.clone();
    let charged = tokens(call.charged_tokens().unwrap_or(0));
    head.settle(tokens(call.bound_tokens), charged, &stamp.nonce);
    let attempt = rows.attempts.get(&call.key.attempt_id);
    attempt.into_iter().for_each(|attempt| charge(&mut head, attempt, charged, stamp));
    Some(Write::Head(head))
}

fn settled_purse(rows: &Rows, settle: &Settle, call: &CallRow, actual: MicroUsd) -> Option<Write> {
    // Whoever names another purse has not loaded the right one: that is not to be written over.
    let mut purse = rows.purses.get(&call.root_key).filter(|_| settle.root_key == call.root_key)?.clone();
    purse.reserved = purse.reserved - call.bound;
    purse.settled += actual;
    purse.reserved_tokens = purse.reserved_tokens.saturating_sub(call.bound_tokens);
    purse.tokens += call.charged_tokens().unwrap_or(0);
    Some(Write::Purse(purse))
}

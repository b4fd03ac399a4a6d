//! What all that limits a try says to it: its model, its task's caps, and the windows of money and of tokens.

use crate::command::{Refusal, Reply, Reserve};
use crate::ledger::{self, Bounds, Departures, Head, Verdict, tokens, tokens_scope};
use crate::money::MicroUsd;
use crate::outcome::HumanReason;
use crate::reason::{Reason, Wait};
use crate::rows::{PurseRow, Rows};

/// What a try may cost and use at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) money: MicroUsd,
    pub(super) tokens: u64,
    pub(super) max_out: u64,
}

/// Judges a try, or answers why it may not begin now. Each limit may clamp the output; the clamped one is then asked of the
/// next.
pub(super) fn judge(rows: &Rows, ask: &Reserve) -> Result<Result<Bound, Reply>, Refusal> {
    let head = rows.heads.get(&ask.scope).ok_or(Refusal::Missing("ledger head"))?;
    if !head.trusts(&ask.model) {
        let reason = Reason::ModelOverran { model: ask.model.clone() };
        return Ok(Err(Reply::Wait(Wait { reason, until_ms: None })));
    }
    let none = PurseRow::default();
    let purse = Purse { row: rows.purses.get(&ask.root_key).unwrap_or(&none), ask };
    Ok(purse.money_room().and_then(|room| {
        let max_out = in_windows(rows, head, &ask.bounds, room)?;
        let bounds = Bounds { max_out, ..ask.bounds.clone() };
        let max_out = purse.within_tokens(rows, &bounds)?;
        let prompt = bounds.prompt_tokens;
        let money = bounds.price.cost(prompt, max_out);
        Ok(Bound { money, tokens: prompt.saturating_add(max_out), max_out })
    }))
}

fn in_windows(rows: &Rows, head: &Head, bounds: &Bounds, room: MicroUsd) -> Result<u64, Reply> {
    let none = Departures::default();
    match ledger::judge(head, bounds, room, rows.departures.get(&head.scope).unwrap_or(&none)) {
        Verdict::Fits { max_out, .. } => Ok(max_out),
        Verdict::Waits(wait) => Err(Reply::Wait(wait)),
        Verdict::ExceedsCap { bound, cap } => Err(Reply::ExceedsCap { bound, cap }),
    }
}

/// What a root task has spent, and one question of one of its attempts.
struct Purse<'a> {
    row: &'a PurseRow,
    ask: &'a Reserve,
}

impl Purse<'_> {
    /// Returns what the task's cap in money leaves for the try.
    fn money_room(&self) -> Result<MicroUsd, Reply> {
        let Some(cap) = self.ask.task_caps.money else { return Ok(MicroUsd::new(i64::MAX)) };
        let (row, cap) = (self.row, cap + self.row.granted);
        room(cap, row.settled, row.reserved, self.ask.bounds.least()).map_err(|full| match full {
            Full::OfOpen => after_settlement(),
            Full::OfSpent => Reply::Human(HumanReason::TaskCap {
                spent_micro: row.settled.micro(),
                cap_micro: cap.micro(),
            }),
        })
    }

    /// Clamps the output to what the caps in tokens leave, where there are any.
    fn within_tokens(&self, rows: &Rows, bounds: &Bounds) -> Result<u64, Reply> {
        let bounds = bounds.in_tokens();
        let room = self.token_room(&bounds)?;
        match rows.heads.get(&tokens_scope(&self.ask.scope)) {
            Some(head) => in_windows(rows, head, &bounds, room).map_err(of_tokens),
            None => Ok(bounds.price.affordable_output(bounds.prompt_tokens, room, bounds.max_out)),
        }
    }

    fn token_room(&self, bounds: &Bounds) -> Result<MicroUsd, Reply> {
        let Some(cap) = self.ask.task_caps.tokens else { return Ok(MicroUsd::new(i64::MAX)) };
        let cap = cap.saturating_add(self.row.granted_tokens);
        let (spent, open) = (self.row.tokens, self.row.reserved_tokens);
        room(tokens(cap), tokens(spent), tokens(open), bounds.least()).map_err(|full| match full {
            Full::OfOpen => after_settlement(),
            Full::OfSpent => Reply::Human(HumanReason::TaskTokens { spent, cap }),
        })
    }
}

/// What fills a task's cap.
enum Full {
    /// Open reservations of its other parts: one of them may give room back.
    OfOpen,
    /// What is spent: waiting cannot help.
    OfSpent,
}

fn room(cap: MicroUsd, spent: MicroUsd, open: MicroUsd, least: MicroUsd) -> Result<MicroUsd, Full> {
    let left = cap - spent;
    if least > left {
        return Err(Full::OfSpent);
    }
    if least > left - open { Err(Full::OfOpen) } else { Ok(left - open) }
}

fn after_settlement() -> Reply {
    Reply::Wait(Wait { reason: Reason::TaskAfterSettlement, until_ms: None })
}

/// A bound above a cap of tokens is said in tokens.
fn of_tokens(reply: Reply) -> Reply {
    let count = |amount: MicroUsd| u64::try_from(amount.micro()).unwrap_or(0);
    match reply {
        Reply::ExceedsCap { bound, cap } => {
            Reply::Human(HumanReason::ExceedsTokens { bound: count(bound), cap: count(cap) })
        }
        other => other,
    }
}

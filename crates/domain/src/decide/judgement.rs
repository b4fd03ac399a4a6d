//! What all that limits a try says to it: its model, its task's caps, and the windows of money and of tokens.

use crate::command::{Refusal, Reply, Reserve};
use crate::ledger::{self, Bounds, Departures, Head, Lack, tokens, tokens_scope};
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

/// Judges a try, or answers why it may not begin now.
pub(super) fn judge(rows: &Rows, ask: &Reserve) -> Result<Result<Bound, Reply>, Refusal> {
    let head = rows.heads.get(&ask.scope).ok_or(Refusal::Missing("ledger head"))?;
    if !head.trusts(&ask.model) {
        let reason = Reason::ModelOverran { model: ask.model.clone() };
        return Ok(Err(Reply::Wait(Wait { reason, until_ms: None })));
    }
    let none = PurseRow::default();
    let purse = Purse { row: rows.purses.get(&ask.root_key).unwrap_or(&none), ask };
    let tokens_head = rows.heads.get(&tokens_scope(&ask.scope));
    let in_tokens = ask.bounds.in_tokens();
    let money = purse.money_room().and_then(|room| within(rows, Some(head), &ask.bounds, room));
    let tokens = purse.token_room(&in_tokens);
    let tokens = tokens.and_then(|room| within(rows, tokens_head, &in_tokens, room).map_err(of_tokens));
    Ok(match (money, tokens) {
        (Ok(money_room), Ok(token_room)) => Ok(bound(&ask.bounds.clamped(money_room), token_room)),
        (Err(reply), Ok(_)) | (Ok(_), Err(reply)) => Err(reply),
        (Err(money), Err(tokens)) => Err(later(money, tokens)),
    })
}

/// Clamps to what the room in tokens allows what is clamped to the room in money.
fn bound(bounds: &Bounds, token_room: MicroUsd) -> Bound {
    let (prompt, max_out) = (bounds.prompt_tokens, bounds.in_tokens().clamped(token_room).max_out);
    Bound { money: bounds.price.cost(prompt, max_out), tokens: prompt.saturating_add(max_out), max_out }
}

/// Returns what a ledger, where there is one, leaves of `room`.
fn within(rows: &Rows, head: Option<&Head>, bounds: &Bounds, room: MicroUsd) -> Result<MicroUsd, Reply> {
    let Some(head) = head else { return Ok(room) };
    let none = Departures::default();
    match ledger::lack(head, bounds, rows.departures.get(&head.scope).unwrap_or(&none)) {
        None => Ok(room.min(head.headroom())),
        Some(Lack::Waits(wait)) => Err(Reply::Wait(wait)),
        Some(Lack::ExceedsCap { bound, cap }) => Err(Reply::ExceedsCap { bound, cap }),
    }
}

/// Of two answers, the one that the other cannot end before: a wait that never ends comes first, then the longer one.
fn later(one: Reply, other: Reply) -> Reply {
    let until = |reply: &Reply| match reply {
        Reply::Wait(wait) => Some(wait.until_ms.unwrap_or(i64::MAX)),
        _ => None,
    };
    match (until(&one), until(&other)) {
        (Some(one_ms), Some(other_ms)) if one_ms >= other_ms => one,
        (None, _) => one,
        _ => other,
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

    /// Returns the same in tokens.
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
    let left = (cap - spent).max(MicroUsd::ZERO);
    if least > left {
        return Err(Full::OfSpent);
    }
    let room = (left - open).max(MicroUsd::ZERO);
    if least > room { Err(Full::OfOpen) } else { Ok(room) }
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

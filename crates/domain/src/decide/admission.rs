//! Whether a task may start as far as money goes, what its start takes from the pace, and what its end gives back.

use crate::command::{Claim, Refusal, Stamp};
use crate::id::TaskKey;
use crate::ledger::{Departures, Head, Unit, tokens, tokens_scope};
use crate::money::MicroUsd;
use crate::pacing::Spread;
use crate::reason::{Reason, Wait, Window};
use crate::rows::{AttemptRow, Rows, Write};
use crate::task::{TaskRow, TaskState};

/// What a task is expected to cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holds {
    pub(super) money: MicroUsd,
    /// None where tokens have no ledger.
    pub(super) tokens: u64,
}

/// What an attempt that goes on has spent before: it is expected to cost the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spent {
    pub(super) money: MicroUsd,
    pub(super) tokens: u64,
}

/// One question for admission, with the hold in the unit of each ledger.
pub(super) struct Admission<'a> {
    claim: &'a Claim,
    ledgers: Vec<(&'a Head, MicroUsd)>,
}

impl<'a> Admission<'a> {
    pub(super) fn of(
        rows: &'a Rows,
        claim: &'a Claim,
        task: &TaskRow,
        spent: Spent,
    ) -> Result<Self, Refusal> {
        let repo_id = task.repo_id.as_str();
        let money = rows.heads.get(&claim.scope).ok_or(Refusal::Missing("ledger head"))?;
        let tokens_head = rows.heads.get(&tokens_scope(&claim.scope));
        let expected = |head: &Head, otherwise| head.costs.expected(repo_id, task.size).unwrap_or(otherwise);
        let left = |head: &Head, otherwise, spent| above(expected(head, otherwise), spent);
        let of_tokens =
            tokens_head.map(|head| (head, left(head, tokens(claim.hold_tokens), tokens(spent.tokens))));
        let ledgers = [(money, left(money, claim.hold, spent.money))].into_iter().chain(of_tokens).collect();
        Ok(Self { claim, ledgers })
    }

    pub(super) fn holds(&self) -> Holds {
        let of = |unit| self.ledgers.iter().find(|(head, _)| head.unit() == unit).map(|(_, hold)| *hold);
        let tokens = of(Unit::Tokens).and_then(|hold| u64::try_from(hold.micro()).ok());
        Holds { money: of(Unit::Money).unwrap_or_default(), tokens: tokens.unwrap_or(0) }
    }

    /// Says how long the task has to wait, or that it may start now.
    pub(super) fn wait(&self, rows: &Rows, now_ms: i64) -> Option<Wait> {
        if let Some(wait) = self.claim.ahead.as_ref().and_then(|ahead| waiting_ahead(rows, ahead, now_ms)) {
            return Some(wait);
        }
        let model = &self.claim.model;
        if self.ledgers.iter().any(|(head, _)| !head.trusts(model)) {
            return Some(Wait { reason: Reason::ModelOverran { model: model.clone() }, until_ms: None });
        }
        let none = Departures::default();
        let waits = self.ledgers.iter().flat_map(|(head, hold)| {
            let departures = rows.departures.get(&head.scope).unwrap_or(&none);
            [pace_wait(head, *hold, now_ms), head.cap_wait(*hold, departures)]
        });
        waits.flatten().max_by_key(|wait| wait.until_ms.unwrap_or(i64::MAX))
    }

    /// Takes the holds from the buckets.
    pub(super) fn take(&self, stamp: &Stamp) -> impl Iterator<Item = Write> {
        self.ledgers.iter().map(|(head, hold)| {
            let mut head = (*head).clone();
            head.pour(MicroUsd::ZERO - *hold, stamp.now_ms, &stamp.nonce);
            Write::Head(head)
        })
    }
}

/// Nobody is overtaken, so that what flows in is kept for whoever is in front. It was asked for just before; a wait of its
/// whose instant has come is over.
fn waiting_ahead(rows: &Rows, ahead: &TaskKey, now_ms: i64) -> Option<Wait> {
    let task = rows.tasks.get(ahead).filter(|task| task.state == TaskState::Open)?;
    let reason = task.reason.clone().filter(|reason| reason.kind().holds_admission())?;
    let lasts = task.until_ms.is_none_or(|until_ms| until_ms > now_ms);
    lasts.then_some(Wait { reason, until_ms: task.until_ms })
}

fn pace_wait(head: &Head, hold: MicroUsd, now_ms: i64) -> Option<Wait> {
    let until_ms = head.bucket.wait_for(head.flow(), hold, now_ms)?;
    let spread = match head.bucket.spread {
        Spread::Hour => Window::Hour,
        Spread::Day => Window::Day,
    };
    let in_tokens = head.unit() == Unit::Tokens;
    Some(Wait { reason: Reason::Paced { spread, in_tokens }, until_ms: Some(until_ms) })
}

/// Gives back what an attempt that ends held and did not spend, and learns what it cost. What it spent beyond its hold was
/// taken when it was spent.
pub(super) fn give_back(
    rows: &Rows,
    scope: &str,
    held: &AttemptRow,
    repo_id: &str,
    stamp: &Stamp,
) -> Vec<Write> {
    let mut heads = poured_back(rows, scope, held, stamp);
    for (head, spent) in &mut heads {
        head.costs.learn(repo_id, held.size, *spent);
    }
    heads.into_iter().map(|(head, _)| Write::Head(head)).collect()
}

/// Gives back what an attempt that asks a person held and did not spend: it holds nothing while it waits, and has not
/// shown yet what it costs.
pub(super) fn set_down(rows: &Rows, scope: &str, held: &AttemptRow, stamp: &Stamp) -> Vec<Write> {
    poured_back(rows, scope, held, stamp).into_iter().map(|(head, _)| Write::Head(head)).collect()
}

/// Each ledger with what an attempt held and did not spend poured back, and what it spent there.
fn poured_back(rows: &Rows, scope: &str, held: &AttemptRow, stamp: &Stamp) -> Vec<(Head, MicroUsd)> {
    let [hold, spent] = [held.hold_tokens, held.tokens].map(tokens);
    let ledgers = [(scope.to_owned(), held.hold, held.cost), (tokens_scope(scope), hold, spent)];
    let heads = ledgers.into_iter().filter_map(|(scope, hold, spent)| {
        let mut head = rows.heads.get(&scope)?.clone();
        head.pour(above(hold, spent), stamp.now_ms, &stamp.nonce);
        Some((head, spent))
    });
    heads.collect()
}

/// Takes from the pace what an attempt is charged beyond its hold, at once: a task that is far dearer than it was thought
/// holds the others up while it runs, and not all of a sudden at its end. One that has ended holds nothing any more.
pub(super) fn charge(head: &mut Head, attempt: &AttemptRow, charged: MicroUsd, stamp: &Stamp) {
    let (hold, spent) = match head.unit() {
        Unit::Money => (attempt.hold, attempt.cost),
        Unit::Tokens => (tokens(attempt.hold_tokens), tokens(attempt.tokens)),
    };
    let hold = if attempt.status.is_some() { spent.min(hold) } else { hold };
    let beyond = above(spent + charged, hold) - above(spent, hold);
    if beyond > MicroUsd::ZERO {
        head.pour(MicroUsd::ZERO - beyond, stamp.now_ms, &stamp.nonce);
    }
}

/// How much more one amount is than another.
fn above(more: MicroUsd, less: MicroUsd) -> MicroUsd {
    (more - less).max(MicroUsd::ZERO)
}

//! The life of a process row, and the caps that a start sets.

use crate::command::{BootBearer, Refusal, Reply, Stamp};
use crate::event::{About, EventKind};
use crate::id::BootId;
use crate::ledger::{Head, Terms, tokens, tokens_scope};
use crate::money::MicroUsd;
use crate::rows::{ProcessRow, Rows, Write};
use crate::why::Rules;

use super::{Writes, live};

pub(super) fn start(
    rows: &Rows,
    process: &ProcessRow,
    scope: &str,
    wanted: Wanted,
    dead: &[BootId],
    stamp: &Stamp,
) -> Writes {
    let mut writes = Writes::nothing(Reply::Done);
    let gone = |row: &ProcessRow| dead.contains(&row.boot_id) || has_left(row, process);
    for row in rows.processes.values().filter(|row| row.alive && gone(row)) {
        writes.rows.push(Write::Process(ProcessRow { alive: false, ..row.clone() }));
    }
    let shares = |row: &ProcessRow| row.scope == scope && row.boot_id != process.boot_id;
    let others_live = rows.processes.values().any(|row| row.alive && !gone(row) && shares(row));
    let head = head_as_wanted(rows.heads.get(scope), scope, wanted, others_live, stamp);
    let usage = head.usage();
    if rows.heads.get(scope).is_none_or(|old| (old.cap_hour, old.cap_day) != (head.cap_hour, head.cap_day)) {
        writes.events.push((About::default(), EventKind::CapChanged { usage }));
    }
    let started = EventKind::ProcessStarted { host: process.host.clone(), pid: process.pid, usage };
    writes.events.push((About::default(), started));
    writes.rows.push(Write::Process(ProcessRow { scope: scope.to_owned(), ..process.clone() }));
    writes.rows.push(Write::Head(head));
    writes.rows.extend(tokens_as_wanted(rows, scope, wanted.terms, others_live, stamp).map(Write::Head));
    writes
}

/// What a start asks of its ledgers.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) hour: MicroUsd,
    pub(super) day: MicroUsd,
    pub(super) terms: Terms,
}

/// The ledger of tokens, once somebody wanted a cap of them. It has no cap of an hour.
fn tokens_as_wanted(
    rows: &Rows,
    scope: &str,
    terms: Terms,
    others_live: bool,
    stamp: &Stamp,
) -> Option<Head> {
    let scope = tokens_scope(scope);
    let old = rows.heads.get(&scope);
    if old.is_none() && terms.tokens_per_day.is_none() {
        return None;
    }
    let day = terms.tokens_per_day.map_or(MicroUsd::new(i64::MAX), tokens);
    let wanted = Wanted { hour: day, day, terms };
    let opened =
        rows.openings.get(&scope).map(|opening| Head { cap_hour: day, cap_day: day, ..opening.clone() });
    Some(head_as_wanted(old.or(opened.as_ref()), &scope, wanted, others_live, stamp))
}

/// Trusts a model again that had billed more than a bound.
pub(super) fn trust(rows: &Rows, scope: &str, model: &str, stamp: &Stamp) -> Result<Writes, Refusal> {
    let mut head = rows.heads.get(scope).ok_or(Refusal::Missing("ledger head"))?.clone();
    if head.trusts(model) {
        return Ok(Writes::nothing(Reply::Done));
    }
    head.trust(model, true, &stamp.nonce);
    let trusted = EventKind::ModelTrusted { model: model.to_owned() };
    Ok(Writes {
        rows: vec![Write::Head(head)],
        events: vec![(About::default(), trusted)],
        reply: Reply::Done,
    })
}

/// How long a lease of another host must be over before its process counts as dead, in ms: more than the clocks of two
/// hosts are apart, and more than a store that is busy or full holds up a beat.
pub const LEASE_MARGIN_MS: i64 = 600_000;

/// Tells whether a lease says that a process is gone. On its own host, a process is looked for and not guessed at: one
/// that was asleep or without a disk for longer than its lease lives on. Both instants are what wall clocks said, so
/// that a ledger whose time runs ahead of them ends no lease early.
fn has_left(row: &ProcessRow, starter: &ProcessRow) -> bool {
    row.host != starter.host && row.lease_until_ms.saturating_add(LEASE_MARGIN_MS) < starter.started_ms
}

/// While another boot of the scope lives, caps only go down: two processes with different flags cannot disagree upwards.
fn head_as_wanted(
    old: Option<&Head>,
    scope: &str,
    Wanted { hour, day, terms }: Wanted,
    others_live: bool,
    stamp: &Stamp,
) -> Head {
    let mut head = old.cloned().unwrap_or_else(|| empty(scope, (hour, day), stamp));
    head.bucket = head.bucket.spread_over(terms.spread, head.flow(), stamp.now_ms);
    let clamp = |current: MicroUsd, wanted: MicroUsd| if others_live { current.min(wanted) } else { wanted };
    head.cap_hour = clamp(head.cap_hour, hour);
    head.cap_day = clamp(head.cap_day, day);
    head.nonce.clone_from(&stamp.nonce);
    head
}

/// The tails begin a window back: what is settled in this very millisecond must leave as well.
fn empty(scope: &str, (hour, day): (MicroUsd, MicroUsd), stamp: &Stamp) -> Head {
    let mut head = Head::new(scope, hour, day);
    head.advance(stamp.now_ms, MicroUsd::ZERO, MicroUsd::ZERO);
    head
}

/// Takes the smaller of each cap. What is reserved or settled above the new cap stays: it delays what follows.
pub(super) fn lower_caps(
    rows: &Rows,
    by: &BootBearer,
    scope: &str,
    (hour, day): (MicroUsd, MicroUsd),
    stamp: &Stamp,
) -> Result<Writes, Refusal> {
    live(rows, by)?;
    let old = rows.heads.get(scope).ok_or(Refusal::Missing("ledger head"))?;
    let mut head = Head { cap_hour: old.cap_hour.min(hour), cap_day: old.cap_day.min(day), ..old.clone() };
    if (head.cap_hour, head.cap_day) == (old.cap_hour, old.cap_day) {
        return Ok(Writes::nothing(Reply::Done));
    }
    head.nonce.clone_from(&stamp.nonce);
    let changed = EventKind::CapChanged { usage: head.usage() };
    Ok(Writes {
        rows: vec![Write::Head(head)],
        events: vec![(About::default(), changed)],
        reply: Reply::Done,
    })
}

pub(super) fn beat(
    rows: &Rows,
    by: &BootBearer,
    lease_until_ms: i64,
    rules: Rules,
) -> Result<Writes, Refusal> {
    let process = live(rows, by)?.clone();
    Ok(Writes {
        rows: vec![Write::Process(ProcessRow { lease_until_ms, rules: Some(rules), ..process })],
        ..Writes::nothing(Reply::Done)
    })
}

pub(super) fn end(rows: &Rows, by: &BootBearer, why: &str, stamp: &Stamp) -> Result<Writes, Refusal> {
    let ended_before = |row: &&ProcessRow| !row.alive && row.fence == by.fence;
    if rows.processes.get(&by.boot_id).filter(ended_before).is_some() {
        return Ok(Writes::nothing(Reply::Done));
    }
    let process = live(rows, by)?.clone();
    let ended = ProcessRow { alive: false, lease_until_ms: stamp.now_ms, ..process };
    Ok(Writes {
        rows: vec![Write::Process(ended)],
        events: vec![(About::default(), EventKind::ProcessEnded { why: why.to_owned() })],
        reply: Reply::Done,
    })
}

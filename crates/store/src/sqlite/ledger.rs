//! Ledgers as of now: their tails moved, what leaves next, and what was there before one was opened.

use std::collections::BTreeMap;

use glitchlab_domain::ledger::{DEPARTURES, Departures, Head, Unit, counted};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::reason::Window;
use glitchlab_domain::rows::{RowKey, Rows};
use rusqlite::{Connection, Row, params};

use crate::batch::may_wait;
use crate::error::StoreError;
use crate::sqlite::load::Listing;

/// Moves the tails of the heads to now, and loads departures where the room may not do; returns that now.
pub(super) fn advance_all(
    connection: &Connection,
    rows: &mut Rows,
    asked: &BTreeMap<String, MicroUsd>,
    clock_ms: i64,
    listing: Listing,
) -> Result<i64, StoreError> {
    let now_ms = rows.heads.values().map(|head| head.now(clock_ms)).max().unwrap_or(clock_ms);
    for (scope, head) in &mut rows.heads {
        advance(connection, head, now_ms)?;
        if listing == Listing::Always || may_wait(head, asked.get(scope).copied().unwrap_or_default()) {
            rows.departures.insert(scope.clone(), departures(connection, head)?);
        }
    }
    Ok(now_ms)
}

fn advance(connection: &Connection, head: &mut Head, now_ms: i64) -> Result<(), StoreError> {
    let (hour, day) = (head.leaving(Window::Hour, now_ms), head.leaving(Window::Day, now_ms));
    let left = |(after, up_to): (i64, i64)| match after == up_to {
        true => Ok(MicroUsd::ZERO),
        false => left(connection, &head.scope, after, up_to),
    };
    let (hour, day) = (left(hour)?, left(day)?);
    head.advance(now_ms, hour, day);
    Ok(())
}

/// Returns what left a window.
fn left(connection: &Connection, scope: &str, after: i64, up_to: i64) -> Result<MicroUsd, StoreError> {
    let (scope, unit) = counted(scope);
    let mut statement = connection.prepare_cached(left_text(unit))?;
    Ok(statement.query_row(params![scope, after, up_to], |row| amount(row, 0))?)
}

fn amount(row: &Row<'_>, column: usize) -> rusqlite::Result<MicroUsd> {
    row.get(column).map(MicroUsd::new)
}

/// Sums up the calls that a ledger of tokens will count which is not opened yet.
pub(super) fn sum_up(
    connection: &Connection,
    rows: &mut Rows,
    keys: &[RowKey],
    now_ms: i64,
) -> Result<(), StoreError> {
    for key in keys {
        let RowKey::Opening(scope) = key else { continue };
        if rows.heads.contains_key(scope) {
            continue;
        }
        let mut head = Head::unopened(scope, now_ms);
        let mut statement = connection.prepare_cached(TOKENS_BEFORE)?;
        let values = params![counted(scope).0, head.tail_hour_ms, head.tail_day_ms];
        let sums = |row: &Row<'_>| Ok((amount(row, 0)?, amount(row, 1)?, amount(row, 2)?, amount(row, 3)?));
        (head.reserved, head.sum_hour, head.sum_day, head.settled_total) =
            statement.query_row(values, sums)?;
        rows.openings.insert(scope.clone(), head);
    }
    Ok(())
}

/// What is open, and what was settled within the hour, within the day, and ever, in tokens.
const TOKENS_BEFORE: &str = "SELECT (SELECT COALESCE(SUM(json_extract(body, '$.bound_tokens')), 0) FROM model_call WHERE scope = ?1 AND state = 'open'), COALESCE(SUM(CASE WHEN settled_ms > ?2 THEN tokens END), 0), COALESCE(SUM(CASE WHEN settled_ms > ?3 THEN tokens END), 0), COALESCE(SUM(tokens), 0) FROM model_call WHERE scope = ?1";

/// Sums up what left a window: of a scope, after an instant, up to another.
pub(crate) const fn left_text(unit: Unit) -> &'static str {
    match unit {
        Unit::Money => {
            "SELECT COALESCE(SUM(actual_micro), 0) FROM model_call WHERE scope = ? AND settled_ms > ? AND settled_ms <= ?"
        }
        Unit::Tokens => {
            "SELECT COALESCE(SUM(tokens), 0) FROM model_call WHERE scope = ? AND settled_ms > ? AND settled_ms <= ?"
        }
    }
}

fn departures(connection: &Connection, head: &Head) -> Result<Departures, StoreError> {
    Ok(Departures {
        hour: first(connection, &head.scope, head.tail_hour_ms)?,
        day: first(connection, &head.scope, head.tail_day_ms)?,
    })
}

fn first(connection: &Connection, scope: &str, after: i64) -> Result<Vec<(i64, MicroUsd)>, StoreError> {
    let (scope, unit) = counted(scope);
    let mut statement = connection.prepare_cached(departed_text(unit))?;
    let values = params![scope, after, i64::try_from(DEPARTURES).unwrap_or(i64::MAX)];
    let rows = statement.query_map(values, |row| Ok((row.get(0)?, amount(row, 1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Lists settlements: of a scope, after an instant, at most so many.
pub(crate) const fn departed_text(unit: Unit) -> &'static str {
    match unit {
        Unit::Money => {
            "SELECT settled_ms, actual_micro FROM model_call WHERE scope = ? AND settled_ms > ? ORDER BY settled_ms LIMIT ?"
        }
        Unit::Tokens => {
            "SELECT settled_ms, COALESCE(tokens, 0) FROM model_call WHERE scope = ? AND settled_ms > ? ORDER BY settled_ms LIMIT ?"
        }
    }
}

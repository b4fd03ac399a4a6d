//! Ledgers as of now: their tails moved, what leaves next, and what was there before one was opened.

use std::collections::BTreeMap;

use glitchlab_domain::ledger::{DEPARTURES, Departures, Head, Unit, counted};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::reason::Window;
use glitchlab_domain::rows::Rows;
use sqlx::{Row, SqliteConnection};

use crate::batch::may_wait;
use crate::error::StoreError;
use crate::sqlite::load::Listing;

/// Moves the tails of the heads to now, and loads departures where the room may not do; returns that now.
pub(super) async fn advance_all(
    connection: &mut SqliteConnection,
    rows: &mut Rows,
    asked: &BTreeMap<String, MicroUsd>,
    clock_ms: i64,
    listing: Listing,
) -> Result<i64, StoreError> {
    let now_ms = rows.heads.values().map(|head| head.now(clock_ms)).max().unwrap_or(clock_ms);
    for (scope, head) in &mut rows.heads {
        advance(connection, head, now_ms).await?;
        if listing == Listing::Always || may_wait(head, asked.get(scope).copied().unwrap_or_default()) {
            rows.departures.insert(scope.clone(), departures(connection, head).await?);
        }
    }
    Ok(now_ms)
}

pub(crate) async fn advance(
    connection: &mut SqliteConnection,
    head: &mut Head,
    now_ms: i64,
) -> Result<(), StoreError> {
    let (hour, day) = (head.leaving(Window::Hour, now_ms), head.leaving(Window::Day, now_ms));
    if (hour.0, day.0) == (hour.1, day.1) {
        head.advance(now_ms, MicroUsd::ZERO, MicroUsd::ZERO);
        return Ok(());
    }
    let (scope, unit) = counted(&head.scope);
    let mut query = sqlx::query(match unit {
        Unit::Money => LEFT,
        Unit::Tokens => TOKENS_LEFT,
    });
    for (after, up_to) in [hour, day] {
        query = query.bind(scope).bind(after).bind(up_to);
    }
    let sums = query.fetch_one(connection).await?;
    head.advance(now_ms, MicroUsd::new(sums.try_get(0)?), MicroUsd::new(sums.try_get(1)?));
    Ok(())
}

/// Sums up the calls that a ledger of tokens will count which is not opened yet.
pub(super) async fn sum_up(
    connection: &mut SqliteConnection,
    rows: &mut Rows,
    scopes: &[String],
    now_ms: i64,
) -> Result<(), StoreError> {
    for scope in scopes {
        if rows.heads.contains_key(scope) {
            continue;
        }
        let mut head = Head::unopened(scope, now_ms);
        let counted = counted(scope).0;
        let query = sqlx::query(TOKENS_BEFORE).bind(counted);
        let query = query.bind(head.tail_hour_ms).bind(head.tail_day_ms).bind(counted);
        let sums = query.fetch_one(&mut *connection).await?;
        let sum = |column: usize| Ok::<_, StoreError>(MicroUsd::new(sums.try_get(column)?));
        (head.reserved, head.sum_hour) = (sum(0)?, sum(1)?);
        (head.sum_day, head.settled_total) = (sum(2)?, sum(3)?);
        rows.openings.insert(scope.clone(), head);
    }
    Ok(())
}

/// What is open, and what was settled within the hour, within the day, and ever, in tokens.
const TOKENS_BEFORE: &str = "SELECT (SELECT COALESCE(SUM(json_extract(body, '$.bound_tokens')), 0) FROM model_call WHERE scope = ? AND state = 'open'), COALESCE(SUM(CASE WHEN settled_ms > ? THEN tokens END), 0), COALESCE(SUM(CASE WHEN settled_ms > ? THEN tokens END), 0), COALESCE(SUM(tokens), 0) FROM model_call WHERE scope = ?";

/// What left two windows.
const LEFT: &str = "SELECT (SELECT COALESCE(SUM(actual_micro), 0) FROM model_call WHERE scope = ? AND settled_ms > ? AND settled_ms <= ?), (SELECT COALESCE(SUM(actual_micro), 0) FROM model_call WHERE scope = ? AND settled_ms > ? AND settled_ms <= ?)";

/// The same in tokens.
const TOKENS_LEFT: &str = "SELECT (SELECT COALESCE(SUM(tokens), 0) FROM model_call WHERE scope = ? AND settled_ms > ? AND settled_ms <= ?), (SELECT COALESCE(SUM(tokens), 0) FROM model_call WHERE scope = ? AND settled_ms > ? AND settled_ms <= ?)";

pub(crate) async fn departures(
    connection: &mut SqliteConnection,
    head: &Head,
) -> Result<Departures, StoreError> {
    Ok(Departures {
        hour: first(connection, &head.scope, head.tail_hour_ms).await?,
        day: first(connection, &head.scope, head.tail_day_ms).await?,
    })
}

async fn first(
    connection: &mut SqliteConnection,
    scope: &str,
    after: i64,
) -> Result<Vec<(i64, MicroUsd)>, StoreError> {
    let (scope, unit) = counted(scope);
    let rows = sqlx::query(match unit {
        Unit::Money => "SELECT settled_ms, actual_micro FROM model_call WHERE scope = ? AND settled_ms > ? ORDER BY settled_ms LIMIT ?",
        Unit::Tokens => "SELECT settled_ms, COALESCE(tokens, 0) FROM model_call WHERE scope = ? AND settled_ms > ? ORDER BY settled_ms LIMIT ?",
    })
    .bind(scope)
    .bind(after)
    .bind(i64::try_from(DEPARTURES).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, MicroUsd::new(row.try_get(1)?)))).collect()
}

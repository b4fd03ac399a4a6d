//! The ledger of a scope, for pages.

use glitchlab_domain::ledger::{DEPARTURES, Departures, Head, counted};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::reason::Window;
use sqlx::{Row, SqliteConnection};

use super::{Reader, fetch};
use crate::error::StoreError;
use crate::sqlite::ledger::{departed_text, left_text};
use crate::sqlite::load;

impl Reader {
    /// Returns the head of a ledger as it was last written: its caps are of now, its sums of then. This is one row, and what
    /// [`Reader::ledger`] adds are many.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn head(&self, scope: &str) -> Result<Option<Head>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| contents.rows.heads.get(scope).cloned())),
            Self::Sqlite(pool) => {
                let query =
                    sqlx::query("SELECT body FROM ledger_head WHERE scope = ?").bind(scope.to_owned());
                Ok(fetch(pool, query).await?.pop())
            }
        }
    }

    /// Returns the ledger of a scope as of `clock_ms`, with what leaves its windows next.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn ledger(&self, scope: &str, clock_ms: i64) -> Result<Option<(Head, Departures)>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| {
                let mut head = contents.rows.heads.get(scope)?.clone();
                let now_ms = head.now(clock_ms);
                let left = |window| contents.sum(scope, head.leaving(window, now_ms));
                let (hour, day) = (left(Window::Hour), left(Window::Day));
                head.advance(now_ms, hour, day);
                let departures = Departures {
                    hour: contents.first(scope, head.tail_hour_ms),
                    day: contents.first(scope, head.tail_day_ms),
                };
                Some((head, departures))
            })),
            Self::Sqlite(pool) => {
                let mut transaction = pool.begin().await?;
                let query =
                    sqlx::query("SELECT body FROM ledger_head WHERE scope = ?").bind(scope.to_owned());
                let Some(row) = query.fetch_optional(&mut *transaction).await? else { return Ok(None) };
                let mut head: Head = load::read(row.try_get(0)?)?;
                let now_ms = head.now(clock_ms);
                advance(&mut transaction, &mut head, now_ms).await?;
                let departures = departures(&mut transaction, &head).await?;
                Ok(Some((head, departures)))
            }
        }
    }
}

async fn advance(connection: &mut SqliteConnection, head: &mut Head, now_ms: i64) -> Result<(), StoreError> {
    let hour = left(connection, head, head.leaving(Window::Hour, now_ms)).await?;
    let day = left(connection, head, head.leaving(Window::Day, now_ms)).await?;
    head.advance(now_ms, hour, day);
    Ok(())
}

async fn left(
    connection: &mut SqliteConnection,
    head: &Head,
    (after, up_to): (i64, i64),
) -> Result<MicroUsd, StoreError> {
    let (scope, unit) = counted(&head.scope);
    let query = sqlx::query(left_text(unit)).bind(scope).bind(after).bind(up_to);
    Ok(MicroUsd::new(query.fetch_one(connection).await?.try_get(0)?))
}

async fn departures(connection: &mut SqliteConnection, head: &Head) -> Result<Departures, StoreError> {
    Ok(Departures {
        hour: first(connection, head, head.tail_hour_ms).await?,
        day: first(connection, head, head.tail_day_ms).await?,
    })
}

async fn first(
    connection: &mut SqliteConnection,
    head: &Head,
    after: i64,
) -> Result<Vec<(i64, MicroUsd)>, StoreError> {
    let (scope, unit) = counted(&head.scope);
    let most = i64::try_from(DEPARTURES).unwrap_or(i64::MAX);
    let query = sqlx::query(departed_text(unit)).bind(scope).bind(after).bind(most);
    let rows = query.fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, MicroUsd::new(row.try_get(1)?)))).collect()
}

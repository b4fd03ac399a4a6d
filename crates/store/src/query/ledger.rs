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
    /// Returns the head of a ledger as it was last written: its caps are of now, its sums of then.
    ///
    /// # Errors
    ///
    /// Returns what the database says; so do all reads here.
    pub async fn head(&self, scope: &str) -> Result<Option<Head>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| contents.rows.heads.get(scope).cloned())),
            Self::Sqlite(pool) => {
                let query = sqlx::query(HEAD).bind(scope.to_owned());
                Ok(fetch(pool, query).await?.pop())
            }
        }
    }

    /// Returns the head of a ledger as of `clock_ms`.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn ledger(&self, scope: &str, clock_ms: i64) -> Result<Option<Head>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| contents.head_at(scope, clock_ms))),
            Self::Sqlite(pool) => head_at(&mut *pool.begin().await?, scope, clock_ms).await,
        }
    }

    /// Returns the same with what leaves its windows next, which are up to a thousand rows.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn ledger_and_departures(
        &self,
        scope: &str,
        clock_ms: i64,
    ) -> Result<Option<(Head, Departures)>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| {
                let head = contents.head_at(scope, clock_ms)?;
                let departures = contents.departures(&head);
                Some((head, departures))
            })),
            Self::Sqlite(pool) => {
                let mut transaction = pool.begin().await?;
                let Some(head) = head_at(&mut transaction, scope, clock_ms).await? else { return Ok(None) };
                let departures = departures(&mut transaction, &head).await?;
                Ok(Some((head, departures)))
            }
        }
    }
}

const HEAD: &str = "SELECT body FROM ledger_head WHERE scope = ?";

async fn head_at(
    connection: &mut SqliteConnection,
    scope: &str,
    clock_ms: i64,
) -> Result<Option<Head>, StoreError> {
    let query = sqlx::query(HEAD).bind(scope.to_owned());
    let Some(row) = query.fetch_optional(&mut *connection).await? else { return Ok(None) };
    let mut head: Head = load::read(row.try_get(0)?)?;
    let now_ms = head.now(clock_ms);
    let hour = left(connection, &head, head.leaving(Window::Hour, now_ms)).await?;
    let day = left(connection, &head, head.leaving(Window::Day, now_ms)).await?;
    head.advance(now_ms, hour, day);
    Ok(Some(head))
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

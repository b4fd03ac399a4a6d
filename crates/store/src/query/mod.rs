//! Views are queries: plain reads, through connections of their own.

mod alerts;
mod control;
mod history;
mod ledger;
mod live;
mod recovery;
mod story;
mod summaries;
mod traces;

pub use alerts::Following;
use glitchlab_domain::id::TaskKey;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::rows::{AttemptRow, PurseRow};
use glitchlab_domain::task::TaskRow;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Row, SqlitePool};

use crate::error::StoreError;
use crate::memory::Memory;
use crate::rows::Stored;
use crate::sqlite::load;

/// Reads a store. Cheap to clone.
#[derive(Clone)]
pub enum Reader {
    /// The maps of the in-memory store.
    Memory(Memory),
    /// Read-only connections.
    Sqlite(SqlitePool),
}

impl Reader {
    /// Returns all tasks of a repository.
    ///
    /// # Errors
    ///
    /// Returns what the database says; so do all reads here.
    pub async fn tasks(&self, repo_id: &str) -> Result<Vec<TaskRow>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| {
                contents.rows.tasks.values().filter(|task| task.repo_id == repo_id).cloned().collect()
            })),
            Self::Sqlite(pool) => {
                fetch(pool, sqlx::query("SELECT body FROM task WHERE repo_id = ?").bind(repo_id.to_owned()))
                    .await
            }
        }
    }

    /// Returns one task.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn task(&self, key: &TaskKey) -> Result<Option<TaskRow>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| contents.rows.tasks.get(key).cloned())),
            Self::Sqlite(pool) => {
                let query = sqlx::query("SELECT body FROM task WHERE task_key = ?").bind(key.to_string());
                Ok(fetch(pool, query).await?.pop())
            }
        }
    }

    /// Returns the money of a root task, once something was reserved for it.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn purse(&self, root_key: &TaskKey) -> Result<Option<PurseRow>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| contents.rows.purses.get(root_key).cloned())),
            Self::Sqlite(pool) => {
                let query =
                    sqlx::query("SELECT body FROM purse WHERE root_key = ?").bind(root_key.to_string());
                Ok(fetch(pool, query).await?.pop())
            }
        }
    }

    /// Returns the attempts of a task, oldest first.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn attempts(&self, key: &TaskKey) -> Result<Vec<AttemptRow>, StoreError> {
        let mut attempts: Vec<AttemptRow> = match self {
            Self::Memory(memory) => memory.read(|contents| {
                contents.rows.attempts.values().filter(|attempt| attempt.task_key == *key).cloned().collect()
            }),
            Self::Sqlite(pool) => {
                let query = sqlx::query("SELECT body FROM attempt WHERE task_key = ?").bind(key.to_string());
                fetch(pool, query).await?
            }
        };
        attempts.sort_by_key(|attempt| attempt.n);
        Ok(attempts)
    }

    /// Returns what was settled in each clock hour since `since_ms`: the hour's start in ms UTC and the sum.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn spend_by_hour(
        &self,
        scope: &str,
        since_ms: i64,
    ) -> Result<Vec<(i64, MicroUsd)>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| {
                let mut hours = std::collections::BTreeMap::<i64, MicroUsd>::new();
                for (at, amount) in contents.settled_since(scope, since_ms) {
                    *hours.entry(at - at.rem_euclid(3_600_000)).or_default() += amount;
                }
                hours.into_iter().collect()
            })),
            Self::Sqlite(pool) => {
                let rows = sqlx::query(
                    "SELECT settled_ms - settled_ms % 3600000 AS hour, SUM(actual_micro) FROM model_call WHERE scope = ? AND settled_ms > ? GROUP BY hour ORDER BY hour",
                )
                .bind(scope.to_owned())
                .bind(since_ms)
                .fetch_all(pool)
                .await?;
                rows.iter().map(|row| Ok((row.try_get(0)?, MicroUsd::new(row.try_get(1)?)))).collect()
            }
        }
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments>;

/// Reads the bodies that a query returns as its first column.
async fn fetch<T: Stored>(pool: &SqlitePool, query: Query<'_>) -> Result<Vec<T>, StoreError> {
    let rows = query.fetch_all(pool).await?;
    rows.iter().map(|row| load::read(row.try_get(0)?)).collect()
}

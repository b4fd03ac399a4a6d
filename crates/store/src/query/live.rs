//! What the live page starts from, and what the log and a second process read.

use glitchlab_domain::event::Event;
use glitchlab_domain::id::AttemptId;
use glitchlab_domain::rows::{AttemptRow, CallRow, StepRow};

use super::{Reader, fetch};
use crate::error::StoreError;

impl Reader {
    /// Returns the last `count` events of all boots, oldest first.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn last_events(&self, count: u32) -> Result<Vec<Event>, StoreError> {
        let mut events: Vec<Event> = match self {
            Self::Memory(memory) => {
                memory.read(|contents| contents.events.iter().rev().take(count as usize).cloned().collect())
            }
            Self::Sqlite(pool) => {
                let query =
                    sqlx::query("SELECT body FROM event ORDER BY at_ms DESC, boot_id DESC, seq DESC LIMIT ?");
                fetch(pool, query.bind(i64::from(count))).await?
            }
        };
        events.reverse();
        Ok(events)
    }

    /// Returns the last `count` events of the boots that worked on a repository, oldest first.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn last_events_of(&self, repo_id: &str, count: u32) -> Result<Vec<Event>, StoreError> {
        let mut events: Vec<Event> = match self {
            Self::Memory(memory) => memory.read(|contents| {
                let boots = &contents.rows.processes;
                let ours =
                    |event: &&Event| boots.get(&event.id.boot_id).is_some_and(|row| row.repo_id == repo_id);
                contents.events.iter().rev().filter(ours).take(count as usize).cloned().collect()
            }),
            Self::Sqlite(pool) => {
                let query = sqlx::query(
                    "SELECT body FROM event WHERE boot_id IN (SELECT boot_id FROM process WHERE repo_id = ?) ORDER BY at_ms DESC, boot_id DESC, seq DESC LIMIT ?",
                );
                fetch(pool, query.bind(repo_id.to_owned()).bind(i64::from(count))).await?
            }
        };
        events.reverse();
        Ok(events)
    }

    /// Returns the events of one name, oldest first, of the boots that worked on a repository, from an instant on, ms UTC.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn events_named(
        &self,
        repo_id: &str,
        name: &'static str,
        since_ms: i64,
    ) -> Result<Vec<Event>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| {
                let boots = &contents.rows.processes;
                let wanted = |event: &&Event| {
                    event.kind.name() == name
                        && event.at_ms >= since_ms
                        && boots.get(&event.id.boot_id).is_some_and(|row| row.repo_id == repo_id)
                };
                contents.events.iter().filter(wanted).cloned().collect()
            })),
            Self::Sqlite(pool) => {
                let query = sqlx::query(
                    "SELECT body FROM event WHERE at_ms >= ? AND kind = ? AND boot_id IN (SELECT boot_id FROM process WHERE repo_id = ?) ORDER BY at_ms, boot_id, seq",
                );
                fetch(pool, query.bind(since_ms).bind(name).bind(repo_id.to_owned())).await
            }
        }
    }

    /// Returns the attempts that have not ended.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn running_attempts(&self) -> Result<Vec<AttemptRow>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| {
                contents.rows.attempts.values().filter(|row| row.status.is_none()).cloned().collect()
            })),
            Self::Sqlite(pool) => {
                fetch(pool, sqlx::query("SELECT body FROM attempt WHERE status IS NULL")).await
            }
        }
    }

    /// Returns the steps of an attempt in order.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn steps(&self, attempt_id: &AttemptId) -> Result<Vec<StepRow>, StoreError> {
        let mut steps: Vec<StepRow> = match self {
            Self::Memory(memory) => memory.read(|contents| {
                contents.rows.steps.values().filter(|step| step.attempt_id == *attempt_id).cloned().collect()
            }),
            Self::Sqlite(pool) => {
                // `0` follows `/`: these are the keys that begin with the attempt's id and a slash.
                let query = sqlx::query("SELECT body FROM step WHERE step_id >= ? AND step_id < ?")
                    .bind(format!("{attempt_id}/"))
                    .bind(format!("{attempt_id}0"));
                fetch(pool, query).await?
            }
        };
        steps.sort_by_key(|step| step.n);
        Ok(steps)
    }

    /// Returns every call of a scope, in order of creation: what `doctor` and the tests recompute the ledger from.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn calls(&self, scope: &str) -> Result<Vec<CallRow>, StoreError> {
        let mut calls: Vec<CallRow> = match self {
            Self::Memory(memory) => memory.read(|contents| {
                contents.rows.calls.values().filter(|call| call.scope == scope).cloned().collect()
            }),
            Self::Sqlite(pool) => {
                fetch(pool, sqlx::query("SELECT body FROM model_call WHERE scope = ?").bind(scope.to_owned()))
                    .await?
            }
        };
        calls.sort_by(|a, b| (a.created_ms, &a.key).cmp(&(b.created_ms, &b.key)));
        Ok(calls)
    }
}

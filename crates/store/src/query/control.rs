//! What people ask of an engine, and what keeps a repository's tasks from starting.

use glitchlab_domain::rows::{ControlRow, GateRow};

use super::{Reader, fetch};
use crate::error::StoreError;

impl Reader {
    /// Returns what was asked of a repository's engine and is not done yet, in the order in which it was said.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn open_controls(&self, repo_id: &str) -> Result<Vec<ControlRow>, StoreError> {
        let mut open: Vec<ControlRow> = match self {
            Self::Memory(memory) => memory.read(|contents| {
                let is_open = |row: &&ControlRow| row.repo_id == repo_id && row.done_ms.is_none();
                contents.rows.controls.values().filter(is_open).cloned().collect()
            }),
            Self::Sqlite(pool) => {
                let query = sqlx::query("SELECT body FROM control WHERE repo_id = ? AND done_ms IS NULL");
                fetch(pool, query.bind(repo_id.to_owned())).await?
            }
        };
        open.sort_by(|a, b| (a.at_ms, &a.id).cmp(&(b.at_ms, &b.id)));
        Ok(open)
    }

    /// Returns what somebody has asked for.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn control(&self, id: &str) -> Result<Option<ControlRow>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| contents.rows.controls.get(id).cloned())),
            Self::Sqlite(pool) => {
                let query = sqlx::query("SELECT body FROM control WHERE id = ?").bind(id.to_owned());
                Ok(fetch(pool, query).await?.pop())
            }
        }
    }

    /// Returns the gate of a repository; one that was never written is open.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn gate(&self, repo_id: &str) -> Result<GateRow, StoreError> {
        let gate = match self {
            Self::Memory(memory) => memory.read(|contents| contents.rows.gates.get(repo_id).cloned()),
            Self::Sqlite(pool) => {
                let query = sqlx::query("SELECT body FROM gate WHERE repo_id = ?").bind(repo_id.to_owned());
                fetch(pool, query).await?.pop()
            }
        };
        Ok(gate.unwrap_or_else(|| GateRow { repo_id: repo_id.to_owned(), ..GateRow::default() }))
    }
}

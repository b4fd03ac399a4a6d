//! What a start or a reconcile needs to know: who works on what, and what a dead boot left open.

use glitchlab_domain::rows::{CallRow, CallState, ChildRow, ClaimRow, ProcessRow};

use super::{Reader, fetch};
use crate::error::StoreError;

impl Reader {
    /// Returns the claims of a repository.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn claims(&self, repo_id: &str) -> Result<Vec<ClaimRow>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| {
                contents.rows.claims.values().filter(|claim| claim.repo_id == repo_id).cloned().collect()
            })),
            Self::Sqlite(pool) => {
                fetch(pool, sqlx::query("SELECT body FROM claim WHERE repo_id = ?").bind(repo_id.to_owned()))
                    .await
            }
        }
    }

    /// Returns the reservations that are open, of every boot.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn open_calls(&self) -> Result<Vec<CallRow>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| {
                contents.rows.calls.values().filter(|call| call.state == CallState::Open).cloned().collect()
            })),
            Self::Sqlite(pool) => {
                fetch(pool, sqlx::query("SELECT body FROM model_call WHERE state = 'open'")).await
            }
        }
    }

    /// Returns the long processes that are not known to be gone, of every boot.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn running_children(&self) -> Result<Vec<ChildRow>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| {
                contents.rows.children.values().filter(|child| child.ended_ms.is_none()).cloned().collect()
            })),
            Self::Sqlite(pool) => {
                fetch(pool, sqlx::query("SELECT body FROM child WHERE ended_ms IS NULL")).await
            }
        }
    }

    /// Returns the processes that count as alive.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn alive_processes(&self) -> Result<Vec<ProcessRow>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| {
                contents.rows.processes.values().filter(|row| row.alive).cloned().collect()
            })),
            Self::Sqlite(pool) => fetch(pool, sqlx::query("SELECT body FROM process WHERE alive = 1")).await,
        }
    }
}

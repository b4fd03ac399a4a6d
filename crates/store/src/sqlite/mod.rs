//! The embedded store: one SQLite file in WAL mode, one bare connection for the writer, full sync.

pub(crate) mod load;
mod open;
mod save;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use glitchlab_domain::command::Command;
use glitchlab_domain::id::BootId;
use sqlx::{Connection, Row, SqliteConnection, SqlitePool};

use crate::batch::{self, Decided, Place, decide_all};
use crate::error::StoreError;

/// The writer's connection to a store file.
pub struct Sqlite {
    connection: SqliteConnection,
    /// Held from BEGIN to COMMIT: under `busy_timeout` alone two processes starve each other.
    turn: Arc<File>,
}

impl Sqlite {
    /// Opens the file, makes it when it is not there, and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::NewerSchema`] for a file of a newer program, [`StoreError::Unusable`] for one that is no
    /// store, and what the database says otherwise. Nothing is written then.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = open::connect(path).await?;
        let turn = Arc::new(open::turn_file(path)?);
        Ok(Self { connection, turn })
    }

    /// Opens a pool of read-only connections to the same file.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn readers(path: &Path) -> Result<SqlitePool, StoreError> {
        open::readers(path).await
    }

    pub(crate) async fn execute(
        &mut self,
        commands: &[&Command],
        clock_ms: i64,
        place: &Place,
    ) -> Result<Decided, StoreError> {
        take_turn(&self.turn).await?;
        let result = self.transact(commands, clock_ms, place).await;
        let _ = self.turn.unlock();
        result
    }

    async fn transact(
        &mut self,
        commands: &[&Command],
        clock_ms: i64,
        place: &Place,
    ) -> Result<Decided, StoreError> {
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let (keys, asked) = batch::needs(commands);
        let (mut rows, now_ms) = load::load(&mut transaction, &keys, &asked, clock_ms).await?;
        let decided = decide_all(&mut rows, commands, now_ms, place);
        save::save(&mut transaction, &decided).await?;
        transaction.commit().await?;
        Ok(decided)
    }

    pub(crate) async fn next_seq(&mut self, boot_id: &BootId) -> Result<u64, StoreError> {
        let query =
            sqlx::query("SELECT COALESCE(MAX(seq), 0) FROM event WHERE boot_id = ?").bind(boot_id.as_str());
        let last: i64 = query.fetch_one(&mut self.connection).await?.try_get(0)?;
        Ok(u64::try_from(last).unwrap_or(0) + 1)
    }
}

/// Waits for the side file's lock; when another process holds it, on a thread that may block.
async fn take_turn(turn: &Arc<File>) -> Result<(), StoreError> {
    if turn.try_lock().is_ok() {
        return Ok(());
    }
    let turn = Arc::clone(turn);
    let locked = tokio::task::spawn_blocking(move || turn.lock()).await;
    match locked {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(StoreError::ReadOnly(error.to_string())),
        Err(_) => Err(StoreError::Busy),
    }
}

//! The embedded store: one SQLite file in WAL mode, one bare connection for the writer, full sync.

pub(crate) mod load;
mod open;
mod save;
mod turn;

use std::path::Path;

use glitchlab_domain::command::Command;
use glitchlab_domain::id::BootId;
use sqlx::{Connection, Row, SqliteConnection, SqlitePool};

use crate::batch::{self, Decided, Place, decide_all};
use crate::error::StoreError;
use load::Listing;
use turn::Turnstile;

/// The writer's connection to a store file.
pub struct Sqlite {
    connection: SqliteConnection,
    /// Passed from BEGIN to COMMIT.
    turnstile: Turnstile,
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
        Ok(Self { connection, turnstile: Turnstile::open(path)? })
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
        let _turn = self.turnstile.take().await?;
        self.transact(commands, clock_ms, place).await
    }

    async fn transact(
        &mut self,
        commands: &[&Command],
        clock_ms: i64,
        place: &Place,
    ) -> Result<Decided, StoreError> {
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let (keys, asked) = batch::needs(commands);
        let mut loaded = load::load(&mut transaction, &keys, &asked, clock_ms, Listing::WhenScarce).await?;
        let mut decided = decide_all(&mut loaded.rows, commands, loaded.now_ms, place);
        if !loaded.lists_departures && decided.waits() {
            // Somebody took more than the least it asked for, and now somebody else must be told how long to wait.
            let mut loaded = load::load(&mut transaction, &keys, &asked, clock_ms, Listing::Always).await?;
            decided = decide_all(&mut loaded.rows, commands, loaded.now_ms, place);
        }
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

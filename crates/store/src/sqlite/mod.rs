//! The embedded store: one SQLite file in WAL mode, one bare connection for the writer, full sync.

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod full_tests;
pub(crate) mod ledger;
pub(crate) mod load;
mod open;
mod save;
mod texts;
mod turn;

use std::path::Path;

use glitchlab_domain::command::Command;
use glitchlab_domain::id::BootId;
use sqlx::{Row, SqliteConnection, SqlitePool};

use crate::batch::{self, Decided, Place, decide_all};
use crate::error::StoreError;
use load::{Begin, Listing};
use turn::Turnstile;

/// The writer's connection to a store file.
pub struct Sqlite {
    connection: SqliteConnection,
    /// Passed from BEGIN to COMMIT.
    turnstile: Turnstile,
    /// A transaction may be open: the future that began it was dropped. (The database driver's own transactions count
    /// what they began, and never begin again after one that SQLite has ended.)
    is_open: bool,
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
        Ok(Self { connection, turnstile: Turnstile::open(path)?, is_open: false })
    }

    /// Opens a pool of read-only connections to the same file.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn readers(path: &Path) -> Result<SqlitePool, StoreError> {
        open::readers(path).await
    }

    /// Returns the schema that a file has and the newest that this program knows, and changes nothing.
    ///
    /// # Errors
    ///
    /// Returns what [`Sqlite::open`] would of a file that it refuses.
    pub async fn schema(path: &Path) -> Result<(i64, i64), StoreError> {
        open::schema(path).await
    }

    pub(crate) async fn execute(
        &mut self,
        commands: &[&Command],
        clock_ms: i64,
        place: &Place,
    ) -> Result<Decided, StoreError> {
        let _turn = self.turnstile.take().await?;
        self.end_left_over().await;
        self.is_open = true;
        let result = self.transact(commands, clock_ms, place).await;
        if result.is_err() {
            self.roll_back().await;
        }
        self.is_open = false;
        result
    }

    async fn transact(
        &mut self,
        commands: &[&Command],
        clock_ms: i64,
        place: &Place,
    ) -> Result<Decided, StoreError> {
        let decided = self.decide(commands, clock_ms, place).await?;
        save::save(&mut self.connection, &decided).await?;
        Ok(decided)
    }

    async fn decide(
        &mut self,
        commands: &[&Command],
        clock_ms: i64,
        place: &Place,
    ) -> Result<Decided, StoreError> {
        let (keys, asked) = batch::needs(commands);
        let connection = &mut self.connection;
        let mut loaded =
            load::load(connection, Begin::Now, &keys, &asked, clock_ms, Listing::WhenScarce).await?;
        let decided = decide_all(&mut loaded.rows, commands, loaded.now_ms, place);
        if loaded.lists_departures || !decided.waits() {
            return Ok(decided);
        }
        // Somebody took more than the least it asked for, and now somebody else must be told how long to wait.
        let mut loaded =
            load::load(connection, Begin::Before, &keys, &asked, clock_ms, Listing::Always).await?;
        Ok(decide_all(&mut loaded.rows, commands, loaded.now_ms, place))
    }

    async fn run(&mut self, statement: &'static str) -> Result<(), StoreError> {
        sqlx::query(statement).execute(&mut self.connection).await?;
        Ok(())
    }

    /// Ends whatever transaction may be open. SQLite ends one by itself when the disk is full, and says so to whoever
    /// ends it again: that is no error here.
    async fn roll_back(&mut self) {
        let _ended_before = self.run("ROLLBACK").await;
    }

    /// Ends the transaction of a future that was dropped: nothing of it may be seen, be it by us.
    async fn end_left_over(&mut self) {
        if self.is_open {
            self.roll_back().await;
            self.is_open = false;
        }
    }

    pub(crate) async fn next_seq(&mut self, boot_id: &BootId) -> Result<u64, StoreError> {
        self.end_left_over().await;
        let query =
            sqlx::query("SELECT COALESCE(MAX(seq), 0) FROM event WHERE boot_id = ?").bind(boot_id.as_str());
        let last: i64 = query.fetch_one(&mut self.connection).await?.try_get(0)?;
        Ok(u64::try_from(last).unwrap_or(0) + 1)
    }
}

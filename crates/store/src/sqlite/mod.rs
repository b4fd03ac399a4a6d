//! The embedded store: one SQLite file in WAL mode, one connection for the writer on a thread of its own, full sync.

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod full_tests;
pub(crate) mod ledger;
pub(crate) mod load;
mod open;
mod recent;
mod save;
mod task_list;
mod texts;
mod thread;
mod turn;

use std::path::Path;
use std::sync::Arc;

use glitchlab_domain::command::Command;
use glitchlab_domain::id::BootId;
use glitchlab_domain::rows::Rows;
use rusqlite::{Connection, TransactionBehavior};
use sqlx::SqlitePool;

use crate::batch::{self, Decided, Place, decide_all};
use crate::error::StoreError;
use load::Listing;
use thread::{Owned, Owner};
use turn::Turnstile;

/// The writer's connection to a store file.
pub struct Sqlite {
    owner: Owner,
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
        let owner = Owner::start(open::connect(path).await?)?;
        Ok(Self { owner, turnstile: Turnstile::open(path)? })
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

    /// Decides and writes a batch in one transaction. When the future is dropped, the batch may have been written.
    pub(crate) async fn execute(
        &mut self,
        commands: &[Arc<Command>],
        clock_ms: i64,
        place: &Place,
    ) -> Result<Decided, StoreError> {
        let turn = self.turnstile.take().await?;
        let (commands, place) = (commands.to_vec(), place.clone());
        let transact = move |owned: &mut Owned| {
            let _until_the_end = turn;
            let commands: Vec<&Command> = commands.iter().map(|command| &**command).collect();
            transact(owned, &commands, clock_ms, &place)
        };
        self.owner.run(transact).await
    }

    pub(crate) async fn next_seq(&mut self, boot_id: &BootId) -> Result<u64, StoreError> {
        const LAST: &str = "SELECT COALESCE(MAX(seq), 0) FROM event WHERE boot_id = ?";
        let boot_id = boot_id.clone();
        let last = move |owned: &mut Owned| {
            owned.connection.query_row(LAST, [boot_id.as_str()], |row| row.get::<_, i64>(0))
        };
        Ok(u64::try_from(self.owner.run(last).await?).unwrap_or(0) + 1)
    }

    /// Runs statements on the writer's connection.
    #[cfg(test)]
    async fn script(&self, statements: String) {
        self.owner.run(move |owned| owned.connection.execute_batch(&statements)).await.unwrap();
    }
}

/// A transaction that is not committed is rolled back with its guard, unless SQLite has ended it by itself, as it does
/// when the disk is full.
fn transact(
    owned: &mut Owned,
    commands: &[&Command],
    clock_ms: i64,
    place: &Place,
) -> Result<Decided, StoreError> {
    // Whatever fails drops them: they are read again then.
    let mut recent = std::mem::take(&mut owned.recent);
    let transaction = owned.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    recent.check(&transaction)?;
    let (decided, rows) = decide(&transaction, &mut recent.rows, commands, clock_ms, place)?;
    save::save(&transaction, &decided)?;
    transaction.commit()?;
    recent.keep(rows, &decided.writes);
    owned.recent = recent;
    Ok(decided)
}

/// Returns what was decided, and the rows as they are then.
fn decide(
    connection: &Connection,
    recent: &mut Rows,
    commands: &[&Command],
    clock_ms: i64,
    place: &Place,
) -> Result<(Decided, Rows), StoreError> {
    let (keys, asked) = batch::needs(commands);
    let mut load = |listing| load::load(connection, recent, (&keys, &asked), clock_ms, listing);
    let mut loaded = load(Listing::WhenScarce)?;
    let decided = decide_all(&mut loaded.rows, commands, loaded.now_ms, place);
    if loaded.lists_departures || !decided.waits() {
        return Ok((decided, loaded.rows));
    }
    // Somebody took more than the least it asked for, and now somebody else must be told how long to wait. What was decided
    // has changed the rows that were loaded; the next ones are as the database has them.
    let mut loaded = load(Listing::Always)?;
    let decided = decide_all(&mut loaded.rows, commands, loaded.now_ms, place);
    Ok((decided, loaded.rows))
}

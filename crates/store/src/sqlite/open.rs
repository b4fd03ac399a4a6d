//! Opening a store file and bringing its schema up to date.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::error::StoreError;

/// The schema changes in order; the file's `user_version` counts those that are done.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_tables.sql"),
    include_str!("../../migrations/0002_leaner_steps.sql"),
    include_str!("../../migrations/0003_control.sql"),
    include_str!("../../migrations/0004_history.sql"),
    include_str!("../../migrations/0005_tokens.sql"),
    include_str!("../../migrations/0006_alerts.sql"),
    include_str!("../../migrations/0007_list_without_triggers.sql"),
    include_str!("../../migrations/0008_leaner_indices.sql"),
];

/// The newest schema.
#[expect(clippy::cast_possible_wrap, reason = "they are few")]
const KNOWN: i64 = MIGRATIONS.len() as i64;

/// How long a start waits for another one that changes the same file.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a statement waits for another process.
const BUSY: Duration = Duration::from_secs(5);

/// How many pages of 4 KiB the writer keeps, so that it seldom reads what it has written. SQLite looks at each of them after
/// a batch that has split a page.
const CACHED_PAGES: i64 = 1_024;

/// Opens the file. The switch to a write-ahead log is refused at once while somebody else makes it, whatever the busy
/// timeout, so it is tried again.
pub(super) async fn connect(path: &Path) -> Result<Connection, StoreError> {
    let tries = async {
        loop {
            match aside(path, connect_once).await {
                Err(StoreError::Busy) => tokio::time::sleep(Duration::from_millis(20)).await,
                opened => return opened,
            }
        }
    };
    tokio::time::timeout(PATIENCE, tries).await.unwrap_or(Err(StoreError::Busy))
}

/// Runs what blocks on a thread that may.
async fn aside<T: Send + 'static>(
    path: &Path,
    run: fn(&Path) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let path: PathBuf = path.to_owned();
    let done = tokio::task::spawn_blocking(move || run(&path).map_err(|error| unusable(&path, error)));
    done.await.unwrap_or_else(|error| Err(StoreError::Io(error.to_string())))
}

fn connect_once(path: &Path) -> Result<Connection, StoreError> {
    make_folder(path)?;
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    refuse_foreign(&connection, path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", 16_000)?;
    connection.pragma_update(None, "cache_size", CACHED_PAGES)?;
    connection.set_prepared_statement_cache_capacity(100);
    migrate(&mut connection)?;
    Ok(connection)
}

/// Looks before anything is written, be it the journal mode: a file of a newer program, or of another one, stays as it
/// is.
fn refuse_foreign(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let found = user_version(connection)?;
    let path = || path.display().to_string();
    if found > KNOWN {
        return Err(StoreError::NewerSchema { path: path(), found, known: KNOWN });
    }
    let tables: i64 = connection.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if found == 0 && tables > 0 {
        let what = "it is a database of another program".to_owned();
        return Err(StoreError::Unusable { path: path(), what });
    }
    Ok(())
}

/// Reads which schema a file has, and returns it with the newest that is known; nothing is written.
pub(super) async fn schema(path: &Path) -> Result<(i64, i64), StoreError> {
    aside(path, |path| {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(BUSY)?;
        refuse_foreign(&connection, path)?;
        Ok((user_version(&connection)?, KNOWN))
    })
    .await
}

/// Opens connections for pages. They are of another driver, which waits for a connection and for its thread without
/// blocking ours.
pub(super) async fn readers(path: &Path) -> Result<SqlitePool, StoreError> {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(BUSY).read_only(true);
    let pool = SqlitePoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(10));
    pool.connect_with(options).await.map_err(|error| unusable(path, error.into()))
}

fn make_folder(path: &Path) -> Result<(), StoreError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    std::fs::create_dir_all(folder)
        .map_err(|error| StoreError::ReadOnly(format!("{}: {error}", folder.display())))
}

/// Says of which file an error is.
fn unusable(path: &Path, error: StoreError) -> StoreError {
    let path = path.display().to_string();
    match error {
        StoreError::Database(what) => StoreError::Unusable { path, what },
        StoreError::ReadOnly(what) if !what.contains(&path) => {
            StoreError::ReadOnly(format!("{path}: {what}"))
        }
        known => known,
    }
}

/// Runs what is missing in one transaction; two processes that start together find out who was first inside it.
fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    if user_version(connection)? >= KNOWN {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = usize::try_from(user_version(&transaction)?).unwrap_or(0);
    for migration in &MIGRATIONS[done.min(MIGRATIONS.len())..] {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", KNOWN)?;
    Ok(transaction.commit()?)
}

fn user_version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

//! Opening a store file and bringing its schema up to date.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, Row, SqliteConnection, SqlitePool};

use crate::error::StoreError;

/// The schema changes in order; the file's `user_version` counts those that are done.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_tables.sql"),
    include_str!("../../migrations/0002_leaner_steps.sql"),
    include_str!("../../migrations/0003_control.sql"),
    include_str!("../../migrations/0004_history.sql"),
    include_str!("../../migrations/0005_tokens.sql"),
    include_str!("../../migrations/0006_alerts.sql"),
];

/// How long a start waits for another one that changes the same file.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens the file. The switch to a write-ahead log is refused at once while somebody else makes it, whatever the busy
/// timeout, so it is tried again.
pub(super) async fn connect(path: &Path) -> Result<SqliteConnection, StoreError> {
    let tries = async {
        loop {
            match connect_once(path).await {
                Err(StoreError::Busy) => tokio::time::sleep(Duration::from_millis(20)).await,
                opened => return opened,
            }
        }
    };
    tokio::time::timeout(PATIENCE, tries).await.unwrap_or(Err(StoreError::Busy))
}

async fn connect_once(path: &Path) -> Result<SqliteConnection, StoreError> {
    make_folder(path)?;
    let plain = options(path).create_if_missing(true);
    let mut connection =
        SqliteConnection::connect_with(&plain).await.map_err(|error| unusable(path, error))?;
    refuse_foreign(&mut connection, path).await?;
    connection.close().await?;
    let ours = plain
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", "16000")
        .statement_cache_capacity(200);
    let mut connection =
        SqliteConnection::connect_with(&ours).await.map_err(|error| unusable(path, error))?;
    migrate(&mut connection, path).await?;
    Ok(connection)
}

/// Looks before anything is written, be it the journal mode: a file of a newer program, or of another one, stays as it
/// is.
async fn refuse_foreign(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let found = user_version(connection).await.map_err(|error| unusable(path, error))?;
    let path = || path.display().to_string();
    if found > known {
        return Err(StoreError::NewerSchema { path: path(), found, known });
    }
    let tables: i64 =
        sqlx::query("SELECT COUNT(*) FROM sqlite_schema").fetch_one(connection).await?.try_get(0)?;
    if found == 0 && tables > 0 {
        let what = "it is a database of another program".to_owned();
        return Err(StoreError::Unusable { path: path(), what });
    }
    Ok(())
}

/// Reads which schema a file has, and returns it with the newest that is known; nothing is written.
pub(super) async fn schema(path: &Path) -> Result<(i64, i64), StoreError> {
    let pool = readers(path).await?;
    let mut connection = pool.acquire().await.map_err(|error| unusable(path, error))?;
    refuse_foreign(&mut connection, path).await?;
    let found = user_version(&mut connection).await.map_err(|error| unusable(path, error))?;
    Ok((found, i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)))
}

pub(super) async fn readers(path: &Path) -> Result<SqlitePool, StoreError> {
    let pool = SqlitePoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(10));
    pool.connect_with(options(path).read_only(true)).await.map_err(|error| unusable(path, error))
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(5))
}

fn make_folder(path: &Path) -> Result<(), StoreError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    std::fs::create_dir_all(folder)
        .map_err(|error| StoreError::ReadOnly(format!("{}: {error}", folder.display())))
}

fn unusable(path: &Path, error: sqlx::Error) -> StoreError {
    match StoreError::from(error) {
        StoreError::Database(what) => StoreError::Unusable { path: path.display().to_string(), what },
        StoreError::ReadOnly(what) => StoreError::ReadOnly(format!("{}: {what}", path.display())),
        known => known,
    }
}

async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let found = user_version(connection).await.map_err(|error| unusable(path, error))?;
    if found < known {
        apply(connection, path, known).await?;
    }
    Ok(())
}

/// Runs what is missing in one transaction; two processes that start together find out who was first inside it.
async fn apply(connection: &mut SqliteConnection, path: &Path, known: i64) -> Result<(), StoreError> {
    let mut transaction =
        connection.begin_with("BEGIN IMMEDIATE").await.map_err(|error| unusable(path, error))?;
    let found = user_version(&mut transaction).await?;
    let done = usize::try_from(found).unwrap_or(0);
    for migration in &MIGRATIONS[done.min(MIGRATIONS.len())..] {
        sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
    }
    let mark = format!("PRAGMA user_version = {known}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(mark)).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
}

async fn user_version(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query("PRAGMA user_version").fetch_one(connection).await?.try_get(0)
}

//! Opening a store file and bringing its schema up to date.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, Row, SqliteConnection, SqlitePool};

use crate::error::StoreError;

/// The schema changes in order; the file's `user_version` counts those that are done.
const MIGRATIONS: &[&str] = &[include_str!("../../migrations/0001_tables.sql")];

pub(super) async fn connect(path: &Path) -> Result<SqliteConnection, StoreError> {
    make_folder(path)?;
    let options = options(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", "16000")
        .statement_cache_capacity(200);
    let mut connection =
        SqliteConnection::connect_with(&options).await.map_err(|error| unusable(path, error))?;
    migrate(&mut connection, path).await?;
    Ok(connection)
}

pub(super) async fn readers(path: &Path) -> Result<SqlitePool, StoreError> {
    let pool = SqlitePoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(10));
    pool.connect_with(options(path).read_only(true)).await.map_err(|error| unusable(path, error))
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(5))
}

/// The file whose lock passes the turn between processes that write one store.
pub(super) fn turn_file(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push("-turn");
    let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&name);
    opened.map_err(|error| StoreError::ReadOnly(format!("{}: {error}", Path::new(&name).display())))
}

fn make_folder(path: &Path) -> Result<(), StoreError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    std::fs::create_dir_all(folder)
        .map_err(|error| StoreError::ReadOnly(format!("{}: {error}", folder.display())))
}

fn unusable(path: &Path, error: sqlx::Error) -> StoreError {
    match StoreError::from(error) {
        StoreError::Database(what) => StoreError::Unusable { path: path.display().to_string(), what },
        known => known,
    }
}

async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let found = user_version(connection).await.map_err(|error| unusable(path, error))?;
    if found > known {
        return Err(StoreError::NewerSchema { path: path.display().to_string(), found, known });
    }
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

//! Files that are not what they should be.

use std::path::Path;

use glitchlab_store::{Reader, Sqlite, StoreError};
use sqlx::{Connection, SqliteConnection};

use crate::commands::{SCOPE, boot, start};
use crate::open::{Hands, Open};

async fn run(path: &Path, statements: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Opens a file that must be refused, checks that it stayed as it was, and returns why.
async fn refused(path: &Path) -> StoreError {
    let before = std::fs::read(path).unwrap();
    let error = Sqlite::open(path).await.err().expect("it must be refused");
    assert_eq!(std::fs::read(path).unwrap(), before, "the file was written");
    assert!(error.to_string().contains(&path.display().to_string()), "{error} does not name the file");
    error
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    run(&path, "CREATE TABLE later (a); PRAGMA user_version = 99").await;
    let error = refused(&path).await;
    assert!(matches!(error, StoreError::NewerSchema { found: 99, .. }), "{error}");
    assert!(!error.is_outage(), "waiting does not make it older");
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["state.db"], "nothing is left beside it");
}

#[tokio::test]
async fn a_store_of_ours_whose_schema_was_raised_is_refused_and_keeps_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let store = Open::sqlite(&path, "b1", &Hands::new()).await;
    store.ask(start(&boot("b1"), SCOPE, (1, 2), &[])).await.unwrap();
    drop(store.close().await);
    run(&path, "PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)").await;
    let error = refused(&path).await;
    assert!(matches!(error, StoreError::NewerSchema { found: 99, .. }), "{error}");
    let reader = Reader::Sqlite(Sqlite::readers(&path).await.unwrap());
    assert_eq!(reader.alive_processes().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(
        &path,
        "these are my notes, and they are longer than a header of a hundred bytes. ".repeat(40),
    )
    .unwrap();
    let error = refused(&path).await;
    assert!(matches!(error, StoreError::Unusable { .. }), "{error}");
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("places.sqlite");
    run(&path, "CREATE TABLE bookmarks (a); INSERT INTO bookmarks VALUES (1)").await;
    let error = refused(&path).await;
    assert!(matches!(error, StoreError::Unusable { .. }), "{error}");
}

#[tokio::test]
async fn a_path_that_cannot_hold_a_file_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let in_the_way = folder.path().join("file");
    std::fs::write(&in_the_way, "x").unwrap();
    let error = Sqlite::open(&in_the_way.join("state.db")).await.err().expect("a file is no folder");
    assert!(error.to_string().contains(&in_the_way.display().to_string()), "{error}");
    let error = Sqlite::open(folder.path()).await.err().expect("a folder is no file");
    assert!(error.to_string().contains(&folder.path().display().to_string()), "{error}");
}

#[tokio::test]
async fn two_that_open_a_new_file_at_once_both_find_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/state.db");
    let (one, other) = tokio::join!(Sqlite::open(&path), Sqlite::open(&path));
    assert_eq!((one.err(), other.err()), (None, None));
}

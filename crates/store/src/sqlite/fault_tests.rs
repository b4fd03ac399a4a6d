//! One command that the database will never take, and what an outage leaves in the log.

use std::cell::RefCell;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Once};

use glitchlab_domain::command::{Command, Reply};
use glitchlab_domain::event::{About, EventKind};
use glitchlab_domain::id::BootId;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Sqlite;
use super::full_tests::{make_room, nearly_full, wide_note};
use crate::error::StoreError;
use crate::queue::Queue;
use crate::writer::{Backend, Writer};

/// Opens a store whose database refuses every event that speaks of poison.
async fn with_poison(path: &Path) -> Sqlite {
    let sqlite = Sqlite::open(path).await.unwrap();
    let trigger = "CREATE TRIGGER poison BEFORE INSERT ON event WHEN NEW.body LIKE '%poison%' BEGIN SELECT RAISE(ABORT, 'poisoned'); END";
    sqlite.script(trigger.to_owned()).await;
    sqlite
}

fn run(sqlite: Sqlite) -> (Queue, CancellationToken, JoinHandle<Result<(), StoreError>>) {
    let backend = Backend::Sqlite(Box::new(sqlite));
    let (writer, queue) = Writer::new(backend, BootId::from("b1"), Arc::new(|| 1_700_000_000_000), 64);
    let stop = CancellationToken::new();
    let told = stop.clone();
    (queue, stop, tokio::spawn(async move { writer.run(told, drop).await }))
}

fn note(what: &str) -> Command {
    let kind = EventKind::BacklogFaulty { line: None, what: what.to_owned() };
    Command::Note { about: About::default(), kind }
}

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Logs to the thread that logs: each test has one of its own. The subscriber is global, for a callsite that is first met
/// on a thread without one would stay off for all.
struct ThisThread;

impl Write for ThisThread {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.with_borrow_mut(|log| log.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(|| ThisThread);
        tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
    });
}

/// Returns how often this thread logged a sentence.
fn logged(sentence: &str) -> usize {
    LOG.with_borrow(|log| String::from_utf8_lossy(log).matches(sentence).count())
}

#[tokio::test]
async fn a_command_that_the_database_never_takes_fails_alone_and_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, stop, running) = run(with_poison(&folder.path().join("state.db")).await);
    let (first, bad, last) =
        tokio::join!(queue.submit(note("a")), queue.submit(note("poison")), queue.submit(note("b")));
    assert_eq!((first, last), (Ok(Ok(Reply::Done)), Ok(Ok(Reply::Done))));
    let error = bad.unwrap_err();
    assert!(matches!(error, StoreError::Database(_)) && !error.is_outage(), "{error}");
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_detached_command_that_the_database_never_takes_is_given_up_and_others_are_written() {
    let folder = tempfile::tempdir().unwrap();
    listen();
    let (queue, stop, running) = run(with_poison(&folder.path().join("state.db")).await);
    queue.submit_detached(note("poison"));
    for n in 0..20 {
        assert_eq!(queue.submit(note(&n.to_string())).await, Ok(Ok(Reply::Done)));
    }
    assert_eq!(logged("a command is given up"), 1);
    assert_eq!(logged("the store did not take a command"), 5);
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_outage_is_logged_when_it_begins_and_when_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    listen();
    let (queue, stop, running) = run(nearly_full(&path).await);
    while queue.submit(wide_note(1)).await.is_ok() {}
    for n in 0..5 {
        assert_eq!(queue.submit(wide_note(n)).await, Err(StoreError::Full));
    }
    assert_eq!(logged("the store takes nothing"), 1);
    assert_eq!(logged("the store takes commands again"), 0);
    make_room(&path).await;
    assert_eq!(queue.submit(wide_note(1)).await, Ok(Ok(Reply::Done)));
    assert_eq!(logged("the store takes commands again"), 1);
    stop.cancel();
    running.await.unwrap().unwrap();
}

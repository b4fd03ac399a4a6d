//! Many clients, two processes' writers on one file, and a writer that is aborted in the midst of its work.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::Poll;
use std::time::{Duration, Instant};

use glitchlab_domain::bead::BeadId;
use glitchlab_domain::command::{Bearer, BootBearer, Command, Reply};
use glitchlab_domain::event::{About, Event, EventKind};
use glitchlab_domain::id::BootId;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::rows::{CallRow, CallState};
use glitchlab_store::{Queue, Reader};
use tokio::task::JoinSet;

use crate::commands::{SCOPE, bead, bearer, boot, bounds, claim, reserve, settle, start};
use crate::open::{Hands, Open};

/// Gives `clients` workers a task and an attempt each.
async fn workers(store: &Open, by: &BootBearer, clients: usize) {
    let beads = (0..clients).map(|n| bead(&format!("{}-t{n}", by.boot_id), "a task")).collect();
    store.ask(Command::Sync { beads }).await.unwrap();
    for n in 0..clients {
        let claim = claim(by, &task(by, n), &attempt(by, n), SCOPE, 0);
        assert!(matches!(store.ask(claim).await, Ok(Reply::Claimed(_))));
    }
}

fn task(by: &BootBearer, n: usize) -> String {
    format!("{}-t{n}", by.boot_id)
}

fn attempt(by: &BootBearer, n: usize) -> String {
    format!("{}-a{n}", by.boot_id)
}

/// Lets every worker reserve and settle `calls` times, and returns how often the cap said no.
async fn spend(store: &Open, by: &BootBearer, clients: usize, calls: u32) -> usize {
    let mut all = JoinSet::new();
    for n in 0..clients {
        let (queue, bearer) = (store.queue.clone(), bearer(&task(by, n), &attempt(by, n)));
        all.spawn(async move {
            let mut refused = 0;
            for call_no in 0..calls {
                let ask = reserve(&bearer, call_no, SCOPE, bounds(100, 0, 0));
                match queue.submit(ask).await.expect("the store answers") {
                    Ok(Reply::Granted(_)) => {
                        let settle = settle(&bearer, call_no, SCOPE, Some(100));
                        queue.submit(settle).await.expect("the store answers").expect("it pays");
                    }
                    Ok(Reply::Wait(_)) => refused += 1,
                    other => panic!("{other:?}"),
                }
            }
            refused
        });
    }
    all.join_all().await.into_iter().sum()
}

async fn events_of(reader: &Reader, boot_id: &BootId) -> Vec<Event> {
    let mut events = reader.last_events(1_000_000).await.unwrap();
    events.retain(|event| event.id.boot_id == *boot_id);
    events.sort_by_key(|event| event.id.seq);
    events
}

async fn assert_gap_free(reader: &Reader, boot_id: &BootId) -> Vec<Event> {
    let events = events_of(reader, boot_id).await;
    let expected: Vec<u64> = (1..=events.len() as u64).collect();
    assert_eq!(events.iter().map(|event| event.id.seq).collect::<Vec<_>>(), expected, "of {boot_id}");
    events
}

fn spent(calls: &[CallRow]) -> i64 {
    calls.iter().filter_map(|call| call.actual).map(MicroUsd::micro).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_clients_share_one_cap_and_number_every_event_once() {
    let folder = tempfile::tempdir().unwrap();
    let by = boot("b1");
    let store = Open::sqlite(&folder.path().join("state.db"), "b1", &Hands::new()).await;
    store.ask(start(&by, SCOPE, (60_000, 60_000), &[])).await.unwrap();
    workers(&store, &by, 64).await;
    let refused = spend(&store, &by, 64, 20).await;
    let reader = store.close().await;
    let calls = reader.calls(SCOPE).await.unwrap();
    assert_eq!((calls.len(), refused, spent(&calls)), (600, 64 * 20 - 600, 60_000));
    let events = assert_gap_free(&reader, &by.boot_id).await;
    assert_eq!(events.iter().filter(|event| event.kind.name() == "budget.settled").count(), 600);
}

/// Two writers as two processes have them: each with its connection, its lock files and its own thread.
#[test]
fn two_writers_of_one_file_hold_one_cap_and_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let ready = Arc::new(Barrier::new(2));
    let threads = ["b1", "b2"].map(|id| {
        let (path, ready) = (path.clone(), Arc::clone(&ready));
        std::thread::spawn(move || busy(path, id, &ready))
    });
    let done = threads.map(|thread| thread.join().unwrap());
    let share = 100 * done[0].min(done[1]) / (done[0] + done[1]);
    assert!(share >= 25, "the two wrote {done:?} commands, the slower one {share} of a hundred");
    run(async {
        let reader = Reader::Sqlite(glitchlab_store::Sqlite::readers(&path).await.unwrap());
        let calls = reader.calls(SCOPE).await.unwrap();
        assert_eq!((calls.len(), spent(&calls)), (500, 50_000), "one cap for both");
        for id in ["b1", "b2"] {
            assert_gap_free(&reader, &BootId::from(id)).await;
        }
    });
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Spends until the cap is reached and goes on asking; returns how many commands were answered.
fn busy(path: PathBuf, id: &'static str, ready: &Barrier) -> usize {
    run(async move {
        let by = boot(id);
        let store = Open::sqlite(&path, id, &Hands::new()).await;
        store.ask(start(&by, SCOPE, (50_000, 50_000), &[])).await.unwrap();
        workers(&store, &by, 32).await;
        ready.wait();
        let ends_at = Instant::now() + Duration::from_millis(1_500);
        let mut clients = JoinSet::new();
        for n in 0..32 {
            let worker = bearer(&task(&by, n), &attempt(&by, n));
            clients.spawn(ask_until(ends_at, store.queue.clone(), worker));
        }
        let answered = clients.join_all().await.into_iter().sum();
        drop(store.close().await);
        answered
    })
}

async fn ask_until(ends_at: Instant, queue: Queue, worker: Bearer) -> usize {
    let (mut answered, mut call_no) = (0, 0);
    while Instant::now() < ends_at {
        let ask = reserve(&worker, call_no, SCOPE, bounds(100, 0, 0));
        if let Ok(Ok(Reply::Granted(_))) = queue.submit(ask).await {
            queue.submit(settle(&worker, call_no, SCOPE, Some(100))).await.unwrap().unwrap();
            answered += 1;
        }
        (answered, call_no) = (answered + 1, call_no + 1);
    }
    answered
}

fn note(n: u32) -> Command {
    Command::Note { about: About::default(), kind: EventKind::ChildStarted { pid: n } }
}

/// Aborts the writer again and again while commands stream in, both waited for and detached.
async fn disturbed(mut store: Open, by: &BootBearer) -> Reader {
    store.ask(start(by, SCOPE, (1_000_000, 1_000_000), &[])).await.unwrap();
    workers(&store, by, 8).await;
    let by = by.clone();
    let answered = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for n in 0..8 {
        let answered = Arc::clone(&answered);
        let (queue, bearer) = (store.queue.clone(), bearer(&task(&by, n), &attempt(&by, n)));
        clients.spawn(async move {
            for call_no in 0..25 {
                let ask = reserve(&bearer, call_no, SCOPE, bounds(100, 0, 0));
                let answer = queue.submit(ask).await.expect("the store answers");
                assert!(matches!(answer, Ok(Reply::Granted(_))), "{answer:?}");
                queue.submit_detached(settle(&bearer, call_no, SCOPE, Some(70)));
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    for round in 0..60 {
        // The next batch is under way soon after an answer: it is met at another place each time.
        while answered.load(Ordering::Relaxed) < 3 * round {
            tokio::task::yield_now().await;
        }
        for _ in 0..5 * round {
            tokio::task::yield_now().await;
        }
        store.abort_and_run_again().await;
    }
    clients.join_all().await;
    store.ask(note(1)).await.unwrap();
    store.close().await
}

async fn assert_nothing_lost(reader: &Reader, by: &BootBearer) {
    let calls = reader.calls(SCOPE).await.unwrap();
    assert_eq!(calls.len(), 200);
    let lost: Vec<_> = calls.iter().filter(|call| call.state != CallState::Settled).collect();
    assert_eq!(lost, Vec::<&CallRow>::new(), "settlements were lost");
    assert_eq!(spent(&calls), 200 * 70);
    let events = assert_gap_free(reader, &by.boot_id).await;
    let named = |name: &str| events.iter().filter(|event| event.kind.name() == name).count();
    assert_eq!((named("budget.reserved"), named("budget.settled")), (200, 200), "once each");
}

#[tokio::test]
async fn a_writer_that_is_aborted_in_mid_batch_loses_no_command_and_numbers_events_without_gaps() {
    let folder = tempfile::tempdir().unwrap();
    let by = boot("b1");
    let store = Open::sqlite(&folder.path().join("state.db"), "b1", &Hands::new()).await;
    let reader = disturbed(store, &by).await;
    assert_nothing_lost(&reader, &by).await;
}

#[tokio::test]
async fn an_aborted_writer_loses_nothing_on_many_threads_either() {
    let folder = tempfile::tempdir().unwrap();
    let path: &Path = folder.path();
    for round in 0..5 {
        let by = boot("b1");
        let store = Open::sqlite(&path.join(format!("{round}.db")), "b1", &Hands::new()).await;
        let reader = tokio::spawn(async move {
            let reader = disturbed(store, &by).await;
            assert_nothing_lost(&reader, &by).await;
            reader
        });
        drop(reader.await.unwrap());
    }
}

#[tokio::test]
async fn a_grant_whose_caller_has_gone_is_settled_at_its_bound() {
    let by = boot("b1");
    let store = Open::memory("b1", &Hands::new());
    store.ask(start(&by, SCOPE, (1_000, 1_000), &[])).await.unwrap();
    workers(&store, &by, 1).await;
    let worker = bearer(&task(&by, 0), &attempt(&by, 0));
    let mut gone_while_queued = Box::pin(store.ask(reserve(&worker, 0, SCOPE, bounds(100, 0, 0))));
    assert!(is_pending(&mut gone_while_queued).await);
    drop(gone_while_queued);
    let mut gone_when_answered = Box::pin(store.ask(reserve(&worker, 1, SCOPE, bounds(100, 0, 0))));
    assert!(is_pending(&mut gone_when_answered).await);
    store.ask(note(1)).await.unwrap();
    assert_eq!(store.reader.open_calls().await.unwrap().len(), 1, "the answer lies ready");
    drop(gone_when_answered);
    store.ask(note(2)).await.unwrap();
    let calls = store.close().await.calls(SCOPE).await.unwrap();
    let states: Vec<_> = calls.iter().map(|call| (call.state, call.actual.map(MicroUsd::micro))).collect();
    assert_eq!(states, [(CallState::Unknown, Some(100)), (CallState::Unknown, Some(100))]);
}

/// Polls a future once.
async fn is_pending(future: &mut (impl Future + Unpin)) -> bool {
    std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context).is_pending())).await
}

#[tokio::test]
async fn a_bead_id_of_any_length_and_alphabet_is_kept_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = Open::sqlite(&folder.path().join("state.db"), "b1", &Hands::new()).await;
    let mut odd = bead("t1", "'; DROP TABLE task; --\u{0}\u{1F600}");
    odd.bead_id = BeadId::new("ü/.".repeat(85));
    store.ask(Command::Sync { beads: vec![odd.clone()] }).await.unwrap();
    let reader = store.close().await;
    let task = reader.task(&odd.key).await.unwrap().expect("it is there");
    assert_eq!((task.bead_id, task.title), (odd.bead_id, odd.title));
}

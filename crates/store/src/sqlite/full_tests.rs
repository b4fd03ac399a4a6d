//! A disk that fills up and is cleared again. SQLite says the same for a limit of pages as for a disk without room, and
//! a limit needs no mount and no rights.

use std::path::Path;
use std::sync::Arc;

use glitchlab_domain::bead::BeadId;
use glitchlab_domain::command::{Command, Paid, Reply, Reserve, Settle};
use glitchlab_domain::event::{About, EventKind};
use glitchlab_domain::id::{AttemptId, BootId, Fence, TaskKey, TryKey};
use glitchlab_domain::ledger::{Bounds, Terms};
use glitchlab_domain::money::{MicroUsd, Price};
use glitchlab_domain::rows::CallState;
use glitchlab_domain::stage::Stage;
use sqlx::{Connection, SqliteConnection};
use tokio_util::sync::CancellationToken;

use super::Sqlite;
use super::thread::Owned;
use crate::error::StoreError;
use crate::query::Reader;
use crate::queue::Queue;
use crate::writer::{Backend, Writer};

const SCOPE: &str = "real";

/// Opens a store whose file may grow by a few pages only, with ballast in it that can be thrown out later.
pub(super) async fn nearly_full(path: &Path) -> Sqlite {
    let sqlite = Sqlite::open(path).await.unwrap();
    let ballast = "CREATE TABLE ballast (body BLOB); INSERT INTO ballast VALUES (zeroblob(4000000))";
    sqlite.script(ballast.to_owned()).await;
    let limit = |owned: &mut Owned| {
        let connection = &owned.connection;
        let pages = connection.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0)).unwrap();
        connection.execute_batch(&format!("PRAGMA max_page_count = {}", pages + 60)).unwrap();
    };
    sqlite.owner.run(limit).await;
    sqlite
}

pub(super) async fn make_room(path: &Path) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("DELETE FROM ballast").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
}

fn key(call_no: u32) -> TryKey {
    TryKey { attempt_id: AttemptId::from("a1"), step_n: 0, call_no, try_no: 0 }
}

fn settle(call_no: u32) -> Command {
    Command::Settle(Settle {
        by: None,
        key: key(call_no),
        task_key: TaskKey::from("t1"),
        root_key: TaskKey::from("t1"),
        scope: SCOPE.to_owned(),
        paid: Some(Paid { cost: MicroUsd::new(40), input_tokens: 1, output_tokens: 1 }),
        reply: None,
        error: None,
        latency_ms: 1,
        response: None,
        prompt: Vec::new(),
    })
}

/// Begins a task and reserves money for one call.
async fn reserve(queue: &Queue) {
    use glitchlab_domain::command::{Bearer, BootBearer, Claim};
    let by = BootBearer { boot_id: BootId::from("b1"), fence: Fence::from("fb1") };
    queue.submit(start(&by)).await.unwrap().unwrap();
    let bead = serde_json::json!({
        "key": "t1", "repo_id": "r", "bead_id": BeadId::from("bead"), "source": "file", "parent": null, "title": "t",
        "body": "", "priority": 1, "kind": "task", "labels": [], "created_ms": 0, "state": "open", "rev": "r"
    });
    let beads = vec![serde_json::from_value(bead).unwrap()];
    queue.submit(Command::Sync { beads }).await.unwrap().unwrap();
    let claim = Claim {
        by,
        task_key: TaskKey::from("t1"),
        attempt_id: AttemptId::from("a1"),
        fence: Fence::from("f1"),
        slot: "worker-1".to_owned(),
        repo_id: "r".to_owned(),
        scope: SCOPE.to_owned(),
        hold: MicroUsd::new(1),
        hold_tokens: 0,
        ahead: None,
        model: "m".to_owned(),
        simulated: false,
        max_attempts: 3,
        trace_id: "0".repeat(32),
        branch: "branch".to_owned(),
    };
    queue.submit(Command::Claim(claim)).await.unwrap().unwrap();
    let ask = Reserve {
        by: Bearer { task_key: "t1".into(), attempt_id: "a1".into(), fence: "f1".into() },
        key: key(0),
        scope: SCOPE.to_owned(),
        root_key: "t1".into(),
        task_caps: glitchlab_domain::command::TaskCaps::default(),
        stage: Stage::Implement,
        model: "m".to_owned(),
        input_hash: "h".to_owned(),
        bounds: Bounds {
            prompt_tokens: 100,
            max_out: 0,
            floor_out: 0,
            price: Price { input_per_mtok_micro: 1_000_000, output_per_mtok_micro: 0 },
        },
    };
    let answer = queue.submit(Command::Reserve(ask)).await.unwrap();
    assert!(matches!(answer, Ok(Reply::Granted(_))), "{answer:?}");
}

fn start(by: &glitchlab_domain::command::BootBearer) -> Command {
    let process = glitchlab_domain::rows::ProcessRow {
        boot_id: by.boot_id.clone(),
        fence: by.fence.clone(),
        host: "here".to_owned(),
        pid: 1,
        start_ticks: 1,
        repo_id: "r".to_owned(),
        scope: SCOPE.to_owned(),
        listen: String::new(),
        started_ms: 0,
        lease_until_ms: i64::MAX,
        alive: true,
        rules: None,
        backlog: String::new(),
        begun: Vec::new(),
    };
    let (cap_hour, cap_day) = (MicroUsd::new(1_000), MicroUsd::new(1_000));
    Command::StartBoot {
        process,
        scope: SCOPE.to_owned(),
        cap_hour,
        cap_day,
        terms: Terms::default(),
        dead: Vec::new(),
    }
}

pub(super) fn wide_note(n: u32) -> Command {
    let what = format!("{n}: {}", "x".repeat(20_000));
    Command::Note { about: About::default(), kind: EventKind::BacklogFaulty { line: None, what } }
}

#[tokio::test]
async fn a_full_disk_is_told_loses_nothing_and_is_got_over_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let backend = Backend::Sqlite(Box::new(nearly_full(&path).await));
    let reader = Reader::Sqlite(Sqlite::readers(&path).await.unwrap());
    let (writer, queue) = Writer::new(backend, BootId::from("b1"), Arc::new(|| 1_700_000_000_000), 64);
    let stop = CancellationToken::new();
    let running = {
        let stop = stop.clone();
        tokio::spawn(async move { writer.run(stop, drop).await })
    };
    reserve(&queue).await;

    let mut taken = 0;
    let error = loop {
        match queue.submit(wide_note(taken)).await {
            Ok(answer) => assert_eq!(answer, Ok(Reply::Done)),
            Err(error) => break error,
        }
        taken += 1;
        assert!(taken < 1_000, "the limit does not hold");
    };
    assert_eq!(error, StoreError::Full);
    assert!(error.is_outage(), "callers try again");
    let before = reader.last_events(10_000).await.unwrap();
    // Something small would still fit into a page; the wide one beside it in the batch does not.
    let (refused, ()) =
        tokio::join!(queue.submit(wide_note(taken)), async { queue.submit_detached(settle(0)) });
    assert_eq!(refused, Err(StoreError::Full));
    assert_eq!(reader.last_events(10_000).await.unwrap(), before, "what was refused left nothing");
    assert_eq!(reader.open_calls().await.unwrap().len(), 1, "the settlement waits");

    make_room(&path).await;
    assert_eq!(queue.submit(wide_note(taken)).await, Ok(Ok(Reply::Done)));
    stop.cancel();
    running.await.unwrap().unwrap();
    let calls = reader.calls(SCOPE).await.unwrap();
    assert_eq!(
        (calls.len(), calls[0].state, calls[0].actual),
        (1, CallState::Settled, Some(MicroUsd::new(40)))
    );
    let mut seqs: Vec<u64> =
        reader.last_events(10_000).await.unwrap().iter().map(|event| event.id.seq).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "no number is missing");
}

#[tokio::test]
async fn a_kept_settlement_is_tried_again_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let backend = Backend::Sqlite(Box::new(nearly_full(&path).await));
    let reader = Reader::Sqlite(Sqlite::readers(&path).await.unwrap());
    let (writer, queue) = Writer::new(backend, BootId::from("b1"), Arc::new(|| 1_700_000_000_000), 64);
    let (told, mut settled) = tokio::sync::mpsc::unbounded_channel();
    let running = tokio::spawn(async move {
        let tell = |committed: crate::writer::Committed| {
            if committed.settled {
                told.send(()).expect("the test listens");
            }
        };
        writer.run(CancellationToken::new(), tell).await
    });
    reserve(&queue).await;
    while queue.submit(wide_note(1)).await.is_ok() {}
    let (refused, ()) = tokio::join!(queue.submit(wide_note(2)), async { queue.submit_detached(settle(0)) });
    assert_eq!(refused, Err(StoreError::Full));
    make_room(&path).await;
    settled.recv().await.expect("nobody asks for anything and it is settled all the same");
    assert_eq!(reader.open_calls().await.unwrap(), []);
    drop(queue);
    running.await.unwrap().unwrap();
}

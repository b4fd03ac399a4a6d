//! Commands a second through the writer at 1, 8, 64 and 256 clients, beside raw multi-row inserts of the same bytes.
//!
//! A table of percentiles under load is no micro-benchmark, so this prints its own: each client does what a worker does
//! in an attempt of sixteen commands, again and again, and waits for each answer.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use glitchlab_domain::command::{
    Bearer, BootBearer, Claim, Command, Finish, FinishStep, Paid, Reply, Reserve, Settle, TaskCaps,
};
use glitchlab_domain::gate::GateRules;
use glitchlab_domain::id::{BootId, Fence, TaskKey, TryKey};
use glitchlab_domain::ledger::{Bounds, Terms};
use glitchlab_domain::money::{MicroUsd, Price};
use glitchlab_domain::outcome::{Outcome, Reference};
use glitchlab_domain::policy::RetryRules;
use glitchlab_domain::rows::ProcessRow;
use glitchlab_domain::stage::Stage;
use glitchlab_domain::task::SourceTask;
use glitchlab_store::{Backend, Queue, Sqlite, Writer, clock};
use sqlx::{Connection, SqliteConnection};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const SCOPE: &str = "simulated:bench";
const TIME: Duration = Duration::from_secs(4);
/// The length of a model's reply.
const REPLY_BYTES: usize = 2_048;
/// Rows of one raw statement.
const RAW_ROWS: usize = 64;
/// Commands of one attempt.
const COMMANDS: usize = 16;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    say(
        "clients | commands/s | tasks/s | p50 ms | p99 ms | file bytes/command | raw inserts of those bytes/s | ratio",
    );
    for clients in [1, 8, 64, 256] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state.db");
        let run = runtime.block_on(measure(&path, clients));
        let bytes = written(&path) / run.latencies_us.len().max(1) as u64;
        let raw = runtime.block_on(raw_inserts(&folder.path().join("raw.db"), bytes));
        say(&run.row(clients, bytes, raw));
    }
}

#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
fn say(line: &str) {
    println!("{line}");
}

struct Run {
    latencies_us: Vec<u64>,
    took: Duration,
}

impl Run {
    fn row(mut self, clients: usize, bytes: u64, raw: f64) -> String {
        self.latencies_us.sort_unstable();
        let count = self.latencies_us.len();
        let percentile =
            |hundredths: usize| self.latencies_us[(count - 1) * hundredths / 100] as f64 / 1_000.0;
        let rate = count as f64 / self.took.as_secs_f64();
        format!(
            "{clients:>7} | {rate:>10.0} | {:>7.0} | {:>6.2} | {:>6.2} | {bytes:>18} | {raw:>28.0} | {:.2}",
            rate / COMMANDS as f64,
            percentile(50),
            percentile(99),
            rate / raw
        )
    }
}

async fn measure(path: &Path, clients: usize) -> Run {
    let backend = Backend::Sqlite(Box::new(Sqlite::open(path).await.expect("a store")));
    let (writer, queue) = Writer::new(backend, BootId::from("b1"), clock::wall(), 1_024);
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { writer.run(stop, drop).await }
    });
    let by = BootBearer { boot_id: BootId::from("b1"), fence: Fence::from("fence-of-b1") };
    done(&queue, start(&by)).await;
    let began = Instant::now();
    let mut all = JoinSet::new();
    for client in 0..clients {
        all.spawn(work(queue.clone(), by.clone(), client, began + TIME));
    }
    let latencies_us = all.join_all().await.concat();
    let took = began.elapsed();
    stop.cancel();
    running.await.expect("no panic").expect("the store was read");
    Run { latencies_us, took }
}

async fn done(queue: &Queue, command: Command) -> Reply {
    queue.submit(command).await.expect("the store answers").expect("it is not refused")
}

async fn work(queue: Queue, by: BootBearer, client: usize, ends_at: Instant) -> Vec<u64> {
    let mut latencies_us = Vec::new();
    for round in 0.. {
        for command in attempt(&by, &format!("{client}-{round}")) {
            let asked = Instant::now();
            let reply = done(&queue, command).await;
            assert!(!matches!(reply, Reply::Wait(_)), "the cap is in the way");
            latencies_us.push(u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX));
            if Instant::now() >= ends_at {
                return latencies_us;
            }
        }
    }
    latencies_us
}

/// What an attempt sends: its bead, the claim, four steps, three of them with a call, and the end.
fn attempt(by: &BootBearer, name: &str) -> Vec<Command> {
    let worker = Bearer {
        task_key: TaskKey::new(format!("task-{name}")),
        attempt_id: format!("attempt-{name}").as_str().into(),
        fence: Fence::new(format!("0f8fad5b-d9cb-469f-a165-70867728950e-{name}")),
    };
    let mut commands = vec![Command::Sync { beads: vec![bead(&worker.task_key)] }, claim(by, &worker)];
    let stages = [Stage::ArchitectTriage, Stage::Planner, Stage::Implement, Stage::Test];
    for (n, stage) in (0..).zip(stages) {
        commands.push(begin(&worker, n, stage));
        if stage != Stage::Test {
            commands.extend([reserve(&worker, n, stage), settle(&worker, n)]);
        }
        commands.push(finish_step(&worker, n));
    }
    commands.truncate(COMMANDS - 1);
    commands.push(finish(&worker));
    commands
}

fn start(by: &BootBearer) -> Command {
    let process = ProcessRow {
        boot_id: by.boot_id.clone(),
        fence: by.fence.clone(),
        host: "bench".to_owned(),
        pid: 1,
        start_ticks: 1,
        repo_id: "repo".to_owned(),
        scope: SCOPE.to_owned(),
        listen: String::new(),
        started_ms: 0,
        lease_until_ms: i64::MAX,
        alive: true,
        rules: None,
        backlog: String::new(),
        begun: Vec::new(),
    };
    let cap = MicroUsd::new(1_000_000_000_000);
    Command::StartBoot {
        process,
        scope: SCOPE.to_owned(),
        cap_hour: cap,
        cap_day: cap,
        terms: Terms::default(),
        dead: Vec::new(),
    }
}

fn bead(key: &TaskKey) -> SourceTask {
    SourceTask {
        key: key.clone(),
        repo_id: "repo".to_owned(),
        bead_id: key.as_str().into(),
        source: "jsonl".to_owned(),
        parent: None,
        title: "Make the parser say which line is malformed".to_owned(),
        body: "What is to be done, in a few sentences. ".repeat(10),
        priority: 2,
        kind: "task".to_owned(),
        labels: vec!["parser".to_owned()],
        created_ms: 1_700_000_000_000,
        state: "open".to_owned(),
        rev: "0123456789abcdef".to_owned(),
    }
}

fn claim(by: &BootBearer, worker: &Bearer) -> Command {
    Command::Claim(Claim {
        by: by.clone(),
        task_key: worker.task_key.clone(),
        attempt_id: worker.attempt_id.clone(),
        fence: worker.fence.clone(),
        slot: "worker-1".to_owned(),
        repo_id: "repo".to_owned(),
        scope: SCOPE.to_owned(),
        hold: MicroUsd::new(10_000),
        hold_tokens: 0,
        ahead: None,
        model: "simulated/fast".to_owned(),
        simulated: true,
        max_attempts: 3,
        trace_id: "0af7651916cd43dd8448eb211c80319c".to_owned(),
        branch: format!("glitchlab/{}", worker.task_key),
    })
}

fn begin(by: &Bearer, n: u32, stage: Stage) -> Command {
    let input_hash = "0123456789abcdef".repeat(4);
    Command::BeginStep { by: by.clone(), n, stage, input_hash }
}

fn finish_step(by: &Bearer, n: u32) -> Command {
    let (output, summary) = ("y".repeat(REPLY_BYTES / 4), "one line for people".to_owned());
    Command::FinishStep(FinishStep {
        by: by.clone(),
        n,
        output,
        ok: true,
        summary,
        size: None,
        decision: None,
    })
}

fn key(by: &Bearer, step_n: u32) -> TryKey {
    TryKey { attempt_id: by.attempt_id.clone(), step_n, call_no: 0, try_no: 0 }
}

fn reserve(by: &Bearer, step_n: u32, stage: Stage) -> Command {
    Command::Reserve(Reserve {
        by: by.clone(),
        key: key(by, step_n),
        scope: SCOPE.to_owned(),
        root_key: by.task_key.clone(),
        task_caps: TaskCaps::default(),
        stage,
        model: "simulated/fast".to_owned(),
        input_hash: "0123456789abcdef".repeat(4),
        bounds: Bounds {
            prompt_tokens: 4_000,
            max_out: 4_000,
            floor_out: 512,
            price: Price { input_per_mtok_micro: 1_000_000, output_per_mtok_micro: 5_000_000 },
        },
    })
}

fn settle(by: &Bearer, step_n: u32) -> Command {
    Command::Settle(Settle {
        by: Some(by.clone()),
        key: key(by, step_n),
        task_key: by.task_key.clone(),
        root_key: by.task_key.clone(),
        scope: SCOPE.to_owned(),
        paid: Some(Paid { cost: MicroUsd::new(9_000), input_tokens: 3_000, output_tokens: 1_200 }),
        reply: Some("x".repeat(REPLY_BYTES)),
        error: None,
        latency_ms: 900,
        response: None,
        prompt: Vec::new(),
    })
}

fn finish(by: &Bearer) -> Command {
    let outcome = Outcome::Completed { reference: Reference::Merge { commit: "c".repeat(40) } };
    let (detail, rules) = ("merged".to_owned(), RetryRules::default());
    let (repo_id, gate) = ("repo".to_owned(), GateRules::default());
    Command::Finish(Finish {
        by: by.clone(),
        outcome,
        detail,
        learned: None,
        files_changed: 3,
        rules,
        scope: SCOPE.to_owned(),
        repo_id,
        gate,
    })
}

/// Returns how large the store has become, its log included.
fn written(path: &Path) -> u64 {
    let size = |suffix: &str| {
        let name = format!("{}{suffix}", path.display());
        std::fs::metadata(name).map_or(0, |file| file.len())
    };
    size("") + size("-wal")
}

/// Inserts rows of the given size, 64 in a statement and a transaction, full sync, and returns rows a second.
async fn raw_inserts(path: &Path, bytes: u64) -> f64 {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
        .synchronous(sqlx::sqlite::SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", "16000");
    let mut connection = SqliteConnection::connect_with(&options).await.expect("a file");
    let table = "CREATE TABLE raw (id INTEGER PRIMARY KEY, body TEXT NOT NULL)";
    sqlx::raw_sql(table).execute(&mut connection).await.expect("a table");
    let statement = format!("INSERT INTO raw (body) VALUES {}", ["(?)"; RAW_ROWS].join(","));
    let body: Arc<str> = "z".repeat(usize::try_from(bytes).unwrap_or(1_000)).into();
    let (began, mut rows) = (Instant::now(), 0);
    while began.elapsed() < TIME {
        let mut query = sqlx::query(sqlx::AssertSqlSafe(statement.as_str()));
        for _ in 0..RAW_ROWS {
            query = query.bind(&*body);
        }
        query.execute(&mut connection).await.expect("an insert");
        rows += RAW_ROWS;
    }
    rows as f64 / began.elapsed().as_secs_f64()
}

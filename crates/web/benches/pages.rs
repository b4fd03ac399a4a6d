//! How long the history pages take over a store of 100 000 attempts, 300 000 calls and 700 000 steps: p50 and p99 of whole
//! answers, from the request to the last byte of HTML, one after the other.
//!
//! A table of percentiles is no micro-benchmark, so this prints its own.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use glitchlab_domain::alert::overview::Overview;
use glitchlab_domain::bead::BeadId;
use glitchlab_domain::history::{TaskPage, TaskQuestion};
use glitchlab_domain::id::{AttemptId, TaskKey, TryKey};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::Status;
use glitchlab_domain::rows::{AttemptRow, CallRow, CallState, StepRow};
use glitchlab_domain::snapshot::Snapshot;
use glitchlab_domain::stage::Stage;
use glitchlab_domain::story::Story;
use glitchlab_domain::task::{SourceTask, TaskState};
use glitchlab_store::{Reader, Sqlite};
use glitchlab_web::{Guard, Health, Records, Sources, Unavailable, router};
use http_body_util::BodyExt;
use serde::Serialize;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

const REPO: &str = "repo";
const TASKS: u32 = 70_000;
const ATTEMPTS: u32 = 100_000;
/// Answers measured for each page.
const ROUNDS: u32 = 200;
const NOW_MS: i64 = 1_800_000_000_000;
const MIGRATION: &str = include_str!("../../store/migrations/0004_history.sql");
/// A file as it was before the migration that is measured by the way.
const BEFORE: &str =
    "DROP TABLE history; DROP INDEX attempt_ended; DROP INDEX task_root; PRAGMA synchronous = OFF;";

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run());
}

async fn run() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let filling = Instant::now();
    fill(&path).await;
    let size = std::fs::metadata(&path).expect("the store").len() >> 20;
    say(&format!("filled {size} MiB in {} s", filling.elapsed().as_secs()));
    let migrating = Instant::now();
    let mut raw = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.expect("the file");
    sqlx::raw_sql(MIGRATION).execute(&mut raw).await.expect("it is brought up to date");
    raw.close().await.expect("it closes");
    say(&format!("the migration took {} ms", migrating.elapsed().as_millis()));
    let reader = Reader::Sqlite(Sqlite::readers(&path).await.expect("readers"));
    let app = site(reader);
    say("page | p50 ms | p99 ms | KB of HTML");
    for (name, url) in pages() {
        let (mut took, bytes) = measure(&app, url).await;
        took.sort_unstable();
        let percentile =
            |hundredths: usize| took[(took.len() - 1) * hundredths / 100].as_secs_f64() * 1_000.0;
        say(&format!("{name} | {:.1} | {:.1} | {}", percentile(50), percentile(99), bytes / 1_024));
    }
}

#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
fn say(line: &str) {
    println!("{line}");
}

/// The URL of the n-th answer.
type Url = fn(u32) -> String;

/// The pages with their names.
fn pages() -> Vec<(&'static str, Url)> {
    fn place(n: u32) -> i64 {
        NOW_MS - i64::from(n * 397 % 60_000) * 60_000
    }
    vec![
        ("list, 7 days", |_| "/tasks".to_owned()),
        ("list, everything", |_| "/tasks?range=all".to_owned()),
        ("list, everything, a deep page", |n| format!("/tasks?range=all&after={}.k", place(n))),
        ("list, 30 days, failed", |_| "/tasks?range=30d&status=failed".to_owned()),
        ("list, everything, needs you (none)", |_| "/tasks?range=all&status=needs_human".to_owned()),
        ("list, everything, one model and size", |_| {
            "/tasks?range=all&model=simulated/slow&size=XL".to_owned()
        }),
        ("list, everything, words of one task", |n| format!("/tasks?range=all&q=bd-{}%20", n * 311 % TASKS)),
        ("list, everything, words of none", |n| format!("/tasks?range=all&q=nothing{n}")),
        ("list, 7 days, by cost", |_| "/tasks?sort=cost".to_owned()),
        ("list, everything, by cost", |_| "/tasks?range=all&sort=cost".to_owned()),
        ("list, everything, by cost, a deep page", |n| {
            format!("/tasks?range=all&sort=cost&after={}.k", 100_000 + n * 997 % 300_000)
        }),
        ("list, everything, by duration, shortest first", |_| {
            "/tasks?range=all&sort=took&dir=asc".to_owned()
        }),
        ("500 tasks as CSV", |_| "/api/v1/tasks.csv?range=all".to_owned()),
        ("a task", |n| format!("/tasks/bd-{}", (n * 317 + 7) % TASKS)),
        ("a task with three sub-tasks", |n| format!("/tasks/bd-{}", n * 310 % TASKS)),
    ]
}

async fn measure(app: &Router, url: Url) -> (Vec<Duration>, usize) {
    let mut bytes = 0;
    let mut took = Vec::new();
    for n in 0..ROUNDS + 5 {
        let url = url(n);
        let began = Instant::now();
        let request =
            Request::get(&url).header("host", "127.0.0.1:3000").body(Body::empty()).expect("a request");
        let response = app.clone().oneshot(request).await.expect("a router does not fail");
        assert_eq!(response.status(), 200, "{url}");
        bytes = response.into_body().collect().await.expect("the body ends").to_bytes().len();
        if n >= 5 {
            took.push(began.elapsed());
        }
    }
    (took, bytes)
}

struct StoreRecords(Reader);

#[async_trait]
impl Records for StoreRecords {
    async fn tasks(&self, question: &TaskQuestion) -> Result<TaskPage, Unavailable> {
        self.0.task_page(REPO, question).await.map_err(|error| Unavailable(error.to_string()))
    }

    async fn story(&self, bead_id: &BeadId) -> Result<Option<Story>, Unavailable> {
        let key = TaskKey::new(bead_id.as_str().replace("bd-", "k"));
        self.0.story(&key).await.map_err(|error| Unavailable(error.to_string()))
    }

    async fn alerts(&self) -> Result<Overview, Unavailable> {
        Err(Unavailable("they are not measured".to_owned()))
    }
}

fn site(reader: Reader) -> Router {
    let (_, snapshot) = watch::channel(Arc::new(Snapshot::default()));
    let sources = Sources {
        snapshot,
        why: watch::channel(Arc::default()).1,
        tree: Arc::new(|| None),
        health: Arc::new(|| Health::Ok),
        metrics: None,
        records: Arc::new(StoreRecords(reader)),
        clock: Arc::new(|| NOW_MS),
    };
    router(sources, &Guard::loopback(3000), &CancellationToken::new())
}

/// Fills a store by SQL over templates, which are real rows.
async fn fill(path: &Path) {
    drop(Sqlite::open(path).await.expect("a store"));
    let mut raw = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.expect("a file");
    let texts = [BEFORE.to_owned(), tasks(), attempts(), steps(), calls(), "ANALYZE".to_owned()];
    for text in texts {
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut raw).await.expect("it is filled");
    }
    raw.close().await.expect("it closes");
}

/// Writes a row as an SQL text.
fn template(row: &impl Serialize) -> String {
    format!("'{}'", serde_json::to_string(row).expect("plain data").replace('\'', "''"))
}

fn numbers(below: u32) -> String {
    format!("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {below})")
}

/// Every tenth task is split into the three after it.
fn tasks() -> String {
    let source = SourceTask {
        key: TaskKey::from("k"),
        repo_id: REPO.to_owned(),
        bead_id: BeadId::from("b"),
        source: "file".to_owned(),
        parent: None,
        title: String::new(),
        body: "What is to be done, in a few sentences. ".repeat(12),
        priority: 2,
        kind: "task".to_owned(),
        labels: Vec::new(),
        created_ms: 0,
        state: "open".to_owned(),
        rev: String::new(),
    };
    let mut row = source.into_row(NOW_MS);
    row.state = TaskState::Completed;
    format!(
        "{} INSERT INTO task SELECT 'k' || i, '{REPO}', 'bd-' || i, 'k' || root, state, NULL, {NOW_MS}, json_set({}, \
         '$.key', 'k' || i, '$.bead_id', 'bd-' || i, '$.root_key', 'k' || root, '$.state', state, '$.runs', 1 + (i < {}), \
         '$.title', 'Task ' || i || ' about the ' || substr('ledger scheduler journal backlog', 1 + i % 20, 12), \
         '$.source', iif(root = i, 'file', 'subtask'), '$.parent', iif(root = i, NULL, 'bd-' || root), \
         '$.above', iif(root = i, json('[]'), json('[{{\"key\":\"k' || root || '\",\"generation\":0}}]'))) \
         FROM (SELECT i, iif(i % 10 IN (1, 2, 3), i - i % 10, i) AS root, \
         CASE WHEN i % 10 = 0 THEN 'decomposed' WHEN i % 17 = 0 THEN 'failed' ELSE 'completed' END AS state FROM n)",
        numbers(TASKS),
        template(&row),
        ATTEMPTS - TASKS,
    )
}

fn attempts() -> String {
    let row = AttemptRow {
        attempt_id: AttemptId::from("a"),
        task_key: TaskKey::from("k"),
        bead_id: BeadId::from("b"),
        root_key: TaskKey::from("k"),
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
        n: 1,
        generation: 0,
        accepted_ms: None,
        slot: "worker-1".to_owned(),
        boot_id: "b".into(),
        fence: "f".into(),
        model: "simulated/fast".to_owned(),
        simulated: true,
        size: None,
        branch: "glitchlab/branch".to_owned(),
        hold: MicroUsd::new(600_000),
        hold_tokens: 0,
        tokens: 0,
        cost: MicroUsd::ZERO,
        status: Some(Status::Completed),
        failure: None,
        detail: "merged as 0123456789ab".to_owned(),
        files_changed: 3,
        crashes: 0,
        waiting: None,
        consents: Vec::new(),
        started_ms: 0,
        ended_ms: Some(0),
    };
    format!(
        "{} INSERT INTO attempt SELECT 'a' || i, 'k' || task, 'k' || task, 'completed', ended - took, ended, json_set({}, \
         '$.attempt_id', 'a' || i, '$.task_key', 'k' || task, '$.bead_id', 'bd-' || task, '$.n', 1 + i / {TASKS}, \
         '$.tokens', 9000 + i % 70000, '$.cost', 100000 + i * 7919 % 900000, '$.started_ms', ended - took, '$.ended_ms', ended, \
         '$.size', CASE i % 7 WHEN 0 THEN 'L' WHEN 1 THEN 'XL' WHEN 2 THEN 'S' ELSE 'M' END, \
         '$.model', iif(i % 50 = 1, 'simulated/slow', 'simulated/fast')) \
         FROM (SELECT i, i % {TASKS} AS task, {NOW_MS} - ({ATTEMPTS} - i) * 60000 AS ended, 30000 + i * 31 % 600000 AS took FROM n)",
        numbers(ATTEMPTS),
        template(&row),
    )
}

fn steps() -> String {
    let row = StepRow {
        attempt_id: AttemptId::from("a"),
        n: 0,
        stage: Stage::Review,
        input_hash: "0".repeat(64),
        output: None,
        ok: true,
        summary: "it went as planned".to_owned(),
        started_ms: NOW_MS,
        ended_ms: Some(NOW_MS + 4_000),
    };
    let (plan, edits) = (
        r#"{"went":{"approach":"As the others do","steps":["one","two","three"],"files":["a.rs"],"estimated_tokens":9000}}"#,
        format!(
            r#"{{"went":{{"made":{{"changes":{{"src/a.rs":"{}"}},"base_commit":"c"}},"done":true}}}}"#,
            "x".repeat(1_500)
        ),
    );
    let tests = format!(
        r#"{{"went":{{"passed":true,"skipped":false,"verdict":"passed in 3 s","output":"{}","changes":[{{"path":"src/a.rs","added":12,"removed":3}}]}}}}"#,
        "test result: ok. ".repeat(40)
    );
    format!(
        "{} INSERT INTO step SELECT 'a' || i || '/' || k, json_set({}, '$.attempt_id', 'a' || i, '$.n', k, \
         '$.stage', json_extract('[\"architect_triage\",\"planner\",\"budget_gate\",\"implement\",\"test\",\"review\",\"pull_request\"]', '$[' || k || ']'), \
         '$.output', CASE k WHEN 1 THEN '{plan}' WHEN 3 THEN '{edits}' WHEN 4 THEN '{tests}' ELSE '{{\"went\":{{}}}}' END, \
         '$.started_ms', {NOW_MS} + k * 5000, '$.ended_ms', {NOW_MS} + k * 5000 + 4000) \
         FROM n, (SELECT value AS k FROM json_each('[0,1,2,3,4,5,6]'))",
        numbers(ATTEMPTS),
        template(&row),
    )
}

fn calls() -> String {
    let row = CallRow {
        key: TryKey { attempt_id: AttemptId::from("a"), step_n: 0, call_no: 0, try_no: 0 },
        scope: "simulated:repo".to_owned(),
        task_key: TaskKey::from("k"),
        root_key: TaskKey::from("k"),
        stage: Stage::Planner,
        model: "simulated/fast".to_owned(),
        boot_id: "b".into(),
        fence: "f".into(),
        input_hash: "0".repeat(64),
        reply: Some("A line of a reply that goes on. ".repeat(32)),
        state: CallState::Settled,
        bound: MicroUsd::new(90_000),
        bound_tokens: 0,
        actual: Some(MicroUsd::new(30_000)),
        max_out: 4_000,
        input_tokens: 3_000,
        output_tokens: 700,
        response: None,
        prompt: Vec::new(),
        ok: true,
        error: None,
        latency_ms: 3_000,
        created_ms: NOW_MS,
        settled_ms: Some(NOW_MS + 3_000),
    };
    format!(
        "{} INSERT INTO model_call (try_id, scope, state, created_ms, settled_ms, actual_micro, body) SELECT 'a' || i || '/' || k || '/0/0', 'simulated:repo', \
         'settled', {NOW_MS}, {NOW_MS} + 3000, 30000, json_set({}, '$.key.attempt_id', 'a' || i, '$.key.step_n', k) \
         FROM n, (SELECT value AS k FROM json_each('[1,3,5]'))",
        numbers(ATTEMPTS),
        template(&row),
    )
}

//! How many simulated tasks a second the whole tree does on the SQLite store without git, where the time goes, and how
//! long a start takes to its first dispatch: `cargo bench -p glitchlab-testkit`. With `-- telemetry` it measures by turns
//! what sending spans and metrics takes from it.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

#[path = "tasks/telemetry.rs"]
mod telemetry;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use glitchlab_actors::Engine;
use glitchlab_actors::activation::Activation;
use glitchlab_backlog::{JsonlSource, Source};
use glitchlab_domain::event::EventKind;
use glitchlab_domain::policy::RetryRules;
use glitchlab_domain::task::TaskState;
use glitchlab_models::Account;
use glitchlab_models::simulated::{Profile, Simulated};
use glitchlab_pipeline::fakes::{FakeForge, FakeRepo, FakeWorkspace};
use glitchlab_store::clock::{self, Clock};
use glitchlab_store::{Backend, Committed, Reader, Sqlite};
use glitchlab_telemetry::metrics::Metrics;
use glitchlab_testkit::engine::{Surroundings, compose, start};
use glitchlab_testkit::mortal::Mortal;
use glitchlab_testkit::settings::{REPO, SCOPE, Setup};
use glitchlab_testkit::{FakeBacklog, Tripwire, beads};
use mimalloc::MiMalloc;
use tokio::sync::mpsc::UnboundedReceiver;

/// The allocator of the program.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Workers and tasks: one worker has a batch of its own for every command.
const RUNS: [(usize, usize); 3] = [(1, 100), (8, 800), (64, 4_000)];
const STARTS: usize = 9;
/// The real tracker's export that all of us look at.
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../backlog/tests/data/glitchlab-beads.jsonl");

/// When the writer took up its present batch, and how long all batches took that wrote something.
#[derive(Default)]
struct Writing {
    since: Option<Instant>,
    busy: Duration,
}

type Commits = UnboundedReceiver<Arc<Committed>>;

fn main() {
    if std::env::args().any(|argument| argument == "telemetry") {
        return telemetry::compare();
    }
    println!(
        "| workers | tasks/s | commands/task | commands/s | commands/batch | ms/batch | writer busy | cores used |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (workers, tasks) in RUNS {
        runtime(workers).block_on(throughput(workers, tasks));
    }
    let mut starts: Vec<Duration> = (0..STARTS).map(|_| runtime(8).block_on(first_dispatch())).collect();
    starts.sort();
    let ms = |place: usize| starts[place].as_secs_f64() * 1_000.0;
    println!(
        "\nstart to first dispatch on the sample backlog: median {:.0} ms, {:.0} to {:.0} ms in {STARTS} starts",
        ms(STARTS / 2),
        ms(0),
        ms(STARTS - 1)
    );
}

/// As many threads as the program has.
fn runtime(workers: usize) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(workers + 4).enable_all().build().unwrap()
}

async fn throughput(workers: usize, count: usize) {
    let folder = tempfile::tempdir().unwrap();
    // What fails is tried again at once: a rest is not what is measured.
    let retry = RetryRules { backoff_ms: 1, backoff_max_ms: 1, ..RetryRules::default() };
    let setup = Setup { workers, retry, test: None, ..Setup::default() };
    let source = Arc::new(FakeBacklog::new(beads::tasks(count)));
    let off = Arc::new(Metrics::off());
    let (engine, writing, mut commits) = engine(folder.path(), &setup, source, off).await;
    let mut board = engine.board.subscribe();
    let (began, cpu_before) = (Instant::now(), cpu_seconds());
    let tree = start(&engine, &setup).await.unwrap();
    drop(board.wait_for(|view| view.is_quiet).await);
    let (took, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu_before);
    let busy = writing.lock().unwrap().busy.as_secs_f64();
    let batches = std::iter::from_fn(|| commits.try_recv().ok()).count();
    let (tasks, commands) = work_done(&engine.reader).await;
    tree.stop().await;
    println!(
        "| {workers} | {:.0} | {:.1} | {:.0} | {:.1} | {:.2} | {:.0} % | {:.1} |",
        tasks as f64 / took,
        commands as f64 / tasks as f64,
        commands as f64 / took,
        commands as f64 / batches as f64,
        busy * 1_000.0 / batches as f64,
        100.0 * busy / took,
        cpu / took
    );
}

async fn engine(
    folder: &Path,
    setup: &Setup,
    source: Arc<dyn Source>,
    metrics: Arc<Metrics>,
) -> (Arc<Engine>, Arc<Mutex<Writing>>, Commits) {
    let path = folder.join("store.db");
    let sqlite = Sqlite::open(&path).await.unwrap();
    let reader = Reader::Sqlite(Sqlite::readers(&path).await.unwrap());
    let repo = FakeRepo::new(&[("README.md", "A small repository.\n")]);
    let wall = clock::wall();
    let account = Account::file(&folder.join("account.jsonl"), Arc::clone(&wall)).unwrap();
    let writing = Arc::<Mutex<Writing>>::default();
    let around = Surroundings {
        backend: Backend::Sqlite(Box::new(sqlite)),
        reader,
        source,
        workspace: Arc::new(FakeWorkspace::new(repo.clone())),
        forge: Arc::new(FakeForge::new(repo)),
        model: Arc::new(Simulated::new(Profile::Fast, 1, account)),
        clock: Arc::clone(&wall),
        writer_clock: watched(wall, &writing),
        metrics,
        folder: folder.to_owned(),
        own: Arc::new(Mortal::new(&Tripwire::default())),
        watch_on: None,
    };
    let engine = compose(setup, around);
    let finished = Arc::clone(&writing);
    let commits = engine.feed.follow(Activation::new(move || {
        let mut writing = finished.lock().unwrap();
        let batch = writing.since.take().map_or(Duration::ZERO, |since| since.elapsed());
        writing.busy += batch;
        // Nobody took it: so the next commit is told as well.
        false
    }));
    (engine, writing, commits)
}

/// The writer looks at its clock when it takes up a batch, and its commit is published when it is done.
fn watched(wall: Clock, writing: &Arc<Mutex<Writing>>) -> Clock {
    let writing = Arc::clone(writing);
    Arc::new(move || {
        writing.lock().unwrap().since = Some(Instant::now());
        wall()
    })
}

/// Counts the completed tasks and the commands that it took: each row below is begun and ended by one.
async fn work_done(reader: &Reader) -> (usize, usize) {
    let tasks = reader.tasks(REPO).await.unwrap();
    let mut rows = reader.calls(SCOPE).await.unwrap().len();
    for task in &tasks {
        for attempt in reader.attempts(&task.key).await.unwrap() {
            rows += 1 + reader.steps(&attempt.attempt_id).await.unwrap().len();
        }
    }
    let done: Vec<_> = tasks.iter().filter(|task| task.state == TaskState::Completed).collect();
    rows += done.iter().filter(|task| task.merged.is_some()).count();
    (done.len(), 2 * rows)
}

/// From an empty store and a file on disk to the first claim.
async fn first_dispatch() -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let setup = Setup { workers: 8, ..Setup::default() };
    let source = Arc::new(JsonlSource::new(SAMPLE.into()));
    let off = Arc::new(Metrics::off());
    let (engine, _, mut commits) = engine(folder.path(), &setup, source, off).await;
    let tree = start(&engine, &setup).await.unwrap();
    let is_claim = |committed: &Arc<Committed>| {
        committed.events.iter().any(|event| matches!(event.kind, EventKind::TaskClaimed { .. }))
    };
    while !is_claim(&commits.recv().await.unwrap()) {}
    let took = began.elapsed();
    tree.stop().await;
    took
}

/// The processor time of this process so far, in user and system mode.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The name of the program may have spaces; what counts stands behind its closing bracket.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}

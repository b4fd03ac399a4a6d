//! The rate of tasks with telemetry against that without, by turns: spans, metrics and log records go to a receiver in this
//! process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use glitchlab_actors::activation::Activation;
use glitchlab_actors::feed::Feed;
use glitchlab_actors::trace_exporter::TraceExporter;
use glitchlab_domain::event::{About, Event};
use glitchlab_domain::policy::RetryRules;
use glitchlab_domain::trace::attempt_span;
use glitchlab_store::clock;
use glitchlab_telemetry::Telemetry;
use glitchlab_telemetry::config::{Config, Given};
use glitchlab_telemetry::filter::{is_carrier_span, is_exported};
use glitchlab_telemetry::logs::{Carrying, LogRecords};
use glitchlab_telemetry::metrics::{Conventions, Metrics};
use glitchlab_telemetry::providers::{LAST_WORDS, Origin};
use glitchlab_testkit::engine::start_with;
use glitchlab_testkit::settings::Setup;
use glitchlab_testkit::{FakeBacklog, beads};
use tokio::runtime::Runtime;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, reload};

use super::{engine, runtime, work_done};

const TURNS: usize = 7;
const WORKERS: usize = 8;
const TASKS: usize = 800;

/// Prints the rates of all turns and their ratios.
pub(super) fn compare() {
    let taken = Arc::<Taken>::default();
    let endpoint = receiver(&taken);
    let lines = Lines::install();
    println!("| turn | tasks/s without | tasks/s with | ratio |\n|---|---|---|---|");
    let mut ratios: Vec<f64> = (1..=TURNS)
        .map(|turn| {
            // Each first in every other turn, so that neither is favoured.
            let (without, with) = if turn % 2 == 0 {
                let with = rate(Some(&endpoint), &lines);
                (rate(None, &lines), with)
            } else {
                (rate(None, &lines), rate(Some(&endpoint), &lines))
            };
            println!("| {turn} | {without:.0} | {with:.0} | {:.2} |", with / without);
            with / without
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let kib = |bytes: &AtomicU64| bytes.load(Ordering::Relaxed) / 1024;
    let (all, logs) = (kib(&taken.all), kib(&taken.logs));
    println!("\nmedian {:.2}, {all} KiB received, {logs} of them log records", ratios[TURNS / 2]);
}

/// How many bytes a receiver took.
#[derive(Default)]
struct Taken {
    all: AtomicU64,
    /// Those of log records.
    logs: AtomicU64,
}

fn rate(endpoint: Option<&str>, lines: &Lines) -> f64 {
    let exporting = runtime(1);
    let telemetry = endpoint.map(|endpoint| telemetry(endpoint, &exporting));
    lines.send(telemetry.as_ref());
    let rate = runtime(WORKERS).block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let retry = RetryRules { backoff_ms: 1, backoff_max_ms: 1, ..RetryRules::default() };
        let setup = Setup { workers: WORKERS, retry, test: None, ..Setup::default() };
        let source = Arc::new(FakeBacklog::new(beads::tasks(TASKS)));
        let metrics = match &telemetry {
            Some(telemetry) => Metrics::new(&telemetry.meter(), Conventions::default()),
            None => Metrics::off(),
        };
        let (engine, _, _commits) = engine(folder.path(), &setup, source, Arc::new(metrics)).await;
        let exporter = telemetry.as_ref().and_then(Telemetry::outlet).map(|outlet| {
            let bookmark = folder.path().join("traces.json");
            TraceExporter { engine: Arc::clone(&engine), outlet, bookmark, redact: None }.child()
        });
        follow(&engine.feed);
        let mut board = engine.board.subscribe();
        let began = Instant::now();
        let tree = start_with(&engine, &setup, exporter.into_iter().collect()).await.unwrap();
        drop(board.wait_for(|view| view.is_quiet).await);
        let took = began.elapsed().as_secs_f64();
        let (tasks, _) = work_done(&engine.reader).await;
        tree.stop().await;
        tasks as f64 / took
    });
    lines.send(None);
    if let Some(telemetry) = telemetry {
        telemetry.shutdown(LAST_WORDS);
    }
    exporting.shutdown_background();
    rate
}

/// Where the lines of this process go: nowhere, or with all else.
struct Lines(reload::Handle<Option<LogRecords>, Registry>);

impl Lines {
    /// Takes the lines of this process from now on.
    fn install() -> Self {
        let (records, handle) = reload::Layer::new(None);
        let wanted = filter_fn(is_exported).with_max_level_hint(LevelFilter::INFO);
        let carriers = || filter_fn(is_carrier_span).with_max_level_hint(LevelFilter::INFO);
        let records = records.with_filter(LevelFilter::INFO.and(wanted).or(carriers()));
        tracing_subscriber::registry().with(records).with(Carrying.with_filter(carriers())).init();
        Self(handle)
    }

    /// Sends the lines to where this telemetry goes.
    fn send(&self, telemetry: Option<&Telemetry>) {
        let records = telemetry.and_then(|telemetry| LogRecords::new(telemetry, clock::wall()));
        self.0.reload(records).unwrap();
    }
}

/// Writes a line for every committed event, as the program does.
fn follow(feed: &Feed) {
    let mut commits = feed.follow(Activation::new(|| true));
    tokio::spawn(async move {
        while let Some(committed) = commits.recv().await {
            committed.events.iter().for_each(tell);
        }
    });
}

fn tell(event: &Event) {
    let Some(sentence) = event.kind.sentence() else { return };
    let About { bead_id, attempt_id, trace_id, .. } = &event.about;
    let task = bead_id.as_ref().map(ToString::to_string).unwrap_or_default();
    let attempt = attempt_id.as_ref().map(ToString::to_string).unwrap_or_default();
    let span = attempt_id.as_ref().map(|id| attempt_span(id).to_string()).unwrap_or_default();
    let trace = trace_id.clone().unwrap_or_default();
    tracing::info!(event = event.kind.name(), task, attempt, trace, span, "{sentence}");
}

fn telemetry(endpoint: &str, on: &Runtime) -> Telemetry {
    let config = Config::read(&Given { firm: Some(endpoint.to_owned()), ..Given::default() }).unwrap();
    Telemetry::start(&config, &Origin::default(), clock::wall(), on.handle(), None).unwrap()
}

/// Takes everything and says so; returns its address.
fn receiver(taken: &Arc<Taken>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let taken = Arc::clone(taken);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let taken = Arc::clone(&taken);
            std::thread::spawn(move || while take(&stream, &taken).is_some() {});
        }
    });
    format!("http://{address}")
}

/// Reads one request and answers it; none when there are no more.
fn take(mut stream: &TcpStream, taken: &Taken) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length, mut is_logs) = (String::new(), 0, false);
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        is_logs |= line.starts_with("POST /v1/logs ");
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    taken.all.fetch_add(length as u64, Ordering::Relaxed);
    taken.logs.fetch_add(if is_logs { length as u64 } else { 0 }, Ordering::Relaxed);
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
        .ok()
}

//! The rate of tasks with telemetry against that without, by turns: spans and metrics go to a receiver in this process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use glitchlab_actors::trace_exporter::TraceExporter;
use glitchlab_domain::policy::RetryRules;
use glitchlab_store::clock;
use glitchlab_telemetry::Telemetry;
use glitchlab_telemetry::config::{Config, Given};
use glitchlab_telemetry::metrics::{Conventions, Metrics};
use glitchlab_telemetry::providers::{LAST_WORDS, Origin};
use glitchlab_testkit::engine::start_with;
use glitchlab_testkit::settings::Setup;
use glitchlab_testkit::{FakeBacklog, beads};
use tokio::runtime::Runtime;

use super::{engine, runtime, work_done};

const TURNS: usize = 7;
const WORKERS: usize = 8;
const TASKS: usize = 800;

/// Prints the rates of all turns and their ratios.
pub(super) fn compare() {
    let taken = Arc::new(AtomicU64::new(0));
    let endpoint = receiver(&taken);
    println!("| turn | tasks/s without | tasks/s with | ratio |\n|---|---|---|---|");
    let mut ratios: Vec<f64> = (1..=TURNS)
        .map(|turn| {
            // Each first in every other turn, so that neither is favoured.
            let (without, with) = if turn % 2 == 0 {
                let with = rate(Some(&endpoint));
                (rate(None), with)
            } else {
                (rate(None), rate(Some(&endpoint)))
            };
            println!("| {turn} | {without:.0} | {with:.0} | {:.2} |", with / without);
            with / without
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!("\nmedian {:.2}, {} KiB received", ratios[TURNS / 2], taken.load(Ordering::Relaxed) / 1024);
}

fn rate(endpoint: Option<&str>) -> f64 {
    let exporting = runtime(1);
    let telemetry = endpoint.map(|endpoint| telemetry(endpoint, &exporting));
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
        let mut board = engine.board.subscribe();
        let began = Instant::now();
        let tree = start_with(&engine, &setup, exporter.into_iter().collect()).await.unwrap();
        drop(board.wait_for(|view| view.is_quiet).await);
        let took = began.elapsed().as_secs_f64();
        let (tasks, _) = work_done(&engine.reader).await;
        tree.stop().await;
        tasks as f64 / took
    });
    if let Some(telemetry) = telemetry {
        telemetry.shutdown(LAST_WORDS);
    }
    exporting.shutdown_background();
    rate
}

fn telemetry(endpoint: &str, on: &Runtime) -> Telemetry {
    let config = Config::read(&Given { firm: Some(endpoint.to_owned()), ..Given::default() }).unwrap();
    Telemetry::start(&config, &Origin::default(), clock::wall(), on.handle(), None).unwrap()
}

/// Takes everything and says so; returns its address.
fn receiver(taken: &Arc<AtomicU64>) -> String {
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
fn take(mut stream: &TcpStream, taken: &AtomicU64) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    taken.fetch_add(length as u64, Ordering::Relaxed);
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
        .ok()
}

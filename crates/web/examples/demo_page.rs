//! Serves the dashboard of an engine that does not exist, to look at the pages while working on them:
//! `cargo run -p glitchlab-web --example demo_page -- 3000`

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use glitchlab_domain::event::EventKind;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::snapshot::Snapshot;
use glitchlab_domain::stage::Stage;
use glitchlab_web::{Guard, Health, Sources, serve};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

#[path = "../tests/records.rs"]
mod records;
#[path = "../tests/sample/mod.rs"]
mod sample;

#[expect(clippy::print_stdout, reason = "the address is this program's only output")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args().nth(1).unwrap_or_else(|| "3000".to_owned()).parse()?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let (publisher, snapshot) = watch::channel(Arc::new(sample::live(now_ms())));
    let started_ms = now_ms();
    let sources = Sources {
        snapshot,
        why: watch::channel(Arc::new(sample::why(now_ms()))).1,
        tree: Arc::new(move || {
            let mut tree = sample::tree();
            tree.as_of_ms += u64::try_from(now_ms() - started_ms).ok()?;
            Some(tree)
        }),
        health: Arc::new(|| Health::Ok),
        metrics: None,
        records: Arc::new(records::Made::new(now_ms())),
        clock: Arc::new(now_ms),
    };
    tokio::spawn(work(publisher));
    let address = listener.local_addr()?;
    println!("http://{address}");
    serve(listener, sources, Guard::bound_to(address), CancellationToken::new()).await?;
    Ok(())
}

/// Lets the second task go through its stages again and again.
async fn work(publisher: watch::Sender<Arc<Snapshot>>) {
    for seq in 100_u64.. {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let mut snapshot = Snapshot::clone(&publisher.borrow());
        snapshot.apply(&sample::event(seq, now_ms(), "gl-7ux.3", next(seq, &snapshot)));
        publisher.send_replace(Arc::new(snapshot));
    }
}

fn next(seq: u64, snapshot: &Snapshot) -> EventKind {
    let stages = u64::try_from(Stage::MAIN_LINE.len()).expect("seven");
    let place = usize::try_from(seq / 4 % stages).expect("below seven");
    let (stage, bound) = (Stage::MAIN_LINE[place], MicroUsd::new(60_000));
    let mut usage = snapshot.money.usage;
    match seq % 4 {
        0 => EventKind::StageStarted { stage, n: 1 },
        1 => {
            usage.reserved += bound;
            EventKind::BudgetReserved { model: "simulated".to_owned(), bound, usage }
        }
        2 => {
            let actual = MicroUsd::new(12_000);
            usage.reserved = usage.reserved - bound;
            (usage.hour, usage.day, usage.total) =
                (usage.hour + actual, usage.day + actual, usage.total + actual);
            let (input_tokens, output_tokens) = (700, 90);
            let model = "simulated".to_owned();
            EventKind::BudgetSettled {
                model,
                stage: None,
                bound,
                actual,
                input_tokens,
                output_tokens,
                charged_tokens: input_tokens + output_tokens,
                latency_ms: 900,
                ok: true,
                unknown: false,
                usage,
                key: None,
            }
        }
        _ => {
            let summary = "made up".to_owned();
            EventKind::StageFinished {
                stage,
                n: 1,
                ok: !seq.is_multiple_of(5),
                summary,
                took_ms: 2_800,
                size: None,
                decision: None,
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "there is no engine here whose clock could be asked")]
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("this program is younger than 1970");
    i64::try_from(since.as_millis()).expect("the year is below 292 million")
}

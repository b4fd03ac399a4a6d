//! What a traced message costs beside a raw cast of `ractor`, and how long a crash takes to a serving child beside
//! `kameo`: `cargo bench -p glitchlab-runtime --bench supervision`, or only one of them with `-- messages` or
//! `-- restarts` behind it.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

mod cast;
mod floor;
mod restart;
mod traces;

use mimalloc::MiMalloc;
use restart::{Compared, Crash};
use traces::Tracing;

/// As the program does.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() {
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |what: &str| only.as_ref().is_none_or(|only| only == what);
    if wanted("messages") {
        messages();
    }
    if wanted("restarts") {
        restarts();
    }
}

fn messages() {
    let tracer = traces::propagate();
    println!("| a message | threads | raw ns | ours ns | ours / raw, speed |");
    println!("|---|---|---|---|---|");
    for tracing in [Tracing::Absent, Tracing::Unsampled, Tracing::Sampled] {
        tracing.begin(&tracer);
        for threads in [1, 2] {
            let (raw, ours) = run(threads, cast::compare(tracing));
            println!("| {tracing} | {threads} | {raw:.0} | {ours:.0} | {:.2} |", raw / ours);
        }
    }
}

fn restarts() {
    // What a panic says is not what is measured.
    std::panic::set_hook(Box::new(|_| {}));
    println!(
        "\n| from the crash to all serving, µs, p50 and p99 | crash | threads | ours | kameo | raw ractor | ours / kameo, p50 | ours / ours of one child |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (crash, threads) in [(Crash::Panic, 1), (Crash::Panic, 2), (Crash::Error, 1), (Crash::Error, 2)] {
        let mut one_child = None;
        for (children, name) in [(1, "one_for_one"), (3, "one_for_all of three")] {
            let Compared { ours, kameo, floor } = run(threads, restart::compare(children, crash));
            let one_child = *one_child.get_or_insert(ours.p50);
            let (to_kameo, to_one) = (ours.p50 / kameo.p50, ours.p50 / one_child);
            println!(
                "| {name} | {crash} | {threads} | {ours} | {kameo} | {floor} | {to_kameo:.2} | {to_one:.2} |"
            );
        }
    }
    println!("\na start alone, in raw ractor: {} µs", run(2, floor::start()));
}

/// Runs in a task, so that the sender is on a thread of the runtime like every actor.
fn run<T: Send + 'static>(threads: usize, what: impl Future<Output = T> + Send + 'static) -> T {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap();
    runtime.block_on(async { tokio::spawn(what).await.unwrap() })
}

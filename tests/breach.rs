//! A supervisor that gives up ends the process with its own code, and what is durable goes on at the next start.

use glitchlab_domain::command::Command;
use glitchlab_domain::id::BootId;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::rows::ProcessRow;
use glitchlab_store::{Backend, Sqlite, Writer, clock};
use tokio_util::sync::CancellationToken;

use crate::support::{Scratch, text};

/// Starts another boot on the same store that calls all others dead, as an engine on another machine might.
fn usurp(scratch: &Scratch) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let pool = Sqlite::readers(&scratch.store()).await.expect("the store opens");
        let alive =
            glitchlab_store::Reader::Sqlite(pool).alive_processes().await.expect("processes are read");
        let other =
            ProcessRow { boot_id: BootId::new("usurper"), host: "elsewhere".to_owned(), ..alive[0].clone() };
        let sqlite = Sqlite::open(&scratch.store()).await.expect("the store opens");
        let (writer, queue) =
            Writer::new(Backend::Sqlite(Box::new(sqlite)), other.boot_id.clone(), clock::wall(), 8);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let writing = tokio::spawn(async move { writer.run(stopped, |_| {}).await });
        let dead = alive.into_iter().map(|row| row.boot_id).collect();
        let caps = MicroUsd::new(1_000_000);
        let start = Command::StartBoot {
            process: other,
            scope: "real".to_owned(),
            cap_hour: caps,
            cap_day: caps,
            terms: glitchlab_domain::ledger::Terms::default(),
            dead,
        };
        queue.submit(start).await.expect("the store answers").expect("it starts");
        stop.cancel();
        writing.await.expect("it ends").expect("it wrote");
    });
}

#[test]
fn a_boot_that_the_store_calls_dead_gives_up_with_its_own_code() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog("");
    let run = scratch.start(&["--model", "simulated/fast", "--allow-untested", "--backlog", text(&backlog)]);
    run.until_printed("watch");
    usurp(&scratch);
    let ended = run.wait().expect_code(70);
    assert!(ended.stderr.contains("supervisor.breach"), "{}", ended.stderr);
    assert!(ended.stderr.contains("not alive in the store"), "{}", ended.stderr);
}

//! What a dead engine left running is ended, and nothing else.

use std::process::{Child, Command, Stdio};

use glitchlab_pipeline::process::ChildProcess;
use glitchlab_pipeline::process::engine::Engine as Identity;
use glitchlab_pipeline::process::leftovers;

use crate::engine::Engine;
use crate::support::{pids, runs, start_ticks, until};

#[tokio::test]
async fn what_a_killed_engine_left_running_is_ended_at_the_next_start() {
    let place = tempfile::tempdir().unwrap();
    let mut engine = Engine::play("runs daemons", place.path());
    until("the daemon runs", || pids(&place.path().join("pids")).len() == 3).await;
    let left = pids(&place.path().join("pids"));
    leftovers::kill(&[]).await;
    assert!(left.iter().all(|pid| runs(*pid)), "a living engine's processes are its own");
    engine.kill();
    let swept = leftovers::kill(&[]).await;
    assert_eq!(swept.survivors, Vec::<u32>::new());
    assert!(!left.iter().any(|pid| runs(*pid)));
}

#[tokio::test]
async fn a_killed_engines_program_dies_with_it_and_so_does_what_left_its_group_and_forgot_its_environment() {
    let place = tempfile::tempdir().unwrap();
    let mut engine = Engine::play("runs daemons", place.path());
    until("the daemons run", || pids(&place.path().join("pids")).len() == 3).await;
    let left = pids(&place.path().join("pids"));
    let shim = pids(&place.path().join("shim"))[0];
    engine.kill();
    until("all are gone, without a next start", || !left.iter().any(|pid| runs(*pid))).await;
    until("so is what held them together", || !runs(shim)).await;
}

/// The guard is in the program's own group: a program can kill it.
#[tokio::test]
async fn what_killed_its_guard_is_found_by_its_record_at_the_next_start() {
    let place = tempfile::tempdir().unwrap();
    let mut engine = Engine::play("kills its guard", place.path());
    until("the daemon runs", || pids(&place.path().join("pids")).len() == 2).await;
    let (left, shim) = (pids(&place.path().join("pids")), pids(&place.path().join("shim"))[0]);
    engine.kill();
    let host = Identity::current().host.clone();
    let recorded = ChildProcess { pid: shim, pgid: shim, start_ticks: start_ticks(shim), host };
    leftovers::kill(&[recorded]).await;
    assert!(!left.iter().any(|pid| runs(*pid)));
    until("so is what held them together", || !runs(shim)).await;
}

/// A process that carries no marker of ours, only a record.
fn unmarked() -> Child {
    use std::os::unix::process::CommandExt;
    Command::new("sleep").arg("1000").process_group(0).stdin(Stdio::null()).spawn().unwrap()
}

#[tokio::test]
async fn a_recorded_process_is_ended_only_when_it_is_still_the_one_that_was_recorded() {
    let mut child = unmarked();
    let pid = child.id();
    let host = Identity::current().host.clone();
    let recorded = ChildProcess { pid, pgid: pid, start_ticks: start_ticks(pid), host };
    let others = [
        ChildProcess { start_ticks: recorded.start_ticks + 1, ..recorded.clone() },
        ChildProcess { host: "another boot".into(), ..recorded.clone() },
    ];
    leftovers::kill(&others).await;
    assert!(runs(pid));
    leftovers::kill(&[recorded]).await;
    assert!(!runs(pid));
    child.wait().unwrap();
}

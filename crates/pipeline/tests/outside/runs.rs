//! However a run ends, nothing of it is left, and its output stays small.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use glitchlab_pipeline::process::contained::{self, Cause, Finished};
use glitchlab_pipeline::process::output::Capture;
use glitchlab_pipeline::process::{
    ChildProcess, ChildWatch, Command, Environment, Exit, ProcessError, RunLimits, Unwatched, WatchError,
    brief,
};
use tokio::sync::Notify;

use crate::gate::{GRACE, LIMITS};
use crate::support::{environment, pids, runs, until};

async fn run(place: &Path, line: &str, limits: RunLimits) -> Finished {
    let command = Command::shell(line, place, environment(place));
    contained::run(&command, &limits, GRACE, &Unwatched).await.unwrap()
}

/// Starts three kinds of daemons, each of which writes down its id: one in a session of its own, one of those whose
/// parent is gone, and one that even forgot its environment.
const DAEMONS: &str = "\
setsid sh -c 'echo $$ >>pids; exec sleep 1000' &
(setsid sh -c 'echo $$ >>pids; exec sleep 1000' &)
(env -i setsid /bin/sh -c 'echo $$ >>pids; exec /bin/sleep 1000' &)
while [ \"$(wc -l <pids 2>/dev/null || echo 0)\" -lt 3 ]; do sleep 0.01; done
";

#[tokio::test]
async fn no_daemon_survives_the_normal_end_of_what_started_it() {
    let place = tempfile::tempdir().unwrap();
    let run = run(place.path(), DAEMONS, LIMITS).await;
    assert_eq!((run.exit, run.cause), (Exit::Code(0), Cause::Itself));
    assert_eq!(run.survivors, Vec::<u32>::new());
    let daemons = pids(&place.path().join("pids"));
    assert_eq!(daemons.len(), 3);
    assert!(!daemons.iter().any(|pid| runs(*pid)));
}

#[tokio::test]
async fn no_daemon_survives_when_the_shim_is_killed_from_inside() {
    let place = tempfile::tempdir().unwrap();
    let line = "setsid sh -c 'echo $$ >>pids; exec sleep 1000' & while [ ! -s pids ]; do sleep 0.01; done; kill -9 $PPID";
    let run = run(place.path(), line, LIMITS).await;
    assert_eq!(run.exit, Exit::Signal(9));
    assert!(!pids(&place.path().join("pids")).iter().any(|pid| runs(*pid)));
}

#[tokio::test]
async fn a_dropped_run_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().to_owned();
    let line = format!("{DAEMONS} sleep 1000");
    let task = tokio::spawn(async move { run(&path, &line, LIMITS).await });
    until("the daemons run", || pids(&place.path().join("pids")).len() == 3).await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    let daemons = pids(&place.path().join("pids"));
    until("the daemons are gone", || !daemons.iter().any(|pid| runs(*pid))).await;
}

#[tokio::test]
async fn a_timeout_ends_the_run() {
    let place = tempfile::tempdir().unwrap();
    let limits = RunLimits { timeout: Duration::from_millis(300), ..LIMITS };
    let run = run(place.path(), "exec sleep 1000", limits).await;
    assert_eq!((run.exit, run.cause), (Exit::Signal(15), Cause::Timeout));
    assert!(run.took >= limits.timeout);
}

/// Asks for the end at the first sign of life.
#[derive(Default)]
struct Impatient {
    alive: Notify,
    progress: AtomicUsize,
}

#[async_trait]
impl ChildWatch for Impatient {
    async fn started(&self, _: &ChildProcess) -> Result<(), WatchError> {
        Ok(())
    }

    async fn ended(&self, _: &ChildProcess) {}

    fn progress(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
        self.alive.notify_one();
    }

    async fn stop_requested(&self) {
        self.alive.notified().await;
    }
}

/// Runs a program until it prints something.
async fn stopped(place: &Path, line: &str) -> Finished {
    let watch = Impatient::default();
    let command = Command::shell(line, place, environment(place));
    let run = contained::run(&command, &LIMITS, GRACE, &watch).await.unwrap();
    assert!(watch.progress.load(Ordering::Relaxed) > 0);
    run
}

#[tokio::test]
async fn a_watcher_hears_of_output_and_can_end_the_run() {
    let place = tempfile::tempdir().unwrap();
    let run = stopped(place.path(), "echo working; exec sleep 1000").await;
    assert_eq!((run.exit, run.cause), (Exit::Signal(15), Cause::Stopped));
    assert!(run.output.starts_with("working\n"), "{}", run.output);
}

#[tokio::test]
async fn a_program_that_is_told_to_end_may_tidy_up() {
    let place = tempfile::tempdir().unwrap();
    let line = "trap 'echo tidied; exit 3' TERM; echo ready; while :; do sleep 0.01; done";
    let run = stopped(place.path(), line).await;
    assert_eq!(run.exit, Exit::Code(3));
    assert!(run.output.contains("tidied"), "{}", run.output);
}

#[tokio::test]
async fn a_program_that_does_not_listen_is_killed_with_what_it_started() {
    let place = tempfile::tempdir().unwrap();
    let deaf = "sh -c 'echo $$ >>pids; echo ready; while :; do sleep 0.01; done'";
    let run = stopped(place.path(), &format!("trap '' TERM; echo $$ >>pids; {deaf}; true")).await;
    assert_eq!(run.exit, Exit::Signal(9));
    let deaf = pids(&place.path().join("pids"));
    assert_eq!(deaf.len(), 2);
    assert!(!deaf.iter().any(|pid| runs(*pid)));
}

#[tokio::test]
async fn a_flood_of_output_is_cut_in_the_middle() {
    let place = tempfile::tempdir().unwrap();
    let run = run(place.path(), "echo first; yes | head -c 20000000; echo last >&2", LIMITS).await;
    assert!(run.output.starts_with("first\n"));
    assert!(run.output.contains("bytes left out"));
    assert!(run.output.len() < 2 * LIMITS.max_output_bytes);
}

#[tokio::test]
async fn exit_codes_and_signals_are_told_apart() {
    let place = tempfile::tempdir().unwrap();
    assert_eq!(run(place.path(), "exit 7", LIMITS).await.exit, Exit::Code(7));
    assert_eq!(run(place.path(), "kill -SEGV $$", LIMITS).await.exit, Exit::Signal(11));
    assert_eq!(run(place.path(), "no-such-program", LIMITS).await.exit, Exit::Code(127));
}

#[tokio::test]
async fn a_program_gets_its_environment_and_no_input() {
    let place = tempfile::tempdir().unwrap();
    let variables = Environment::new([("PATH", "/usr/bin:/bin"), ("GREETING", "hello")]);
    let command = Command::shell(
        "cat; echo $GREETING; echo ${HOME-none} ${CARGO_PKG_NAME-none}",
        place.path(),
        variables,
    );
    let run = contained::run(&command, &LIMITS, GRACE, &Unwatched).await.unwrap();
    assert_eq!(run.output, "hello\nnone none\n");
}

#[tokio::test]
async fn a_program_that_cannot_start_says_where_it_was_to_start() {
    let place = tempfile::tempdir().unwrap();
    let gone = place.path().join("gone");
    let command = Command::shell("true", &gone, environment(place.path()));
    let error = contained::run(&command, &LIMITS, GRACE, &Unwatched).await.unwrap_err();
    assert!(matches!(error, ProcessError::Spawn { .. }), "{error}");
    assert!(error.to_string().contains("gone"));
}

#[tokio::test]
async fn a_brief_program_reads_its_input_and_is_ended_when_it_takes_too_long() {
    let place = tempfile::tempdir().unwrap();
    let program = |line: &str| Command::shell(line, place.path(), environment(place.path()));
    let said =
        brief::run(&program("cat; echo problem >&2").input("text"), LIMITS.timeout, Capture::head(100))
            .await
            .unwrap();
    assert_eq!((said.exit, said.stderr.as_str()), (Exit::Code(0), "problem\n"));
    assert_eq!(said.stdout.into_text(), "text");
    let slow = program("sh -c 'echo $$ >pids; sleep 1000'");
    let error = brief::run(&slow, Duration::from_secs(3), Capture::head(100)).await.unwrap_err();
    assert!(matches!(error, ProcessError::TimedOut { .. }), "{error}");
    assert!(!runs(pids(&place.path().join("pids"))[0]));
}

#[tokio::test]
async fn a_brief_program_is_done_when_it_exits_whoever_holds_its_output() {
    let place = tempfile::tempdir().unwrap();
    let command = Command::shell(
        "setsid sh -c 'echo $$ >pids; exec sleep 1000' & echo done",
        place.path(),
        environment(place.path()),
    );
    let said = brief::run(&command, LIMITS.timeout, Capture::head(100)).await.unwrap();
    assert_eq!(said.stdout.into_text(), "done\n");
    until("the daemon runs", || !pids(&place.path().join("pids")).is_empty()).await;
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pids(&place.path().join("pids"))[0].cast_signed()),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
}

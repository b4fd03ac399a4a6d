//! A program begins only after a record of it is durable.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use glitchlab_pipeline::process::{
    ChildProcess, ChildWatch, Command, Exit, ProcessError, RunLimits, WatchError, contained,
};

use crate::engine::Engine;
use crate::support::{environment, pids, runs, start_ticks, until};

pub(crate) const LIMITS: RunLimits = RunLimits { timeout: Duration::from_secs(60), max_output_bytes: 4096 };
pub(crate) const GRACE: Duration = Duration::from_millis(300);

/// Notes what it hears, and whether the program had begun by then.
#[derive(Default)]
struct Notes {
    trace: PathBuf,
    refuses: bool,
    heard: Mutex<Vec<String>>,
}

#[async_trait]
impl ChildWatch for Notes {
    async fn started(&self, process: &ChildProcess) -> Result<(), WatchError> {
        assert_eq!(process.start_ticks, start_ticks(process.pid));
        self.heard.lock().unwrap().push(format!("started, begun: {}", self.trace.exists()));
        if self.refuses { Err(WatchError { reason: "the disk is full".into() }) } else { Ok(()) }
    }

    async fn ended(&self, process: &ChildProcess) {
        self.heard.lock().unwrap().push(format!("ended, runs: {}", runs(process.pid)));
    }

    fn progress(&self) {}
}

fn program(place: &Path) -> Command {
    Command::shell("echo ran >ran", place, environment(place))
}

#[tokio::test]
async fn a_program_begins_after_it_was_recorded_and_is_gone_when_that_is_told() {
    let place = tempfile::tempdir().unwrap();
    let notes = Notes { trace: place.path().join("ran"), ..Notes::default() };
    let run = contained::run(&program(place.path()), &LIMITS, GRACE, &notes).await.unwrap();
    assert_eq!(run.exit, Exit::Code(0));
    assert!(notes.trace.exists());
    assert_eq!(*notes.heard.lock().unwrap(), ["started, begun: false", "ended, runs: false"]);
}

#[tokio::test]
async fn a_program_that_cannot_be_recorded_never_begins() {
    let place = tempfile::tempdir().unwrap();
    let notes = Notes { trace: place.path().join("ran"), refuses: true, ..Notes::default() };
    let error = contained::run(&program(place.path()), &LIMITS, GRACE, &notes).await.unwrap_err();
    assert!(matches!(error, ProcessError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("the disk is full"));
    assert!(!notes.trace.exists());
}

#[tokio::test]
async fn the_gate_stays_closed_when_the_engine_dies() {
    let place = tempfile::tempdir().unwrap();
    let mut engine = Engine::play("never opens the gate", place.path());
    until("the shim waits", || place.path().join("shim").exists()).await;
    let shim = pids(&place.path().join("shim"))[0];
    assert!(runs(shim));
    engine.kill();
    until("the shim is gone", || !runs(shim)).await;
    assert!(!place.path().join("ran").exists());
}

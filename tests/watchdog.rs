//! What hangs in the real program is found by the right clock and removed, its tasks go on, and nothing is paid twice.

use std::collections::BTreeMap;
use std::time::Duration;

use glitchlab_domain::event::EventKind;
use glitchlab_domain::task::{TaskRow, TaskState};
use glitchlab_domain::watchdog::Clock;

use crate::support::{LIMIT, Run, Scratch, bead, get, pause, text, wait_for};

/// The bound of every clock here.
const BOUND: &str = "5s";

fn backlog(count: u32) -> String {
    (0..count).map(|n| bead(&format!("w-{n}"), n, "")).collect()
}

/// Starts an engine whose clocks all have the same short bound.
fn start(scratch: &Scratch, model: &str, tasks: u32, more: &[&str]) -> Run {
    let backlog = scratch.backlog(&backlog(tasks));
    let own = ["--model", model, "--test", "true", "--merge", "when_green", "--max-open", "0"];
    let own = [&own[..], &["--backlog", text(&backlog), "--watchdog-no-progress", BOUND], more].concat();
    scratch.start_with(
        &[
            ("GLITCHLAB_WATCHDOG_HANDLER", BOUND),
            ("GLITCHLAB_WATCHDOG_BEAT", BOUND),
            ("GLITCHLAB_WATCHDOG_START_GRACE", "1s"),
        ],
        &own,
    )
}

/// What the watchdog did, by clock, as the store has it.
fn acted(scratch: &Scratch) -> Vec<(Clock, String)> {
    let events = scratch.read(async |reader| reader.last_events(10_000).await.expect("events are read"));
    let of = |kind: &EventKind| match kind {
        EventKind::WatchdogActed { clock, did, .. } => Some((*clock, did.clone())),
        _ => None,
    };
    events.iter().filter_map(|event| of(&event.kind)).collect()
}

fn is_done(tasks: &[TaskRow]) -> bool {
    !tasks.is_empty() && tasks.iter().all(|task| task.state == TaskState::Completed)
}

fn all_is_done_and_paid_once(scratch: &Scratch) {
    assert!(is_done(&scratch.tasks()), "{:?}", scratch.tasks());
    let mut calls: BTreeMap<String, u32> = BTreeMap::new();
    for key in scratch.account().keys() {
        // attempt/step/call/try: a call that was answered is never asked again.
        let (call, _) = key.rsplit_once('/').expect("a try's key");
        *calls.entry(call.to_owned()).or_default() += 1;
    }
    assert!(!calls.is_empty());
    let twice: Vec<_> = calls.iter().filter(|(_, tries)| **tries > 1).collect();
    assert!(twice.is_empty(), "billed twice: {twice:?}");
    assert!(scratch.merges().values().all(|count| *count == 1), "{:?}", scratch.merges());
}

#[test]
fn a_stage_that_awaits_for_ever_is_dropped_and_its_attempt_goes_on() {
    let scratch = Scratch::new();
    let run = start(&scratch, "simulated/drill-awaits", 2, &["--until-idle"]);
    let pid = run.pid();
    let ended = run.wait().expect_code(0);
    assert!(!ended.stderr.contains("engine.restarting"), "process {pid} is the only one\n{}", ended.stderr);
    let worker = "glitchlab/work/workers/worker-1";
    let (acted, expected) = (acted(&scratch), (Clock::Progress, format!("ended the attempt of {worker}")));
    assert!(acted.len() >= 2 && acted.iter().all(|acted| *acted == expected), "{acted:?}");
    all_is_done_and_paid_once(&scratch);
}

#[test]
fn a_worker_that_blocks_its_thread_is_fenced_off_and_its_attempt_goes_on() {
    let scratch = Scratch::new();
    let run = start(&scratch, "simulated/drill-blocks", 1, &["--until-idle"]);
    let ended = run.wait().expect_code(0);
    assert!(!ended.stderr.contains("engine.restarting"), "{}", ended.stderr);
    let acted = acted(&scratch);
    assert_eq!(acted.iter().map(|(clock, _)| *clock).collect::<Vec<_>>(), [Clock::Progress], "{acted:?}");
    all_is_done_and_paid_once(&scratch);
}

#[test]
fn when_every_thread_is_blocked_the_process_replaces_itself_on_the_same_address_and_goes_on() {
    let scratch = Scratch::new();
    let run = start(&scratch, "simulated/drill-blocks-all", 1, &[]);
    let address = run.address();
    let done = || scratch.try_tasks().filter(|tasks| is_done(tasks));
    assert!(wait_for(LIMIT, done).is_some(), "{}\n{}", run.stdout(), run.stderr());
    assert_eq!(run.stderr().matches("engine.restarting").count(), 1, "{}", run.stderr());
    assert!(get(&address, "/health").ends_with("ok\n"), "the pages are where they were");
    let did = wait_for(LIMIT, || acted(&scratch).first().cloned()).expect("the record reaches the store");
    assert_eq!(did, (Clock::Beat, "restarted the process".to_owned()));
    let is_told = || get(&address, "/api/v1/state").contains("watchdog.acted").then_some(());
    assert!(wait_for(LIMIT, is_told).is_some(), "it is in the feed of the live page");
    let said = scratch.command(&["status", "--json"]);
    assert!(said.contains("restarted the process"), "{said}");
    run.signal("TERM");
    let _ended = run.wait().expect_code(0);
    all_is_done_and_paid_once(&scratch);
}

#[test]
fn a_fourth_restart_within_six_hours_ends_the_process_with_70_and_says_so() {
    let scratch = Scratch::new();
    let run = start(&scratch, "simulated/drill-blocks-all", 6, &["--until-idle"]);
    let ended = run.wait().expect_code(70);
    assert_eq!(ended.stderr.matches("the process replaces itself").count(), 3, "{}", ended.stderr);
    assert!(ended.stderr.contains("restarted itself 3 times within 6 h"), "{}", ended.stderr);
}

#[test]
fn under_a_service_manager_the_process_ends_with_a_code_of_its_own_instead() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&backlog(1));
    let run = scratch.start_with(
        &[("INVOCATION_ID", "0123"), ("GLITCHLAB_WATCHDOG_BEAT", BOUND)],
        &["--model", "simulated/drill-blocks-all", "--test", "true", "--backlog", text(&backlog)],
    );
    let ended = run.wait().expect_code(71);
    assert!(ended.stderr.contains("so that the service manager starts it again"), "{}", ended.stderr);
}

#[test]
fn what_is_idle_or_paused_or_stopped_by_a_signal_for_longer_than_the_limit_is_left_alone() {
    let scratch = Scratch::new();
    let idle = start(&scratch, "simulated/fast", 0, &[]);
    idle.until_printed("http://");
    pause(Duration::from_secs(8));
    idle.signal("STOP");
    pause(Duration::from_secs(9));
    idle.signal("CONT");
    let is_told = || scratch.events_named("watchdog.gap").first().cloned();
    assert!(wait_for(LIMIT, is_told).is_some(), "the gap is recorded\n{}", idle.stderr());
    let paused = scratch.command(&["pause", "--reason", "lunch", "--json"]);
    assert!(paused.contains("true"), "{paused}");
    let _backlog_with_work = scratch.backlog(&backlog(2));
    pause(Duration::from_secs(8));
    let resumed = scratch.command(&["resume", "--json"]);
    assert!(resumed.contains("true"), "{resumed}");
    idle.signal("TERM");
    let ended = idle.wait().expect_code(0);
    assert_eq!(acted(&scratch), [], "{}", ended.stderr);
    assert!(!ended.stderr.contains("watchdog.found"), "{}", ended.stderr);
}

#[test]
fn an_engine_that_waits_for_money_is_left_alone() {
    let scratch = Scratch::new();
    let run =
        start(&scratch, "simulated/fast", 30, &["--budget-per-hour", "0.02", "--budget-per-day", "0.02"]);
    run.until_printed("http://");
    assert!(wait_for(LIMIT, || scratch.try_tasks().filter(|_| scratch.is_out_of_money())).is_some());
    pause(Duration::from_secs(12));
    run.signal("TERM");
    let ended = run.wait().expect_code(0);
    assert_eq!(acted(&scratch), [], "{}", ended.stderr);
}

#[test]
fn a_service_manager_hears_that_it_is_ready_alive_and_stopping() {
    let scratch = Scratch::new();
    let path = scratch.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(LIMIT)).expect("a limit");
    let backlog = scratch.backlog(&backlog(1));
    let run = scratch.start_with(
        &[("NOTIFY_SOCKET", text(&path))],
        &["--model", "simulated/fast", "--test", "true", "--backlog", text(&backlog)],
    );
    let hear = |wanted: &str| {
        let mut buffer = [0; 4_096];
        loop {
            let length = socket.recv(&mut buffer).expect("it speaks in time");
            if String::from_utf8_lossy(&buffer[..length]).contains(wanted) {
                return String::from_utf8_lossy(&buffer[..length]).into_owned();
            }
        }
    };
    hear("READY=1");
    assert!(hear("WATCHDOG=1").contains("STATUS="), "it says what it is at");
    run.signal("TERM");
    hear("STOPPING=1");
    let _ended = run.wait().expect_code(0);
}

#[test]
fn the_unit_that_is_installed_is_one_that_systemd_accepts_and_is_not_overwritten() {
    let scratch = Scratch::new();
    let repo = scratch.repo();
    let install = |more: &[&str]| {
        let words = ["service", "install", "--repo", text(&repo)];
        scratch.program(&[&words, more].concat()).output().expect("the program runs")
    };
    let flags = ["--", "--model", "simulated/fast", "--test", "test \"$HOME\" && true", "--workers", "2"];
    let said = String::from_utf8(install(&flags).stdout).expect("text");
    assert!(said.contains("systemctl --user enable --now glitchlab-repo.service"), "{said}");
    let unit = scratch.path().join("config-home/systemd/user/glitchlab-repo.service");
    assert!(unit.exists(), "{said}");
    assert_eq!(install(&["--", "--workers", "3"]).status.code(), Some(78), "another one is not overwritten");
    assert_eq!(install(&["--", "--workers", "none"]).status.code(), Some(2));
    assert!(install(&["--force", "--", "--workers", "3"]).status.success());
    let printed = String::from_utf8(install(&["--print", "--", "--workers", "3"]).stdout).expect("text");
    assert_eq!(printed.trim(), std::fs::read_to_string(&unit).expect("it is there").trim());
    assert!(install(&[&["--force"], &flags[..]].concat()).status.success());
    let verify = std::process::Command::new("systemd-analyze")
        .env("XDG_RUNTIME_DIR", scratch.path())
        .args(["--user", "verify", text(&unit)])
        .output();
    match verify {
        Ok(verify) => {
            let complaints = String::from_utf8_lossy(&verify.stderr).into_owned();
            assert!(
                verify.status.success() && !complaints.contains("glitchlab-repo.service:"),
                "{complaints}"
            );
        }
        Err(error) => eprintln!("not verified, there is no systemd-analyze here: {error}"),
    }
}

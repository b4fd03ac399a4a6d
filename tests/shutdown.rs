//! Signals: the first drains, the second ends at once; and what a full disk does.

use std::fs;
use std::time::Duration;

use glitchlab_domain::stage::Stage;
use glitchlab_domain::task::TaskState;

use crate::support::{LIMIT, Scratch, bead, get, pause, text, wait_for};

#[test]
fn the_first_signal_finishes_what_runs_and_exits_0_with_a_summary() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&(bead("a", 1, "") + &bead("b", 1, "")));
    let run = scratch.start(&[
        "--model",
        "simulated/fast?seed=3",
        "--test",
        "sleep 1",
        "--merge",
        "when_green",
        "--backlog",
        text(&backlog),
    ]);
    run.until_printed("task.claimed");
    run.signal("INT");
    let ended = run.wait().expect_code(0);
    assert!(ended.stdout.contains("Completed"), "{}", ended.stdout);
    let running = scratch.tasks().iter().filter(|task| task.state == TaskState::Running).count();
    assert_eq!(running, 0, "what ran was finished\n{}", ended.stderr);
}

#[test]
fn a_drain_that_takes_too_long_suspends_and_the_next_start_goes_on_with_the_same_attempt() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&bead("a", 1, ""));
    fs::create_dir(scratch.repo().join(".glitchlab")).expect("a folder");
    fs::write(scratch.repo().join(".glitchlab/config.toml"), "[shutdown]\ndrain = \"200ms\"\n")
        .expect("a file");
    let flag = scratch.path().join("go");
    let test = format!("while ! test -f {}; do sleep 0.05; done", text(&flag));
    let arguments = [
        "--model",
        "simulated/fast?seed=3",
        "--test",
        &test,
        "--merge",
        "when_green",
        "--until-idle",
        "--backlog",
        text(&backlog),
    ];
    let run = scratch.start(&arguments);
    run.until_printed("task.claimed");
    let started = || {
        scratch.read(async |reader| {
            let children = reader.running_children().await.expect("children are read");
            (!children.is_empty()).then_some(())
        })
    };
    assert!(
        wait_for(LIMIT, started).is_some(),
        "the test run is recorded before it begins\n{}",
        run.stderr()
    );
    run.signal("TERM");
    let ended = run.wait().expect_code(0);
    assert!(ended.stderr.contains("attempt.suspended"), "{}", ended.stderr);
    fs::write(&flag, "").expect("the tests may pass now");
    let ended = scratch.start(&arguments).wait().expect_code(0);
    assert!(ended.stderr.contains("attempt.resumed"), "{}", ended.stderr);
    let task = scratch.tasks().pop().expect("one task");
    assert_eq!((task.state, task.runs), (TaskState::Completed, 1), "the same attempt went on");
}

#[test]
fn a_second_signal_ends_at_once_and_leaves_no_process() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&bead("a", 1, ""));
    let mark = scratch.path().join("mark");
    let test = format!("touch {}; sleep 600", text(&mark));
    let run =
        scratch.start(&["--model", "simulated/fast?seed=3", "--test", &test, "--backlog", text(&backlog)]);
    assert!(wait_for(LIMIT, || mark.exists().then_some(())).is_some(), "{}", run.stderr());
    run.signal("INT");
    run.until_printed("engine.draining");
    run.signal("INT");
    run.wait().expect_code(130);
    let own = text(scratch.path()).to_owned();
    let left = || {
        let processes = fs::read_dir("/proc").expect("proc is there").flatten();
        let lines = processes.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
        (!lines.into_iter().any(|line| line.contains(&own) && line.contains("sleep 600"))).then_some(())
    };
    assert!(wait_for(LIMIT, left).is_some(), "the test run is still there");
    let task = scratch.tasks().pop().expect("one task");
    let steps = scratch.read(async |reader| {
        let attempts = reader.attempts(&task.key).await.expect("attempts are read");
        reader.steps(&attempts[0].attempt_id).await.expect("steps are read")
    });
    let test = steps.iter().find(|step| step.stage == Stage::Test).expect("the test had begun");
    assert_eq!(test.output, None, "a test that we killed has not failed");
}

#[test]
fn below_the_free_disk_limit_nothing_starts_and_the_pages_keep_serving() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&bead("a", 1, ""));
    scratch.configure("[store]\nmin_free_disk = \"900TiB\"\n");
    let run = scratch.start(&["--model", "simulated/fast", "--allow-untested", "--backlog", text(&backlog)]);
    run.until_printed("admission.stopped");
    run.until_printed("backlog.synced");
    let answer = get(&run.address(), "/health");
    assert!(answer.contains("200") && answer.contains("degraded"), "{answer}");
    run.signal("TERM");
    let ended = run.wait().expect_code(0);
    assert!(!ended.stderr.contains("task.claimed"), "{}", ended.stderr);
}

#[test]
fn a_task_that_waits_for_the_cap_is_not_sat_out_by_a_drain() {
    let scratch = Scratch::new();
    let beads: String = (0..8).map(|n| bead(&format!("b-{n}"), 1, "")).collect();
    let backlog = scratch.backlog(&beads);
    let run = scratch.start(&[
        "--model",
        "simulated/fast?seed=3",
        "--allow-untested",
        "--merge",
        "when_green",
        "--workers",
        "2",
        "--budget-per-hour",
        "0.01",
        "--budget-per-day",
        "1",
        "--backlog",
        text(&backlog),
    ]);
    run.until_printed("Waits: ");
    // A wait may be over in a moment; this one is when it lasts.
    let lasts = || {
        let is_out = scratch.is_out_of_money();
        pause(Duration::from_secs(1));
        (is_out && scratch.is_out_of_money()).then_some(())
    };
    assert!(wait_for(LIMIT, lasts).is_some(), "the cap was never reached\n{}", run.stderr());
    run.signal("TERM");
    let started = std::time::Instant::now();
    let ended = run.wait().expect_code(0);
    assert!(started.elapsed().as_secs() < 60, "{}", ended.stderr);
    let account: i64 = scratch.account().values().sum();
    assert!(
        account <= 10_000,
        "the provider billed {account} micro-dollars within an hour, the cap is 10000"
    );
}

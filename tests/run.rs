//! Runs that do less than everything: one task alone, or so many.

use glitchlab_domain::task::TaskState;
use serde_json::Value;

use crate::control::{say, start, state};
use crate::support::{LIMIT, Scratch, bead, blocked_by, get, text, wait_for};

#[test]
fn run_works_on_one_task_alone_and_ends_with_its_outcome() {
    let scratch = Scratch::new();
    let run = |id: &str| {
        let beads = [bead("a", 1, ""), bead("b", 2, ""), bead("c", 3, &blocked_by("c", "a"))];
        let (repo, store, backlog) = (scratch.repo(), scratch.store(), scratch.backlog(&beads.concat()));
        let place = ["--repo", text(&repo), "--store", text(&store), "--backlog", text(&backlog)];
        let how = [
            "--model",
            "simulated/fast",
            "--test",
            "true",
            "--merge",
            "when_green",
            "--listen",
            "127.0.0.1:0",
        ];
        scratch.launch(&[&["run", id], &place[..], &how].concat()).wait()
    };
    let ended = run("b").expect_code(0);
    assert!(ended.stdout.contains("b: completed"), "{}", ended.stdout);
    assert_eq!(
        ["a", "b", "c"].map(|id| state(&scratch, id)),
        [TaskState::Open, TaskState::Completed, TaskState::Open]
    );
    let again = run("b").expect_code(1);
    let done = "b cannot run now: it is completed; `glitchlab retry b` begins it again";
    assert!(again.stdout.contains(done), "{}", again.stdout);
    let blocked = run("c").expect_code(1);
    assert!(blocked.stdout.contains("c cannot run now: blocked by a"), "{}", blocked.stdout);
    let unknown = run("bb").expect_code(2);
    assert!(unknown.stdout.contains("did you mean b?"), "{}", unknown.stdout);
    say(&scratch, &["pause", "--reason", "lunch"]).ok();
    let held = run("a").expect_code(1);
    assert!(held.stdout.contains("a cannot run now: paused by ana: lunch"), "{}", held.stdout);
    assert_eq!(state(&scratch, "a"), TaskState::Open);
}

#[test]
fn a_run_begins_as_many_tasks_as_it_may_says_so_and_ends_well() {
    let scratch = Scratch::new();
    scratch.configure("[work]\nmax_tasks = 2\n");
    let states = || ["a", "b", "c"].map(|id| state(&scratch, id));
    let once = || start(&scratch, &["a", "b", "c"], "0", &["--until-idle"]).wait().expect_code(0);
    let ended = once();
    assert_eq!(states(), [TaskState::Completed, TaskState::Completed, TaskState::Open]);
    let said = "Nothing new could start: this run has begun the 2 tasks that it may begin";
    assert!(ended.stdout.contains(said), "{}", ended.stdout);
    let ended = once();
    assert_eq!(states(), [TaskState::Completed; 3], "the next run begins anew");
    assert!(!ended.stdout.contains("Nothing new could start"), "{}", ended.stdout);
}

#[test]
fn a_run_that_has_begun_all_that_it_may_waits_and_why_says_so() {
    let scratch = Scratch::new();
    scratch.configure("[work]\nmax_tasks = 1\n");
    let run = start(&scratch, &["a", "b"], "0", &[]);
    crate::control::until(&scratch, "a", TaskState::Completed);
    let backlog = scratch.path().join("backlog.jsonl");
    let why = say(&scratch, &["why", "--backlog", text(&backlog)]).json;
    assert_eq!(why["headline"]["text"], "This run has begun as many tasks as it may");
    assert_eq!(why["headline"]["reason"]["type"], "task_limit");
    let held = why["gates"].as_array().and_then(|gates| gates.iter().find(|gate| gate["state"] == "held"));
    assert_eq!(held.map(|gate| &gate["name"]), Some(&Value::from("Task limit")), "{why}");
    let page = || get(&run.address(), "/why");
    let says = || page().contains("This run has begun as many tasks as it may").then_some(());
    assert!(wait_for(LIMIT, says).is_some(), "{}", page());
    assert_eq!(state(&scratch, "b"), TaskState::Open);
    say(&scratch, &["stop"]);
    run.wait().expect_code(0);
}

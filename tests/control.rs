//! A word from a second terminal: heard by the engine within a tick, not lost by a kill, done once, and done at once where
//! no engine works.

use std::process::Command;
use std::time::Duration;

use glitchlab_domain::outcome::Status;
use glitchlab_domain::task::{TaskRow, TaskState};
use serde_json::Value;

use crate::support::{LIMIT, Run, Scratch, bead, text, wait_for};

/// The engine listens twice a second, and does what it hears within a second of that.
const HEARD_MS: i64 = 500 + 1_000;

/// What a command of the second terminal answered.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) json: Value,
}

impl Said {
    /// Expects that it was done, within a second of the engine's next tick, as its row has it.
    pub(crate) fn ok(self) -> String {
        assert_eq!((self.code, &self.json["ok"]), (0, &Value::Bool(true)), "{}", self.json);
        self.in_time();
        self.json["result"].as_str().expect("a sentence").to_owned()
    }

    fn refused(self) -> String {
        assert_eq!((self.code, &self.json["ok"]), (1, &Value::Bool(false)), "{}", self.json);
        self.in_time();
        self.json["result"].as_str().expect("a sentence").to_owned()
    }

    fn in_time(&self) {
        let at = |name: &str| self.json[name].as_i64().expect("an instant");
        let took_ms = at("done_ms") - at("said_ms");
        assert!((0..=HEARD_MS).contains(&took_ms), "it took {took_ms} ms: {}", self.json);
    }
}

pub(crate) fn command(scratch: &Scratch, words: &[&str]) -> Command {
    let (repo, store) = (scratch.repo(), scratch.store());
    let place = ["--repo", text(&repo), "--store", text(&store), "--json"];
    let mut command = scratch.program(&[words, &place].concat());
    command.env("USER", "ana");
    command
}

pub(crate) fn say(scratch: &Scratch, words: &[&str]) -> Said {
    let output = command(scratch, words).output().expect("the program runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let json = serde_json::from_str(&printed);
    let json = json.unwrap_or_else(|_| panic!("{printed}\n{}", String::from_utf8_lossy(&output.stderr)));
    Said { code: output.status.code().expect("it ended by itself"), json }
}

fn backlog(ids: &[&str]) -> String {
    (1..).zip(ids).map(|(priority, id)| bead(id, priority, "")).collect()
}

pub(crate) fn start(scratch: &Scratch, ids: &[&str], seconds: &str, more: &[&str]) -> Run {
    let backlog = scratch.backlog(&backlog(ids));
    let test = format!("sleep {seconds}");
    let own = ["--model", "simulated/fast", "--test", &test, "--merge", "when_green", "--max-open", "0"];
    let rest = ["--budget-per-hour", "100", "--budget-per-day", "1000", "--backlog", text(&backlog)];
    scratch.start(&[&own[..], &rest, more].concat())
}

/// Waits until a task stands where it is expected.
pub(crate) fn until(scratch: &Scratch, id: &str, state: TaskState) {
    let stands = || {
        let tasks = scratch.store().exists().then(|| scratch.try_tasks()).flatten()?;
        tasks.iter().any(|task| task.bead_id.as_str() == id && task.state == state).then_some(())
    };
    assert!(wait_for(LIMIT, stands).is_some(), "{id} is not {state:?}: {:?}", scratch.tasks());
}

pub(crate) fn task(scratch: &Scratch, id: &str) -> TaskRow {
    scratch.tasks().into_iter().find(|task| task.bead_id.as_str() == id).expect("the task")
}

pub(crate) fn state(scratch: &Scratch, id: &str) -> TaskState {
    task(scratch, id).state
}

/// Waits until the tests of a task have begun.
pub(crate) fn until_tested(scratch: &Scratch) {
    until(scratch, "a", TaskState::Running);
    let is_tested = || {
        let children = scratch.read(async |reader| reader.running_children().await);
        (!children.expect("children are read").is_empty()).then_some(())
    };
    assert!(wait_for(LIMIT, is_tested).is_some(), "the tests of a begin");
}

/// Counts the words that were carried out.
pub(crate) fn carried_out(scratch: &Scratch) -> usize {
    let events = scratch.read(async |reader| reader.last_events(10_000).await.expect("events are read"));
    events.iter().filter(|event| event.kind.name() == "control.done").count()
}

#[test]
fn from_a_second_terminal_an_engine_is_paused_asked_resumed_and_stopped() {
    let scratch = Scratch::new();
    let run = start(&scratch, &["a", "b", "c"], "2", &[]);
    until(&scratch, "a", TaskState::Running);

    let paused = say(&scratch, &["pause", "--reason", "lunch"]);
    assert!(paused.ok().contains("nothing new starts"));
    until(&scratch, "a", TaskState::Completed);
    let status = say(&scratch, &["status"]);
    assert_eq!(status.code, 3, "paused: {}", status.json);
    assert_eq!(status.json["held"]["reason"], "Paused");
    assert_eq!(status.json["held"]["words"], "paused by ana: lunch");
    assert_eq!(state(&scratch, "b"), TaskState::Open, "nothing new has started");

    assert!(say(&scratch, &["drop", "b", "--reason", "not now"]).ok().contains("put away"));
    assert!(say(&scratch, &["drop", "b"]).refused().contains("glitchlab retry b"));
    assert!(say(&scratch, &["retry", "b"]).ok().contains("begins again"));
    assert!(say(&scratch, &["approve", "c"]).refused().contains("waits for nobody"));
    assert!(say(&scratch, &["approve", "bb"]).refused().contains("did you mean b?"));

    let resumed = say(&scratch, &["resume"]);
    resumed.ok();
    until(&scratch, "b", TaskState::Running);
    assert_eq!(say(&scratch, &["status"]).code, 0);

    say(&scratch, &["stop"]).ok();
    let ended = run.wait().expect_code(0);
    assert_eq!(state(&scratch, "b"), TaskState::Completed, "what ran was finished\n{}", ended.stderr);
    assert_eq!(state(&scratch, "c"), TaskState::Open, "and nothing new began");
    assert_eq!(carried_out(&scratch), 8);
}

#[test]
fn a_task_that_runs_is_called_back_when_it_is_dropped_and_put_down_by_a_pause_now() {
    let scratch = Scratch::new();
    let run = start(&scratch, &["a", "b"], "60", &["--workers", "2"]);
    until(&scratch, "b", TaskState::Running);
    say(&scratch, &["drop", "a"]).ok();
    assert_eq!(state(&scratch, "a"), TaskState::Dropped);
    say(&scratch, &["pause", "--now"]).ok();
    let is_put_down = || {
        let status = say(&scratch, &["status"]);
        let claims = scratch.claims();
        (claims.len() == 1 && claims[0].suspended).then_some(status)
    };
    let status = wait_for(LIMIT, is_put_down).expect("b is put down");
    assert_eq!(status.code, 3);
    say(&scratch, &["resume"]).ok();
    let goes_on = || scratch.claims().iter().any(|claim| !claim.suspended).then_some(());
    assert!(wait_for(LIMIT, goes_on).is_some(), "b goes on");
    say(&scratch, &["drop", "b"]).ok();
    say(&scratch, &["stop"]).ok();
    run.wait().expect_code(0);
    let attempts = scratch.attempts_of("b");
    assert_eq!(attempts.iter().map(|attempt| attempt.status).collect::<Vec<_>>(), [Some(Status::Cancelled)]);
    assert_eq!(scratch.worktrees(), Vec::<String>::new());
}

#[test]
fn a_word_that_an_engine_was_killed_before_it_heard_is_done_once_by_the_next() {
    let scratch = Scratch::new();
    let run = start(&scratch, &["a", "b"], "5", &[]);
    // While tests run it writes nothing, so that it is not in the middle of that when it is stopped.
    until_tested(&scratch);
    // It holds the repository and hears nothing.
    crate::support::pause(Duration::from_millis(300));
    run.signal("STOP");
    let words: [&[&str]; 4] = [&["pause", "--reason", "night"], &["drop", "b"], &["retry", "b"], &["stop"]];
    let mut saying = Vec::new();
    for words in words {
        saying.push(command(&scratch, words).stdout(std::process::Stdio::null()).spawn().expect("it starts"));
        crate::support::pause(Duration::from_millis(300));
    }
    for mut said in saying {
        let status = said.wait().expect("it ends");
        assert_eq!(status.code(), Some(1), "nobody has heard it");
    }
    assert_eq!(carried_out(&scratch), 0);
    run.kill();

    let run = start(&scratch, &["a", "b"], "1", &[]);
    let is_done = || (carried_out(&scratch) == 4).then_some(());
    assert!(wait_for(LIMIT, is_done).is_some(), "{}", run.stderr());
    until(&scratch, "a", TaskState::Completed);
    assert_eq!(
        state(&scratch, "b"),
        TaskState::Open,
        "dropped, then retried, and paused before it could start"
    );
    let b = scratch.tasks().into_iter().find(|task| task.bead_id.as_str() == "b").expect("b");
    assert_eq!((b.generation, b.runs), (1, 0), "each was done once");
    assert_eq!(say(&scratch, &["status"]).code, 3, "it runs, although an earlier one was told to stop");
    run.kill();

    let run = start(&scratch, &["a", "b"], "1", &["--until-idle"]);
    assert!(wait_for(LIMIT, || (say(&scratch, &["status"]).code == 3).then_some(())).is_some());
    assert_eq!(carried_out(&scratch), 4, "a third engine does nothing of it again");
    say(&scratch, &["resume"]).ok();
    run.wait().expect_code(0);
    assert_eq!(state(&scratch, "b"), TaskState::Completed);
}

#[test]
fn where_no_engine_works_the_command_does_it_itself_and_the_next_start_finds_it_done() {
    let scratch = Scratch::new();
    let nothing = say(&scratch, &["pause"]);
    assert_eq!(nothing.code, 4, "{}", nothing.json);
    start(&scratch, &["a"], "0", &["--until-idle"]).wait().expect_code(0);
    let stopped = say(&scratch, &["stop"]);
    assert_eq!(stopped.code, 4, "{}", stopped.json);
    let paused = say(&scratch, &["pause"]);
    paused.ok();
    let status = say(&scratch, &["status"]);
    assert_eq!((status.code, &status.json["held"]["reason"]), (4, &Value::from("Paused")));
    say(&scratch, &["retry", "a"]).ok();
    let run = start(&scratch, &["a"], "0", &["--until-idle"]);
    assert!(wait_for(LIMIT, || (say(&scratch, &["status"]).code == 3).then_some(())).is_some());
    assert_eq!(state(&scratch, "a"), TaskState::Open);
    say(&scratch, &["resume"]).ok();
    run.wait().expect_code(0);
    assert_eq!(state(&scratch, "a"), TaskState::Completed);
}

#[test]
fn approve_grants_a_task_that_has_used_up_its_money_as_much_again() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.repo().join(".glitchlab")).expect("a folder");
    let cap = "[budget]\nper_task = \"0.004\"\n";
    std::fs::write(scratch.repo().join(".glitchlab/config.toml"), cap).expect("a file");
    let run = start(&scratch, &["a"], "0", &[]);
    let needs_you = || {
        let status = say(&scratch, &["status"]);
        status.json["needs_you"].as_array().and_then(|list| list.first().cloned())
    };
    until_known(&scratch, "a");
    let mut approvals = 0;
    while state_or_none(&scratch, "a") != Some(TaskState::Completed) {
        let Some(needs) = wait_for(Duration::from_millis(500), needs_you) else { continue };
        assert!(
            needs["unblocks"].as_str().is_some_and(|words| words.contains("glitchlab approve a")),
            "{needs}"
        );
        say(&scratch, &["approve", "a"]).ok();
        approvals += 1;
        assert!(approvals < 60, "a cap that rises is enough some time: {needs}");
    }
    assert!(approvals > 0, "half a cent is not enough\n{}", run.stderr());
    say(&scratch, &["stop"]).ok();
    run.wait().expect_code(0);
}

/// Waits until a task is there at all.
fn until_known(scratch: &Scratch, id: &str) {
    assert!(wait_for(LIMIT, || state_or_none(scratch, id)).is_some(), "{id} was never read");
}

fn state_or_none(scratch: &Scratch, id: &str) -> Option<TaskState> {
    let tasks = scratch.store().exists().then(|| scratch.try_tasks()).flatten()?;
    tasks.iter().find(|task| task.bead_id.as_str() == id).map(|task| task.state)
}

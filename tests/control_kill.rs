//! A word that the engine was killed before it heard, and one that it was killed after: each is done once, and holds. Until
//! then `status` and `why` say what is not done.

use std::process::Stdio;
use std::time::Duration;

use glitchlab_domain::consent::Consent;
use glitchlab_domain::outcome::Status;
use glitchlab_domain::rows::ControlRow;
use glitchlab_domain::task::{TaskRow, TaskState};
use serde_json::Value;

use crate::control::{carried_out, command, say, start, state, task, until, until_tested};
use crate::support::{LIMIT, Run, Scratch, pause, wait_for};

/// The tests of a task take longer than any scenario.
const FOR_EVER: &str = "300";
/// How long a word takes to be written.
const WRITTEN: Duration = Duration::from_secs(4);

fn open_words(scratch: &Scratch) -> Vec<ControlRow> {
    let repo_id = scratch.repo_id();
    scratch.read(async |reader| reader.open_controls(&repo_id).await.expect("words are read"))
}

/// Says something that the engine does not hear: it is stopped when the word is written, and killed then. Whoever said it
/// is killed as well, so that nobody does it instead.
fn said_unheard(scratch: &Scratch, run: Run, words: &[&str]) {
    loop {
        run.signal("STOP");
        let mut said = command(scratch, words).stdout(Stdio::null()).spawn().expect("it starts");
        let is_written = || (!open_words(scratch).is_empty()).then_some(());
        let written = wait_for(WRITTEN, is_written);
        said.kill().expect("it is ours");
        said.wait().expect("it ends");
        if written.is_some() {
            break run.kill();
        }
        // It was stopped in the middle of a write, and nobody else can: another moment is a better one.
        run.signal("CONT");
        pause(Duration::from_millis(100));
    }
}

/// Looks that a word stands there, not done, although no engine runs.
fn stands_not_done(scratch: &Scratch, words: &[&str]) {
    let id = words.get(1).filter(|word| !word.starts_with("--"));
    let is_it = |said: &Value| said["verb"] == words[0] && said["task"].as_str() == id.copied();
    let status = say(scratch, &["status"]);
    assert_eq!((status.code, &status.json["running"]), (4, &Value::Bool(false)), "{}", status.json);
    let said = status.json["said"].as_array().expect("a list");
    assert!(said.len() == 1 && is_it(&said[0]) && said[0]["by"] == "ana", "{}", status.json);
    let backlog = scratch.path().join("backlog.jsonl");
    let backlog = ["--backlog", backlog.to_str().expect("plain text")];
    let why = say(scratch, &[&["why"], &backlog[..]].concat());
    assert_eq!((&why.json["running"], &why.json["said"]), (&Value::Bool(false), &status.json["said"]));
    if let Some(id) = id {
        let why = say(scratch, &[&["why", id], &backlog[..]].concat());
        assert_eq!(why.json["said"], status.json["said"], "{}", why.json);
    }
}

/// Says something to an engine that is killed before it hears it, and has it done once by the next one; the one after that
/// finds it done. `is_so` tells whether it was done.
fn survives(
    scratch: &Scratch,
    run: Run,
    words: &[&str],
    again: impl Fn() -> Run,
    is_so: impl Fn(&Scratch) -> bool,
) -> Run {
    let before = carried_out(scratch);
    said_unheard(scratch, run, words);
    assert_eq!((carried_out(scratch), is_so(scratch)), (before, false), "{words:?} was not heard");
    stands_not_done(scratch, words);
    let run = again();
    let is_done = || (carried_out(scratch) == before + 1 && is_so(scratch)).then_some(());
    assert!(wait_for(LIMIT, is_done).is_some(), "{words:?}: {:?}\n{}", scratch.tasks(), run.stderr());
    run.kill();
    assert!(is_so(scratch), "{words:?} is so while nothing runs");
    assert_eq!(say(scratch, &["status"]).json["said"], Value::Array(Vec::new()));
    let run = again();
    until_awake(scratch, &run);
    assert!(is_so(scratch), "{words:?} is so after the next start: {:?}", scratch.tasks());
    assert_eq!(carried_out(scratch), before + 1, "{words:?} is not done a second time");
    run
}

/// Waits until an engine has heard what there was to hear, and could have started something.
fn until_awake(scratch: &Scratch, run: &Run) {
    let is_running = || say(scratch, &["status"]).json["running"].as_bool().filter(|runs| *runs);
    assert!(wait_for(LIMIT, is_running).is_some(), "{}", run.stderr());
    pause(Duration::from_millis(1_500));
}

/// Tells whether no test runs, also not one of an engine before.
fn is_put_down(scratch: &Scratch) -> bool {
    scratch.read(async |reader| reader.running_children().await.expect("children are read").is_empty())
}

fn held_by(scratch: &Scratch) -> Value {
    say(scratch, &["status"]).json["held"]["words"].clone()
}

#[test]
fn pause_resume_and_stop_are_done_once_whenever_the_engine_is_killed() {
    let scratch = Scratch::new();
    let again = || start(&scratch, &["a", "b"], FOR_EVER, &[]);
    let run = again();
    until_tested(&scratch);
    let run = survives(&scratch, run, &["pause", "--reason", "night"], again, |scratch| {
        held_by(scratch) == "paused by ana: night"
    });
    // What was in the middle of its work goes on, and nothing new starts.
    until_tested(&scratch);
    assert_eq!(state(&scratch, "b"), TaskState::Open);

    let run = survives(&scratch, run, &["resume"], again, |scratch| held_by(scratch) == Value::Null);
    until_tested(&scratch);

    let run = survives(&scratch, run, &["pause", "--now"], again, |scratch| {
        held_by(scratch) == "paused by ana" && is_put_down(scratch)
    });
    let status = say(&scratch, &["status"]).json;
    assert_eq!(status["working_on"][0]["waits_for"], "put down: paused by ana", "{status}");
    let backlog = scratch.path().join("backlog.jsonl");
    let why = say(&scratch, &["why", "a", "--backlog", backlog.to_str().expect("plain text")]).json;
    assert_eq!(why["headline"], "a is put down and goes on with attempt 1 when the pause is over");
    let run = survives(&scratch, run, &["resume"], again, |scratch| held_by(scratch) == Value::Null);
    until_tested(&scratch);

    // A stop is for the engine that it was said to: the next one says so, and works.
    let run = survives(&scratch, run, &["stop"], again, |scratch| {
        let refused = |event: &glitchlab_domain::event::Event| matches!(&event.kind, glitchlab_domain::event::EventKind::ControlDone { verb, ok: false, .. } if verb == "stop");
        scratch.read(async |reader| reader.last_events(10_000).await.expect("events").iter().any(refused))
    });
    until_tested(&scratch);
    assert_eq!(scratch.attempts_of("a").len(), 1, "through all of this it is one attempt");
    run.kill();
}

#[test]
fn drop_and_retry_are_done_once_whenever_the_engine_is_killed() {
    let scratch = Scratch::new();
    let again = || start(&scratch, &["a"], FOR_EVER, &[]);
    let run = again();
    until_tested(&scratch);
    let is_dropped =
        |scratch: &Scratch| state(scratch, "a") == TaskState::Dropped && scratch.claims().is_empty();
    let run = survives(&scratch, run, &["drop", "a", "--reason", "not now"], again, is_dropped);
    assert_eq!(scratch.attempts_of("a")[0].status, Some(Status::Cancelled));
    let is_again = |scratch: &Scratch| task(scratch, "a").generation == 1;
    let run = survives(&scratch, run, &["retry", "a"], again, is_again);
    until(&scratch, "a", TaskState::Running);
    let TaskRow { generation, runs, .. } = task(&scratch, "a");
    assert_eq!((generation, runs), (1, 2), "it was begun again once");
    run.kill();
}

#[test]
fn a_plan_waits_through_kills_and_the_one_that_is_approved_goes_on_once() {
    let scratch = Scratch::new();
    scratch.configure("[work]\napprove = \"plan\"\n");
    let again = || start(&scratch, &["a"], "0", &[]);
    let run = again();
    until(&scratch, "a", TaskState::NeedsHuman);
    run.kill();
    let plans = || scratch.calls().iter().filter(|call| call.stage.word() == "plan" && call.ok).count();
    let paid = plans();

    let run = again();
    until_awake(&scratch, &run);
    let needs = say(&scratch, &["status"]).json["needs_you"][0].clone();
    assert_eq!((needs["task"].as_str(), state(&scratch, "a")), (Some("a"), TaskState::NeedsHuman));
    let reason = needs["reason"].as_str().expect("words");
    assert!(reason.starts_with("its plan waits for your word"), "{needs}");
    assert!(
        needs["unblocks"].as_str().is_some_and(|words| words.contains("`glitchlab approve a`")),
        "{needs}"
    );
    let backlog = scratch.path().join("backlog.jsonl");
    let why = say(&scratch, &["why", "a", "--backlog", backlog.to_str().expect("plain text")]);
    assert!(!why.json["plan"]["steps"].as_array().expect("the plan").is_empty(), "{}", why.json);
    assert_eq!(why.json["entry"]["chip"], "NeedsHuman: ApprovePlan");
    let page = crate::support::get(&run.address(), "/tasks/a");
    assert!(page.contains("its plan waits for your word") && page.contains("<ol class=\"plan\">"), "{page}");

    let consented = |scratch: &Scratch| scratch.attempts_of("a")[0].consents == [Consent::Plan];
    let run = survives(&scratch, run, &["approve", "a"], again, consented);
    until(&scratch, "a", TaskState::Completed);
    let attempts = scratch.attempts_of("a");
    assert_eq!((attempts.len(), attempts[0].status), (1, Some(Status::Completed)));
    assert_eq!(plans(), paid, "the plan is not paid again");
    assert_eq!(scratch.merges().get("a"), Some(&1));
    run.kill();
}

//! The gate of a repository: pauses, the breaker with its canary, the loss limit.

use glitchlab_domain::command::{Refusal, Reply};
use glitchlab_domain::outcome::FailureKind;
use glitchlab_domain::reason::{Reason, Wait};
use glitchlab_domain::rows::Verb;

use crate::office::{Office, failed, merged, pause};

const MINUTE: i64 = 60_000;

fn waits(answer: Result<Reply, Refusal>) -> Wait {
    match answer {
        Ok(Reply::Wait(wait)) => wait,
        other => panic!("no wait: {other:?}"),
    }
}

/// An office whose breaker has opened by five failures.
fn broken() -> Office {
    let mut office = Office::open(&["t", "u", "v"]);
    for n in 0..5 {
        office.run("t", &format!("a{n}"), 0, failed(FailureKind::Provider));
    }
    office.put("t", glitchlab_domain::task::TaskState::Open, None);
    office
}

#[test]
fn nothing_is_claimed_while_paused_and_the_task_does_not_rest_for_it() {
    let mut office = Office::open(&["t"]);
    office.say(pause(Some(office.now_ms + MINUTE), false)).done();
    let wait = waits(office.claim("t", "a"));
    assert_eq!((wait.reason.name(), wait.until_ms), ("Paused", Some(office.now_ms + MINUTE)));
    assert_eq!((office.task("t").reason.clone(), office.task("t").until_ms), (None, None));
    office.say(Verb::Resume).done();
    assert!(matches!(office.claim("t", "a"), Ok(Reply::Claimed(_))));
}

#[test]
fn a_pause_for_a_time_ends_by_itself_and_says_so_once() {
    let mut office = Office::open(&["t", "u"]);
    office.say(pause(Some(office.now_ms + MINUTE), false)).done();
    office.pass(MINUTE);
    assert!(matches!(office.claim("t", "a"), Ok(Reply::Claimed(_))));
    assert!(matches!(office.claim("u", "b"), Ok(Reply::Claimed(_))));
    assert_eq!((office.gate().pause, office.told("engine.resumed")), (None, 1));
}

#[test]
fn a_pause_ends_no_sooner_and_puts_down_no_less_because_of_another() {
    let mut office = Office::open(&["t"]);
    office.say(pause(None, true)).done();
    let result = office.say(pause(Some(office.now_ms + MINUTE), false)).done();
    assert!(result.contains("what runs is put down; it ends with `glitchlab resume`"), "{result}");
    office.pass(2 * MINUTE);
    let held = office.gate().pause.expect("it holds");
    assert_eq!((held.until_ms, held.now), (None, true));
    assert_eq!(waits(office.claim("t", "a")).reason.name(), "Paused");
    office.say(Verb::Resume).done();
    office.say(pause(Some(office.now_ms + MINUTE), false)).done();
    office.say(pause(Some(office.now_ms + 3 * MINUTE), false)).done();
    office.say(pause(Some(office.now_ms + 2 * MINUTE), false)).done();
    assert_eq!(office.gate().pause.expect("it holds").until_ms, Some(office.now_ms + 3 * MINUTE));
}

#[test]
fn an_attempt_that_was_claimed_before_a_pause_is_answered_as_before_when_it_asks_again() {
    let mut office = Office::open(&["t"]);
    let first = office.claim("t", "a").unwrap();
    office.say(pause(None, false)).done();
    assert_eq!(office.claim("t", "a").unwrap(), first);
}

#[test]
fn exactly_one_canary_starts_after_the_cool_down() {
    let mut office = broken();
    let opened = office.now_ms;
    let wait = waits(office.claim("t", "c1"));
    assert_eq!(wait.reason, Reason::BreakerOpen { failure: FailureKind::Provider });
    assert_eq!(wait.until_ms, Some(opened + 10 * MINUTE));
    office.pass(10 * MINUTE);
    assert!(matches!(office.claim("t", "c1"), Ok(Reply::Claimed(_))));
    assert_eq!(waits(office.claim("u", "c2")).until_ms, None, "the canary's end is no instant");
    assert!(matches!(office.claim("t", "c1"), Ok(Reply::Claimed(_))), "asked again, it is the same");
    office.finish("t", "c1", merged()).unwrap();
    assert!(matches!(office.claim("u", "c2"), Ok(Reply::Claimed(_))));
    assert!(matches!(office.claim("v", "c3"), Ok(Reply::Claimed(_))));
    assert_eq!((office.told("breaker.opened"), office.told("breaker.closed")), (1, 1));
}

#[test]
fn a_canary_that_fails_in_the_same_way_doubles_the_rest() {
    let mut office = broken();
    office.pass(10 * MINUTE);
    office.run("t", "c1", 0, failed(FailureKind::Provider));
    assert_eq!(waits(office.claim("u", "c2")).until_ms, Some(office.now_ms + 20 * MINUTE));
    assert_eq!(office.told("breaker.opened"), 2);
}

#[test]
fn an_outcome_that_is_told_twice_counts_once() {
    let mut office = Office::open(&["t"]);
    office.run("t", "a0", 7, failed(FailureKind::Provider));
    let (gate, events) = (office.gate(), office.events.len());
    office.finish("t", "a0", failed(FailureKind::Provider)).unwrap();
    assert_eq!((office.gate(), office.events.len()), (gate, events));
}

#[test]
fn resume_ends_the_rest_of_an_open_breaker_and_one_starts() {
    let mut office = broken();
    assert!(office.say(Verb::Resume).done().contains("one task starts"));
    assert!(matches!(office.claim("t", "c1"), Ok(Reply::Claimed(_))));
    waits(office.claim("u", "c2"));
}

#[test]
fn spending_without_a_success_pauses_once_and_calls_a_person() {
    let mut office = Office::open(&["t", "u"]);
    office.rules.breaker.failures = 0;
    office.run("t", "a0", 6_000_000, failed(FailureKind::TestsFailed));
    office.run("t", "a1", 1, merged());
    office.run("t", "a2", 6_000_000, failed(FailureKind::TestsFailed));
    assert_eq!(office.gate().pause, None, "a success in between begins anew");
    office.claim("u", "b").unwrap();
    office.run("t", "a3", 4_000_000, failed(FailureKind::Parse));
    let wait = waits(office.claim("t", "a4"));
    assert!(matches!(&wait.reason, Reason::Paused { by, .. } if by == "stop_loss"), "{wait:?}");
    assert_eq!((office.told("engine.paused"), office.told("human.needed")), (1, 1));
    office.finish("u", "b", failed(FailureKind::Parse)).unwrap();
    assert_eq!(office.told("human.needed"), 1, "what ends later calls nobody again");
    office.say(Verb::Resume).done();
    assert_eq!(office.gate().since_success.micro(), 0, "a person has looked: it counts anew");
}

#[test]
fn what_goes_well_writes_no_gate() {
    let mut office = Office::open(&["t"]);
    for n in 0..3 {
        office.run("t", &format!("a{n}"), 5, merged());
    }
    assert!(office.rows.gates.is_empty());
}

use proptest::prelude::*;

use super::*;
use crate::alert::Severity;
use crate::alert::rows::Evidence;
use crate::alert::rules::{RULES, Waiting};
use crate::event::{About, EventId, EventKind};
use crate::id::BootId;
use crate::outcome::FailureKind;

/// Counts failures of a model, fires at the third in a row after 100 ms and holds down for 50 ms.
static SLOW: Rule = Rule {
    name: "Slow",
    severity: Severity::Warning,
    fires_when: "in tests",
    for_ms: 100,
    hold_ms: 50,
    inhibits: &[],
    kinds: &["model.trusted", "admission.resumed"],
    observe: |memory, event| {
        let failures: u32 =
            if matches!(event.kind, EventKind::ModelTrusted { .. }) { memory.recall::<u32>() + 1 } else { 0 };
        memory.keep(&failures);
        match failures {
            0 => vec![Signal::Passed(Labels::new())],
            1 | 2 => Vec::new(),
            _ => vec![Signal::Holds(Condition {
                labels: Labels::new(),
                summary: "slow".to_owned(),
                evidence: Evidence::default().fact("Failures", failures.to_string()),
            })],
        }
    },
    standing: None,
};
/// Silences the other one.
static LOUD: Rule = Rule {
    name: "Loud",
    severity: Severity::Critical,
    for_ms: 0,
    hold_ms: 0,
    inhibits: &["Slow"],
    kinds: &["breaker.opened", "breaker.closed"],
    observe: |_, event| match event.kind {
        EventKind::BreakerOpened { .. } => vec![Signal::Holds(Condition {
            labels: Labels::new(),
            summary: "loud".to_owned(),
            evidence: Evidence::default(),
        })],
        _ => vec![Signal::Passed(Labels::new())],
    },
    ..SLOW_TEMPLATE
};
const SLOW_TEMPLATE: Rule = Rule {
    name: "",
    severity: Severity::Info,
    fires_when: "in tests",
    for_ms: 0,
    hold_ms: 0,
    inhibits: &[],
    kinds: &[],
    observe: |_, _| Vec::new(),
    standing: None,
};
static PAIR: &[&Rule] = &[&SLOW, &LOUD];

fn event(seq: u64, at_ms: i64, kind: EventKind) -> Event {
    Event { id: EventId { boot_id: BootId::from("b"), seq }, at_ms, about: About::default(), kind }
}

fn opened(seq: u64, at_ms: i64) -> Event {
    event(seq, at_ms, EventKind::BreakerOpened { failure: FailureKind::Crashed, until_ms: at_ms })
}

fn closed(seq: u64, at_ms: i64) -> Event {
    event(seq, at_ms, EventKind::BreakerClosed { failure: FailureKind::Crashed })
}

fn failed(seq: u64, at_ms: i64) -> Event {
    event(seq, at_ms, EventKind::ModelTrusted { model: "m".to_owned() })
}

fn went(seq: u64, at_ms: i64) -> Event {
    event(seq, at_ms, EventKind::AdmissionResumed)
}

fn needs(seq: u64, at_ms: i64, task: &str) -> Event {
    let about = About { bead_id: Some(task.into()), trace_id: Some("t".repeat(32)), ..About::default() };
    Event { about, ..event(seq, at_ms, EventKind::HumanNeeded { why: "no".to_owned() }) }
}

fn watch(rules: &'static [&'static Rule]) -> Watch {
    Watch::new(rules, "repo", Vec::new(), BTreeMap::new())
}

fn look(watch: &mut Watch, events: &[Event], now_ms: i64) -> Vec<(String, Told)> {
    let notices = watch.take(&Portion { events, facts: None, now_ms });
    notices.into_iter().map(|notice| (notice.alert.rule, notice.told)).collect()
}

fn say(rule: &str, told: Told) -> (String, Told) {
    (rule.to_owned(), told)
}

#[test]
fn an_alert_fires_only_when_its_condition_has_held_long_enough() {
    let mut watch = watch(PAIR);
    let three = [failed(1, 0), failed(2, 5), failed(3, 10)];
    assert_eq!(look(&mut watch, &three, 109), []);
    assert_eq!((watch.alerts[0].state, watch.due_ms()), (AlertState::Pending, Some(110)));
    assert_eq!(look(&mut watch, &[], 500), [say("Slow", Told::Firing)]);
    assert_eq!(watch.alerts[0].fired_ms, Some(110), "when it was due, not when somebody looked");
    assert_eq!(watch.alerts[0].evidence.facts["Failures"], "3");
}

#[test]
fn a_condition_that_passes_before_its_time_is_told_to_nobody() {
    let mut watch = watch(PAIR);
    assert_eq!(look(&mut watch, &[failed(1, 0), failed(2, 0), failed(3, 0), went(4, 99)], 10_000), []);
    assert_eq!(watch.alerts[0].state, AlertState::Lapsed);
}

#[test]
fn an_alert_that_comes_back_within_the_hold_down_is_the_same_incident() {
    let mut watch = watch(PAIR);
    let events = [
        failed(1, 0),
        failed(2, 0),
        failed(3, 0),
        went(4, 200),
        failed(5, 210),
        failed(6, 220),
        failed(7, 230),
    ];
    assert_eq!(look(&mut watch, &events, 10_000), [say("Slow", Told::Firing)]);
    assert_eq!(watch.alerts.len(), 1);
    assert_eq!(look(&mut watch, &[went(8, 10_001)], 10_100), [say("Slow", Told::Resolved)]);
    assert_eq!(watch.alerts[0].ended_ms, Some(10_051));
}

#[test]
fn what_only_follows_is_silent_until_its_cause_is_over() {
    let mut watch = watch(PAIR);
    let events = [opened(1, 0), failed(2, 1), failed(3, 1), failed(4, 1)];
    assert_eq!(look(&mut watch, &events, 1_000), [say("Loud", Told::Firing)]);
    let slow = watch.alerts.iter().find(|alert| alert.rule == "Slow").expect("it fires silently");
    assert_eq!((slow.state, slow.inhibited_by.as_deref()), (AlertState::Firing, Some("Loud")));
    let told = look(&mut watch, &[closed(5, 2_000)], 2_000);
    assert_eq!(told, [say("Loud", Told::Resolved), say("Slow", Told::Firing)]);
}

#[test]
fn a_silent_alert_ends_in_silence() {
    let mut watch = watch(PAIR);
    let events = [opened(1, 0), failed(2, 1), failed(3, 1), failed(4, 1), went(5, 500)];
    assert_eq!(look(&mut watch, &events, 1_000), [say("Loud", Told::Firing)]);
}

#[test]
fn a_breach_and_the_breaker_that_it_opens_are_one_incident_until_the_canary_has_closed_it() {
    let mut watch = watch(RULES);
    let breach = EventKind::SystemicFailure {
        supervisor: "glitchlab/work/workers".to_owned(),
        child: "worker-1".to_owned(),
        reasons: vec!["panicked: oh".to_owned(); 5],
        within_ms: 60_000,
    };
    let events = [event(1, 0, breach), opened(2, 0)];
    assert_eq!(look(&mut watch, &events, 10), [say("SystemicFailure", Told::Firing)]);
    let alert = &watch.alerts[0];
    assert_eq!(alert.evidence.facts["Failures"], "5 within 60 s");
    assert_eq!(alert.evidence.facts["Kind of failure"], "crashed");
    assert_eq!(alert.evidence.pages, ["/actors", "/why"]);
    assert_eq!(look(&mut watch, &[closed(3, 1_000)], 60_999), []);
    assert_eq!(look(&mut watch, &[], 61_000), [say("SystemicFailure", Told::Resolved)]);
}

#[test]
fn each_task_that_waits_is_an_alert_of_its_own_until_it_goes_on() {
    let mut watch = watch(RULES);
    let again = Event { id: EventId { boot_id: BootId::from("b"), seq: 3 }, ..needs(3, 2, "gl-1") };
    assert_eq!(look(&mut watch, &[needs(1, 0, "gl-1"), needs(2, 1, "gl-2"), again], 5).len(), 2);
    let reopened = EventKind::TaskReopened { why: "approved".to_owned() };
    let reopened = Event { kind: reopened, ..needs(4, 9, "gl-1") };
    assert_eq!(look(&mut watch, &[reopened], 9), [say("HumanNeeded", Told::Resolved)]);
    assert_eq!(watch.alerts.iter().filter(|alert| !alert.is_over()).count(), 1);
}

#[test]
fn what_changed_while_nobody_followed_is_found_in_the_store() {
    let mut watch = watch(RULES);
    look(&mut watch, &[needs(1, 0, "gl-1"), opened(2, 0)], 5);
    let waiting = Waiting { bead_id: "gl-2".into(), why: "too deep".to_owned(), trace_id: None };
    let facts = Facts { waiting: vec![waiting], ..Facts::default() };
    let portion = Portion { events: &[], facts: Some(&facts), now_ms: 100 };
    let told: Vec<_> = watch.take(&portion).into_iter().map(|n| (n.alert.summary, n.told)).collect();
    let gone = ("gl-1 waits for a person: no".to_owned(), Told::Resolved);
    let new = ("gl-2 waits for a person: too deep".to_owned(), Told::Firing);
    assert_eq!(told, [gone, new], "the breaker's end is held down");
    assert_eq!(watch.take(&portion), [], "looked at again, nothing is new");
}

fn any_event() -> impl Strategy<Value = (u8, i64)> {
    (0..6_u8, 0..120_i64)
}

fn history(steps: &[(u8, i64)]) -> Vec<Event> {
    let (mut at_ms, mut events) = (0, Vec::new());
    for (seq, (what, rest)) in (1..).zip(steps) {
        at_ms += rest;
        events.push(match what {
            0 => opened(seq, at_ms),
            1 => closed(seq, at_ms),
            2..=4 => failed(seq, at_ms),
            _ => went(seq, at_ms),
        });
    }
    events
}

/// Takes the events in portions that end where `cuts` says; every watch goes on from the rows of the one before, as after a
/// kill, and looks once more without anything new.
fn in_portions(events: &[Event], cuts: &[usize], end_ms: i64) -> (Vec<Notice>, Vec<AlertRow>) {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (events.len() + 1)).collect();
    cuts.extend([0, events.len()]);
    cuts.sort_unstable();
    let (mut alerts, mut memory) = (Vec::<AlertRow>::new(), BTreeMap::new());
    let (mut notices, mut over) = (Vec::new(), Vec::new());
    for cut in cuts.windows(2) {
        let portion = &events[cut[0]..cut[1]];
        let now_ms = portion.last().map_or(0, |event| event.at_ms);
        let mut watch = Watch::new(PAIR, "repo", std::mem::take(&mut alerts), std::mem::take(&mut memory));
        notices.extend(watch.take(&Portion { events: portion, facts: None, now_ms }));
        (alerts, memory) = (watch.alerts, watch.memory);
        over.extend(alerts.extract_if(.., |alert| alert.is_over()));
    }
    let mut watch = Watch::new(PAIR, "repo", alerts, memory);
    notices.extend(watch.take(&Portion { events: &[], facts: None, now_ms: end_ms }));
    over.extend(watch.alerts);
    over.sort_by(|a, b| (a.since_ms, &a.key).cmp(&(b.since_ms, &b.key)));
    (notices, over)
}

proptest! {
    #[test]
    fn any_crash_point_between_events_gives_the_same_transitions_once(
        steps in proptest::collection::vec(any_event(), 0..40),
        cuts in proptest::collection::vec(0..64_usize, 0..12),
    ) {
        let events = history(&steps);
        let end_ms = events.last().map_or(0, |event| event.at_ms) + 1_000;
        let (whole, rows) = in_portions(&events, &[], end_ms);
        let (cut, cut_rows) = in_portions(&events, &cuts, end_ms);
        prop_assert_eq!(&whole, &cut);
        prop_assert_eq!(rows, cut_rows);
        let mut told: Vec<_> = whole.iter().map(|n| (n.alert.incident_id.clone(), n.told == Told::Resolved)).collect();
        let all = told.len();
        told.sort();
        told.dedup();
        prop_assert_eq!(told.len(), all, "each transition is told once");
    }
}

//! Alerts over hours: what fires is told once, in order, whatever happens to the receiver and to the engine.

use std::collections::BTreeSet;
use std::time::Duration;

use glitchlab_domain::alert::delivery::OutboxState;
use glitchlab_domain::alert::{AlertRow, AlertState};
use glitchlab_domain::event::EventKind;
use glitchlab_domain::gate::GateRules;
use glitchlab_domain::money::MicroUsd;
use glitchlab_testkit::settings::REPO;
use glitchlab_testkit::{Act, FakeReceiver, Kill, Place, Ran, Reaction, Trip, Units, World, beads, check};

/// A world whose tests are red for 25 minutes: the breaker opens, its second canary closes it at about 30 minutes. It is
/// not left before `last`.
fn breaks(receiver: &FakeReceiver, last: Duration) -> World {
    let works = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let verdict = std::sync::Arc::clone(&works);
    World::seed(7)
        .backlog(beads::tasks(8))
        .workers(4)
        .tests(1.secs(), move |_| verdict.load(std::sync::atomic::Ordering::SeqCst))
        .at(25.minutes(), Act::edit(move |_| works.store(true, std::sync::atomic::Ordering::SeqCst)))
        .at(last, Act::edit(|_| {}))
        .set(|setup| {
            setup.gate = GateRules { stop_loss: MicroUsd::ZERO, ..GateRules::default() };
            setup.retry.attempts = 1_000;
        })
        .tells(receiver)
}

fn incidents(ran: &Ran) -> Vec<AlertRow> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let reader = glitchlab_store::Reader::Memory(ran.outside.memory.clone());
    runtime.block_on(reader.alerts(REPO, 1_000)).unwrap()
}

/// The kinds of what was taken, without what was taken before under the same id.
fn told(receiver: &FakeReceiver) -> Vec<String> {
    let mut known = BTreeSet::new();
    let fresh = receiver.taken().into_iter().filter(|seen| known.insert(seen.id.clone()));
    fresh.map(|seen| kind_of(&seen.body)).collect()
}

fn kind_of(body: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    format!("{} {}", body["alert"].as_str().unwrap(), body["type"].as_str().unwrap())
}

const BOTH: [&str; 2] = ["SystemicFailure alert.firing", "SystemicFailure alert.resolved"];

fn one_incident_is_over(ran: &Ran) {
    let alerts = incidents(ran);
    let states: Vec<_> = alerts.iter().map(|alert| (alert.rule.as_str(), alert.state)).collect();
    assert_eq!(states, [("SystemicFailure", AlertState::Resolved)]);
    let closed = ran.events_named("breaker.closed").last().unwrap().at_ms;
    assert_eq!(alerts[0].ended_ms, Some(closed + 60_000), "after the hold-down");
}

#[test]
fn the_breaker_is_an_alert_until_its_canary_has_closed_it() {
    let receiver = FakeReceiver::new(|_, _| Reaction::Answers(204));
    let ran = breaks(&receiver, 40.minutes()).run(1.days()).check(check::all_work_is_completed());
    one_incident_is_over(&ran);
    assert_eq!(told(&receiver), BOTH);
    assert_eq!(receiver.seen().len(), 2, "and nothing twice");
    assert_eq!(
        [ran.events_named("alert.firing").count(), ran.events_named("alert.resolved").count()],
        [1, 1]
    );
    let opened = ran.since_begin(ran.events_named("breaker.opened").next().unwrap().at_ms);
    assert!(receiver.seen()[0].at - opened < Duration::from_secs(1), "at once");
    assert!(receiver.seen()[0].signature.starts_with("v1,"));
}

#[test]
fn a_receiver_that_answers_500_hangs_or_is_gone_for_an_hour_is_told_everything_in_order() {
    type Trouble = fn(Duration, usize) -> Reaction;
    let troubles: [Trouble; 4] = [
        |at, _| if at < 1.hours() { Reaction::Answers(500) } else { Reaction::Answers(200) },
        |at, _| if at < 1.hours() { Reaction::IsGone } else { Reaction::Answers(200) },
        |_, n| if n % 3 == 0 { Reaction::Hangs } else { Reaction::Answers(200) },
        |_, n| if n < 2 { Reaction::AsksFor(429, 60) } else { Reaction::Answers(200) },
    ];
    for (n, trouble) in troubles.into_iter().enumerate() {
        let receiver = FakeReceiver::new(trouble);
        let ran = breaks(&receiver, 3.hours()).run(1.days()).check(check::all_work_is_completed());
        one_incident_is_over(&ran);
        let told = told(&receiver);
        // What was over before it was taken is told by its end alone.
        let expected: &[&str] = if n < 2 { &BOTH[1..] } else { &BOTH };
        assert_eq!(told, expected, "{n}");
        for what in ["firing", "resolved"] {
            let seen = receiver.seen().into_iter().filter(|seen| seen.id.contains(what));
            let bodies: BTreeSet<_> = seen.map(|seen| (seen.id, seen.body)).collect();
            assert_eq!(bodies.len(), 1, "sent again it is the same");
        }
    }
}

#[test]
fn an_engine_killed_before_or_after_a_message_is_sent_sends_it_under_the_same_id() {
    for place in [Place::Telling, Place::Told] {
        for nth in [1, 2] {
            let receiver = FakeReceiver::new(|_, _| Reaction::Answers(200));
            let ran = breaks(&receiver, 40.minutes())
                .at_place(place, nth, Trip::Kill)
                .run(1.days())
                .check(check::all_work_is_completed());
            assert_eq!(ran.boots, 2);
            one_incident_is_over(&ran);
            assert_eq!(told(&receiver), BOTH, "{place:?} {nth}");
            let sent = receiver.seen().len();
            assert_eq!(sent, if place == Place::Told { 3 } else { 2 });
        }
    }
}

#[test]
fn an_engine_killed_at_any_minute_tells_each_transition_once() {
    for minute in [1, 5, 11, 26, 31, 32] {
        let receiver = FakeReceiver::new(|_, _| Reaction::Answers(200));
        let at = Duration::from_secs(60 * minute);
        let ran = breaks(&receiver, 40.minutes()).at(at, Kill::Process).run(1.days());
        let alerts = incidents(&ran);
        assert!(alerts.iter().all(AlertRow::is_over), "{alerts:?}");
        let fired = ran.events_named("alert.firing").count();
        assert_eq!(fired, alerts.len());
        assert_eq!(told(&receiver).len(), 2 * fired, "minute {minute}");
    }
}

#[test]
fn a_panic_of_the_alerter_or_its_delivery_loses_nothing() {
    let receiver = FakeReceiver::new(|_, _| Reaction::Answers(200));
    let ran = breaks(&receiver, 40.minutes())
        .at_place(Place::Told, 1, Trip::Panic)
        .at(15.minutes(), Kill::actor("glitchlab/tqm_alerter"))
        .run(1.days())
        .check(check::all_work_is_completed());
    one_incident_is_over(&ran);
    assert_eq!(told(&receiver), BOTH);
    let restarts = ran.events_named("actor.restarted").filter(|event| {
        matches!(&event.kind, EventKind::ActorRestarted { path, .. } if path == "glitchlab/tqm_alerter")
    });
    assert_eq!(restarts.count(), 2);
}

#[test]
fn a_receiver_that_says_it_is_gone_is_told_nothing_more() {
    let receiver = FakeReceiver::new(|_, _| Reaction::Answers(410));
    let ran = breaks(&receiver, 40.minutes()).run(1.days());
    assert_eq!(receiver.seen().len(), 1);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let reader = glitchlab_store::Reader::Memory(ran.outside.memory.clone());
    let deliveries = runtime.block_on(reader.deliveries(REPO, 10)).unwrap();
    assert_eq!(deliveries.len(), 2);
    assert!(deliveries.iter().all(|row| row.state == OutboxState::Dead), "{deliveries:?}");
}

#[test]
fn a_restart_storm_stops_dispatch_and_is_an_alert_with_its_evidence_until_a_canary_has_succeeded() {
    let receiver = FakeReceiver::new(|_, _| Reaction::Answers(200));
    let kill = |n: u64| Duration::from_millis(60_000 + 100 * n);
    let world = World::seed(3)
        .backlog(beads::tasks(30))
        .workers(1)
        .tests(30.secs(), |_| true)
        .tells(&receiver)
        .at(1.hours(), Act::edit(|_| {}))
        .set(|setup| setup.gate = GateRules { stop_loss: MicroUsd::ZERO, ..GateRules::default() });
    let world =
        (0..5).fold(world, |world, n| world.at(kill(n), Kill::actor("glitchlab/work/workers/worker-1")));
    let ran = world.run(1.days()).check(check::all_work_is_completed());
    let breach = ran.events_named("supervisor.breach").next().expect("the pool gives up").at_ms;
    let closed = ran.events_named("breaker.closed").next().expect("a canary succeeds").at_ms;
    let claims =
        ran.events_named("task.claimed").filter(|event| event.at_ms > breach && event.at_ms < closed);
    assert_eq!(claims.count(), 1, "only the canary starts");
    let alerts = incidents(&ran);
    let [alert] = &alerts[..] else { panic!("one incident: {alerts:?}") };
    assert_eq!((alert.rule.as_str(), alert.state), ("SystemicFailure", AlertState::Resolved));
    assert_eq!(alert.evidence.facts["Supervisor"], "glitchlab/work/workers");
    assert_eq!(alert.evidence.facts["Child"], "glitchlab/work/workers/worker-1");
    assert!(alert.evidence.pages.contains(&"/actors".to_owned()));
    assert_eq!(told(&receiver), BOTH);
}

#[test]
fn a_task_that_waits_for_a_person_is_told_and_its_end_too() {
    use glitchlab_domain::rows::{ControlRow, Verb};
    let receiver = FakeReceiver::new(|_, _| Reaction::Answers(200));
    let approve = Act::look(|engine| async move {
        let row = ControlRow {
            id: "word".to_owned(),
            repo_id: engine.repo_id.clone(),
            verb: Verb::Drop { bead_id: beads::tasks(1)[0].id.clone(), why: String::new() },
            by: "ana".to_owned(),
            at_ms: engine.now_ms(),
            done_ms: None,
            ok: false,
            result: None,
        };
        engine.queue.submit(glitchlab_domain::command::Command::Say(row)).await.unwrap().unwrap();
    });
    let ran = World::seed(1)
        .backlog(beads::tasks(1))
        .tests(1.secs(), |_| false)
        .set(|setup| setup.retry.attempts = 2)
        .tells(&receiver)
        .at(1.hours(), approve)
        .at(2.hours(), Act::edit(|_| {}))
        .run(1.days());
    assert_eq!(told(&receiver), ["HumanNeeded alert.firing", "HumanNeeded alert.resolved"]);
    let alert = &incidents(&ran)[0];
    assert_eq!(alert.evidence.tasks.len(), 1);
    assert_eq!(alert.evidence.traces.len(), 1);
}

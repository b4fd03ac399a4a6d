//! The gate of the repository over hours: the breaker with its canary, the loss limit, and people who pause, resume, drop
//! and stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use glitchlab_actors::Engine;
use glitchlab_domain::command::Command;
use glitchlab_domain::event::{Event, EventKind};
use glitchlab_domain::gate::GateRules;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::{FailureKind, Status as Ended};
use glitchlab_domain::reason::Reason;
use glitchlab_domain::rows::{ControlRow, Verb};
use glitchlab_domain::snapshot::Activity;
use glitchlab_domain::task::TaskState;
use glitchlab_models::simulated::Profile;
use glitchlab_testkit::{Act, End, Kill, Ran, Units, World, beads, check};

/// A world whose tests are red until they are mended at an instant.
fn broken_until(mended: std::time::Duration) -> World {
    let works = Arc::new(AtomicBool::new(false));
    let verdict = Arc::clone(&works);
    World::seed(7)
        .backlog(beads::tasks(12))
        .workers(4)
        .tests(1.secs(), move |_| verdict.load(Ordering::SeqCst))
        .at(mended, Act::edit(move |_| works.store(true, Ordering::SeqCst)))
        .set(|setup| {
            setup.gate = GateRules { stop_loss: MicroUsd::ZERO, ..GateRules::default() };
            setup.retry.attempts = 1_000;
        })
}

fn at<'a>(ran: &'a Ran, name: &'a str) -> Vec<&'a Event> {
    ran.events_named(name).collect()
}

/// Counts the claims between two instants, the first one included.
fn claims(ran: &Ran, from_ms: i64, to_ms: i64) -> usize {
    at(ran, "task.claimed").iter().filter(|event| event.at_ms >= from_ms && event.at_ms < to_ms).count()
}

#[test]
fn five_red_test_runs_open_the_breaker_and_one_canary_after_the_other_finds_out_when_it_is_mended() {
    let ran = broken_until(25.minutes()).run(1.days()).check(check::all_work_is_completed());
    let openings: Vec<(i64, i64)> = at(&ran, "breaker.opened")
        .iter()
        .map(|event| match &event.kind {
            EventKind::BreakerOpened { failure: FailureKind::TestsFailed, until_ms } => {
                (event.at_ms, *until_ms)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let [(first, first_until), (second, second_until)] = openings[..] else { panic!("{openings:?}") };
    assert_eq!((first_until - first, second_until - second), (600_000, 1_200_000));
    let failed_before = ran.attempts.iter().filter(|attempt| attempt.started_ms < first).count();
    assert!(
        failed_before <= 5 + 4,
        "{failed_before} started: five that failed, and what ran beside the last"
    );
    assert_eq!(claims(&ran, first + 1, first_until), 0);
    assert_eq!(claims(&ran, first_until, second), 1, "the first canary");
    assert_eq!(claims(&ran, second, second_until), 0);
    let [closed] = at(&ran, "breaker.closed")[..] else { panic!("it closes once") };
    assert_eq!(claims(&ran, second_until, closed.at_ms), 1, "the second canary");
    let late =
        at(&ran, "task.claimed").iter().filter(|event| event.at_ms >= second_until).map(|e| e.at_ms).min();
    assert!(
        late.unwrap() - second_until < 1_000,
        "it starts when its instant has come, not at the next poll"
    );
}

#[test]
fn a_canary_survives_a_kill_and_stays_alone() {
    // The canary runs from the tenth minute on; its process is killed in the middle of it.
    let ran = broken_until(9.minutes())
        .model(Profile::Realistic)
        .set(|setup| setup.poll_interval = 5.secs())
        .at(14.minutes(), Kill::Process)
        .run(1.days())
        .check(check::all_work_is_completed());
    let [opened] = at(&ran, "breaker.opened")[..] else { panic!("it opens once") };
    let [closed] = at(&ran, "breaker.closed")[..] else { panic!("it closes once") };
    assert_eq!(claims(&ran, opened.at_ms + 1, closed.at_ms), 1);
}

#[test]
fn spending_without_a_success_pauses_until_a_person_resumes() {
    let ran = broken_until(2.hours())
        .set(|setup| {
            setup.gate = GateRules { stop_loss: MicroUsd::new(20_000), ..GateRules::NEVER };
        })
        .at(
            1.hours(),
            Act::look(|engine| async move {
                let snapshot = engine.snapshot.borrow().clone();
                assert_eq!(snapshot.activity, Activity::Waiting);
                let wait = snapshot.admission.clone().unwrap();
                assert!(matches!(&wait.reason, Reason::Paused { by, .. } if by == "stop_loss"), "{wait:?}");
                assert!(engine.slots.are_all_free());
            }),
        )
        .at(3.hours(), say(Verb::Resume))
        .run(1.days())
        .check(check::all_work_is_completed())
        .check(check::happened("human.needed", 1));
    assert_eq!(at(&ran, "engine.paused").len(), 1);
}

pub(crate) fn say(verb: Verb) -> Act {
    Act::look(|engine| async move { told(&engine, verb).await })
}

async fn told(engine: &Engine, verb: Verb) {
    let at_ms = engine.now_ms();
    let row = ControlRow {
        id: format!("{}-{at_ms}", verb.name()),
        repo_id: engine.repo_id.clone(),
        verb,
        by: "ana".to_owned(),
        at_ms,
        done_ms: None,
        ok: false,
        result: None,
    };
    engine.queue.submit(Command::Say(row)).await.unwrap().unwrap();
}

fn pause(now: bool) -> Verb {
    Verb::Pause { why: "lunch".to_owned(), until_ms: None, now }
}

fn busy() -> World {
    World::seed(3).backlog(beads::tasks(8)).workers(2).model(Profile::Realistic)
}

#[test]
fn a_pause_lets_what_runs_finish_and_survives_a_kill() {
    let ran = busy()
        .at(20.secs(), say(pause(false)))
        .at(1.hours(), Kill::Process)
        .at(
            2.hours(),
            Act::look(|engine| async move {
                assert!(engine.slots.are_all_free());
                assert_eq!(engine.snapshot.borrow().activity, Activity::Waiting);
            }),
        )
        .at(3.hours(), say(Verb::Resume))
        .run(1.days())
        .check(check::all_work_is_completed());
    let paused = at(&ran, "engine.paused")[0].at_ms;
    let resumed = at(&ran, "engine.resumed")[0].at_ms;
    assert!(ran.since_begin(paused) < 21.secs(), "within a tick");
    assert_eq!(claims(&ran, paused, resumed), 0);
    assert!(claims(&ran, resumed, resumed + 1_000) > 0, "resume is heard at once");
    assert_eq!(at(&ran, "attempt.suspended").len(), 0);
}

#[test]
fn a_pause_now_puts_down_what_runs_and_resume_goes_on_with_it() {
    let ran = busy()
        .at(20.secs(), say(pause(true)))
        .at(
            1.hours(),
            Act::look(|engine| async move {
                assert!(engine.slots.are_all_free());
                let claims = engine.reader.claims(&engine.repo_id).await.unwrap();
                assert!(claims.len() == 2 && claims.iter().all(|claim| claim.suspended), "{claims:?}");
            }),
        )
        .at(90.minutes(), Kill::Process)
        .at(2.hours(), say(Verb::Resume))
        .run(1.days())
        .check(check::all_work_is_completed());
    let resumed = at(&ran, "engine.resumed")[0].at_ms;
    let again: Vec<i64> = at(&ran, "attempt.resumed").iter().map(|event| event.at_ms).collect();
    assert!(again.len() == 2 && again.iter().all(|at| *at >= resumed && *at < resumed + 2_000), "{again:?}");
    assert_eq!(ran.attempts.len(), 8, "nothing was begun anew");
}

#[test]
fn what_a_pause_put_down_goes_on_before_anything_new_begins() {
    for kill in [false, true] {
        let paused = busy().at(20.secs(), say(pause(true)));
        let paused = if kill { paused.at(25.secs(), Kill::Process) } else { paused };
        let ran = paused.at(30.secs(), say(Verb::Resume)).run(1.days()).check(check::all_work_is_completed());
        let resumed = at(&ran, "engine.resumed")[0].at_ms;
        let again = at(&ran, "attempt.resumed");
        assert!(again.len() == 2 && again.iter().all(|event| event.at_ms < resumed + 2_000), "{again:?}");
        assert_eq!(claims(&ran, resumed, again[1].at_ms), 0, "both slots are theirs");
    }
}

#[test]
fn a_task_that_is_put_away_while_it_runs_leaves_nothing_behind_until_somebody_retries_it() {
    let put_away = || {
        Act::look(|engine: Arc<Engine>| async move {
            let running = engine.reader.running_attempts().await.unwrap();
            let bead_id = running[0].bead_id.clone();
            told(&engine, Verb::Drop { bead_id, why: String::new() }).await;
        })
    };
    let ran = busy().at(20.secs(), put_away()).run(1.days());
    assert_eq!(
        (ran.end.clone(), ran.count(TaskState::Dropped), ran.count(TaskState::Completed)),
        (End::Quiet, 1, 7)
    );
    let cancelled: Vec<_> = ran.attempts.iter().filter(|a| a.status == Some(Ended::Cancelled)).collect();
    assert_eq!(cancelled.len(), 1);
    assert!(ran.outside.workspace.worktrees().is_empty());
    assert!(ran.calls.iter().all(|call| call.actual.is_some()), "what it had reserved is settled");
}

#[test]
fn an_engine_without_work_is_idle_and_not_waiting() {
    let ran = World::seed(1)
        .backlog(beads::tasks(1))
        .at(
            1.hours(),
            Act::look(|engine| async move {
                let snapshot = engine.snapshot.borrow().clone();
                assert_eq!((snapshot.activity, snapshot.admission.clone()), (Activity::Idle, None));
            }),
        )
        .run(1.days());
    assert_eq!(ran.end, End::Quiet);
}

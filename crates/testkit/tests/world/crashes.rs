//! Parts of a process that fail while the rest goes on.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use glitchlab_actors::Engine;
use glitchlab_domain::command::{Bearer, Command, FinishStep, Refusal, Reserve, TaskCaps};
use glitchlab_domain::event::EventKind;
use glitchlab_domain::id::TryKey;
use glitchlab_domain::ledger::Bounds;
use glitchlab_domain::outcome::FailureKind;
use glitchlab_domain::stage::Stage;
use glitchlab_domain::task::TaskState;
use glitchlab_models::simulated::Profile;
use glitchlab_runtime::{ChildKind, NodeSnapshot};
use glitchlab_testkit::{Act, FakeBacklog, Hold, Kill, Place, Ran, Trip, Units, World, beads, check};
use tokio::time::timeout;

fn small(seed: u64) -> World {
    World::seed(seed).backlog(beads::tasks(6)).workers(2)
}

/// Takes long enough that something can happen meanwhile, and may fail often enough.
fn slow(seed: u64) -> World {
    small(seed).model(Profile::Realistic).set(|setup| setup.retry.attempts = 12)
}

fn no_attempt_was_disturbed(ran: &Ran) -> Result<(), String> {
    match ran.attempts.iter().find(|attempt| attempt.crashes > 0) {
        Some(attempt) => Err(format!("attempt {} was disturbed", attempt.attempt_id)),
        None => check::never_happened("attempt.resumed")(ran),
    }
}

fn failed_with(ran: &Ran, reason: &str) -> Result<(), String> {
    let of = |event: &glitchlab_domain::event::Event| match &event.kind {
        EventKind::ActorRestarted { reason, .. } => reason.clone(),
        _ => String::new(),
    };
    let reasons: Vec<String> = ran.events_named("actor.restarted").map(of).collect();
    let found = reasons.iter().any(|known| known.contains(reason));
    check::ensure(found, || format!("no actor failed with {reason:?}: {reasons:?}"))
}

#[test]
fn a_worker_that_panics_in_the_middle_of_a_stage_is_restarted_and_its_attempt_goes_on_without_paying_twice() {
    for place in
        [Place::Opening, Place::Writing, Place::Committed, Place::Merging, Place::Merged, Place::Asking]
    {
        small(1)
            .at_place(place, 2, Trip::Panic)
            .run(1.days())
            .check(|ran| failed_with(ran, "its task panicked"))
            .check(check::happened("attempt.resumed", 1))
            .check(check::paid_again_at_most(0))
            .check(check::all_work_is_completed());
    }
}

#[test]
fn a_panic_at_any_touch_of_the_outside_world_costs_at_most_the_try_in_flight() {
    let touches = small(2).run(1.days()).outside.wire.touches();
    for touch in 1..=touches {
        small(2)
            .at_touch(touch, Trip::Panic)
            .run(1.days())
            .check(check::all_work_is_completed())
            .check(check::paid_again_at_most(1));
    }
}

#[test]
fn an_attempt_that_crashes_three_times_has_failed_and_the_next_one_may_succeed() {
    let world = World::seed(1).backlog(beads::tasks(1));
    let world = (1..=3).fold(world, |world, nth| world.at_place(Place::Writing, nth, Trip::Panic));
    let ran = world.run(1.days()).check(check::all_work_is_completed());
    let failures: Vec<_> = ran.attempts.iter().map(|attempt| attempt.failure).collect();
    assert_eq!(failures, [Some(FailureKind::Crashed), None]);
    assert_eq!(ran.attempts[0].crashes, 3);
}

#[test]
fn a_writer_that_panics_is_restarted_and_every_command_of_its_batch_is_taken() {
    slow(3)
        .at_place(Place::Batch, 20, Trip::Panic)
        .at_place(Place::Batch, 45, Trip::Panic)
        .run(1.days())
        .check(check::happened("actor.restarted", 2))
        .check(no_attempt_was_disturbed)
        .check(check::all_work_is_completed());
}

#[test]
fn a_scheduler_that_is_killed_does_not_disturb_running_work() {
    let kill = || Kill::actor("glitchlab/work/scheduler");
    slow(4)
        .at(20.secs(), kill())
        .at(90.secs(), kill())
        .run(1.days())
        .check(check::happened("actor.restarted", 2))
        .check(no_attempt_was_disturbed)
        .check(check::all_work_is_completed());
}

#[test]
fn a_poll_that_panics_takes_the_scheduler_with_it_and_nothing_else() {
    slow(5)
        .at(30.secs(), Act::edit(FakeBacklog::panic_once))
        .run(1.days())
        .check(|ran| failed_with(ran, "its task panicked: a poll"))
        .check(no_attempt_was_disturbed)
        .check(check::all_work_is_completed());
}

/// The paths of the actors, from a tree that runs.
fn actors() -> Vec<String> {
    fn add(node: &NodeSnapshot, paths: &mut Vec<String>) {
        if node.kind == ChildKind::Worker {
            paths.push(node.path.clone());
        }
        node.children.iter().for_each(|child| add(child, paths));
    }
    let paths = Arc::new(Mutex::new(Vec::new()));
    let found = Arc::clone(&paths);
    let look = Act::look(|engine: Arc<Engine>| async move {
        add(&engine.tree.snapshot().unwrap().root, &mut found.lock().unwrap());
    });
    let _ran = small(1).at(1.secs(), look).run(1.hours());
    std::mem::take(&mut *paths.lock().unwrap())
}

#[test]
fn every_actor_can_be_killed_in_turn_and_everything_completes_once() {
    let actors = actors();
    assert_eq!(actors.len(), 9, "{actors:?}");
    let kills = actors.iter().zip(1u32..);
    let world = kills.fold(slow(6), |world, (path, n)| world.at((n * 23).secs(), Kill::actor(path)));
    let ran = world.run(1.days()).check(check::all_work_is_completed());
    let path = |event: &glitchlab_domain::event::Event| match &event.kind {
        EventKind::ActorRestarted { path, .. } => Some(path.clone()),
        _ => None,
    };
    let restarted: BTreeSet<String> = ran.events_named("actor.restarted").filter_map(path).collect();
    assert_eq!(restarted, actors.into_iter().collect());
}

#[test]
fn a_task_that_fails_in_every_attempt_stops_and_waits_for_a_person() {
    let ran = World::seed(1).backlog(beads::chain(2)).tests(5.secs(), |_| false).run(1.days());
    let (failed, next) = (&ran.tasks["t-001"], &ran.tasks["t-002"]);
    assert_eq!((failed.state, failed.failures, failed.runs), (TaskState::Failed, 3, 3));
    assert_eq!(next.runs, 0);
    assert_eq!(ran.board().queue().needs_you, 1);
    ran.check(check::happened("human.needed", 1));
}

/// Everything that an attempt could want, asked for with a fence that is not the claim's any more.
async fn all_is_refused(engine: &Engine, old: Bearer) {
    let key = TryKey { attempt_id: old.attempt_id.clone(), step_n: 0, call_no: 40, try_no: 0 };
    let price = engine.tools.model.price();
    let reserve = Command::Reserve(Reserve {
        by: old.clone(),
        key,
        scope: engine.scope.clone(),
        root_key: old.task_key.clone(),
        task_caps: TaskCaps::default(),
        stage: Stage::Implement,
        model: "m".to_owned(),
        input_hash: "h".to_owned(),
        bounds: Bounds { prompt_tokens: 1, max_out: 1, floor_out: 1, price },
    });
    let finish = Command::FinishStep(FinishStep {
        by: old.clone(),
        n: 0,
        output: "{}".to_owned(),
        ok: true,
        summary: String::new(),
        size: None,
        decision: None,
    });
    for command in [reserve, finish, Command::Suspend { by: old.clone() }] {
        let refused = engine.queue.submit(command).await.unwrap();
        assert_eq!(refused, Err(Refusal::StaleFence(old.task_key.clone())));
    }
}

/// Waits, in real time, until a thread is held.
async fn holds(hold: &Hold) {
    while !hold.holds() {
        tokio::time::sleep(5.millis()).await;
    }
}

/// Waits, in real time, until an attempt goes on under another fence.
async fn has_gone_on(engine: &Engine) {
    let is_resumed = |event: &glitchlab_domain::event::Event| event.kind.name() == "attempt.resumed";
    while !engine.reader.last_events(400).await.unwrap().iter().any(is_resumed) {
        tokio::time::sleep(5.millis()).await;
    }
}

/// Waits, in real time, until the zombie has let go of the money that was set aside for it.
async fn is_all_settled(engine: &Engine) {
    while !engine.reader.open_calls().await.unwrap().is_empty() {
        tokio::time::sleep(5.millis()).await;
    }
}

#[test]
fn an_attempt_that_ignores_its_cancellation_is_fenced_and_can_neither_write_nor_spend() {
    let hold = Hold::default();
    let blocked = hold.clone();
    let zombie = Act::look(|engine: Arc<Engine>| async move {
        let slot = engine.slots.iter().next().unwrap();
        timeout(45.secs(), holds(&blocked)).await.unwrap();
        let old = slot.assignment().unwrap().bearer();
        slot.task.end();
        timeout(45.secs(), has_gone_on(&engine)).await.unwrap();
        all_is_refused(&engine, old).await;
        blocked.release();
        timeout(45.secs(), is_all_settled(&engine)).await.unwrap();
    });
    let ran = World::seed(1)
        .backlog(beads::tasks(1))
        .workers(1)
        .threads(4)
        .set(|setup| {
            setup.grace = 50.millis();
            setup.poll_interval = 50.millis();
        })
        .at_place(Place::Answered, 2, Trip::Block(hold.clone()))
        .at(1.millis(), zombie)
        .run(2.minutes());
    assert!(!hold.holds());
    ran.check(|ran| failed_with(ran, "could not be ended and is fenced off"))
        .check(check::happened("attempt.resumed", 1))
        .check(check::paid_again_at_most(1))
        .check(check::all_work_is_completed());
}

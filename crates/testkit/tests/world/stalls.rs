//! What hangs is found and removed. That the watchdog leaves alone what only waits is checked after every world.

use std::sync::Arc;
use std::time::Duration;

use glitchlab_actors::Engine;
use glitchlab_domain::event::EventKind;
use glitchlab_domain::watchdog::{Clock, Limits};
use glitchlab_testkit::{Act, End, Hold, Place, Ran, Trip, Units, World, beads, check};

fn small(seed: u64) -> World {
    World::seed(seed).backlog(beads::tasks(4)).workers(2).set(|setup| setup.may_stall = true)
}

/// Runs in real time, with clocks that run out soon.
fn in_real_time(seed: u64) -> World {
    let limits = Limits {
        beat_ms: 3_000,
        handler_ms: 1_000,
        no_progress_ms: 3_000,
        look_ms: 60_000,
        grace_ms: 100,
        ..Limits::default()
    };
    let set = move |setup: &mut glitchlab_testkit::settings::Setup| {
        setup.watchdog = limits;
        setup.grace = Duration::from_secs(1);
    };
    small(seed).threads(6).set(set)
}

/// What the watchdog did, by clock.
fn acted(ran: &Ran) -> Vec<(Clock, &str)> {
    let events = ran.events.iter().map(|event| match &event.kind {
        EventKind::WatchdogActed { clock, did, .. } => Some((*clock, did.as_str())),
        _ => None,
    });
    events.flatten().collect()
}

#[test]
fn an_attempt_that_awaits_for_ever_wherever_it_is_goes_on_at_its_last_durable_point() {
    let places = [
        Place::Asking,
        Place::Answered,
        Place::Opening,
        Place::Writing,
        Place::Committed,
        Place::Merging,
        Place::Merged,
    ];
    for place in places {
        let ran = small(1)
            .at_place(place, 2, Trip::Hang)
            .run(1.days())
            .check(check::happened("attempt.resumed", 1))
            .check(check::paid_again_at_most(1))
            .check(check::all_work_is_completed());
        assert_eq!(ran.boots, 1, "{place:?}");
        let clocks: Vec<Clock> = acted(&ran).into_iter().map(|(clock, _)| clock).collect();
        assert_eq!(clocks, [Clock::Progress], "{place:?}");
        let found = ran.events_named("watchdog.acted").next().expect("it is there");
        let at = ran.since_begin(found.at_ms);
        assert!(at > 30.minutes() && at < 33.minutes(), "{place:?}: found after {at:?}");
    }
}

#[test]
fn a_poll_of_the_backlog_that_never_ends_is_stopped_and_the_next_one_finds_what_is_new() {
    let late = Act::edit(|backlog| {
        backlog.hang_once();
        backlog.put(beads::task("late-1"));
    });
    let ran = small(6)
        .at(10.secs(), late)
        .at(2.hours(), Act::look(|_| async {}))
        .run(1.days())
        .check(check::completed(5))
        .check(check::all_work_is_completed());
    assert_eq!(acted(&ran), [(Clock::Task, "restarted everything in glitchlab/work/scheduler")]);
    assert_eq!(ran.boots, 1);
}

/// Holds the lock of what the scheduler reads, so that whoever looks there blocks its thread.
fn hold_the_settings(hold: &Hold) -> Act {
    let hold = hold.clone();
    Act::look(move |engine: Arc<Engine>| async move {
        std::thread::spawn(move || engine.live.send_modify(|_| hold.block()));
    })
}

#[test]
fn a_scheduler_that_blocks_its_thread_is_replaced_and_everything_completes() {
    let hold = Hold::default();
    let release = hold.clone();
    let wait = Act::look(move |engine: Arc<Engine>| async move {
        let mut commits = engine.feed.follow(glitchlab_actors::activation::Activation::new(|| false));
        let is_it = |kind: &EventKind| matches!(kind, EventKind::WatchdogActed { .. });
        while let Some(committed) = commits.recv().await {
            if committed.events.iter().any(|event| is_it(&event.kind)) {
                return release.release();
            }
        }
    });
    let ran = in_real_time(2)
        .set(|setup| setup.poll_interval = Duration::from_millis(200))
        .at(Duration::from_millis(300), hold_the_settings(&hold))
        .at(Duration::from_millis(301), wait)
        .run(Duration::from_secs(60))
        .check(check::all_work_is_completed())
        .check(check::paid_again_at_most(0));
    let first = acted(&ran)[0];
    assert_eq!(first, (Clock::Handler, "killed glitchlab/work/scheduler"), "{:?}", acted(&ran));
}

/// Gives every thread of the runtime something that blocks it.
fn block_every_thread(hold: &Hold) -> Act {
    let hold = hold.clone();
    Act::look(move |_| async move {
        for _ in 0..64 {
            let hold = hold.clone();
            tokio::spawn(async move { hold.block() });
        }
    })
}

#[test]
fn when_every_thread_is_blocked_the_process_is_replaced_from_the_watchdogs_own() {
    let hold = Hold::default();
    let ran = in_real_time(3)
        .set(|setup| setup.poll_interval = Duration::from_millis(200))
        .at(Duration::from_millis(50), block_every_thread(&hold))
        .at(Duration::from_secs(12), Act::look(|_| async {}))
        .run(Duration::from_secs(60))
        .check(check::all_work_is_completed());
    hold.release();
    assert_eq!((ran.boots, &ran.end), (2, &End::Quiet));
    assert_eq!(acted(&ran), [(Clock::Beat, "restarted the process")], "the next process tells it");
}

/// Books every slot for claims that never come: work is ready, and nothing starts.
fn leak_slots() -> Act {
    Act::look(|engine: Arc<Engine>| async move {
        while let Some(booking) = engine.slots.book() {
            std::mem::forget(booking);
        }
    })
}

#[test]
fn work_that_could_start_and_does_not_restarts_the_scheduler_then_the_work_then_the_process() {
    let late = Act::edit(|backlog| beads::tasks(3).into_iter().for_each(|bead| backlog.put(bead)));
    let ran = World::seed(4)
        .set(|setup| setup.may_stall = true)
        .at(1.secs(), leak_slots())
        .at(2.secs(), late)
        .run(1.days())
        .check(check::all_work_is_completed());
    let did: Vec<&str> = acted(&ran).into_iter().map(|(_, did)| did).collect();
    let expected = [
        "killed glitchlab/work/scheduler",
        "restarted everything in glitchlab/work",
        "restarted the process",
    ];
    assert_eq!(did, expected);
    assert_eq!(ran.boots, 2);
}

#[test]
fn the_fourth_restart_within_six_hours_ends_the_process_for_good() {
    let world = (0..4).fold(small(5), |world, n| world.at((n * 3_600 + 1).secs(), leak_slots()));
    let again = |n: u32| Act::edit(move |backlog| backlog.put(beads::tasks(20).remove(n as usize + 5)));
    let world = (0..4).fold(world, |world, n| world.at((n * 3_600 + 2).secs(), again(n)));
    let ran = world.run(1.days());
    let End::Breach(why) = &ran.end else { panic!("{:?}", ran.end) };
    assert!(why.contains("restarted itself 3 times within 6 h"), "{why}");
}

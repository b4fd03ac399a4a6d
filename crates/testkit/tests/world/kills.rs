//! Processes that die, or are stopped, at any point.

use glitchlab_domain::task::TaskState;
use glitchlab_models::simulated::Profile;
use glitchlab_testkit::{Act, Kill, Ran, Trip, Units, World, beads, check};

/// A few tasks of which some wait for others, on two workers.
fn small(seed: u64) -> World {
    let mut beads = beads::tasks(6);
    beads.extend(beads::chain(3).into_iter().map(|bead| beads::renamed(bead, "c")));
    World::seed(seed).backlog(beads).workers(2)
}

/// Nothing was begun anew that could have gone on: each attempt of a task but the last has failed.
fn no_attempt_was_lost(ran: &Ran) -> Result<(), String> {
    for task in ran.tasks.values().filter(|task| task.state == TaskState::Completed) {
        let ended = task.failures + task.deferrals + 1;
        check::ensure(task.runs == ended, || {
            format!("{} took {} attempts, {ended} ended", task.bead_id, task.runs)
        })?;
    }
    Ok(())
}

#[test]
fn two_tasks_survive_a_kill() {
    World::seed(7)
        .backlog(beads::tasks(2))
        .model(Profile::Realistic)
        .at(10.secs(), Kill::Process)
        .run(2.hours())
        .check(check::provider_spend_at_most(5.usd()))
        .check(check::happened("attempt.resumed", 2))
        .check(check::all_work_is_completed());
}

#[test]
fn a_kill_at_any_touch_of_the_outside_world_loses_nothing_and_repeats_at_most_the_tries_in_flight() {
    let touches = small(3).run(1.days()).check(check::all_work_is_completed()).outside.wire.touches();
    assert!(touches > 100, "only {touches} points to kill at");
    for touch in 1..=touches {
        let ran = small(3).at_touch(touch, Trip::Kill).run(1.days());
        assert_eq!(ran.boots, 2, "touch {touch} killed nothing");
        ran.check(check::all_work_is_completed())
            .check(check::paid_again_at_most(2))
            .check(no_attempt_was_lost);
    }
}

#[test]
fn many_kills_of_one_run_dispatch_no_task_twice() {
    for seed in 0..12 {
        let mut world = small(seed);
        for kill in 0..10 {
            world = world.at_touch(5 + seed + kill * (11 + seed), Trip::Kill);
        }
        let ran = world.run(1.days());
        let kills = usize::try_from(ran.boots - 1).unwrap();
        assert!(kills > 5, "seed {seed}: only {kills} kills");
        ran.check(check::all_work_is_completed())
            .check(check::paid_again_at_most(2 * kills))
            .check(no_attempt_was_lost);
    }
}

#[test]
fn what_a_shutdown_puts_down_the_next_start_goes_on_with() {
    small(5)
        .model(Profile::Realistic)
        .set(|setup| setup.retry.attempts = 12)
        .at(15.secs(), Act::Restart { drain: 1.secs() })
        .run(1.days())
        .check(check::happened("attempt.suspended", 2))
        .check(check::happened("attempt.resumed", 2))
        .check(check::happened("process.ended", 2))
        .check(check::all_work_is_completed())
        .check(no_attempt_was_lost);
}

#[test]
fn a_clock_that_is_set_back_does_not_let_a_cap_be_exceeded() {
    World::seed(11)
        .backlog(beads::tasks(60))
        .caps(5.cents(), 100.usd())
        .at(10.minutes(), Act::Jump(-1_800_000))
        .at(95.minutes(), Act::Jump(-7_200_000))
        .run(3.days())
        .check(check::all_work_is_completed());
}

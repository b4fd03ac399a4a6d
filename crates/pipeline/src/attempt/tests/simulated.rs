//! Whole backlogs of simulated work.

use std::sync::Arc;

use glitchlab_domain::bead::BeadId;
use glitchlab_domain::outcome::Outcome;
use glitchlab_domain::task::TaskState;
use glitchlab_models::simulated::{Profile, Simulated};

use super::super::*;
use super::world::World;
use crate::fakes::{FakeWorkspace, Fuse};

/// Runs attempts at one task until it rests for good; returns its last state and what it cost.
async fn work_off(world: &World, bead: &str, profile: Profile) -> (TaskState, Outcome, i64) {
    let before = world.account_total();
    for n in 1.. {
        let claimed = world.log.claim(bead, "A task of some length", &format!("{bead}-{n}"));
        let model = Arc::new(Simulated::new(profile, 7, world.account.clone()));
        let ended = run(&world.job_with(&claimed, &Fuse::never(), model)).await.unwrap();
        let task = world.log.finish(&claimed, &ended);
        if task.state != TaskState::Open {
            return (task.state, ended.outcome, world.account_total() - before);
        }
        tokio::time::advance(std::time::Duration::from_secs(600)).await;
    }
    unreachable!("a task rests after its third attempt")
}

fn world() -> World {
    let mut world = World::new();
    world.workspace = FakeWorkspace::new(world.repo.clone());
    world
}

#[tokio::test(start_paused = true)]
async fn every_task_of_simulated_fast_succeeds_and_costs_between_a_tenth_of_a_cent_and_two() {
    let mut world = world();
    (world.settings.test, world.settings.allow_untested) = (None, true);
    let (mut split, mut retried) = (0, 0);
    for n in 0..400 {
        let bead = format!("gl-{n}");
        let (state, outcome, micro) = work_off(&world, &bead, Profile::Fast).await;
        assert!((1_000..=20_000).contains(&micro), "{bead} costs {micro} micro-dollars");
        match outcome {
            Outcome::Decomposed { subtasks } => {
                assert_eq!(state, TaskState::Decomposed);
                assert!((2..=4).contains(&subtasks.len()));
                split += 1;
            }
            outcome => {
                assert_eq!(state, TaskState::Completed, "{bead}: {outcome:?}");
                retried += u32::from(world.log.claim_runs(&bead) > 1);
            }
        }
    }
    assert!((6..30).contains(&split) && (8..50).contains(&retried), "{split} split, {retried} retried");
    assert_eq!(world.repo.merges().len(), 400 - split);
    assert_eq!(world.ledger_total(), world.account_total());
}

#[tokio::test(start_paused = true)]
async fn subtasks_of_simulated_fast_are_worked_off_like_tasks() {
    let world = world();
    for n in 1..=40 {
        let (state, outcome, _) = work_off(&world, &format!("gl-1.s{n}"), Profile::Fast).await;
        assert_eq!(state, TaskState::Completed, "{outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn simulated_realistic_gets_through_its_troubles_and_the_ledger_covers_the_account() {
    let world = world();
    let mut completed = 0;
    for n in 0..40 {
        let (state, _, _) = work_off(&world, &format!("gl-{n}"), Profile::Realistic).await;
        completed += u32::from(state == TaskState::Completed);
    }
    assert!(completed > 25, "{completed} of 40");
    let unknown =
        world.log.rows().calls.into_values().filter(|row| row.input_tokens == 0 && row.actual.is_some());
    assert!(unknown.count() > 0);
    assert!(world.ledger_total() > world.account_total());
    assert_eq!(world.reserved(), 0);
}

/// Runs the first attempt at a task with the realistic model, interrupted at these points.
async fn interrupted(world: &World, bead: &str, points: &[u64]) -> Outcome {
    let mut claimed = world.log.claim(bead, "A task", bead);
    for point in points {
        let fuse = Fuse::at(*point);
        let model = Arc::new(Simulated::new(Profile::Realistic, 7, world.account.clone()));
        let job = world.job_with(&claimed, &fuse, model);
        tokio::select! {
            ended = run(&job) => return ended.unwrap().outcome,
            () = fuse.blown() => claimed = world.log.take_over(&claimed),
        }
    }
    unreachable!("the last point is never reached")
}

#[tokio::test(start_paused = true)]
async fn interruptions_change_no_outcome_where_tries_are_lost_and_usage_is_missing() {
    for n in 0..60 {
        let bead = format!("gl-{n}");
        let expected = interrupted(&world(), &bead, &[u64::MAX]).await;
        let world = world();
        let outcome = interrupted(&world, &bead, &[n % 7 + 3, n, n % 11 + 5, u64::MAX]).await;
        assert_eq!(outcome, expected, "{bead}");
        assert_eq!(world.reserved(), 0);
        assert!(world.ledger_total() >= world.account_total());
    }
}

impl crate::fakes::MemoryLog {
    fn claim_runs(&self, bead: &str) -> u32 {
        let id = BeadId::from(bead);
        self.rows().tasks.values().find(|task| task.bead_id == id).map_or(0, |task| task.runs)
    }
}

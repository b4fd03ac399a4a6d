//! Attempts that are interrupted at any point, and go on as if they had not been.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use glitchlab_domain::command::Claimed;
use glitchlab_domain::outcome::Outcome;
use proptest::prelude::*;
use serde_json::json;

use super::super::*;
use super::world::{World, edit};
use crate::fakes::{FakeWorkspace, Fuse};

/// A long way to the end: a reply that cannot be read, an implementer that asks for the tests, red tests, a debugger,
/// a base that moves once under the work.
fn winding() -> World {
    let mut world = World::new().replies(&[
        ("planner", None, Some(0), json!("no JSON")),
        (
            "implement",
            Some(3),
            Some(0),
            json!({"actions": [
            {"tool": "read", "path": "sum.rs"},
            {"tool": "replace", "path": "sum.rs", "old": "    a - b", "new": "    // mend\n    a - b"},
        ], "done": false}),
        ),
        (
            "implement",
            Some(3),
            Some(1),
            json!({"actions": [
            {"tool": "replace", "path": "sum.rs", "old": "    a - b", "new": "    // mend\n    a * b"},
            {"tool": "write", "path": "note.md", "content": "a note"},
            {"tool": "run_tests"},
        ], "done": false}),
        ),
        ("implement", Some(5), None, edit("a * b", "a / b")),
        (
            "debug",
            Some(7),
            Some(0),
            json!({"actions": [
            {"tool": "search", "pattern": "mend"},
            {"tool": "remove", "path": "note.md"},
        ], "done": false}),
        ),
        ("debug", Some(7), Some(1), edit("a / b", "a + b")),
    ]);
    let (pushed, to) = (AtomicBool::new(false), world.repo.clone());
    world.workspace =
        FakeWorkspace::new(world.repo.clone()).with_tests(Duration::from_secs(3), move |files| {
            let is_green = files["sum.rs"].contains("a + b");
            if is_green && !pushed.swap(true, Ordering::SeqCst) {
                to.push("README.md", "More sums.\n");
            }
            is_green
        });
    world
}

/// What must be the same however often an attempt is interrupted.
#[derive(Debug, PartialEq)]
struct Result {
    ended: Ended,
    steps: Vec<(String, bool)>,
    merges: Vec<(String, String)>,
    requests: BTreeMap<String, String>,
    sum: Option<String>,
    note: Option<String>,
    readme: Option<String>,
}

fn result(world: &World, ended: Ended) -> Result {
    Result {
        ended,
        steps: world.steps(),
        merges: world.repo.merges(),
        requests: world.repo.requests(),
        sum: world.repo.file("sum.rs"),
        note: world.repo.file("note.md"),
        readme: world.repo.file("README.md"),
    }
}

/// Runs an attempt until it is interrupted; returns its end when it gets there before.
async fn run_until(world: &World, claimed: &Claimed, point: u64) -> Option<Ended> {
    let fuse = Fuse::at(point);
    let job = world.job(claimed, &fuse);
    tokio::select! {
        ended = run(&job) => Some(ended.unwrap()),
        () = fuse.blown() => None,
    }
}

/// Interrupts an attempt at each of the points in turn, counted anew after each, and then lets it come to its end.
async fn interrupted(world: &World, points: &[u64], lose_worktrees: bool) -> Ended {
    let mut claimed = world.claim();
    for point in points {
        if let Some(ended) = run_until(world, &claimed, *point).await {
            return ended;
        }
        if lose_worktrees {
            world.workspace.lose_worktrees();
        }
        // Time passes until the next start; nothing of what was paid may depend on it.
        tokio::time::advance(Duration::from_secs(90)).await;
        claimed = world.log.take_over(&claimed);
    }
    run_until(world, &claimed, u64::MAX).await.unwrap()
}

async fn undisturbed(world: &World) -> (Result, u64) {
    let fuse = Fuse::never();
    let ended = run(&world.job(&world.claim(), &fuse)).await.unwrap();
    (result(world, ended), fuse.passed())
}

/// Checks the money: nothing stays reserved, the ledger covers the account, and a call is paid again only when it was
/// in flight at an interruption.
fn check_money(world: &World, calls: usize, interruptions: usize) {
    assert_eq!(world.reserved(), 0);
    assert!(world.ledger_total() >= world.account_total());
    let entries = world.account.entries();
    assert!(entries.len() <= calls + interruptions, "{} calls were paid instead of {calls}", entries.len());
    let rows = world.log.rows();
    let memoised = rows.calls.values().filter(|row| row.ok && row.reply.is_some()).count();
    assert_eq!(memoised, calls, "a reply that was paid and kept is never paid again");
}

async fn interrupt_everywhere(build: fn() -> World, lose_worktrees: bool) {
    let world = build();
    let (expected, points) = undisturbed(&world).await;
    let calls = world.account.entries().len();
    assert!(points > 60, "only {points} points");
    for point in 0..points {
        let world = build();
        let ended = interrupted(&world, &[point], lose_worktrees).await;
        assert_eq!(result(&world, ended), expected, "interrupted at point {point} of {points}");
        check_money(&world, calls, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_interrupted_at_any_point_ends_as_if_it_had_not_been() {
    let (expected, _) = undisturbed(&winding()).await;
    assert!(matches!(expected.ended.outcome, Outcome::Completed { .. }), "{expected:?}");
    let stages: Vec<&str> = expected.steps.iter().map(|(stage, _)| stage.as_str()).collect();
    assert_eq!(
        stages[3..],
        ["implement", "test", "implement", "test", "debug", "test", "review", "PR", "test", "PR"]
    );
    assert_eq!(expected.sum.as_deref().unwrap().matches("// mend").count(), 2);
    interrupt_everywhere(winding, false).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_is_opened_once_wherever_the_attempt_is_interrupted() {
    interrupt_everywhere(
        || {
            let mut world = World::new().reply("implement", edit("a - b", "a * b"));
            world.settings.merge = Merge::Never;
            world
        },
        false,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_attempt_fails_alike_wherever_it_is_interrupted() {
    let rejecting = || World::new().reply("review", json!({"verdict": "reject", "comments": ["no"]}));
    interrupt_everywhere(rejecting, false).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_worktree_is_made_again_from_the_log() {
    interrupt_everywhere(|| World::new().reply("implement", edit("a - b", "a * b")), true).await;
}

#[tokio::test(start_paused = true)]
async fn edits_are_not_made_again_over_newer_work_of_others() {
    let world = World::new();
    let claimed = world.claim();
    // Somewhere in the tests: the edits are in the log, and in the worktree.
    let point = {
        let counting = World::new();
        let fuse = Fuse::never();
        let _ = run(&counting.job(&counting.claim(), &fuse)).await.unwrap();
        fuse.passed() - 25
    };
    assert!(run_until(&world, &claimed, point).await.is_none());
    let steps = world.stages();
    assert!(steps.contains(&"implement".to_owned()) && !steps.contains(&"PR".to_owned()), "{steps:?}");
    world.workspace.lose_worktrees();
    world.repo.push("sum.rs", "fn product() {}\n");
    let claimed = world.log.take_over(&claimed);
    let ended = run_until(&world, &claimed, u64::MAX).await.unwrap();
    assert!(matches!(ended.outcome, Outcome::Retryable { .. }), "{ended:?}");
    assert_eq!(world.repo.file("sum.rs").as_deref(), Some("fn product() {}\n"));
}

#[tokio::test(start_paused = true)]
async fn tests_that_were_ended_by_a_shutdown_say_nothing() {
    let world = World::new();
    let claimed = world.claim();
    let mut job = world.job(&claimed, &Fuse::never());
    job.durable = Arc::new(stopping::Stopping { durable: world.log.durable(&claimed, Fuse::never()) });
    let lost = run(&job).await.unwrap_err();
    assert!(lost.to_string().contains("during its tests"), "{lost}");
    let rows = world.log.rows();
    let test = rows.steps.values().find(|step| step.stage.word() == "test").unwrap();
    assert_eq!(test.output, None, "a test that was cut off left a result");
    let claimed = world.log.take_over(&claimed);
    let ended = run_until(&world, &claimed, u64::MAX).await.unwrap();
    assert!(matches!(ended.outcome, Outcome::Completed { .. }), "{ended:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn any_number_of_interruptions_changes_nothing(points in prop::collection::vec(0u64..90, 1..6), lose: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let build = || World::new().reply("implement", edit("a - b", "a * b"));
            let world = build();
            let (expected, _) = undisturbed(&world).await;
            let calls = world.account.entries().len();
            let world = build();
            let ended = interrupted(&world, &points, lose).await;
            assert_eq!(result(&world, ended), expected);
            check_money(&world, calls, points.len());
        });
    }
}

/// A log of an attempt that is told to stop while its tests run.
mod stopping {
    use async_trait::async_trait;
    use glitchlab_domain::id::EffectKey;
    use glitchlab_domain::reason::Wait;
    use glitchlab_domain::stage::Stage;
    use glitchlab_models::Settlement;

    use crate::durable::{Ask, Begun, Durable, EffectState, Lost, Reserved, Room, StepDone};
    use crate::fakes::MemoryDurable;
    use crate::process::{ChildProcess, ChildWatch, WatchError};

    pub(super) struct Stopping {
        pub(super) durable: MemoryDurable,
    }

    #[async_trait]
    impl Durable for Stopping {
        async fn begin(&self, n: u32, stage: Stage, input_hash: &str) -> Result<Begun, Lost> {
            self.durable.begin(n, stage, input_hash).await
        }

        async fn finish_step(&self, n: u32, done: StepDone) -> Result<(), Lost> {
            self.durable.finish_step(n, done).await
        }

        async fn reserve(&self, ask: Ask) -> Result<Reserved, Lost> {
            self.durable.reserve(ask).await
        }

        async fn room(&self) -> Result<Room, Lost> {
            self.durable.room().await
        }

        async fn settle(&self, settlement: Settlement) -> Result<(), Lost> {
            self.durable.settle(settlement).await
        }

        async fn pause(&self, wait: &Wait) -> Result<(), Lost> {
            self.durable.pause(wait).await
        }

        async fn begin_effect(&self, key: EffectKey, kind: &str, target: &str) -> Result<EffectState, Lost> {
            self.durable.begin_effect(key, kind, target).await
        }

        async fn finish_effect(&self, key: &EffectKey, result: &str) -> Result<(), Lost> {
            self.durable.finish_effect(key, result).await
        }

        fn child_watch(&self) -> &dyn ChildWatch {
            self
        }

        fn progress(&self) {}
    }

    #[async_trait]
    impl ChildWatch for Stopping {
        async fn started(&self, _: &ChildProcess) -> Result<(), WatchError> {
            Ok(())
        }

        async fn ended(&self, _: &ChildProcess) {}

        fn progress(&self) {}

        async fn stop_requested(&self) {}
    }
}

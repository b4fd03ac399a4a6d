//! How finished work meets a base that others change too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use glitchlab_domain::outcome::{FailureKind, Outcome};
use glitchlab_domain::reason::Reason;
use serde_json::json;

use super::super::*;
use super::world::World;
use crate::fakes::{FakeRepo, FakeWorkspace, Files, Fuse};

/// Tests during which somebody else commits a file, the first time.
fn pushing(
    repo: &FakeRepo,
    path: &'static str,
    text: &'static str,
    verdict: fn(&Files) -> bool,
) -> FakeWorkspace {
    let (pushed, to) = (AtomicBool::new(false), repo.clone());
    FakeWorkspace::new(repo.clone()).with_tests(Duration::from_secs(3), move |files| {
        if !pushed.swap(true, Ordering::SeqCst) {
            to.push(path, text);
        }
        verdict(files)
    })
}

#[tokio::test(start_paused = true)]
async fn a_base_that_moved_is_tested_again_before_the_merge() {
    let mut world = World::new();
    world.workspace = pushing(&world.repo, "README.md", "More sums.\n", |_| true);
    let ended = world.run().await;
    assert!(matches!(ended.outcome, Outcome::Completed { .. }), "{ended:?}");
    assert_eq!(world.stages()[4..], ["test", "review", "PR", "test", "PR"]);
    assert_eq!(world.steps()[6], ("PR".to_owned(), false));
    assert_eq!(world.repo.merges().len(), 1);
    assert_eq!(world.repo.file("README.md").as_deref(), Some("More sums.\n"));
    assert!(world.repo.file("sum.rs").unwrap().contains("a + b"));
}

#[tokio::test(start_paused = true)]
async fn work_that_does_not_go_together_with_the_new_base_is_not_merged() {
    let mut world = World::new();
    world.workspace = pushing(&world.repo, "README.md", "broken", |files| files["README.md"] != "broken");
    let ended = world.run().await;
    assert!(
        matches!(ended.outcome, Outcome::Retryable { failure: FailureKind::TestsFailed, .. }),
        "{ended:?}"
    );
    assert!(ended.learned.unwrap().recommendation.contains("new on the base"));
    assert!(world.repo.merges().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_tried_again_from_the_new_base() {
    let mut world = World::new();
    world.workspace = pushing(&world.repo, "sum.rs", "fn product() {}\n", |_| true);
    let ended = world.run().await;
    assert!(matches!(ended.outcome, Outcome::Retryable { failure: FailureKind::Transient, .. }), "{ended:?}");
    assert!(ended.detail.contains("sum.rs"), "{}", ended.detail);
    assert!(world.repo.merges().is_empty());
}

#[tokio::test(start_paused = true)]
async fn changes_of_the_user_in_the_same_files_hold_the_merge() {
    let world = World::new();
    world.repo.make_dirty("sum.rs");
    let ended = world.run().await;
    let files = vec!["sum.rs".to_owned()];
    let held = Some(Reason::BaseCheckedOutDirty { files });
    assert_eq!(ended.outcome, Outcome::InReview { request: "glitchlab/gl-1-attempt-1".into(), held });
    assert!(!ended.keep_worktree && world.repo.merges().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_the_base_got_from_elsewhere_meanwhile_is_done() {
    let mut world = World::new();
    world.workspace =
        pushing(&world.repo, "sum.rs", "fn sum(a: i32, b: i32) -> i32 {\n    a + b\n}\n", |_| true);
    let ended = world.run().await;
    assert!(matches!(ended.outcome, Outcome::Completed { .. }), "{ended:?}");
    assert!(world.repo.merges().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_merge_that_was_recorded_is_not_made_again_by_a_later_attempt() {
    let world = World::new();
    let first = world.claim();
    let ended = run(&world.job(&first, &Fuse::never())).await.unwrap();
    let lost = Ended {
        outcome: Outcome::Retryable { failure: FailureKind::Transient, message: "lost".into() },
        ..ended.clone()
    };
    let _ = world.log.finish(&first, &lost);
    tokio::time::advance(Duration::from_secs(60)).await;
    let mut again = World { log: world.log.clone(), repo: world.repo.clone(), ..World::new() };
    again.workspace = FakeWorkspace::new(again.repo.clone());
    again = again.reply(
        "implement",
        json!({
            "actions": [{"tool": "write", "path": "more.md", "content": "more"}], "done": true, "summary": "",
        }),
    );
    let second = again.log.claim("gl-1", "Mend the sum", "attempt-2");
    let ended_again = run(&again.job(&second, &Fuse::never())).await.unwrap();
    assert_eq!(ended_again.outcome, ended.outcome);
    assert_eq!(world.repo.merges().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_is_never_given_back_stops_nobody() {
    let world = World::new();
    let claimed = world.claim();
    let job = world.job(&claimed, &Fuse::never());
    let _stuck = world.settings.merge_turn.take(job.durable.as_ref()).await.unwrap();
    let ended = run(&job).await.unwrap();
    assert!(matches!(ended.outcome, Outcome::Completed { .. }), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn many_attempts_that_move_the_base_under_each_other_all_get_through() {
    let mut world = World::new();
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    world.workspace = FakeWorkspace::new(world.repo.clone()).with_tests(Duration::from_secs(30), move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        true
    });
    let world = Arc::new(world);
    let tasks: Vec<_> = (0..24)
        .map(|n| {
            let bead = format!("gl-{n}");
            let claimed = world.log.claim(&bead, "Write a note", &format!("attempt-{n}"));
            let mut job = world.job(&claimed, &Fuse::never());
            let note = json!({
                "actions": [{"tool": "write", "path": format!("{bead}.md"), "content": "note"}], "done": true,
            });
            let own = World { ..World::new() }.reply("implement", note);
            job.model = own.job(&claimed, &Fuse::never()).model;
            tokio::spawn(async move { run(&job).await.unwrap() })
        })
        .collect();
    for task in tasks {
        let ended = task.await.unwrap();
        assert!(matches!(ended.outcome, Outcome::Completed { .. }), "{ended:?}");
    }
    assert_eq!(world.repo.merges().len(), 24);
    assert!(runs.load(Ordering::SeqCst) <= 2 * 24, "each is tested again once at most");
}

//! The edit loop.

use glitchlab_domain::outcome::{FailureKind, Outcome};
use serde_json::{Value, json};

use super::world::{World, edit};

fn round(actions: Value) -> Value {
    Value::Object([("actions".to_owned(), actions), ("done".to_owned(), false.into())].into_iter().collect())
}

#[tokio::test(start_paused = true)]
async fn the_results_of_a_round_come_back_and_show_what_was_changed() {
    let world = World::new().replies(&[
        (
            "implement",
            None,
            Some(0),
            round(json!([
                {"tool": "list"},
                {"tool": "read", "path": "sum.rs"},
                {"tool": "write", "path": "docs/new.md", "content": "a new page"},
                {"tool": "replace", "path": "sum.rs", "old": "a - b", "new": "a + b"},
                {"tool": "remove", "path": "README.md"},
            ])),
        ),
        (
            "implement",
            None,
            Some(1),
            round(json!([
                {"tool": "list"},
                {"tool": "read", "path": "./sum.rs"},
                {"tool": "search", "pattern": "new page"},
                {"tool": "search", "pattern": "Sums"},
                {"tool": "read", "path": "README.md"},
            ])),
        ),
        ("implement", None, Some(2), json!({"done": true, "summary": "mended"})),
    ]);
    assert!(matches!(world.run().await.outcome, Outcome::Completed { .. }));
    let (first, second) = (world.last_turn(3), world.last_turn(4));
    assert!(first.contains("README.md") && first.contains("a - b") && first.contains("5. remove"), "{first}");
    assert!(second.contains("docs/new.md:1: a new page") && second.contains("a + b"), "{second}");
    assert!(second.contains("refused: there is no file \"README.md\""), "{second}");
    assert!(!second.contains("a - b") && !second.contains("README.md:1"), "{second}");
    assert_eq!(world.repo.file("docs/new.md").as_deref(), Some("a new page"));
    assert_eq!(world.repo.file("README.md"), None);
}

#[tokio::test(start_paused = true)]
async fn what_a_tool_refuses_is_told_and_changes_nothing() {
    let world = World::new().replies(&[
        (
            "implement",
            None,
            Some(0),
            round(json!([
                {"tool": "write", "path": ".github/ci.yml", "content": "off"},
                {"tool": "write", "path": "../out", "content": "x"},
                {"tool": "replace", "path": "sum.rs", "old": "i32", "new": "i64"},
                {"tool": "remove", "path": "nothing"},
            ])),
        ),
        ("implement", None, Some(1), json!({"done": true, "summary": "cannot"})),
    ]);
    let ended = world.run().await;
    assert!(
        matches!(ended.outcome, Outcome::Retryable { failure: FailureKind::NoProgress, .. }),
        "{ended:?}"
    );
    let told = world.last_turn(3);
    for refusal in ["protected by", "leads out of the worktree", "occurs 3 times", "no file \"nothing\""] {
        assert!(told.contains(refusal), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_implementer_that_asks_for_the_tests_goes_on_with_what_they_say() {
    let world = World::new().replies(&[
        (
            "implement",
            Some(3),
            None,
            round(json!([
                {"tool": "replace", "path": "sum.rs", "old": "a - b", "new": "a * b"},
                {"tool": "run_tests"},
            ])),
        ),
        ("implement", Some(5), None, edit("a * b", "a + b")),
    ]);
    assert!(matches!(world.run().await.outcome, Outcome::Completed { .. }));
    let expected = ["triage", "plan", "gate", "implement", "test", "implement", "test", "review", "PR"];
    assert_eq!(world.stages(), expected);
    let told = world.last_turn(3);
    assert!(told.contains("1. replace in \"sum.rs\": done"), "{told}");
    assert!(told.contains("failed with exit code 1") && told.contains("test failed"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn the_tests_may_be_asked_for_before_anything_is_changed() {
    let world = World::new().replies(&[
        ("implement", Some(3), None, round(json!([{"tool": "run_tests"}]))),
        ("implement", Some(5), None, edit("a - b", "a + b")),
    ]);
    assert!(matches!(world.run().await.outcome, Outcome::Completed { .. }));
}

#[tokio::test(start_paused = true)]
async fn rounds_are_counted_across_test_runs_and_end_the_work() {
    let mut world = World::new().reply("implement", round(json!([{"tool": "list"}, {"tool": "run_tests"}])));
    world.settings.limits.edit_rounds = 3;
    let ended = world.run().await;
    assert!(
        matches!(ended.outcome, Outcome::Retryable { failure: FailureKind::NoProgress, .. }),
        "{ended:?}"
    );
    assert_eq!(world.stages().iter().filter(|stage| *stage == "implement").count(), 3);
}

#[tokio::test(start_paused = true)]
async fn without_a_test_command_the_tool_says_so_and_the_step_goes_on() {
    let mut world = World::new().replies(&[
        ("implement", None, Some(0), round(json!([{"tool": "run_tests"}]))),
        ("implement", None, Some(1), edit("a - b", "a + b")),
    ]);
    (world.settings.test, world.settings.allow_untested) = (None, true);
    assert!(matches!(world.run().await.outcome, Outcome::Completed { .. }));
    assert!(world.last_turn(3).contains("no test command"));
    assert_eq!(world.stages().iter().filter(|stage| *stage == "implement").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_debugger_that_finds_nothing_leaves_the_tests_failed() {
    let idle = json!({"done": true, "summary": "I see nothing"});
    let world = World::new().reply("implement", edit("a - b", "a * b")).reply("debug", idle);
    let ended = world.run().await;
    assert!(
        matches!(ended.outcome, Outcome::Retryable { failure: FailureKind::TestsFailed, .. }),
        "{ended:?}"
    );
    assert!(ended.detail.contains("I see nothing"));
}

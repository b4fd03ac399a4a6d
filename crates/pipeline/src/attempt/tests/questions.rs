//! Attempts that ask a person, and go on with the answer.

use glitchlab_domain::bead::BeadId;
use glitchlab_domain::command::{Carry, Claimed, Command};
use glitchlab_domain::consent::Approval;
use glitchlab_domain::outcome::{HumanReason, Outcome, Size};
use glitchlab_domain::rows::{ControlRow, Verb};
use glitchlab_domain::task::TaskState;
use serde_json::json;

use super::super::*;
use super::world::World;
use crate::fakes::Fuse;

fn asking(approve: Approval) -> World {
    let mut world = World::new();
    world.settings.approve = approve;
    world
}

/// Runs the attempt until it asks, and writes its question down.
async fn ask(world: &World) -> HumanReason {
    let claimed = world.claim();
    let ended = run(&world.job(&claimed, &Fuse::never())).await.unwrap();
    let Outcome::NeedsHuman { reason } = ended.outcome.clone() else { panic!("{ended:?}") };
    assert!(ended.outcome.is_a_question());
    assert_eq!(world.log.finish(&claimed, &ended).state, TaskState::NeedsHuman);
    reason
}

/// Lets it go on as `glitchlab approve` does.
fn approve(world: &World) -> Claimed {
    let row = ControlRow {
        id: format!("c{}", world.log.events().len()),
        repo_id: world.log.rows().tasks.into_values().next().unwrap().repo_id,
        verb: Verb::Approve { bead_id: BeadId::from("gl-1") },
        by: "ana".to_owned(),
        at_ms: 0,
        done_ms: None,
        ok: false,
        result: None,
    };
    let carry = Carry { by: None, row, root_key: None, nearest: Vec::new(), scope: None, ending: None };
    world.log.submit(&Command::Carry(Box::new(carry))).unwrap();
    world.claim()
}

async fn go_on(world: &World) -> Ended {
    run(&world.job(&approve(world), &Fuse::never())).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_is_approved_goes_on_without_paying_for_it_again() {
    let world = asking(Approval::Plan);
    let HumanReason::ApprovePlan { size, steps, .. } = ask(&world).await else { panic!("not the plan") };
    assert_eq!((size, steps), (Size::S, 1));
    assert_eq!(world.stages(), ["triage", "plan", "gate"]);
    assert_eq!((world.account.entries().len(), world.reserved()), (2, 0));
    let ended = go_on(&world).await;
    assert!(matches!(ended.outcome, Outcome::Completed { .. }), "{ended:?}");
    assert_eq!(world.stages(), ["triage", "plan", "gate", "implement", "test", "review", "PR"]);
    assert_eq!(world.account.entries().len(), 4, "as many as without a question");
}

#[tokio::test(start_paused = true)]
async fn only_plans_of_the_size_that_is_named_are_asked_about() {
    let ended = asking(Approval::Size(Size::M)).run().await;
    assert!(matches!(ended.outcome, Outcome::Completed { .. }), "an S is not asked about: {ended:?}");
    let large = asking(Approval::Size(Size::M))
        .reply("architect_triage", json!({"already_done": false, "size": "L", "notes": ""}));
    assert!(matches!(ask(&large).await, HumanReason::ApprovePlan { size: Size::L, .. }));
}

#[tokio::test(start_paused = true)]
async fn what_is_split_is_not_asked_about_for_its_parts_are() {
    let world = asking(Approval::Plan)
        .reply("architect_triage", json!({"already_done": false, "size": "XL", "notes": ""}));
    let ended = world.run().await;
    assert!(matches!(ended.outcome, Outcome::Decomposed { .. }), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn finished_work_is_committed_before_it_is_asked_about_and_delivered_once_it_is_approved() {
    let world = asking(Approval::Request);
    let HumanReason::ApproveRequest { branch, files, .. } = ask(&world).await else { panic!("not the work") };
    assert_eq!((branch.as_str(), files), ("glitchlab/gl-1-attempt-1", 1));
    assert!(world.repo.merges().is_empty());
    assert_eq!(world.stages(), ["triage", "plan", "gate", "implement", "test", "review"]);
    let ended = go_on(&world).await;
    assert!(matches!(ended.outcome, Outcome::Completed { .. }), "{ended:?}");
    assert_eq!(world.repo.merges().len(), 1);
    assert_eq!(world.account.entries().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn approved_work_is_tested_again_when_the_base_has_moved_meanwhile() {
    let world = asking(Approval::Request);
    ask(&world).await;
    world.repo.push("README.md", "More sums.\n");
    let ended = go_on(&world).await;
    assert!(matches!(ended.outcome, Outcome::Completed { .. }), "{ended:?}");
    assert_eq!(world.repo.file("README.md").as_deref(), Some("More sums.\n"));
    let stages = world.stages();
    assert_eq!(stages[stages.len() - 3..], ["PR", "test", "PR"]);
}

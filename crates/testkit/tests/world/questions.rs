//! Plans and finished work that wait for a person's word, and runs that begin only so many tasks.

use std::time::Duration;

use glitchlab_domain::bead::{BeadId, Status};
use glitchlab_domain::consent::Approval;
use glitchlab_domain::outcome::Status as Ended;
use glitchlab_domain::reason::{Reason, ReasonKind};
use glitchlab_domain::rows::Verb;
use glitchlab_domain::task::{TaskRow, TaskState};
use glitchlab_models::simulated::Profile;
use glitchlab_testkit::{Act, End, Kill, Ran, Units, World, beads, check};

use crate::gate::say;

fn named(verb: impl Fn(BeadId) -> Verb, id: &str) -> Act {
    say(verb(BeadId::from(id)))
}

fn approve(id: &str) -> Act {
    named(|bead_id| Verb::Approve { bead_id }, id)
}

fn asking(approval: Approval) -> World {
    World::seed(5)
        .backlog(beads::tasks(3))
        .workers(1)
        .model(Profile::Realistic)
        .set(|setup| setup.approve = approval)
}

/// Looks that every task asks, and that nothing is held meanwhile.
fn all_ask() -> Act {
    Act::look(|engine| async move {
        let tasks = engine.reader.tasks(&engine.repo_id).await.unwrap();
        assert!(tasks.iter().all(TaskRow::asks_a_person), "{tasks:?}");
        assert!(engine.slots.are_all_free(), "they hold no slot");
        let head = engine.reader.ledger(&engine.scope, engine.now_ms()).await.unwrap().unwrap();
        assert_eq!(head.reserved.micro(), 0, "they hold no money");
        let board = engine.board.borrow().clone();
        assert_eq!((board.queue.needs_you, board.queue.in_progress), (3, 0));
    })
}

fn runs(ran: &Ran) -> Vec<u32> {
    ran.tasks.values().map(|task| task.runs).collect()
}

#[test]
fn plans_wait_through_kills_without_a_slot_and_go_on_when_they_are_approved_without_being_paid_again() {
    let without = asking(Approval::None).run(1.days()).check(check::all_work_is_completed());
    let ran = asking(Approval::Plan)
        .at(2.hours(), all_ask())
        .at(3.hours(), Kill::Process)
        .at(4.hours(), all_ask())
        .at(5.hours(), approve("t-001"))
        .at(5.hours() + 200.millis(), Kill::Process)
        .at(5.hours() + 5.secs(), approve("t-002"))
        .at(5.hours() + 20.secs(), Kill::Process)
        .at(6.hours(), approve("t-003"))
        .run(2.days())
        .check(check::all_work_is_completed());
    assert_eq!(runs(&ran), [1, 1, 1], "each is the attempt that asked");
    let plans = |ran: &Ran| ran.calls.iter().filter(|call| call.stage.word() == "plan" && call.ok).count();
    assert_eq!(plans(&ran), plans(&without), "no plan is made twice");
    let asked: Vec<Duration> =
        ran.events_named("human.needed").map(|event| ran.since_begin(event.at_ms)).collect();
    assert!(asked.len() == 3 && asked.iter().all(|at| *at < 1.hours()), "each asks once: {asked:?}");
    assert!(ran.outside.workspace.worktrees().is_empty());
}

#[test]
fn finished_work_waits_with_its_worktree_and_is_delivered_or_put_away() {
    let ran = asking(Approval::Request)
        .at(2.hours(), all_ask())
        .at(3.hours(), Kill::Process)
        .at(4.hours(), approve("t-001"))
        .at(5.hours(), named(|bead_id| Verb::Drop { bead_id, why: String::new() }, "t-002"))
        .at(6.hours(), named(|bead_id| Verb::Retry { bead_id }, "t-003"))
        .at(9.hours(), approve("t-003"))
        .run(2.days());
    assert_eq!(ran.end, End::Quiet);
    let states: Vec<TaskState> = ran.tasks.values().map(|task| task.state).collect();
    assert_eq!(states, [TaskState::Completed, TaskState::Dropped, TaskState::Completed]);
    assert_eq!(runs(&ran), [1, 1, 2], "one that is retried is done anew");
    assert_eq!(ran.outside.repo.merges().len(), 2);
    assert!(ran.outside.workspace.worktrees().is_empty(), "what was put away leaves nothing behind");
    assert!(ran.claims.is_empty() && ran.attempts.iter().all(|attempt| attempt.status.is_some()));
}

#[test]
fn a_run_begins_as_many_tasks_as_it_may_and_the_next_one_goes_on() {
    let world = || World::seed(5).backlog(beads::tasks(5)).workers(2).set(|setup| setup.max_tasks = 2);
    let ran = world()
        .at(
            1.hours(),
            Act::look(|engine| async move {
                let board = engine.board.borrow().clone();
                assert_eq!(board.held.unwrap().reason, Reason::TaskLimit { limit: 2 });
                assert!(board.is_quiet, "nothing more happens in this run");
                assert_eq!((board.queue.completed, board.queue.pending), (2, 3));
                let mut why = engine.why.subscribe();
                engine.handles.look.fire();
                let told = why.wait_for(|why| why.headline.reason.is_some()).await.unwrap().clone();
                assert_eq!(told.headline.reason.as_ref().map(Reason::kind), Some(ReasonKind::TaskLimit));
                assert_eq!(told.held().unwrap().name, "Task limit");
            }),
        )
        .at(2.hours(), Kill::Process)
        .run(1.days());
    assert_eq!(ran.count(TaskState::Completed), 4, "two in each of two runs");
}

#[test]
fn an_issue_that_is_closed_while_its_plan_waits_asks_nobody_any_more() {
    let ran = asking(Approval::Request)
        .at(2.hours(), Act::edit(|backlog| backlog.set_status("t-001", Status::Closed)))
        .at(3.hours(), approve("t-002"))
        .at(4.hours(), approve("t-003"))
        .run(2.days());
    let ended: Vec<Option<Ended>> = ran.attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(ended.iter().filter(|status| **status == Some(Ended::Cancelled)).count(), 1, "{ended:?}");
    assert_eq!((ran.count(TaskState::Completed), ran.claims.len()), (2, 0));
    assert!(ran.outside.workspace.worktrees().is_empty());
}

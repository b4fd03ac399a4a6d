//! What people do in the backlog and the repository while the engine works.

use glitchlab_domain::bead::Status;
use glitchlab_domain::outcome::{FailureKind, Status as Ended};
use glitchlab_domain::reason::Reason;
use glitchlab_domain::task::TaskState;
use glitchlab_models::simulated::Profile;
use glitchlab_pipeline::attempt::Merge;
use glitchlab_testkit::{Act, End, Units, World, beads, check};

#[test]
fn a_task_that_is_closed_in_the_backlog_while_it_runs_is_withdrawn() {
    let ran = World::seed(1)
        .backlog(beads::tasks(1))
        .model(Profile::Realistic)
        .set(|setup| setup.poll_interval = 2.secs())
        .at(5.secs(), Act::edit(|backlog| backlog.set_status("t-001", Status::Closed)))
        .run(1.hours());
    assert_eq!(ran.end, End::Quiet);
    let ended: Vec<_> = ran.attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(ended, [Some(Ended::Cancelled)]);
    assert!(ran.since_begin(ran.attempts[0].ended_ms.unwrap()) < 20.secs());
    assert!(ran.outside.repo.merges().is_empty());
    assert!(ran.outside.workspace.worktrees().is_empty());
}

#[test]
fn what_a_person_holds_is_never_taken() {
    let mut held = beads::task("held");
    held.status = Status::InProgress;
    let mut beads = beads::chain(2);
    beads.push(held);
    let ran = World::seed(1)
        .backlog(beads)
        .model(Profile::Realistic)
        .set(|setup| setup.poll_interval = 2.secs())
        .at(3.secs(), Act::edit(|backlog| backlog.set_status("t-002", Status::InProgress)))
        .run(1.days());
    assert_eq!(ran.tasks["t-001"].state, TaskState::Completed);
    for id in ["held", "t-002"] {
        assert_eq!(ran.tasks[id].runs, 0, "{id}");
        let why = ran.board().why(&ran.tasks[id].key);
        assert_eq!(why, Some(Reason::SourceStatus { status: "in_progress".to_owned() }));
    }
}

#[test]
fn a_task_that_is_added_while_nothing_runs_is_found_and_done() {
    let ran = World::seed(1)
        .backlog(beads::tasks(1))
        .at(3.hours(), Act::edit(|backlog| backlog.put(beads::task("late"))))
        .run(1.days())
        .check(check::all_work_is_completed())
        .check(check::completed(2));
    let began = ran.attempts.iter().find(|attempt| attempt.task_key == ran.tasks["late"].key).unwrap();
    let after = ran.since_begin(began.started_ms);
    assert!(after >= 3.hours() && after <= 3.hours() + 61.secs(), "it began after {after:?}");
}

#[test]
fn as_many_open_requests_as_are_allowed_stop_admission_until_a_person_merges_one() {
    let few = || {
        World::seed(2).backlog(beads::tasks(4)).workers(1).merge(Merge::Never).set(|setup| setup.max_open = 2)
    };
    let held = |engine: std::sync::Arc<glitchlab_actors::Engine>| async move {
        let held = engine.board.borrow().held.clone().map(|wait| wait.reason);
        assert_eq!(held, Some(Reason::TooManyOpenRequests { open: 2, limit: 2 }));
    };
    let ran = few().at(1.hours(), Act::look(held)).run(2.hours());
    assert_eq!((ran.end.clone(), ran.count(TaskState::InReview)), (End::Quiet, 2));

    let ran = few().at(1.hours(), Act::merge_by_hand()).run(3.hours());
    assert_eq!((ran.count(TaskState::Completed), ran.count(TaskState::InReview)), (1, 2));
}

#[test]
fn rate_limits_and_lost_connections_are_waits_and_use_up_no_attempt() {
    let ran = World::seed(9)
        .backlog(beads::tasks(40))
        .model(Profile::Realistic)
        .set(|setup| setup.retry.attempts = 12)
        .run(10.days())
        .check(check::all_work_is_completed())
        .check(check::happened("call.waiting", 1));
    let limited =
        ran.calls.iter().filter(|call| call.error.as_deref().is_some_and(|e| e.contains("too many")));
    assert!(limited.count() > 3, "the provider limited no rate");
    let failed = |failure| ran.attempts.iter().filter(|attempt| attempt.failure == Some(failure)).count();
    assert_eq!(failed(FailureKind::RateLimited), 0);
}

//! An attempt that asks a person: what it holds while it waits, and what each answer makes of it.

use glitchlab_domain::breaker::Open;
use glitchlab_domain::command::{Command, Refusal, Reply};
use glitchlab_domain::consent::Consent;
use glitchlab_domain::id::AttemptId;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::{FailureKind, HumanReason, Outcome, Size, Status};
use glitchlab_domain::reason::Reason;
use glitchlab_domain::rows::{AttemptRow, GateRow};
use glitchlab_domain::task::TaskState;
use glitchlab_domain::why::Rules;

use crate::office::{
    Office, REPO, approve, bearer, boot, changed_bead, key, merged, pause, put_away, retry, take_over,
};

fn plan() -> Outcome {
    let attempt_id = AttemptId::from("a");
    Outcome::NeedsHuman { reason: HumanReason::ApprovePlan { attempt_id, size: Size::M, steps: 3 } }
}

/// The plan of the attempt `a` at `gl-1` waits, after 100 micro-dollars were spent of the 1 000 that it held.
fn asking() -> Office {
    let mut office = Office::open(&["gl-1", "gl-2"]);
    office.hold = MicroUsd::new(1_000);
    office.claim("gl-1", "a").unwrap();
    office.rows.attempts.get_mut(&AttemptId::from("a")).unwrap().cost = MicroUsd::new(100);
    let reply = office.finish("gl-1", "a", plan()).unwrap();
    assert!(matches!(reply, Reply::Finished { status: Status::NeedsHuman, .. }), "{reply:?}");
    office
}

fn attempt(office: &Office) -> &AttemptRow {
    &office.rows.attempts[&AttemptId::from("a")]
}

fn level(office: &Office) -> MicroUsd {
    office.rows.heads["real"].bucket.level
}

fn goes_on(office: &mut Office) -> Reply {
    office.fences += 1;
    office.claim("gl-1", "a").unwrap()
}

#[test]
fn an_attempt_that_asks_holds_neither_a_slot_nor_money_and_is_not_over() {
    let mut office = Office::open(&["gl-1"]);
    office.hold = MicroUsd::new(1_000);
    office.claim("gl-1", "a").unwrap();
    office.rows.attempts.get_mut(&AttemptId::from("a")).unwrap().cost = MicroUsd::new(100);
    let held = level(&office);
    office.finish("gl-1", "a", plan()).unwrap();
    let (task, claim) = (office.task("gl-1"), &office.rows.claims[&key("gl-1")]);
    assert_eq!(task.state, TaskState::NeedsHuman);
    assert!(task.asks_a_person() && claim.suspended);
    let attempt = attempt(&office);
    assert!(attempt.asks_a_person());
    assert_eq!((attempt.status, attempt.hold), (None, MicroUsd::new(100)), "it holds what it has spent");
    assert_eq!(level(&office) - held, MicroUsd::new(900), "the rest is back in the bucket");
    assert_eq!((office.told("human.needed"), office.told("attempt.suspended")), (1, 1));
    assert_eq!(office.told("task.finished"), 0);
}

#[test]
fn a_question_that_is_asked_again_after_a_lost_answer_is_the_same_one() {
    let mut office = asking();
    let (before, events) = (office.rows.attempts.clone(), office.events.len());
    office.finish("gl-1", "a", plan()).unwrap();
    assert_eq!((office.rows.attempts, office.events.len()), (before, events));
}

#[test]
fn approve_lets_the_same_attempt_go_on_with_what_was_agreed_to_and_admits_it_for_the_rest() {
    let mut office = asking();
    let before = level(&office);
    assert!(office.say(approve("gl-1")).done().contains("its plan goes on"));
    assert_eq!(office.task("gl-1").state, TaskState::Open);
    let Reply::Claimed(claimed) = goes_on(&mut office) else { panic!("it waits") };
    assert_eq!(claimed.attempt.consents, [Consent::Plan]);
    assert_eq!((claimed.attempt.n, claimed.task.runs), (1, 1), "no new attempt");
    assert_eq!(before - level(&office), MicroUsd::new(900), "what it is still expected to cost");
    assert_eq!(attempt(&office).hold, MicroUsd::new(1_000));
    assert_eq!(office.told("attempt.resumed"), 1);
    assert!(office.task("gl-1").goes_on.is_none() && !attempt(&office).asks_a_person());
    let finish = office.ending("gl-1", "a", merged());
    office.ask(&Command::Finish(finish)).unwrap();
    assert_eq!(attempt(&office).status, Some(Status::Completed));
    assert!(office.rows.claims.is_empty());
}

#[test]
fn the_claim_that_goes_on_is_answered_again_when_its_answer_was_lost() {
    let mut office = asking();
    office.say(approve("gl-1")).done();
    let first = goes_on(&mut office);
    assert_eq!(office.claim("gl-1", "a").unwrap(), first);
    assert_eq!(office.told("attempt.resumed"), 1);
}

#[test]
fn nobody_takes_over_or_claims_anew_what_asks() {
    let mut office = asking();
    assert_eq!(office.ask(&take_over("gl-1", "a")), Err(Refusal::StaleFence(key("gl-1"))));
    assert!(matches!(office.claim("gl-1", "b"), Err(Refusal::NotClaimable { .. })));
    office.say(approve("gl-1")).done();
    assert!(matches!(office.claim("gl-1", "b"), Err(Refusal::NotClaimable { .. })), "only `a` goes on");
    assert_eq!(office.ask(&take_over("gl-1", "a")), Err(Refusal::StaleFence(key("gl-1"))));
}

#[test]
fn what_was_approved_waits_for_the_gate_like_any_other_start() {
    let mut office = asking();
    office.say(approve("gl-1")).done();
    office.say(pause(None, false)).done();
    let Reply::Wait(wait) = goes_on(&mut office) else { panic!("it is paused") };
    assert_eq!(wait.reason.name(), "Paused");
    assert!(office.rows.claims[&key("gl-1")].suspended);
}

#[test]
fn drop_and_retry_end_the_attempt_that_asks() {
    let mut office = asking();
    assert!(office.say(put_away("gl-1")).done().contains("called back"));
    assert_eq!(attempt(&office).status, Some(Status::Cancelled));
    assert_eq!((office.task("gl-1").state, office.rows.claims.len()), (TaskState::Dropped, 0));

    let mut office = asking();
    office.say(retry("gl-1")).done();
    assert_eq!((attempt(&office).status, office.rows.claims.len()), (Some(Status::Cancelled), 0));
    let task = office.task("gl-1");
    assert_eq!((task.state, task.generation), (TaskState::Open, 1));
    assert!(matches!(office.claim("gl-1", "b"), Ok(Reply::Claimed(_))), "another plan is made");
}

#[test]
fn what_was_approved_can_be_dropped_before_it_goes_on() {
    let mut office = asking();
    office.say(approve("gl-1")).done();
    office.say(put_away("gl-1")).done();
    assert_eq!((attempt(&office).status, office.rows.claims.len()), (Some(Status::Cancelled), 0));
    office.say(retry("gl-1")).done();
    assert!(office.task("gl-1").goes_on.is_none());
    assert!(matches!(office.claim("gl-1", "b"), Ok(Reply::Claimed(_))));
}

#[test]
fn another_plan_needs_another_word() {
    let mut office = asking();
    office.say(approve("gl-1")).done();
    goes_on(&mut office);
    let finish = office.ending("gl-1", "a", crate::office::failed(FailureKind::TestsFailed));
    office.ask(&Command::Finish(finish)).unwrap();
    office.say(retry("gl-1")).done();
    let Ok(Reply::Claimed(claimed)) = office.claim("gl-1", "b") else { panic!("it waits") };
    assert_eq!(claimed.attempt.consents, []);
}

#[test]
fn an_issue_that_is_changed_while_its_plan_waits_does_not_begin_anew_by_itself() {
    let mut office = asking();
    office.ask(&Command::Sync { beads: vec![changed_bead("gl-1")] }).unwrap();
    assert!(office.task("gl-1").asks_a_person());
    assert_eq!(office.task("gl-1").generation, 0);
}

#[test]
fn a_canary_that_asks_leaves_its_place_to_the_next_task() {
    let mut office = Office::open(&["gl-1", "gl-2"]);
    let failure = FailureKind::Provider;
    let open = Open { failure, since_ms: 0, until_ms: 0, cool_down_ms: 1, canary: None };
    let mut gate = GateRow { repo_id: REPO.to_owned(), ..GateRow::default() };
    gate.breaker.open = Some(open);
    office.rows.gates.insert(REPO.to_owned(), gate);
    office.claim("gl-1", "a").unwrap();
    assert!(matches!(office.claim("gl-2", "b"), Ok(Reply::Wait(_))), "one alone");
    office.finish("gl-1", "a", plan()).unwrap();
    assert!(matches!(office.claim("gl-2", "b"), Ok(Reply::Claimed(_))));
}

#[test]
fn a_run_begins_as_many_root_tasks_as_it_may() {
    let mut office = Office::open(&["gl-1", "gl-2"]);
    let rules = Rules { workers: 1, max_open: 0, merges_here: true, max_tasks: 1 };
    office.rows.processes.get_mut(&boot().boot_id).unwrap().rules = Some(rules);
    assert!(matches!(office.claim("gl-1", "a"), Ok(Reply::Claimed(_))));
    let limit = |reply: Result<Reply, Refusal>| match reply {
        Ok(Reply::Wait(wait)) => wait.reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(limit(office.claim("gl-2", "b")), Reason::TaskLimit { limit: 1 });
    assert_eq!(office.task("gl-2").reason, None, "the next run begins with none");
    office.finish("gl-1", "a", crate::office::failed(FailureKind::Parse)).unwrap();
    office.pass(1_000_000);
    assert!(matches!(office.claim("gl-1", "c"), Ok(Reply::Claimed(_))), "its next attempt is no new task");
    office.finish("gl-1", "c", merged()).unwrap();
    assert_eq!(limit(office.claim("gl-2", "b")), Reason::TaskLimit { limit: 1 });
    assert_eq!(bearer("gl-1", "a").task_key, office.rows.processes[&boot().boot_id].begun[0]);
}

#[test]
fn what_asks_can_be_called_back_by_its_fence_alone() {
    let mut office = asking();
    office.say(approve("gl-1")).done();
    let over = Outcome::Cancelled { why: "its issue is closed".to_owned() };
    office.fences = 9;
    assert_eq!(office.finish("gl-1", "a", over.clone()), Err(Refusal::StaleFence(key("gl-1"))));
    office.fences = 0;
    assert!(office.finish("gl-1", "a", merged()).is_err(), "it does not work");
    office.finish("gl-1", "a", over).unwrap();
    assert_eq!((attempt(&office).status, office.rows.claims.len()), (Some(Status::Cancelled), 0));
    assert_eq!(office.task("gl-1").goes_on, None);
}

//! Each verb, in each state where it works, and what it says where it does not.

use glitchlab_domain::bead::BeadId;
use glitchlab_domain::command::{Command, Refusal, Reply};
use glitchlab_domain::outcome::{FailureKind, HumanReason, Outcome, Status};
use glitchlab_domain::reason::Reason;
use glitchlab_domain::rows::Verb;
use glitchlab_domain::task::TaskState;

use crate::office::{Office, approve, bearer, boot, key, merged, pause, put_away, retry};

fn waiting_for(reason: HumanReason) -> Office {
    let mut office = Office::open(&["gl-1", "gl-2"]);
    office.put("gl-1", TaskState::NeedsHuman, Some(Reason::NeedsHuman { reason }));
    office
}

#[test]
fn what_is_said_twice_is_one_row_and_is_done_once() {
    let mut office = Office::open(&["gl-1"]);
    let carry = office.carry(pause(None, false));
    let first = office.carry_out(carry.clone()).done();
    office.say(Verb::Resume).done();
    assert_eq!(office.carry_out(carry.clone()).done(), first, "the answer of the first time");
    assert_eq!(office.gate().pause, None, "and nothing is paused again");
    office.ask(&Command::Say(carry.row.clone())).unwrap();
    assert!(office.rows.controls[&carry.row.id].done_ms.is_some(), "saying it again opens nothing");
}

#[test]
fn a_pause_is_a_row_that_the_next_boot_finds() {
    let mut office = Office::open(&["gl-1"]);
    let result = office.say(pause(None, true)).done();
    assert!(result.contains("put down") && result.contains("glitchlab resume"), "{result}");
    let pause = office.gate().pause.unwrap();
    assert_eq!((pause.by.as_str(), pause.why.as_str(), pause.now), ("ana", "lunch", true));
    assert_eq!(office.told("engine.paused"), 1);
    assert_eq!(office.told("control.done"), 1);
}

#[test]
fn a_pause_that_is_over_before_it_begins_is_refused() {
    let mut office = Office::open(&[]);
    let until = Some(office.now_ms);
    assert!(office.say(pause(until, false)).refused().contains("over before"));
    assert_eq!(office.gate().pause, None);
}

#[test]
fn resume_of_what_is_not_paused_says_so() {
    let mut office = Office::open(&[]);
    assert_eq!(office.say(Verb::Resume).done(), "it was not paused");
    assert_eq!(office.told("engine.resumed"), 0);
}

#[test]
fn stop_is_for_the_engine_that_it_was_said_to() {
    let mut office = Office::open(&[]);
    let carry = office.carry(Verb::Stop);
    office.carry_out(carry).done();
    let late = office.carry(Verb::Stop);
    office.rows.processes.get_mut(&boot().boot_id).unwrap().started_ms = office.now_ms + 1;
    assert!(office.carry_out(late).refused().contains("had ended"));
}

#[test]
fn stop_needs_an_engine() {
    let mut office = Office::open(&[]);
    let mut carry = office.carry(Verb::Stop);
    carry.by = None;
    assert!(office.carry_out(carry).refused().contains("no engine works"));
}

#[test]
fn only_a_live_boot_or_nobody_at_all_carries_out() {
    let mut office = Office::open(&["gl-1"]);
    let mut carry = office.carry(pause(None, false));
    carry.by.as_mut().unwrap().fence = "other".into();
    let answer = office.ask(&Command::Carry(Box::new(carry.clone())));
    assert_eq!(answer, Err(Refusal::StaleBoot(boot().boot_id)));
    carry.by = None;
    office.carry_out(carry).done();
}

#[test]
fn approve_lets_a_rejected_plan_pass_without_new_effects() {
    let mut office = waiting_for(HumanReason::GateRejected { why: "too dear".to_owned() });
    let said = office.say(approve("gl-1")).done();
    assert!(said.contains("lets its plan pass, although too dear"), "{said}");
    let task = office.task("gl-1");
    assert_eq!((task.state, task.approved, task.generation), (TaskState::Open, true, 0));
    assert_eq!(office.told("task.reopened"), 1);
}

#[test]
fn approve_of_what_was_put_back_too_often_gives_it_all_its_deferrals_again() {
    let mut office = waiting_for(HumanReason::DeferredTooOften);
    office.rows.tasks.get_mut(&key("gl-1")).unwrap().deferrals = 4;
    office.say(approve("gl-1")).done();
    assert_eq!((office.task("gl-1").state, office.task("gl-1").deferrals), (TaskState::Open, 0));
}

#[test]
fn approve_cannot_lift_a_cap_and_says_what_does() {
    let mut office = waiting_for(HumanReason::ExceedsCap { bound_micro: 2_000_000, cap_micro: 1 });
    let why = office.say(approve("gl-1")).refused();
    assert!(why.contains("--budget-per-hour") && why.contains("$2.00"), "{why}");
    assert_eq!(office.task("gl-1").state, TaskState::NeedsHuman);
}

#[test]
fn approve_of_a_task_that_waits_for_nobody_says_how_it_stands_and_what_would_work() {
    let states = [
        (TaskState::Open, "glitchlab why gl-1"),
        (TaskState::Running, "glitchlab drop gl-1"),
        (TaskState::InReview, "merge"),
        (TaskState::Completed, "glitchlab retry gl-1"),
        (TaskState::Failed, "glitchlab retry gl-1"),
        (TaskState::Dropped, "glitchlab retry gl-1"),
        (TaskState::Blocked, "glitchlab retry gl-1"),
        (TaskState::Decomposed, "parts"),
    ];
    for (state, works) in states {
        let mut office = Office::open(&["gl-1"]);
        office.put("gl-1", state, None);
        let why = office.say(approve("gl-1")).refused();
        assert!(why.starts_with("gl-1 ") && why.contains(works), "{why}");
        assert_eq!(office.task("gl-1").state, state);
    }
}

#[test]
fn an_unknown_id_names_the_nearest() {
    let mut office = Office::open(&["gl-1", "gl-2"]);
    let why = office.say(retry("gl-11")).refused();
    assert!(why.contains("gl-11") && why.contains("did you mean gl-1"), "{why}");
    assert!(office.say(retry("something else")).refused().contains("glitchlab why"));
}

#[test]
fn retry_begins_again_as_new_work() {
    for state in [TaskState::NeedsHuman, TaskState::Failed, TaskState::Dropped, TaskState::Completed] {
        let mut office = Office::open(&["gl-1"]);
        office.put("gl-1", state, None);
        office.rows.tasks.get_mut(&key("gl-1")).unwrap().failures = 3;
        office.say(retry("gl-1")).done();
        let task = office.task("gl-1");
        assert_eq!((task.state, task.generation, task.failures), (TaskState::Open, 1, 0), "{state:?}");
    }
}

#[test]
fn retry_ends_a_rest_without_giving_up_what_was_begun() {
    let mut office = Office::open(&["gl-1"]);
    let until = office.now_ms + 60_000;
    let reason = Reason::Backoff { failure: FailureKind::Parse, attempts: 1 };
    office.rows.tasks.get_mut(&key("gl-1")).unwrap().rest(TaskState::Open, Some(reason), Some(until));
    office.say(retry("gl-1")).done();
    let task = office.task("gl-1");
    assert_eq!((task.state, task.generation, task.until_ms), (TaskState::Open, 0, None));
    office.say(retry("gl-1")).refused();
}

#[test]
fn retry_of_a_part_whose_whole_was_begun_again_is_refused() {
    let mut office = Office::open(&["gl-1"]);
    office.claim("gl-1", "a").unwrap();
    let part = |title: &str| glitchlab_domain::outcome::SubTask {
        title: title.to_owned(),
        description: String::new(),
        after: Vec::new(),
    };
    let subtasks = vec![part("one"), part("two")];
    office.finish("gl-1", "a", Outcome::Decomposed { subtasks }).unwrap();
    office.put("gl-1.s1", TaskState::Failed, None);
    office.say(retry("gl-1.s1")).done();
    office.put("gl-1.s1", TaskState::Failed, None);
    office.rows.tasks.get_mut(&key("gl-1")).unwrap().reopen();
    assert!(office.say(retry("gl-1.s1")).refused().contains("retry that one"));
}

#[test]
fn drop_puts_away_and_frees_nothing() {
    let mut office = Office::open(&["gl-1"]);
    office.say(put_away("gl-1")).done();
    assert_eq!((office.task("gl-1").state, office.told("task.closed")), (TaskState::Dropped, 1));
    assert!(office.say(put_away("gl-1")).refused().contains("retry"));
    office.put("gl-1", TaskState::Completed, None);
    office.say(put_away("gl-1")).refused();
}

#[test]
fn drop_calls_back_what_runs_or_was_put_down_and_it_can_write_no_more() {
    for is_put_down in [false, true] {
        let mut office = Office::open(&["gl-1"]);
        office.claim("gl-1", "a").unwrap();
        if is_put_down {
            office.ask(&Command::Suspend { by: bearer("gl-1", "a") }).unwrap();
        }
        office.say(put_away("gl-1")).done();
        assert_eq!(office.task("gl-1").state, TaskState::Dropped);
        assert!(office.rows.claims.is_empty());
        assert_eq!(office.rows.attempts[&"a".into()].status, Some(Status::Cancelled));
        let late = office.finish("gl-1", "a", merged());
        assert!(matches!(late, Ok(Reply::Finished { status: Status::Cancelled, .. })), "{late:?}");
        assert_eq!(office.task("gl-1").state, TaskState::Dropped, "what came too late changes nothing");
    }
}

#[test]
fn drop_of_a_claim_that_has_changed_hands_is_tried_again_and_says_nothing() {
    let mut office = Office::open(&["gl-1"]);
    office.claim("gl-1", "a").unwrap();
    let mut carry = office.carry(put_away("gl-1"));
    carry.ending.as_mut().unwrap().by.fence = "older".into();
    let id = carry.row.id.clone();
    let answer = office.ask(&Command::Carry(Box::new(carry)));
    assert_eq!(answer, Err(Refusal::StaleFence(key("gl-1"))));
    assert_eq!(office.rows.controls[&id].done_ms, None);
}

#[test]
fn a_part_that_is_put_away_is_named_by_the_task_above_it() {
    let mut office = Office::open(&["gl-1"]);
    office.claim("gl-1", "a").unwrap();
    let part = glitchlab_domain::outcome::SubTask {
        title: "one".to_owned(),
        description: String::new(),
        after: Vec::new(),
    };
    office.finish("gl-1", "a", Outcome::Decomposed { subtasks: vec![part] }).unwrap();
    office.say(put_away("gl-1.s1")).done();
    let on = vec![BeadId::from("gl-1.s1")];
    assert_eq!(office.task("gl-1").reason, Some(Reason::BlockedBy { on }));
}

#[test]
fn approve_grants_a_task_as_much_again_each_time() {
    let reason = |cap| HumanReason::TaskCap { spent_micro: cap, cap_micro: cap };
    let mut office = waiting_for(reason(4_000_000));
    let words = office.say(approve("gl-1")).done();
    assert!(words.contains("$4.00 more, $8.00 in all"), "{words}");
    assert_eq!(office.rows.purses[&key("gl-1")].granted.micro(), 4_000_000);
    office.put("gl-1", TaskState::NeedsHuman, Some(Reason::NeedsHuman { reason: reason(8_000_000) }));
    let words = office.say(approve("gl-1")).done();
    assert!(words.contains("$4.00 more, $12.00 in all"), "{words}");
    assert_eq!(office.rows.purses[&key("gl-1")].granted.micro(), 8_000_000);
}

#[test]
fn approve_grants_tokens_as_well() {
    let mut office = waiting_for(HumanReason::TaskTokens { spent: 900, cap: 1_000 });
    office.say(approve("gl-1")).done();
    assert_eq!(office.rows.purses[&key("gl-1")].granted_tokens, 1_000);
    assert_eq!(office.task("gl-1").state, TaskState::Open);
}

#[test]
fn approve_of_a_model_that_billed_too_much_lets_it_be_used_again() {
    let mut office = Office::open(&["gl-1"]);
    office.rows.heads.get_mut("real").unwrap().distrusted.push("m".to_owned());
    let wait = office.claim("gl-1", "a");
    assert!(matches!(&wait, Ok(Reply::Wait(wait)) if wait.reason.name() == "ModelOverran"), "{wait:?}");
    let mut carry = office.carry(approve("m"));
    carry.scope = Some("real".to_owned());
    office.carry_out(carry).done();
    assert!(matches!(office.claim("gl-1", "a"), Ok(Reply::Claimed(_))));
}

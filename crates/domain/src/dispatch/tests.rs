use super::*;
use crate::consent::{Consent, GoesOn};
use crate::id::AttemptId;
use crate::outcome::{FailureKind, Learned, Reference, Status};

const NOW_MS: i64 = 1_000_000;
const RULES: RetryRules = RetryRules {
    attempts: 3,
    backoff_ms: 10_000,
    backoff_max_ms: 300_000,
    deferrals: 2,
    cool_down_ms: 600_000,
    cool_down_max_ms: 900_000,
    crashes: 2,
};

fn running() -> TaskRow {
    let json = serde_json::json!({
        "key": "t", "repo_id": "r", "bead_id": "b", "source": "file", "parent": null, "title": "a", "body": "",
        "priority": 1, "kind": "task", "labels": [], "created_ms": 0, "state": "open", "rev": "r"
    });
    let bead: crate::task::SourceTask = serde_json::from_value(json).unwrap();
    let mut task = bead.into_row(0);
    task.rest(TaskState::Running, None, None);
    task
}

fn sent_by(outcome: &Outcome) -> TaskRow {
    let mut task = running();
    after(&mut task, outcome, &RULES, NOW_MS, 0);
    task
}

fn red() -> Outcome {
    Outcome::Retryable { failure: FailureKind::TestsFailed, message: "red".to_owned() }
}

/// Each outcome with the state, the reason's name, the instant and the status word that it leads to.
#[test]
fn every_outcome_sends_its_task_to_one_place_with_a_typed_reason() {
    use TaskState::{Blocked, Completed, Decomposed, InReview, NeedsHuman, Open};
    let review = |held| Outcome::InReview { request: "branch".to_owned(), held };
    let dirty = Reason::BaseCheckedOutDirty { files: vec!["f".to_owned()] };
    let snoozed =
        Outcome::Snoozed { failure: FailureKind::RateLimited, until_ms: NOW_MS + 7, message: String::new() };
    let human = Outcome::NeedsHuman { reason: HumanReason::TooDeep };
    let table = [
        (review(None), InReview, Some("InReview"), None, Status::PrCreated),
        (review(Some(dirty)), InReview, Some("BaseCheckedOutDirty"), None, Status::PrCreated),
        (
            Outcome::Completed { reference: Reference::ChildrenClosed },
            Completed,
            None,
            None,
            Status::Completed,
        ),
        (
            Outcome::Decomposed { subtasks: vec![] },
            Decomposed,
            Some("ChildrenOpen"),
            None,
            Status::Decomposed,
        ),
        (Outcome::Deferred { why: "w".to_owned() }, Open, Some("CoolDown"), Some(600_000), Status::Deferred),
        (Outcome::Blocked { on: BeadId::from("x") }, Blocked, Some("BlockedBy"), None, Status::Blocked),
        (red(), Open, Some("Backoff"), Some(5_000), Status::Retried),
        (snoozed, Open, Some("Snoozed"), Some(7), Status::Deferred),
        (human, NeedsHuman, Some("NeedsHuman"), None, Status::NeedsHuman),
        (Outcome::Cancelled { why: "w".to_owned() }, Open, None, None, Status::Cancelled),
    ];
    for (outcome, state, reason, rest_ms, status) in table {
        let task = sent_by(&outcome);
        assert_eq!(task.state, state, "{outcome:?}");
        assert_eq!(task.reason.as_ref().map(Reason::name), reason, "{outcome:?}");
        assert_eq!(task.until_ms, rest_ms.map(|rest| NOW_MS + rest), "{outcome:?}");
        assert_eq!(outcome.status(false), status, "{outcome:?}");
    }
}

#[test]
fn only_a_failure_uses_up_an_attempt_and_only_a_deferral_counts_as_one() {
    let counts = |outcome: &Outcome| (sent_by(outcome).failures, sent_by(outcome).deferrals);
    assert_eq!(counts(&red()), (1, 0));
    assert_eq!(counts(&Outcome::Deferred { why: String::new() }), (0, 1));
    let rate_limited =
        Outcome::Snoozed { failure: FailureKind::RateLimited, until_ms: NOW_MS, message: String::new() };
    assert_eq!(counts(&rate_limited), (0, 0), "a rate limit is a wait");
    assert_eq!(counts(&Outcome::Cancelled { why: String::new() }), (0, 0));
}

#[test]
fn the_last_failure_asks_a_person_and_says_how_it_failed() {
    let mut task = running();
    for _ in 0..3 {
        assert_ne!(task.state, TaskState::Failed);
        after(&mut task, &red(), &RULES, NOW_MS, 0);
    }
    assert_eq!((task.state, task.until_ms), (TaskState::Failed, None));
    let reason = HumanReason::AttemptsUsed { failure: FailureKind::TestsFailed };
    assert_eq!(task.reason, Some(Reason::NeedsHuman { reason }));
    assert_eq!(red().status(true), Status::Failed);
}

#[test]
fn cool_downs_double_up_to_their_bound_and_then_a_person_is_asked() {
    let mut task = running();
    let put_back = Outcome::Deferred { why: "not now".to_owned() };
    let rests = [Some(NOW_MS + 600_000), Some(NOW_MS + 900_000), None];
    for rest in rests {
        after(&mut task, &put_back, &RULES, NOW_MS, 0);
        assert_eq!(task.until_ms, rest);
    }
    assert_eq!(task.state, TaskState::NeedsHuman);
}

#[test]
fn a_merge_is_kept_on_the_task() {
    let merged = Outcome::Completed { reference: Reference::Merge { commit: "c0ffee".to_owned() } };
    assert_eq!(sent_by(&merged).merged.as_deref(), Some("c0ffee"));
    let review = Outcome::InReview { request: "branch".to_owned(), held: None };
    assert_eq!(sent_by(&review).request.as_deref(), Some("branch"));
}

fn lost(crashes: u32) -> AttemptRow {
    let json = serde_json::json!({
        "attempt_id": "a", "task_key": "t", "root_key": "t", "n": 1, "generation": 0, "slot": "worker-1",
        "boot_id": "b", "model": "m", "simulated": false, "size": null, "branch": "x", "hold": 1,
        "tokens": 0, "cost": 0, "status": null, "failure": null, "detail": "", "files_changed": 0,
        "crashes": crashes, "waiting": null, "started_ms": 0, "ended_ms": null
    });
    serde_json::from_value(json).unwrap()
}

#[test]
fn an_attempt_that_was_lost_as_often_as_allowed_has_failed() {
    assert_eq!(crashed_too_often(&lost(1), &RULES), None);
    let message = "its work crashed 2 times".to_owned();
    let failed = Outcome::Retryable { failure: FailureKind::Crashed, message };
    assert_eq!(crashed_too_often(&lost(2), &RULES), Some(failed));
}

#[test]
fn the_last_lessons_are_kept_and_the_oldest_forgotten() {
    let mut task = running();
    for n in 0..5 {
        learn(&mut task, Some(Learned { approach: n.to_string(), ..Learned::default() }));
    }
    learn(&mut task, None);
    let kept: Vec<_> = task.learned.iter().map(|lesson| lesson.approach.as_str()).collect();
    assert_eq!(kept, ["2", "3", "4"]);
}

#[test]
fn priority_comes_first_then_age_then_the_id() {
    let place = |priority, created_ms, id: &str| Place {
        priority,
        created_ms,
        bead_id: BeadId::from(id),
        key: TaskKey::from(id),
    };
    let mut queue = Queue::new();
    queue.extend([place(2, 1, "a"), place(1, 9, "c"), place(1, 9, "b"), place(1, 3, "d")]);
    let order: Vec<_> = queue.iter().map(|place| place.key.as_str()).collect();
    assert_eq!(order, ["d", "b", "c", "a"]);
}

proptest::proptest! {
    #[test]
    fn a_backoff_doubles_up_to_its_bound_and_never_rests_less_than_half(failures in 1u32..80, entropy: u64) {
        let rules = RetryRules::default();
        let full = (10_000_i64 << (failures - 1).min(20)).min(300_000);
        let rest = backoff_ms(failures, &rules, entropy);
        proptest::prop_assert!(rest >= full / 2 && rest <= full);
    }
}

#[test]
fn a_run_begins_no_more_root_tasks_than_it_may_and_goes_on_with_those_that_it_has_begun() {
    let of = |root: &str| TaskRow { root_key: TaskKey::from(root), ..running() };
    let begun = ["a", "b"].map(TaskKey::from);
    assert!(may_begin(0, &begun, &of("c")), "0 is no limit");
    assert!(may_begin(3, &begun, &of("c")));
    assert!(!may_begin(2, &begun, &of("c")));
    assert!(may_begin(2, &begun, &of("a")), "its parts and its next attempts are no new task");
    let goes_on = GoesOn { attempt_id: AttemptId::from("x"), consent: Consent::Plan };
    assert!(may_begin(2, &begun, &TaskRow { goes_on: Some(goes_on), ..of("c") }), "it was begun before");
    assert_eq!(full_of_tasks(2, &begun), Some(Reason::TaskLimit { limit: 2 }));
    assert_eq!((full_of_tasks(3, &begun), full_of_tasks(0, &begun)), (None, None));
}

#[test]
fn what_runs_counts_as_a_request_to_come_unless_it_is_merged_here() {
    assert_eq!(request_room(0, 9, 9, false), usize::MAX, "0 is no limit");
    assert_eq!(request_room(5, 1, 3, false), 1);
    assert_eq!(request_room(5, 1, 3, true), 4);
    assert_eq!(request_room(5, 7, 0, true), 0, "more than allowed leaves no room");
    assert_eq!(full_of_requests(0, 9), None);
    assert_eq!(full_of_requests(5, 4), None);
    assert_eq!(full_of_requests(5, 6), Some(Reason::TooManyOpenRequests { open: 6, limit: 5 }));
}

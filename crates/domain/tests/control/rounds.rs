//! When a task is accepted and when we are done with it: its span lies between the two.

use glitchlab_domain::id::AttemptId;
use glitchlab_domain::outcome::FailureKind;
use glitchlab_domain::task::TaskState;

use crate::office::{Office, failed, merged, put_away, retry};

fn times(office: &Office) -> (Option<i64>, Option<i64>) {
    let task = office.task("gl-1");
    (task.accepted_ms, task.rounds.last().map(|round| round.over_ms))
}

fn accepted_of(office: &Office, attempt: &str) -> Option<i64> {
    office.rows.attempts[&AttemptId::from(attempt)].accepted_ms
}

#[test]
fn all_attempts_until_the_task_is_over_are_of_one_round() {
    let mut office = Office::open(&["gl-1"]);
    assert_eq!(times(&office), (None, None));
    office.claim("gl-1", "a1").unwrap();
    let accepted = Some(office.now_ms);
    office.finish("gl-1", "a1", failed(FailureKind::TestsFailed)).unwrap();
    assert_eq!(times(&office), (accepted, None), "it is tried again");
    office.pass(3_600_000);
    office.claim("gl-1", "a2").unwrap();
    office.pass(1_000);
    office.finish("gl-1", "a2", merged()).unwrap();
    assert_eq!(times(&office), (accepted, Some(office.now_ms)));
    assert_eq!(accepted_of(&office, "a1"), accepted);
    assert_eq!(accepted_of(&office, "a2"), accepted);
}

#[test]
fn a_task_that_is_tried_again_after_it_was_over_begins_another_round() {
    let mut office = Office::open(&["gl-1"]);
    for n in 1.. {
        office.run("gl-1", &format!("a{n}"), 0, failed(FailureKind::TestsFailed));
        office.pass(7_200_000);
        if office.task("gl-1").state == TaskState::Failed {
            break;
        }
    }
    let first = times(&office);
    assert!(first.1.is_some());
    office.say(retry("gl-1")).done();
    assert_eq!(times(&office), (None, first.1), "the round that is over is remembered");
    office.claim("gl-1", "again").unwrap();
    assert_ne!(times(&office).0, first.0);
    assert_eq!(accepted_of(&office, "again"), Some(office.now_ms));
    assert_eq!(accepted_of(&office, "a1"), first.0, "what was, stays");
}

#[test]
fn a_task_that_is_put_away_before_anybody_took_it_was_never_accepted() {
    let mut office = Office::open(&["gl-1"]);
    office.say(put_away("gl-1")).done();
    assert_eq!(times(&office), (None, None));
}

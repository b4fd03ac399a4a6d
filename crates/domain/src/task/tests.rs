use super::*;
use crate::outcome::{FailureKind, HumanReason};
use crate::reason::Window;

fn bead(title: &str, state: &str) -> SourceTask {
    SourceTask {
        key: TaskKey::from("t"),
        repo_id: "repo".to_owned(),
        bead_id: BeadId::from("bead"),
        source: "file".to_owned(),
        parent: None,
        title: title.to_owned(),
        body: "body".to_owned(),
        priority: 2,
        kind: "task".to_owned(),
        labels: Vec::new(),
        created_ms: 5,
        state: state.to_owned(),
        rev: SourceTask::revision(title, "body"),
    }
}

fn row(state: TaskState) -> TaskRow {
    let mut row = bead("a", "open").into_row(7);
    row.state = state;
    row
}

const TERMINAL: [TaskState; 4] =
    [TaskState::Completed, TaskState::NeedsHuman, TaskState::Failed, TaskState::Dropped];
const IN_WORK: [TaskState; 5] =
    [TaskState::Open, TaskState::Running, TaskState::InReview, TaskState::Decomposed, TaskState::Blocked];

#[test]
fn a_new_bead_is_open_its_own_root_and_has_no_past() {
    let row = bead("a", "open").into_row(7);
    assert_eq!((row.state, row.generation, row.depth, row.runs), (TaskState::Open, 0, 0, 0));
    assert_eq!((&row.root_key, row.created_ms, row.updated_ms), (&row.key, 5, 7));
    assert!(row.is_claimable(7));
}

#[test]
fn a_bead_that_says_the_same_changes_nothing() {
    for state in TERMINAL.into_iter().chain(IN_WORK) {
        let mut task = row(state);
        assert_eq!(bead("a", "open").refresh(&mut task), Refreshed::Same);
        assert_eq!(task, row(state));
    }
}

#[test]
fn a_changed_issue_opens_a_finished_task_again_as_new_work() {
    for state in TERMINAL {
        let mut task = row(state);
        (task.failures, task.deferrals, task.runs) = (3, 2, 4);
        (task.request, task.merged) = (Some("branch".to_owned()), Some("commit".to_owned()));
        assert_eq!(bead("b", "open").refresh(&mut task), Refreshed::Reopened, "{state:?}");
        assert_eq!((task.state, task.generation, task.failures, task.deferrals), (TaskState::Open, 1, 0, 0));
        assert_eq!((task.request.as_deref(), task.merged.as_deref()), (None, None));
        assert_eq!((task.title.as_str(), task.runs), ("b", 4), "attempts are numbered on");
        assert_eq!(task.trailer(), "bead generation 1", "its effects have new keys");
    }
}

#[test]
fn a_changed_issue_leaves_work_under_way_where_it_is() {
    for state in IN_WORK {
        let mut task = row(state);
        assert_eq!(bead("b", "open").refresh(&mut task), Refreshed::Changed, "{state:?}");
        assert_eq!((task.state, task.generation, task.title.as_str()), (state, 0, "b"));
    }
}

#[test]
fn a_finished_task_is_not_opened_by_what_does_not_change_the_work() {
    let mut task = row(TaskState::Failed);
    let mut moved = bead("a", "open");
    (moved.priority, moved.labels) = (0, vec!["now".to_owned()]);
    assert_eq!(moved.refresh(&mut task), Refreshed::Changed);
    assert_eq!((task.state, task.priority), (TaskState::Failed, 0));
    assert_eq!(bead("a", "closed").refresh(&mut task), Refreshed::Changed);
    assert_eq!(
        bead("a", "open").refresh(&mut task),
        Refreshed::Changed,
        "closed and opened, but not changed"
    );
    assert_eq!(task.state, TaskState::Failed);
}

#[test]
fn a_finished_task_that_was_changed_while_somebody_held_it_is_opened_when_it_is_put_back() {
    let mut task = row(TaskState::NeedsHuman);
    assert_eq!(bead("b", "in_progress").refresh(&mut task), Refreshed::Changed);
    assert_eq!(task.state, TaskState::NeedsHuman);
    assert_eq!(bead("b", "open").refresh(&mut task), Refreshed::Reopened);
    assert_eq!(bead("b", "open").refresh(&mut task), Refreshed::Same, "once");
}

#[test]
fn a_rest_ends_at_its_instant_but_a_wait_for_money_is_no_rest() {
    let mut task = row(TaskState::Open);
    let backoff = Reason::Backoff { failure: FailureKind::Transient, attempts: 1 };
    task.rest(TaskState::Open, Some(backoff), Some(100));
    assert!(!task.is_claimable(99) && task.is_claimable(100));
    task.rest(TaskState::Open, Some(Reason::CapReached { window: Window::Hour }), Some(100));
    assert!(task.is_claimable(0), "money may come back sooner");
}

#[test]
fn only_an_open_task_may_be_claimed() {
    for state in TERMINAL.into_iter().chain(IN_WORK) {
        assert_eq!(row(state).is_claimable(i64::MAX), state == TaskState::Open, "{state:?}");
    }
}

#[test]
fn opening_again_clears_why_it_rested() {
    let mut task = row(TaskState::NeedsHuman);
    task.reason = Some(Reason::NeedsHuman { reason: HumanReason::TooDeep });
    task.until_ms = Some(5);
    task.reopen();
    assert_eq!((task.reason, task.until_ms), (None, None));
}

#[test]
fn two_repositories_may_hold_the_same_bead_id() {
    let key = |repo: &str, bead: &str| TaskKey::of(repo, &BeadId::from(bead));
    assert_ne!(key("one", "gl-1"), key("other", "gl-1"));
    assert_ne!(key("a", "bc"), key("ab", "c"), "the two parts cannot run into each other");
    assert_eq!(key("one", "gl-1").as_str().len(), 32);
}

#[test]
fn a_split_task_is_opened_by_a_change_of_its_issue_only_when_a_part_waits_for_a_person() {
    let mut task = row(TaskState::Decomposed);
    task.reason = Some(Reason::ChildrenOpen);
    assert_eq!(bead("b", "open").refresh(&mut task), Refreshed::Changed);
    assert_eq!(task.state, TaskState::Decomposed, "its parts go on");
    task.reason = Some(Reason::BlockedBy { on: vec![BeadId::from("bead.s1")] });
    assert_eq!(bead("b", "open").refresh(&mut task), Refreshed::Same);
    assert_eq!(bead("c", "open").refresh(&mut task), Refreshed::Reopened);
    assert_eq!((task.state, task.generation, task.reason), (TaskState::Open, 1, None));
}

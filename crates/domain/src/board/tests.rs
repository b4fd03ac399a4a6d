use super::*;
use crate::task::SourceTask;

fn row(id: &str, priority: i64) -> TaskRow {
    let source = SourceTask {
        key: TaskKey::new(id),
        repo_id: "r".to_owned(),
        bead_id: BeadId::new(id),
        source: "jsonl".to_owned(),
        parent: None,
        title: id.to_owned(),
        body: String::new(),
        priority,
        kind: "task".to_owned(),
        labels: Vec::new(),
        created_ms: 0,
        state: "open".to_owned(),
        rev: String::new(),
    };
    source.into_row(0)
}

fn board(rows: &[TaskRow]) -> Board {
    let mut board = Board::new(WorkFilter::default(), 0);
    for row in rows {
        board.take_task(row.clone());
        board.take_bead(&Bead::new(row.bead_id.clone(), "t"));
    }
    board
}

fn startable(board: &Board) -> Vec<&str> {
    board.startable().map(|task| task.bead_id.as_str()).collect()
}

#[test]
fn the_queue_is_in_order_of_priority_then_age_then_id() {
    let old = TaskRow { created_ms: -5, ..row("z", 1) };
    let board = board(&[row("b", 1), row("a", 1), row("c", 0), old]);
    assert_eq!(startable(&board), ["c", "z", "a", "b"]);
}

#[test]
fn a_resting_task_starts_when_its_instant_has_come_and_not_before() {
    let mut resting = row("a", 1);
    resting.rest(TaskState::Open, Some(Reason::CoolDown { why: "x".into(), deferrals: 1 }), Some(100));
    let mut board = board(&[resting]);
    assert_eq!((startable(&board).len(), board.next_change_ms()), (0, Some(100)));
    assert!(!board.is_quiet(true));
    board.tick(99);
    assert!(startable(&board).is_empty());
    board.tick(100);
    assert_eq!(startable(&board), ["a"]);
}

#[test]
fn a_wait_for_money_leaves_the_task_startable() {
    let mut waiting = row("a", 1);
    let reason = Reason::CapReached { window: crate::reason::Window::Hour };
    waiting.rest(TaskState::Open, Some(reason), Some(1_000));
    assert_eq!(startable(&board(&[waiting])), ["a"]);
}

/// A task that is split, and its root when it is none itself.
fn split(id: &str) -> TaskRow {
    let mut whole = row(id, 1);
    whole.rest(TaskState::Decomposed, Some(Reason::ChildrenOpen), None);
    whole
}

fn part(whole: &TaskRow, n: u32) -> TaskRow {
    let above = crate::task::Above { key: whole.key.clone(), generation: whole.generation };
    TaskRow {
        source: SUBTASK.to_owned(),
        parent: Some(whole.bead_id.clone()),
        root_key: whole.root_key.clone(),
        above: whole.above.iter().cloned().chain([above]).collect(),
        ..row(&format!("{}.s{n}", whole.bead_id), 1)
    }
}

fn at(mut task: TaskRow, state: TaskState) -> TaskRow {
    task.rest(state, None, None);
    task
}

#[test]
fn a_decomposed_parent_is_closable_only_when_all_its_parts_are_done() {
    let whole = split("a");
    let mut second = part(&whole, 2);
    second.after = vec![BeadId::new("a.s1")];
    let mut board = board(std::slice::from_ref(&whole));
    board.take_task(part(&whole, 1));
    board.take_task(second.clone());
    assert_eq!(startable(&board), ["a.s1"], "the second waits for the first");
    board.take_task(at(part(&whole, 1), TaskState::Completed));
    assert_eq!(startable(&board), ["a.s2"]);
    assert!(board.closable(true).is_empty());
    board.take_task(at(second, TaskState::Completed));
    assert_eq!(board.closable(true), [(TaskKey::new("a"), "all its sub-tasks are done")]);
}

#[test]
fn parts_of_an_earlier_try_neither_start_nor_count() {
    let old = split("a");
    let mut board = board(std::slice::from_ref(&old));
    let needs_you = at(part(&old, 1), TaskState::NeedsHuman);
    board.take_task(needs_you.clone());
    board.take_task(part(&old, 2));
    assert_eq!((startable(&board), board.queue().needs_you), (vec!["a.s2"], 1));
    let again = TaskRow { generation: 1, ..old.clone() };
    board.take_task(again.clone());
    assert_eq!((startable(&board).len(), board.queue().needs_you), (0, 0));
    assert!(board.why(&TaskKey::new("a.s2")).is_some());
    board.take_task(at(part(&old, 2), TaskState::Running));
    assert!(board.withdrawn(&TaskKey::new("a.s2")).is_some());
    let new = part(&again, 7);
    board.take_task(new.clone());
    assert_eq!(startable(&board), ["a.s7"]);
    board.take_task(at(new, TaskState::Completed));
    assert_eq!(board.closable(true).len(), 1, "the old ones do not hold it up");
}

#[test]
fn a_sub_task_at_any_depth_goes_with_the_issue_of_its_root() {
    let root = split("a");
    let middle = at(part(&root, 1), TaskState::Decomposed);
    let leaf = part(&middle, 1);
    let mut board = board(std::slice::from_ref(&root));
    // In whatever order the rows are read.
    board.take_task(leaf.clone());
    board.take_task(middle);
    assert_eq!(startable(&board), ["a.s1.s1"]);
    for (state, labels) in [("closed", vec![]), ("in_progress", vec![]), ("open", vec!["human".to_owned()])] {
        board.take_task(TaskRow { source_state: state.to_owned(), labels, ..root.clone() });
        assert_eq!(startable(&board).len(), 0, "{state}");
        assert!(board.withdrawn(&leaf.key).is_some() && board.why(&leaf.key).is_some(), "{state}");
    }
    board.take_task(root);
    assert_eq!((startable(&board), board.withdrawn(&leaf.key)), (vec!["a.s1.s1"], None));
}

#[test]
fn an_issue_with_the_id_of_a_sub_task_is_not_taken_for_it() {
    let whole = split("a");
    let mut board = board(std::slice::from_ref(&whole));
    board.take_task(part(&whole, 1));
    let closed = Bead { status: Status::Closed, ..Bead::new(BeadId::new("a.s1"), "hostile") };
    board.take_bead(&closed);
    assert_eq!(startable(&board), ["a.s1"]);
    board.drop_bead(&closed.id);
    assert_eq!(startable(&board), ["a.s1"]);
}

#[test]
fn a_parked_task_is_free_when_its_blocker_is_closed() {
    let mut parked = row("a", 1);
    let on = vec![BeadId::new("x")];
    parked.rest(TaskState::Blocked, Some(Reason::BlockedBy { on }), None);
    let mut board = board(&[parked.clone(), row("b", 1)]);
    assert_eq!(board.unblocked(), [], "nobody knows it");
    let mut blocker = Bead::new(BeadId::new("x"), "x");
    board.take_bead(&blocker);
    assert_eq!(board.unblocked(), []);
    blocker.status = Status::Closed;
    board.take_bead(&blocker);
    assert_eq!(board.unblocked(), std::slice::from_ref(&parked.key));
    board.take_task(at(parked, TaskState::Open));
    assert_eq!(board.unblocked(), []);
}

#[test]
fn what_an_incomplete_reading_lacked_stays_in_the_way_and_does_not_start() {
    use crate::bead::{Dependency, DependencyKind};
    let mut board = Board::new(WorkFilter::default(), 0);
    let closed = TaskRow { source_state: "closed".to_owned(), ..row("c", 1) };
    for task in [row("x", 1), row("a", 1), closed] {
        board.take_task(task);
    }
    let waits = |on: &str| Dependency { on: BeadId::new(on), kind: DependencyKind::Blocks };
    board.take_bead(&Bead { dependencies: vec![waits("x"), waits("c")], ..Bead::new(BeadId::new("a"), "a") });
    board.keep_known();
    assert_eq!(startable(&board).len(), 0);
    assert_eq!(board.why(&TaskKey::new("a")), Some(Reason::BlockedBy { on: vec![BeadId::new("x")] }));
    board.take_task(TaskRow { priority: 0, ..row("x", 1) });
    assert_eq!(startable(&board).len(), 0, "a change of its row does not start it either");
    assert!(board.why(&TaskKey::new("x")).is_some());
    board.take_bead(&Bead::new(BeadId::new("x"), "x"));
    assert_eq!(startable(&board), ["x"], "it was read");
}

#[test]
fn what_was_kept_goes_when_a_complete_reading_says_so() {
    let mut board = Board::new(WorkFilter::default(), 0);
    board.take_task(row("x", 1));
    board.take_task(at(row("done", 1), TaskState::Completed));
    board.keep_known();
    assert_eq!(board.why(&TaskKey::new("x")), Some(Reason::NotOffered { mark: "unreadable".to_owned() }));
    board.release_known();
    assert_eq!(board.why(&TaskKey::new("x")), Some(Reason::NotOffered { mark: "gone".to_owned() }));
}

#[test]
fn counts_follow_each_state_and_a_running_task_of_a_closed_issue_is_withdrawn() {
    let mut running = row("a", 1);
    running.rest(TaskState::Running, None, None);
    let mut board = board(&[running.clone(), row("b", 1)]);
    assert_eq!((board.queue().in_progress, board.queue().pending), (1, 1));
    assert_eq!(board.withdrawn(&running.key), None);
    running.source_state = "closed".to_owned();
    board.take_task(running.clone());
    assert!(board.withdrawn(&running.key).is_some());
}

#[test]
fn every_task_that_does_not_start_has_a_reason() {
    let human = TaskRow { labels: vec!["human".to_owned()], ..row("h", 1) };
    let epic = TaskRow { kind: "epic".to_owned(), ..row("e", 1) };
    let board = board(&[human.clone(), epic.clone(), row("a", 1)]);
    assert_eq!(board.why(&human.key), Some(Reason::Label { label: "human".to_owned() }));
    assert_eq!(board.why(&epic.key), Some(Reason::NotWork { kind: "epic".to_owned() }));
    assert_eq!(board.why(&TaskKey::new("a")), None);
}

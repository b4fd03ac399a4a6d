use super::*;
use crate::command::{Command, Stamp};
use crate::decide::decide;
use crate::outcome::HumanReason;
use crate::task::SourceTask;

const NOW_MS: i64 = 50;

fn bead(id: &str, title: &str) -> SourceTask {
    let bead_id = BeadId::from(id);
    SourceTask {
        key: TaskKey::of("repo", &bead_id),
        repo_id: "repo".to_owned(),
        bead_id,
        source: "file".to_owned(),
        parent: None,
        title: title.to_owned(),
        body: String::new(),
        priority: 2,
        kind: "story".to_owned(),
        labels: Vec::new(),
        created_ms: 0,
        state: "open".to_owned(),
        rev: SourceTask::revision(title, ""),
    }
}

fn decomposed(id: &str) -> TaskRow {
    let mut row = bead(id, "whole").into_row(0);
    row.rest(TaskState::Decomposed, Some(Reason::ChildrenOpen), None);
    row
}

fn rows(tasks: impl IntoIterator<Item = TaskRow>) -> Rows {
    let mut rows = Rows::default();
    tasks.into_iter().for_each(|row| rows.apply(Write::Task(row)));
    rows
}

fn sub(after: &[usize]) -> SubTask {
    SubTask { title: "part".to_owned(), description: String::new(), after: after.to_vec() }
}

fn split_in_two(rows: &Rows, parent: &TaskRow) -> Vec<TaskRow> {
    split(rows, parent, &AttemptId::from("attempt"), &[sub(&[]), sub(&[0, 1, 9])], NOW_MS)
}

fn ids(parts: &[TaskRow]) -> Vec<&str> {
    parts.iter().map(|part| part.bead_id.as_str()).collect()
}

fn with_person(part: &TaskRow) -> TaskRow {
    let mut part = part.clone();
    part.rest(
        TaskState::NeedsHuman,
        Some(Reason::NeedsHuman { reason: HumanReason::DeferredTooOften }),
        None,
    );
    part
}

fn reason_of(rows: &Rows, task: &TaskRow) -> Option<Reason> {
    rows.tasks[&task.key].reason.clone()
}

fn tell(rows: &mut Rows, part: &TaskRow) {
    for write in tell_above(rows, part, NOW_MS) {
        rows.apply(write);
    }
}

#[test]
fn parts_are_numbered_under_their_parent_and_wait_for_each_other_by_id() {
    let parent = decomposed("a");
    let parts = split_in_two(&rows([]), &parent);
    assert_eq!(ids(&parts), ["a.s1", "a.s2"]);
    assert_eq!((&parts[0].after, &parts[1].after), (&vec![], &vec![BeadId::from("a.s1")]));
    let again = TaskRow { generation: 2, ..parent };
    assert_eq!(ids(&split_in_two(&rows([]), &again)), ["a.g2s1", "a.g2s2"]);
}

#[test]
fn a_number_that_an_issue_has_is_left_to_it() {
    let parent = decomposed("a");
    let taken = rows([bead("a.s1", "x").into_row(0), bead("a.s3", "y").into_row(0)]);
    assert_eq!(ids(&split_in_two(&taken, &parent)), ["a.s2", "a.s4"]);
}

#[test]
fn when_every_number_is_taken_parts_get_ids_that_nobody_could_know() {
    let parent = decomposed("a");
    let taken = rows((1..=2 + SPARE).map(|n| bead(&format!("a.s{n}"), "x").into_row(0)));
    assert_eq!(ids(&split_in_two(&taken, &parent)), ["a.attempts1", "a.attempts2"]);
}

#[test]
fn every_id_that_is_looked_at_is_named_before() {
    let parent = decomposed("a");
    let named = kin(&parent, 2);
    assert!(numbered(&parent, 2).all(|id| named.contains(&TaskKey::of("repo", &id))));
    let part = &split_in_two(&rows([]), &parent)[0];
    assert_eq!(kin(part, 0), [parent.key], "and what is above it");
    assert_eq!(kin(&decomposed("a"), 0), []);
}

#[test]
fn a_part_is_work_when_its_parent_was() {
    let parts = split_in_two(&rows([]), &decomposed("a"));
    assert!(parts.iter().all(|part| part.kind == "story"));
}

#[test]
fn an_issue_with_the_id_of_a_part_does_not_change_the_part() {
    let parent = decomposed("a");
    let parts = split_in_two(&rows([]), &parent);
    let rows = rows(parts.into_iter().chain([parent]));
    let stamp = Stamp { now_ms: NOW_MS, nonce: String::new(), entropy: 0 };
    let writes = decide(&rows, &Command::Sync { beads: vec![bead("a.s1", "hostile")] }, &stamp).unwrap();
    assert_eq!((writes.rows, writes.events), (vec![], vec![]));
}

#[test]
fn whatever_is_above_a_part_says_that_the_part_waits_for_a_person_until_it_does_not() {
    let root = decomposed("a");
    let mut middle = split_in_two(&rows([]), &root).remove(0);
    middle.rest(TaskState::Decomposed, Some(Reason::ChildrenOpen), None);
    let leaf = split_in_two(&rows([]), &middle).remove(1);
    let mut rows = rows([root.clone(), middle.clone(), leaf.clone()]);
    tell(&mut rows, &with_person(&leaf));
    let waits = Some(Reason::BlockedBy { on: vec![BeadId::from("a.s1.s2")] });
    assert_eq!((reason_of(&rows, &root), reason_of(&rows, &middle)), (waits.clone(), waits));
    assert_eq!(tell_above(&rows, &with_person(&leaf), NOW_MS), [], "once");
    tell(&mut rows, &leaf);
    assert_eq!(reason_of(&rows, &root), Some(Reason::ChildrenOpen));
    tell(&mut rows, &with_person(&leaf));
    tell(&mut rows, &TaskRow { state: TaskState::Open, ..middle });
    assert_eq!(reason_of(&rows, &root), Some(Reason::ChildrenOpen), "its part is tried anew as a whole");
}

#[test]
fn a_parent_that_was_opened_again_hears_nothing_of_its_old_parts() {
    let parent = decomposed("a");
    let part = with_person(&split_in_two(&rows([]), &parent)[0]);
    let again = TaskRow { generation: 1, ..parent };
    assert_eq!(tell_above(&rows([again]), &part, NOW_MS), []);
}

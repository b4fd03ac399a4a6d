//! The sample backlog, all of it, with a simulated model and real git.

use std::collections::{BTreeMap, BTreeSet};

use glitchlab_domain::board::SUBTASK;
use glitchlab_domain::task::{TaskRow, TaskState};

use crate::support::{SAMPLE, Scratch, text};

const ARGUMENTS: [&str; 15] = [
    "--model",
    "simulated/fast",
    "--allow-untested",
    "--merge",
    "when_green",
    "--max-open",
    "0",
    "--workers",
    "8",
    "--budget-per-hour",
    "100",
    "--budget-per-day",
    "1000",
    "--until-idle",
    "--backlog",
];

fn completed<'a>(tasks: &'a [TaskRow], is_ours: impl Fn(&TaskRow) -> bool + 'a) -> Vec<&'a TaskRow> {
    tasks.iter().filter(|task| task.state == TaskState::Completed && is_ours(task)).collect()
}

#[test]
fn the_whole_sample_is_worked_through_once_and_a_bad_line_hides_nothing() {
    let scratch = Scratch::new();
    let mut lines: Vec<&str> = SAMPLE.lines().collect();
    lines.insert(100, "{\"id\": \"broken");
    let backlog = scratch.backlog(&(lines.join("\n") + "\n"));
    let arguments = [&ARGUMENTS[..], &[text(&backlog)]].concat();

    let first = scratch.start(&arguments).wait().expect_code(0);
    assert!(first.stderr.contains("line 101"), "the malformed line is named by its number\n{}", first.stderr);

    let tasks = scratch.tasks();
    let of_file = completed(&tasks, |task| task.source != SUBTASK && task.kind != "epic");
    assert_eq!(of_file.len(), 382, "{}", first.stdout);
    assert_eq!(completed(&tasks, |task| task.kind == "epic").len(), 11);
    let subtasks = tasks.iter().filter(|task| task.source == SUBTASK).count();
    assert!(subtasks > 0, "some task is decomposed");
    assert_eq!(completed(&tasks, |task| task.source == SUBTASK).len(), subtasks);
    for words in
        ["in_progress", "deferred", "gl-cae.4", "gl-tqm.1, gl-tqm.2, gl-tqm.3, gl-tqm.4, gl-tqm.5, gl-tqm.6"]
    {
        assert!(first.stdout.contains(words), "{words} is missing in\n{}", first.stdout);
    }
    blockers_were_done_first(&scratch, &tasks);
    each_merge_is_there_once(&scratch, &tasks);
    assert_eq!(scratch.git(&["status", "--porcelain"]), "", "the user's checkout is clean");
    assert_eq!(scratch.worktrees(), Vec::<String>::new());

    let second = scratch.start(&arguments).wait().expect_code(0);
    assert!(!second.stderr.contains("task.claimed"), "the second run has nothing to do\n{}", second.stderr);
}

fn each_merge_is_there_once(scratch: &Scratch, tasks: &[TaskRow]) {
    let merged: BTreeMap<String, usize> =
        completed(tasks, |task| task.merged.is_some()).iter().map(|task| (task.trailer(), 1)).collect();
    assert_eq!(scratch.merges(), merged);
}

/// Compares the order of completions in the event log with the file's dependencies.
fn blockers_were_done_first(scratch: &Scratch, tasks: &[TaskRow]) {
    let ours: BTreeSet<&str> =
        completed(tasks, |task| task.source != SUBTASK).iter().map(|task| task.bead_id.as_str()).collect();
    let events = scratch.read(async |reader| reader.last_events(1_000_000).await.expect("events are read"));
    let mut done = BTreeSet::new();
    let beads = glitchlab_backlog::jsonl::parse(SAMPLE.as_bytes()).beads;
    let blockers = |id: &str| {
        let bead = beads.iter().find(|bead| bead.id.as_str() == id);
        let blocks = bead.into_iter().flat_map(|bead| &bead.dependencies);
        let hard = blocks.filter(|d| d.kind == glitchlab_domain::bead::DependencyKind::Blocks);
        hard.map(|d| d.on.as_str().to_owned()).filter(|on| ours.contains(on.as_str())).collect::<Vec<_>>()
    };
    for event in &events {
        let Some(id) = event.about.bead_id.as_ref().map(ToString::to_string) else { continue };
        match event.kind.name() {
            "task.claimed" => {
                for blocker in blockers(&id) {
                    assert!(
                        done.contains(&blocker),
                        "{id} was claimed before its blocker {blocker} was done"
                    );
                }
            }
            "task.finished" | "task.closed" => drop(done.insert(id)),
            _ => {}
        }
    }
}

//! `merge = "never"`: branches wait for a person, and what a person does with them is seen.

use std::fs;

use glitchlab_domain::task::{TaskRow, TaskState};

use crate::support::{Scratch, bead, blocked_by, text};

fn backlog(scratch: &Scratch) -> std::path::PathBuf {
    scratch.backlog(&(bead("a", 1, "") + &bead("b", 1, &blocked_by("b", "a"))))
}

fn task(scratch: &Scratch, id: &str) -> TaskRow {
    scratch.tasks().into_iter().find(|task| task.bead_id.as_str() == id).expect("the task is there")
}

#[test]
fn a_branch_that_a_person_merged_frees_its_dependants_at_the_next_start() {
    let scratch = Scratch::new();
    let backlog = backlog(&scratch);
    let arguments =
        ["--model", "simulated/fast?seed=3", "--allow-untested", "--until-idle", "--backlog", text(&backlog)];
    let first = scratch.start(&arguments).wait().expect_code(0);
    assert!(first.stdout.contains("Waiting for a merge, 1: a"), "{}", first.stdout);
    let (a, b) = (task(&scratch, "a"), task(&scratch, "b"));
    assert_eq!((a.state, b.state), (TaskState::InReview, TaskState::Open), "a branch in review frees nobody");
    let branch = a.request.expect("the branch is known");

    scratch.git(&["merge", "--quiet", "--no-edit", &branch]);
    let second = scratch.start(&arguments).wait().expect_code(0);
    assert_eq!(task(&scratch, "a").state, TaskState::Completed, "{}", second.stderr);
    assert_eq!(task(&scratch, "b").state, TaskState::InReview, "{}", second.stderr);
}

#[test]
fn a_branch_that_a_person_deleted_puts_its_task_back_into_the_queue() {
    let scratch = Scratch::new();
    let backlog = backlog(&scratch);
    let arguments =
        ["--model", "simulated/fast?seed=3", "--allow-untested", "--until-idle", "--backlog", text(&backlog)];
    scratch.start(&arguments).wait().expect_code(0);
    let branch = task(&scratch, "a").request.expect("the branch is known");
    scratch.git(&["branch", "-D", &branch]);
    let second = scratch.start(&arguments).wait().expect_code(0);
    let again = task(&scratch, "a");
    assert_eq!((again.generation, again.runs), (1, 2), "it was done anew\n{}", second.stderr);
    assert_ne!(again.request, Some(branch));
}

#[test]
fn as_many_open_branches_as_allowed_stop_admission_and_the_summary_says_so() {
    let scratch = Scratch::new();
    let path = scratch.backlog(&(0..6).map(|n| bead(&format!("t-{n}"), 1, "")).collect::<String>());
    let arguments = [
        "--model",
        "simulated/fast?seed=3",
        "--allow-untested",
        "--workers",
        "4",
        "--max-open",
        "2",
        "--until-idle",
        "--backlog",
        text(&path),
    ];
    let ended = scratch.start(&arguments).wait().expect_code(0);
    let open = scratch.tasks().iter().filter(|task| task.state == TaskState::InReview).count();
    assert_eq!(open, 2, "never more than allowed, whatever the number of workers\n{}", ended.stderr);
    assert!(ended.stdout.contains("Waiting for a merge, 2"), "{}", ended.stdout);
}

#[test]
fn a_merge_that_overlaps_the_persons_changes_waits_and_leaves_the_checkout_alone() {
    let scratch = Scratch::new();
    let path = scratch.backlog(&bead("a", 1, ""));
    // The simulated model writes this file: the person has it open, not committed.
    fs::create_dir(scratch.repo().join("simulated")).expect("a folder");
    fs::write(scratch.repo().join("simulated/a.md"), "mine\n").expect("a file");
    let arguments = [
        "--model",
        "simulated/fast?seed=3",
        "--allow-untested",
        "--merge",
        "when_green",
        "--until-idle",
        "--backlog",
        text(&path),
    ];
    let ended = scratch.start(&arguments).wait().expect_code(0);
    assert_eq!(task(&scratch, "a").state, TaskState::InReview, "{}", ended.stderr);
    assert_eq!(fs::read_to_string(scratch.repo().join("simulated/a.md")).expect("read"), "mine\n");
    assert_eq!(scratch.merges().len(), 0);
}

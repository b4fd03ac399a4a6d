//! What a new user gets wrong, and what the program says to it.

use std::fs;

use crate::support::{Scratch, bead, text};

const OFFLINE: [&str; 3] = ["--model", "simulated/fast", "--until-idle"];

/// Runs with these arguments and returns what it said on stderr, once it has ended with `code`.
fn said(scratch: &Scratch, arguments: &[&str], code: i32) -> String {
    scratch.start(arguments).wait().expect_code(code).stderr
}

#[test]
fn an_unknown_flag_is_a_usage_error_with_a_suggestion() {
    let scratch = Scratch::new();
    let ended = scratch.launch(&["continuous", "--worker", "2"]).wait().expect_code(2);
    assert!(ended.stderr.contains("--workers"), "{}", ended.stderr);
}

#[test]
fn a_missing_repository_backlog_or_commit_is_a_configuration_error_with_the_fix() {
    let scratch = Scratch::new();
    let nowhere = scratch.path().join("nowhere");
    let ended = scratch.launch(&["continuous", "--repo", text(&nowhere), "--model", "simulated/fast"]).wait();
    assert!(ended.expect_code(78).stderr.contains("nowhere"));

    let stderr = said(&scratch, &[&OFFLINE[..], &["--allow-untested"]].concat(), 78);
    assert!(stderr.contains("--backlog"), "{stderr}");

    let empty = scratch.path().join("empty");
    fs::create_dir(&empty).expect("a folder");
    let ended = scratch.launch(&["continuous", "--repo", text(&empty), "--model", "simulated/fast"]).wait();
    let ended = ended.expect_code(78);
    assert!(ended.stderr.contains("git init"), "{}", ended.stderr);
}

#[test]
fn a_repository_without_a_commit_or_with_a_wrong_base_is_told_how_to_mend_it() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog("");
    let arguments = [&OFFLINE[..], &["--allow-untested", "--backlog", text(&backlog)]].concat();
    fs::create_dir(scratch.repo().join(".glitchlab")).expect("a folder");
    fs::write(scratch.repo().join(".glitchlab/config.toml"), "[work]\nbase = \"trunk\"\n").expect("a file");
    let stderr = said(&scratch, &arguments, 78);
    assert!(stderr.contains("trunk") && stderr.contains("main"), "{stderr}");

    fs::remove_dir_all(scratch.repo().join(".git")).expect("removed");
    scratch.git(&["init", "--quiet", "-b", "main"]);
    fs::remove_dir_all(scratch.repo().join(".glitchlab")).expect("removed");
    let stderr = said(&scratch, &arguments, 78);
    assert!(stderr.contains("no commit"), "{stderr}");
}

#[test]
fn no_test_command_is_refused_unless_it_is_allowed() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog("");
    let stderr = said(&scratch, &[&OFFLINE[..], &["--backlog", text(&backlog)]].concat(), 78);
    assert!(stderr.contains("--allow-untested") && stderr.contains("--test"), "{stderr}");
}

#[test]
fn no_git_identity_is_refused_with_the_way_to_set_one_and_a_configured_author_will_do() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog("");
    scratch.git(&["config", "--unset", "user.name"]);
    scratch.git(&["config", "--unset", "user.email"]);
    let arguments = [&OFFLINE[..], &["--allow-untested", "--backlog", text(&backlog)]].concat();
    let stderr = said(&scratch, &arguments, 78);
    assert!(stderr.contains("user.name") && stderr.contains("author"), "{stderr}");

    fs::create_dir(scratch.repo().join(".glitchlab")).expect("a folder");
    let configuration = "[work]\nauthor = \"A Person <person@example.invalid>\"\n";
    fs::write(scratch.repo().join(".glitchlab/config.toml"), configuration).expect("a file");
    said(&scratch, &arguments, 0);
}

#[test]
fn a_second_engine_on_the_same_repository_is_refused_and_the_first_goes_on() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog("");
    let arguments = ["--model", "simulated/fast", "--allow-untested", "--backlog", text(&backlog)];
    let first = scratch.start(&arguments);
    first.until_printed("watch");
    let store = scratch.path().join("other.db");
    let repo = scratch.repo();
    let own = ["continuous", "--repo", text(&repo), "--store", text(&store), "--listen", "127.0.0.1:0"];
    let mut second = scratch.program(&[&own[..], &arguments].concat());
    let output = second.output().expect("the program runs");
    assert_eq!(output.status.code(), Some(75));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains(&first.pid().to_string()), "it says who holds it: {stderr}");
    first.signal("TERM");
    first.wait().expect_code(0);
}

#[test]
fn a_dirty_checkout_runs_and_says_what_tasks_will_not_see() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog("");
    fs::write(scratch.repo().join("README.md"), "changed\n").expect("a file");
    let arguments = [&OFFLINE[..], &["--allow-untested", "--backlog", text(&backlog)]].concat();
    let ended = scratch.start(&arguments).wait().expect_code(0);
    assert!(ended.stdout.contains("1 files in your checkout are not committed"), "{}", ended.stdout);
}

#[test]
fn a_store_of_a_newer_program_is_refused_and_one_that_is_no_store_too() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog("");
    fs::create_dir(scratch.path().join("state")).expect("a folder");
    fs::write(
        scratch.store(),
        "this is no database, it is a text that somebody put here by mistake\n".repeat(100),
    )
    .expect("a file");
    let arguments = [&OFFLINE[..], &["--allow-untested", "--backlog", text(&backlog)]].concat();
    let stderr = said(&scratch, &arguments, 78);
    assert!(stderr.contains("state.db"), "{stderr}");
}

#[test]
fn an_unknown_key_and_a_wrong_amount_name_the_place_and_the_fix() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.repo().join(".glitchlab")).expect("a folder");
    fs::write(scratch.repo().join(".glitchlab/config.toml"), "[work]\nworkrs = 2\n").expect("a file");
    let stderr = said(&scratch, &OFFLINE, 78);
    assert!(stderr.contains("config.toml:2") && stderr.contains("workers"), "{stderr}");
    fs::remove_file(scratch.repo().join(".glitchlab/config.toml")).expect("removed");
    let stderr = said(&scratch, &["--budget-per-hour", "five"], 78);
    assert!(stderr.contains("per_hour"), "{stderr}");
}

#[test]
fn a_task_that_exceeded_a_tiny_cap_is_done_once_the_cap_has_room_for_it() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&bead("a", 1, ""));
    let arguments =
        [&OFFLINE[..], &["--allow-untested", "--merge", "when_green", "--backlog", text(&backlog)]].concat();
    let tiny =
        scratch.start(&[&arguments[..], &["--budget-per-hour", "0.000001"]].concat()).wait().expect_code(0);
    assert!(tiny.stdout.contains("Needs you: a: one call may cost"), "{}", tiny.stdout);
    let ample = scratch.start(&[&arguments[..], &["--budget-per-hour", "5"]].concat()).wait().expect_code(0);
    assert!(ample.stdout.contains("Completed 1 tasks"), "{}", ample.stdout);
}

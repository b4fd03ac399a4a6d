//! What has ended: `.glitchlab/history.jsonl`, `history`, `report`, and what the page of a task is told from.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::story::Output;
use serde_json::Value;

use crate::support::{Scratch, bead, text};

const WORK: [&str; 7] = [
    "--model",
    "simulated/fast",
    "--budget-per-hour",
    "100",
    "--allow-untested",
    "--until-idle",
    "--merge=when_green",
];

fn worked(scratch: &Scratch, beads: &str) {
    let backlog = scratch.backlog(beads);
    scratch.start(&[&WORK[..], &["--backlog", text(&backlog)]].concat()).wait().expect_code(0);
}

fn file(scratch: &Scratch) -> PathBuf {
    scratch.repo().join(".glitchlab/history.jsonl")
}

fn lines(scratch: &Scratch) -> Vec<Value> {
    let text = fs::read_to_string(file(scratch)).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// How often each attempt is in the file.
fn counts(scratch: &Scratch) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in lines(scratch) {
        *counts.entry(line["attempt_id"].as_str().expect("an id").to_owned()).or_default() += 1;
    }
    counts
}

/// The ids of all attempts that the store says have ended.
fn ended(scratch: &Scratch) -> Vec<String> {
    let tasks = scratch.tasks();
    scratch.read(async |reader| {
        let mut ids = Vec::new();
        for task in &tasks {
            let attempts = reader.attempts(&task.key).await.expect("attempts are read");
            ids.extend(
                attempts.iter().filter(|it| it.ended_ms.is_some()).map(|it| it.attempt_id.to_string()),
            );
        }
        ids.sort();
        ids
    })
}

fn said(scratch: &Scratch, arguments: &[&str]) -> (String, String) {
    let (repo, store) = (scratch.repo(), scratch.store());
    let own = ["--repo", text(&repo), "--store", text(&store)];
    let (command, rest) = arguments.split_first().expect("a command");
    let output = scratch.program(&[&[*command][..], &own, rest].concat()).output().expect("the program runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {out}\n{err}");
    (out.into_owned(), err.into_owned())
}

fn three() -> String {
    [bead("hi-1", 1, ""), bead("hi-2", 2, ""), bead("hi-3", 3, "")].concat()
}

#[test]
fn every_ended_attempt_has_one_line_and_the_checkout_stays_clean() {
    let scratch = Scratch::new();
    worked(&scratch, &three());
    let counts = counts(&scratch);
    assert_eq!(counts.keys().cloned().collect::<Vec<_>>(), ended(&scratch));
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    assert!(counts.len() >= 3, "{counts:?}");
    assert_eq!(scratch.git(&["status", "--porcelain"]), "", "the checkout is as clean as before");
    let line = &lines(&scratch)[0];
    assert_eq!((&line["v"], line["simulated"].as_bool()), (&Value::from(1), Some(true)));
    for key in ["task", "title", "status", "model", "tokens", "cost_micro", "started_ms", "ended_ms"] {
        assert!(!line[key].is_null(), "{key} is missing: {line}");
    }
}

#[test]
fn a_lost_or_torn_file_is_made_whole_at_the_next_start_and_no_line_comes_twice() {
    let scratch = Scratch::new();
    worked(&scratch, &three());
    let whole = fs::read_to_string(file(&scratch)).expect("the file is there");
    let first = whole.lines().next().expect("a line");
    fs::write(file(&scratch), format!("{first}\n{{\"attempt_id\":\"torn")).expect("the file is torn");
    worked(&scratch, &(three() + &bead("hi-4", 1, "")));
    let counts = counts(&scratch);
    assert_eq!(counts.keys().cloned().collect::<Vec<_>>(), ended(&scratch));
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
}

#[test]
fn a_file_that_cannot_be_written_stops_no_work() {
    let scratch = Scratch::new();
    fs::create_dir_all(file(&scratch)).expect("a folder is in its place");
    let backlog = scratch.backlog(&three());
    let run = scratch.start(&[&WORK[..], &["--backlog", text(&backlog)]].concat()).wait().expect_code(0);
    assert_eq!(run.stderr.matches("history.behind").count(), 1, "it is said once: {}", run.stderr);
    assert!(ended(&scratch).len() >= 3);
}

#[test]
fn history_and_report_say_what_the_store_knows() {
    let scratch = Scratch::new();
    worked(&scratch, &three());
    let (json, _) = said(&scratch, &["history", "--json"]);
    let rows: Vec<Value> = serde_json::from_str(&json).expect("JSON");
    let mut of_file = lines(&scratch);
    of_file
        .sort_by_key(|line| std::cmp::Reverse((line["ended_ms"].as_i64(), line["attempt_id"].to_string())));
    assert_eq!(rows, of_file, "a line of the file is a row of the command");

    let (csv, _) = said(&scratch, &["history", "--csv", "--limit", "2", "--since", "1d"]);
    assert_eq!(csv.lines().count(), 3, "{csv}");
    let (table, _) = said(&scratch, &["history", "--task", "hi-2"]);
    assert!(table.starts_with("ENDED") && table.contains("hi-2") && !table.contains("hi-1"), "{table}");

    let (json, _) = said(&scratch, &["report", "--by", "task,model", "--json"]);
    let report: Value = serde_json::from_str(&json).expect("JSON");
    let spent: i64 = scratch.calls().iter().filter_map(|call| call.actual).map(MicroUsd::micro).sum();
    assert_eq!(report["total"]["cost_micro"], spent);
    let keys: Vec<_> =
        report["rows"].as_array().expect("rows").iter().map(|row| &row["key"]["task"]).collect();
    assert!(keys.contains(&&Value::from("hi-1")), "{json}");
    assert!(said(&scratch, &["report", "--by", "stage"]).0.contains("implement"));
}

#[test]
fn without_a_store_the_file_answers_and_says_so() {
    let scratch = Scratch::new();
    worked(&scratch, &three());
    let with_store = said(&scratch, &["history", "--json"]).0;
    fs::remove_file(scratch.store()).expect("the store is gone");
    let (json, remark) = said(&scratch, &["history", "--json"]);
    let rows = |json: &str| {
        let mut rows: Vec<Value> = serde_json::from_str(json).expect("JSON");
        rows.sort_by_key(|row| row["attempt_id"].to_string());
        rows
    };
    assert_eq!(rows(&json), rows(&with_store));
    assert!(remark.contains("There is no store at") && remark.contains("history.jsonl"), "{remark}");
    assert!(said(&scratch, &["report", "--by", "model,day"]).0.contains("simulated/fast"));
}

#[test]
fn the_story_of_a_real_attempt_has_its_plan_its_tests_and_its_changed_lines() {
    let scratch = Scratch::new();
    worked(&scratch, &bead("hi-1", 1, ""));
    let task = scratch.tasks().into_iter().find(|task| task.bead_id.as_str() == "hi-1").expect("the task");
    let story =
        scratch.read(async |reader| reader.story(&task.key).await.expect("a story")).expect("it is known");
    let last = story.attempts.last().expect("an attempt");
    let outputs: Vec<_> = last.steps.iter().map(|step| &step.output).collect();
    assert!(
        outputs.iter().any(|it| matches!(it, Output::Plan(plan) if !plan.steps.is_empty())),
        "{outputs:?}"
    );
    assert!(
        outputs.iter().any(|it| matches!(it, Output::Edits(edits) if !edits.files.is_empty())),
        "{outputs:?}"
    );
    let changed =
        |it: &&&Output| matches!(it, Output::Tests(tests) if tests.changes.iter().any(|file| file.added > 0));
    assert!(outputs.iter().any(|it| changed(&it)), "{outputs:?}");
    assert!(outputs.iter().any(|it| matches!(it, Output::Review(_))), "{outputs:?}");
    assert!(
        last.steps.iter().flat_map(|step| &step.calls).any(|call| call.reply.is_some()),
        "no reply is kept"
    );
}

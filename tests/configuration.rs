//! Settings of the real program: layers, a reload while it runs, and the commands around them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::Output;

use serde_json::Value;

use crate::support::{LIMIT, Run, Scratch, bead, text, wait_for};

fn output(scratch: &Scratch, arguments: &[&str]) -> Output {
    let repo = scratch.repo();
    let own = ["--repo", text(&repo)];
    scratch.program(&[&arguments[..1], &own, &arguments[1..]].concat()).output().expect("the program runs")
}

fn json(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn setting(report: &Value, key: &str) -> Value {
    let settings = report["settings"].as_array().expect("a list");
    settings.iter().find(|setting| setting["key"] == key).expect("the key is there").clone()
}

fn engine(scratch: &Scratch, backlog: &str, more: &[&str]) -> Run {
    let backlog = scratch.backlog(&(left_to_people("z") + backlog));
    let own = ["--model", "simulated/fast?seed=3", "--allow-untested", "--backlog", text(&backlog)];
    scratch.start(&[&own[..], more].concat())
}

/// A task that the usual settings do not take.
fn left_to_people(id: &str) -> String {
    bead(id, 1, r#","labels":["human"]"#)
}

fn caps(scratch: &Scratch) -> (i64, i64) {
    let store = scratch.store();
    let report = json(&output(scratch, &["status", "--json", "--store", text(&store)]));
    let amount = |name: &str| report["simulated"][name].as_i64().expect("an amount");
    (amount("cap_hour"), amount("cap_day"))
}

fn page(run: &Run) -> String {
    let address = run.stdout().lines().find_map(|line| line.split("http://").nth(1).map(str::to_owned));
    let address = address.expect("the banner names the address");
    let mut stream = std::net::TcpStream::connect(address.trim()).expect("the pages are served");
    write!(stream, "GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", address.trim())
        .expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read");
    answer
}

#[test]
fn each_layer_is_seen_with_its_origin_and_the_users_caps_are_a_ceiling() {
    let scratch = Scratch::new();
    scratch.configure("[work]\nworkers = 3\nattempts = 5\n[budget]\nper_hour = \"9.00\"\n");
    scratch.own_settings("[work]\nattempts = 4\nsetup = \"true\"\n[budget]\nper_hour = \"2.00\"\n");
    let mut command =
        scratch.program(&["config", "--json", "--workers", "7", "--repo", text(&scratch.repo())]);
    let report = json(&command.env("GLITCHLAB_WORK_TEST", "make test").output().expect("it runs"));
    let told = |key: &str| {
        let setting = setting(&report, key);
        (
            setting["value"].clone(),
            setting["layer"].clone(),
            setting["origin"].as_str().unwrap_or_default().to_owned(),
        )
    };
    assert_eq!(told("work.workers"), (7.into(), "flag".into(), "flag --workers".to_owned()));
    assert_eq!(told("work.test").2, "environment GLITCHLAB_WORK_TEST");
    let (attempts, _, origin) = told("work.attempts");
    assert!(attempts == 5 && origin.ends_with(".glitchlab/config.toml:3"), "{attempts} {origin}");
    assert!(
        told("work.setup").2.ends_with("config-home/glitchlab/config.toml:3"),
        "{:?}",
        told("work.setup")
    );
    assert_eq!((told("budget.per_hour").0, told("budget.per_hour").1), ("2.00".into(), "user".into()));
    let note = report["notes"][0].as_str().expect("a note");
    assert!(note.contains("config.toml:5 asks for \"9.00\"") && note.contains("at most \"2.00\""), "{note}");
}

#[test]
fn the_file_of_the_main_checkout_counts_in_a_worktree() {
    let scratch = Scratch::new();
    scratch.configure("[work]\nworkers = 3\n");
    let tree = scratch.path().join("tree");
    scratch.git(&["worktree", "add", "--quiet", text(&tree)]);
    fs::create_dir(tree.join(".glitchlab")).expect("a folder");
    fs::write(tree.join(".glitchlab/config.toml"), "[work]\nworkers = 9\n").expect("a file");
    let mut command = scratch.program(&["config", "--json", "--repo", text(&tree)]);
    assert_eq!(setting(&json(&command.output().expect("it runs")), "work.workers")["value"], 3);
}

#[test]
fn an_unknown_variable_ends_the_program_with_the_name_that_was_meant() {
    let scratch = Scratch::new();
    let mut command = scratch.program(&["config", "--repo", text(&scratch.repo())]);
    let output = command.env("GLITCHLAB_WORK_WORKRS", "3").output().expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78));
    assert!(stderr.contains("did you mean `GLITCHLAB_WORK_WORKERS`?"), "{stderr}");
}

#[test]
fn lowering_the_cap_of_a_running_engine_counts_at_the_next_reservation() {
    let scratch = Scratch::new();
    scratch.configure("[budget]\nper_hour = \"5.00\"\n");
    let run = engine(&scratch, "", &[]);
    run.until_printed("backlog.synced");
    assert_eq!(caps(&scratch), (5_000_000, 40_000_000));
    scratch.configure("[budget]\nper_hour = \"0.000002\"\nper_day = \"3\"\n");
    run.until_printed("cap.changed");
    assert!(
        wait_for(LIMIT, || (caps(&scratch) == (2, 3_000_000)).then_some(())).is_some(),
        "{}",
        run.stderr()
    );
    // Work that comes now meets the new cap with its first call, which costs more than that.
    scratch.backlog(&(left_to_people("z") + &bead("a", 1, "")));
    scratch.configure(
        "[budget]\nper_hour = \"0.000002\"\nper_day = \"3\"\n[backlog]\npoll_interval = \"100ms\"\n",
    );
    run.until_printed("task.claimed");
    run.until_printed("human.needed");
    assert_eq!(scratch.account().values().sum::<i64>(), 0, "nothing may be spent");
    run.signal("TERM");
    run.wait().expect_code(0);
}

#[test]
fn raising_the_cap_of_a_running_engine_is_refused_and_said() {
    let scratch = Scratch::new();
    scratch.configure("[budget]\nper_hour = \"1.00\"\n");
    let run = engine(&scratch, "", &[]);
    run.until_printed("backlog.synced");
    scratch.configure("[budget]\nper_hour = \"50.00\"\n");
    run.until_printed("config.refused");
    assert!(run.stderr().contains("budget.per_hour is $50.00"), "{}", run.stderr());
    assert_eq!(caps(&scratch), (1_000_000, 8_000_000));
    assert!(wait_for(LIMIT, || page(&run).contains("only go down").then_some(())).is_some());
    run.signal("TERM");
    run.wait().expect_code(0);
}

#[test]
fn a_broken_edit_keeps_the_last_good_settings_and_is_said_until_it_is_mended() {
    let scratch = Scratch::new();
    scratch.configure("[budget]\nper_hour = \"1.00\"\n");
    let run = engine(&scratch, "", &[]);
    run.until_printed("backlog.synced");
    scratch.configure("[budget]\nper_huor = \"0.10\"\n");
    run.until_printed("config.unsound");
    assert!(run.stderr().contains("did you mean `per_hour`?"), "{}", run.stderr());
    let shown =
        |is_shown: bool| wait_for(LIMIT, || (page(&run).contains("is not sound") == is_shown).then_some(()));
    assert!(shown(true).is_some(), "the page says it");
    assert_eq!(caps(&scratch), (1_000_000, 8_000_000));
    scratch.configure("[budget]\nper_hour = \"0.10\"\n");
    run.until_printed("config.sound");
    assert!(shown(false).is_some(), "the page says it no more");
    assert!(wait_for(LIMIT, || (caps(&scratch).0 == 100_000).then_some(())).is_some());
    run.signal("TERM");
    run.wait().expect_code(0);
}

#[test]
fn a_file_that_was_not_there_at_the_start_is_seen_and_its_filter_is_taken_over() {
    let scratch = Scratch::new();
    let run = engine(&scratch, "", &["--merge", "when_green"]);
    run.until_printed("backlog.synced");
    assert!(!run.stderr().contains("task.claimed"), "its label is excluded\n{}", run.stderr());
    scratch.configure("[backlog]\nexclude_labels = []\n");
    run.until_printed("task.claimed");
    run.signal("TERM");
    run.wait().expect_code(0);
}

fn findings(scratch: &Scratch, more: &[&str], code: i32) -> Value {
    let store = scratch.store();
    let output = output(scratch, &[&["doctor", "--json", "--store", text(&store)], more].concat());
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stdout));
    json(&output)
}

fn finding(report: &Value, name: &str) -> (String, String) {
    let checks = report["checks"].as_array().expect("a list");
    let check =
        checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {report}"));
    let text = |field: &str| check[field].as_str().unwrap_or_default().to_owned();
    (text("status"), text("found"))
}

#[test]
fn init_finds_the_test_command_writes_a_sound_file_and_never_overwrites_it() {
    let scratch = Scratch::new();
    fs::write(scratch.repo().join("Makefile"), "test:\n\ttrue\n").expect("a file");
    let first = output(&scratch, &["init"]);
    assert_eq!(first.status.code(), Some(0));
    let report = json(&output(&scratch, &["config", "--json"]));
    let test = setting(&report, "work.test");
    assert_eq!((test["value"].clone(), test["layer"].clone()), ("make test".into(), "repository".into()));
    let path = scratch.repo().join(".glitchlab/config.toml");
    let before = fs::read_to_string(&path).expect("it was written");
    let second = output(&scratch, &["init"]);
    assert_eq!(second.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&second.stderr).contains("is there already"));
    assert_eq!(fs::read_to_string(&path).expect("it is there"), before);
}

#[test]
fn init_outside_of_a_repository_says_how_to_make_one() {
    let scratch = Scratch::new();
    let folder = scratch.path().join("plain");
    fs::create_dir(&folder).expect("a folder");
    let output = scratch.program(&["init", "--repo", text(&folder)]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stderr).contains("git init"));
    assert!(!folder.join(".glitchlab").exists());
}

#[test]
fn doctor_finds_nothing_wrong_with_what_has_just_worked() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&bead("a", 1, ""));
    let common = ["--model", "simulated/fast?seed=3", "--test", "true", "--backlog", text(&backlog)];
    scratch.start(&[&common[..], &["--until-idle"]].concat()).wait().expect_code(0);
    let report = findings(&scratch, &common, 0);
    for name in ["git", "repository", "backlog", "tests", "model", "disk", "store", "ledger", "leftovers"] {
        assert_eq!(finding(&report, name).0, "ok", "{report}");
    }
    assert_eq!(finding(&report, "engine").1, "not running");
}

#[test]
fn doctor_finds_a_missing_test_command_a_broken_line_and_an_uncommitted_file() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&(bead("a", 1, "") + "this is no bead\n"));
    fs::write(scratch.repo().join("README.md"), "changed\n").expect("a file");
    let report = findings(&scratch, &["--model", "simulated/fast", "--backlog", text(&backlog)], 78);
    assert_eq!(finding(&report, "tests").0, "failed");
    let (status, found) = finding(&report, "backlog");
    assert!(status == "warning" && found.contains("line 2"), "{found}");
    assert_eq!(finding(&report, "repository").0, "warning");
    assert!(!scratch.store().exists(), "looking makes no store");
}

#[test]
fn doctor_finds_a_store_that_is_none_and_settings_that_are_not_sound() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path().join("state")).expect("a folder");
    fs::write(scratch.store(), "somebody put a text here by mistake\n".repeat(100)).expect("a file");
    let report = findings(&scratch, &["--model", "simulated/fast", "--test", "true"], 78);
    assert_eq!(finding(&report, "store").0, "failed");
    assert_eq!(finding(&report, "backlog").0, "failed");
    scratch.configure("[work]\nworkrs = 1\n");
    let (status, found) = finding(&findings(&scratch, &[], 78), "configuration");
    assert!(status == "failed" && found.contains("config.toml:2"), "{found}");
}

#[test]
fn a_dry_run_tells_order_exclusions_and_cost_and_writes_nothing() {
    let scratch = Scratch::new();
    let beads = bead("later", 3, "") + &bead("first", 0, "") + &left_to_people("z");
    let backlog = scratch.backlog(&beads);
    let before = scratch.git(&["status", "--porcelain", "--ignored"]);
    let store = scratch.store();
    let common = ["continuous", "--dry-run", "--model", "simulated/fast", "--test", "true", "--workers", "3"];
    let more = ["--backlog", text(&backlog), "--store", text(&store)];
    let report = json(&output(&scratch, &[&common[..], &more, &["--json"]].concat()));
    let order: Vec<&str> =
        report["order"].as_array().expect("a list").iter().filter_map(|next| next["id"].as_str()).collect();
    assert_eq!(order, ["first", "later"]);
    assert_eq!(report["order"][0]["admitted_s"], 0, "the first starts at once");
    assert_eq!(report["excluded"]["label `human` is excluded"], serde_json::json!(["z"]));
    assert_eq!(report["cost"]["worst"], 8_000_000);
    assert_eq!(report["cost"]["day_cap_after_min"], 480);
    assert_eq!(setting(&report, "work.workers")["origin"], "flag --workers");
    let said = output(&scratch, &[&common[..], &more].concat());
    let said = String::from_utf8_lossy(&said.stdout);
    assert!(said.contains("2 tasks are ready") && said.contains("flag --workers"), "{said}");
    assert!(!scratch.path().join("state").exists(), "not even the store's folder is made");
    assert_eq!(scratch.git(&["status", "--porcelain", "--ignored"]), before);
    assert!(!scratch.repo().join(".git/glitchlab").exists(), "the repository is not even held");
}

#[test]
fn a_dry_run_counts_what_the_ledger_holds_and_says_what_is_paused() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&["a", "b", "c"].map(|id| bead(id, 1, "")).concat());
    let (store, model) = (scratch.store(), ["--model", "simulated/fast?seed=3", "--allow-untested"]);
    let caps = ["--budget-per-hour", "0.03", "--max-open", "0", "--backlog", text(&backlog)];
    let run = scratch.start(&[&model[..], &caps].concat());
    run.until_printed("admission.refused");
    run.signal("TERM");
    run.wait().expect_code(0);
    let store = ["--store", text(&store)];
    assert_eq!(output(&scratch, &[&["pause"], &store[..]].concat()).status.code(), Some(0));
    let dry = ["continuous", "--dry-run", "--json"];
    let report = json(&output(&scratch, &[&dry[..], &model, &caps, &store].concat()));
    assert!(report["order"][0]["admitted_s"].as_i64() > Some(0), "the hour is partly used up: {report}");
    assert!(report["held"].as_str().is_some_and(|held| held.starts_with("paused by")), "{report}");
}

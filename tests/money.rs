//! Caps of the real program, judged by the account that the provider itself keeps.

use std::fs;
use std::time::Duration;

use glitchlab_domain::outcome::HumanReason;
use glitchlab_domain::reason::{Reason, ReasonKind};
use glitchlab_domain::task::{TaskRow, TaskState};
use serde_json::{Value, json};

use crate::support::{LIMIT, Run, Scratch, bead, text, wait_for};

/// Four thousand tokens cost forty cents.
const DEAR: [u64; 2] = [1_000_000, 100_000_000];
/// A subscription pays.
const FREE: [u64; 2] = [0, 0];

/// A model that lists files for ever: four thousand tokens a time, and a third of a second.
fn endless(scratch: &Scratch, [input, output]: [u64; 2]) -> String {
    let reply = |reply: Value, output_tokens: u64| json!({ "reply": reply, "input_tokens": 1_000, "output_tokens": output_tokens, "latency_ms": 300 });
    let script = json!({
        "price": { "input_per_mtok_micro": input, "output_per_mtok_micro": output },
        "defaults": {
            "architect_triage": reply(json!({ "already_done": false, "size": "S" }), 100),
            "planner": reply(json!({ "approach": "look", "steps": ["look"], "estimated_tokens": 1_000 }), 100),
            "implement": reply(json!({ "actions": [{ "tool": "list" }], "done": false }), 4_000),
        },
    });
    let path = scratch.path().join("endless.json");
    fs::write(&path, script.to_string()).expect("a file");
    format!("scripted/{}", text(&path))
}

/// Starts the engine on one task.
fn engine(scratch: &Scratch, model: &str) -> Run {
    let backlog = scratch.backlog(&bead("m-0", 1, ""));
    scratch.start(&["--model", model, "--allow-untested", "--backlog", text(&backlog)])
}

/// What the provider has billed: micro-dollars and tokens.
fn billed(scratch: &Scratch) -> (i64, i64) {
    let account = fs::read_to_string(scratch.path().join("state/provider-account.jsonl")).unwrap_or_default();
    let whole = account.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.fold((0, 0), |(micro, tokens), line| {
        let entry: Value = serde_json::from_str(line).expect("a line of the account");
        let number = |field: &str| entry[field].as_i64().expect("a number");
        (micro + number("cost_micro"), tokens + number("input_tokens") + number("output_tokens"))
    })
}

fn only_task(scratch: &Scratch) -> TaskRow {
    scratch.tasks().pop().expect("one task")
}

fn why(scratch: &Scratch, more: &[&str]) -> String {
    let (repo, store, backlog) = (scratch.repo(), scratch.store(), scratch.path().join("backlog.jsonl"));
    let own = ["why", "--repo", text(&repo), "--store", text(&store), "--backlog", text(&backlog)];
    let output = scratch.program(&[&own, more].concat()).output().expect("it runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn asked(scratch: &Scratch, command: &str) -> Value {
    let (repo, store) = (scratch.repo(), scratch.store());
    let arguments = [command, "--json", "--repo", text(&repo), "--store", text(&store)];
    let output = scratch.program(&arguments).output().expect("it runs");
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

fn stop(run: Run) {
    run.signal("TERM");
    run.wait().expect_code(0);
}

#[test]
fn a_cap_of_fifty_cents_stops_an_agent_that_wants_more_than_five_dollars() {
    let scratch = Scratch::new();
    scratch.configure("[budget]\nper_hour = \"100\"\nper_task = \"0\"\nstop_loss = \"0\"\n");
    let wants = engine(&scratch, &endless(&scratch, DEAR));
    let enough = || (billed(&scratch).0 > 5_110_000).then_some(());
    assert!(wait_for(LIMIT, enough).is_some(), "it wants only {:?}\n{}", billed(&scratch), wants.stderr());
    wants.kill();

    let scratch = Scratch::new();
    scratch.configure("[budget]\nper_hour = \"100\"\nper_task = \"0.50\"\n");
    let run = engine(&scratch, &endless(&scratch, DEAR));
    run.until_printed("human.needed");
    let spent = billed(&scratch).0;
    assert!(spent <= 500_000 && spent > 400_000, "{spent} micro-dollars");
    let task = only_task(&scratch);
    let Some(Reason::NeedsHuman { reason: HumanReason::TaskCap { spent_micro, cap_micro } }) = task.reason
    else {
        panic!("{:?}", task.reason)
    };
    assert_eq!((task.state, spent_micro, cap_micro), (TaskState::NeedsHuman, spent, 500_000));
    let said = why(&scratch, &["m-0"]);
    assert!(said.contains("TaskCap") && said.contains("$0.50"), "{said}");
    stop(run);
    assert_eq!(billed(&scratch).0, spent, "nothing is spent after that");
}

#[test]
fn a_task_whose_first_call_may_cost_more_than_a_cap_goes_to_a_person_without_a_wait() {
    let scratch = Scratch::new();
    scratch.configure("[budget]\nper_hour = \"0.01\"\nper_day = \"0.02\"\n");
    let run = engine(&scratch, &endless(&scratch, DEAR));
    run.until_printed("human.needed");
    assert_eq!(billed(&scratch), (0, 0));
    assert!(!run.stderr().contains("call.waiting"), "{}", run.stderr());
    let said = why(&scratch, &["m-0"]);
    assert!(said.contains("ExceedsCap") && said.contains("$0.01"), "{said}");
    stop(run);
}

#[test]
fn tokens_of_a_subscription_are_capped_while_every_call_costs_no_dollars() {
    let scratch = Scratch::new();
    let cap = 20_000;
    scratch.configure(&format!("[budget]\nbilling = \"subscription\"\ntokens_per_day = {cap}\n"));
    let run = engine(&scratch, &endless(&scratch, FREE));
    run.until_printed("call.waiting");
    let waits = || why(&scratch, &["--json"]).contains(ReasonKind::TokenCapReached.name()).then_some(());
    assert!(wait_for(Duration::from_secs(30), waits).is_some(), "{}\n{}", why(&scratch, &[]), run.stderr());
    let (micro, tokens) = billed(&scratch);
    assert_eq!(micro, 0);
    assert!(tokens <= cap && tokens > cap / 2, "{tokens} tokens");
    run.kill();
    let status = &asked(&scratch, "status")["simulated_tokens"];
    let known = status["day"].as_i64().expect("a sum") + status["reserved"].as_i64().expect("a sum");
    assert!(status["cap_day"] == cap && known <= cap && known >= tokens, "{status}, {tokens} billed");
    let report = asked(&scratch, "doctor");
    let checks = report["checks"].as_array().expect("a list");
    let is_of_tokens =
        |check: &&Value| check["found"].as_str().is_some_and(|found| found.contains("#tokens: "));
    let ledger = checks.iter().find(is_of_tokens).unwrap_or_else(|| panic!("{report}"));
    assert_eq!((&ledger["name"], &ledger["status"]), (&json!("ledger"), &json!("ok")), "{report}");
}

#[test]
fn a_cap_that_is_lowered_below_what_is_spent_stops_the_task_that_runs_at_its_next_reservation() {
    let scratch = Scratch::new();
    scratch.configure("[budget]\nper_hour = \"100\"\nper_task = \"0\"\n");
    let run = engine(&scratch, &endless(&scratch, DEAR));
    assert!(wait_for(LIMIT, || (billed(&scratch).0 > 800_000).then_some(())).is_some(), "{}", run.stderr());
    scratch.configure("[budget]\nper_hour = \"0.70\"\nper_task = \"0\"\n");
    run.until_printed("call.waiting");
    let changed_ms = scratch.read(async |reader| {
        let events = reader.last_events(1_000).await.expect("events are read");
        let changed = events.iter().filter(|event| event.kind.name() == "cap.changed");
        changed.map(|event| event.at_ms).max().expect("the cap was changed")
    });
    let last_ms = scratch.calls().iter().map(|call| call.created_ms).max().expect("there are calls");
    assert!(last_ms <= changed_ms, "money was set aside at {last_ms}, the cap was lowered at {changed_ms}");
    let reached = || why(&scratch, &["--json"]).contains(ReasonKind::CapReached.name()).then_some(());
    assert!(wait_for(Duration::from_secs(30), reached).is_some(), "{}", why(&scratch, &[]));
    run.kill();
}

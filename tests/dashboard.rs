//! The pages in a process of their own: what the engine says while it runs, what the store says when it does not.

use std::time::Duration;

use glitchlab_domain::task::TaskState;
use serde_json::Value;

use crate::support::{LIMIT, Run, Scratch, bead, get, text, wait_for};

fn json(address: &str, path: &str) -> Value {
    let answer = get(address, path);
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    serde_json::from_str(body).unwrap_or_default()
}

fn activity(address: &str) -> String {
    json(address, "/api/v1/state")["activity"].as_str().unwrap_or_default().to_owned()
}

fn until(address: &str, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    wait_for(Duration::from_secs(60), || Some(json(address, path)).filter(|value| is_so(value)))
        .unwrap_or_else(|| panic!("{path}: {}", get(address, path)))
}

fn open(scratch: &Scratch, backlog: &str) -> Run {
    let (repo, store) = (scratch.repo(), scratch.store());
    let place = ["dashboard", "--repo", text(&repo), "--store", text(&store), "--backlog", backlog];
    let output = scratch.path().join("pages");
    std::fs::create_dir_all(&output).expect("a folder");
    scratch.launch_into(&output, &[&place[..], &["--listen", "127.0.0.1:0"]].concat())
}

#[test]
fn the_same_pages_are_served_beside_an_engine_and_after_its_end() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&(bead("d-1", 1, "") + &bead("d-2", 2, "")));
    let own = ["--model", "simulated/fast", "--test", "sleep 1", "--merge", "when_green", "--max-open", "0"];
    let engine = scratch.start(&[&own[..], &["--backlog", text(&backlog)]].concat());
    engine.until_printed("http://");
    let (there, pages) = (engine.address(), open(&scratch, text(&backlog)));
    let here = pages.address();
    let boot = |value: &Value| value["engine"]["boot_id"].as_str().unwrap_or_default().to_owned();
    let own = boot(&json(&there, "/api/v1/state"));
    until(&here, "/api/v1/state", |state| boot(state) == own);
    let tree = until(&here, "/api/v1/actors", |tree| tree["root"]["path"] == "glitchlab");
    let shape = |tree: &Value| {
        let mut children = tree["root"]["children"].clone();
        keep_paths(&mut children);
        children
    };
    assert_eq!(shape(&tree), shape(&json(&there, "/api/v1/actors")));
    let is_shown = || get(&here, "/actors").contains("glitchlab/watchdog").then_some(());
    assert!(wait_for(LIMIT, is_shown).is_some(), "the tree is on the page");
    let is_done =
        || scratch.try_tasks().filter(|tasks| tasks.iter().all(|task| task.state == TaskState::Completed));
    assert!(wait_for(LIMIT, is_done).is_some());

    let metrics = get(&here, "/metrics");
    assert!(
        metrics.starts_with("HTTP/1.1 404") && metrics.contains("ask the engine's own address"),
        "{metrics}"
    );
    assert!(get(&there, "/metrics").contains("glitchlab_tasks_total{status=\"completed\"} 2"));

    engine.signal("TERM");
    let _ended = engine.wait().expect_code(0);
    let stopped = until(&here, "/api/v1/state", |state| state["activity"] == "stopped");
    assert!(stopped["as_of_ms"].as_i64().expect("an instant") > 0, "{stopped}");
    assert_eq!(stopped["queue"]["completed"], 2);
    let page = get(&here, "/");
    assert!(page.contains("The engine is stopped"), "{page}");
    assert!(get(&here, "/tasks").contains("d-1"), "the history is there");
    assert_eq!(activity(&here), "stopped");
    let has_gone = || get(&here, "/actors").contains("No actor runs here").then_some(());
    assert!(wait_for(LIMIT, has_gone).is_some(), "a tree that has ended is not shown");
    pages.signal("TERM");
    let _ended = pages.wait().expect_code(0);
}

/// Leaves of a tree only what does not move.
fn keep_paths(nodes: &mut Value) {
    for node in nodes.as_array_mut().into_iter().flatten() {
        let mut children = node["children"].take();
        keep_paths(&mut children);
        *node = serde_json::json!({ "path": node["path"], "restart": node["restart"], "children": children });
    }
}

#[test]
fn without_a_store_it_says_that_no_engine_has_run() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&bead("d-1", 1, ""));
    let ended = open(&scratch, text(&backlog)).wait().expect_code(4);
    assert!(ended.stderr.contains("no engine has run here"), "{}", ended.stderr);
}

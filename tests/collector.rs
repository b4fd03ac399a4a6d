//! What receivers that we did not write make of our telemetry: an OpenTelemetry Collector and `otelsink`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use glitchlab_domain::task::TaskRow;

use crate::support::server::{Server, free_address};
use crate::support::{LIMIT, Run, Scratch, bead, skipped, text, wait_for};

/// What `cargo xtask tools` has installed.
fn tool(name: &str) -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_BIN_EXE_glitchlab")).ancestors().nth(2)?;
    Some(target.join("tools").join(name)).filter(|program| program.is_file())
}

/// Starts the Collector; none where it is not installed.
fn collector(scratch: &Scratch) -> Option<Server> {
    let (program, address) = (tool("otelcol")?, free_address());
    let settings = scratch.path().join("otelcol.yaml");
    fs::write(&settings, include_str!("data/otelcol.yaml").replace("127.0.0.1:4318", &address))
        .expect("a file");
    let mut command = Command::new(program);
    command.arg("--config").arg(&settings);
    Server::start(command, address, scratch.path().join("otelcol.txt"))
}

/// A span as the Collector prints it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Span {
    id: String,
    trace: String,
    parent: String,
    name: String,
    attributes: BTreeMap<String, String>,
}

/// The spans that the Collector has printed, by their ids.
fn spans(printed: &str) -> BTreeMap<String, Span> {
    let blocks = printed.split("\nSpan #").skip(1);
    let span = |block: &str| {
        let mut span = Span::default();
        for line in block.lines().skip(1) {
            if line.starts_with("ResourceSpans")
                || line.starts_with("ScopeSpans")
                || line.contains("\tinfo\t")
            {
                break;
            }
            let Some((key, value)) = line.split_once(": ") else { continue };
            let value = value.trim().to_owned();
            match key.trim() {
                "Trace ID" => span.trace = value,
                "Parent ID" => span.parent = value,
                "ID" => span.id = value,
                "Name" => span.name = value,
                key => {
                    if let Some(name) = key.strip_prefix("-> ") {
                        span.attributes.insert(name.to_owned(), value);
                    }
                }
            }
        }
        (span.id.clone(), span)
    };
    blocks.map(span).collect()
}

/// Of these, the simulated model splits the first two.
const TASKS: [&str; 6] = ["c-24", "c-53", "c-1", "c-2", "c-3", "c-4"];

fn tasks(scratch: &Scratch) -> PathBuf {
    scratch.backlog(&TASKS.map(|id| bead(id, 2, "")).concat())
}

fn begin(scratch: &Scratch, backlog: &Path, endpoint: &str) -> Run {
    scratch.start(&[
        "--model",
        "simulated/fast?seed=5",
        "--test",
        "true",
        "--merge",
        "when_green",
        "--max-open",
        "0",
        "--workers",
        "2",
        "--until-idle",
        "--backlog",
        text(backlog),
        "--otlp-endpoint",
        endpoint,
    ])
}

#[test]
fn a_collector_gets_whole_traces_of_decomposed_tasks_across_a_kill_and_all_three_signals() {
    let scratch = Scratch::new();
    let Some(collector) = collector(&scratch) else {
        return skipped(
            "a_collector_gets_whole_traces",
            "the OpenTelemetry Collector is absent: `cargo xtask tools`",
        );
    };
    let backlog = tasks(&scratch);
    let first = begin(&scratch, &backlog, &collector.address);
    let is_split = || {
        let is_part_at_work = |task: &TaskRow| task.is_part() && task.runs > 0;
        scratch.try_tasks()?.iter().any(is_part_at_work).then_some(())
    };
    assert!(wait_for(LIMIT, is_split).is_some(), "nothing was split:\n{}", first.stderr());
    first.kill();
    let _ended = begin(&scratch, &backlog, &collector.address).wait().expect_code(0);

    let printed = collector.text();
    let spans = spans(&printed);
    let orphans: Vec<&Span> =
        spans.values().filter(|span| !span.parent.is_empty() && !spans.contains_key(&span.parent)).collect();
    assert_eq!(orphans, Vec::<&Span>::new());
    for task in scratch.tasks() {
        let name = format!("task {}", task.bead_id);
        let its =
            spans.values().find(|span| span.name == name).unwrap_or_else(|| panic!("{name} is not there"));
        assert_eq!(Some(&its.trace), task.trace_id.as_ref(), "{its:?}");
        let above = spans.get(&its.parent).map_or("", |above| above.name.as_str());
        assert_eq!(above, if task.is_part() { "decompose" } else { "" }, "{its:?}");
    }
    let of_step = spans.values().find(|span| span.name == "architect_triage").expect("a triage");
    for name in [
        "task_id",
        "agent",
        "model",
        "tokens.prompt",
        "tokens.completion",
        "tokens.total",
        "cost_usd",
        "status",
    ] {
        assert!(of_step.attributes.contains_key(&format!("glitchlab.{name}")), "{name}: {of_step:?}");
    }
    let of_gate: BTreeSet<_> = spans
        .values()
        .filter(|span| span.name == "budget_gate")
        .filter_map(|span| span.attributes.get("glitchlab.budget_gate.decision"))
        .collect();
    assert!(
        of_gate.contains(&"Str(decompose)".to_owned()) && of_gate.contains(&"Str(pass)".to_owned()),
        "{of_gate:?}"
    );
    for said in ["Name: glitchlab.tasks.total", "Name: glitchlab.cost.usd", "EventName: task.finished"] {
        assert!(printed.contains(said), "{said} did not arrive");
    }
}

#[test]
fn otelsink_records_all_three_signals() {
    let scratch = Scratch::new();
    let Some(program) = tool("python/bin/otelsink") else {
        return skipped("otelsink_records_all_three_signals", "otelsink is absent: `cargo xtask tools`");
    };
    // It knows one port only, which somebody may have.
    const PORT: u16 = 4318;
    if TcpListener::bind(("127.0.0.1", PORT)).is_err() {
        return skipped("otelsink_records_all_three_signals", "port 4318 is taken");
    }
    let mut command = Command::new(program);
    command.arg("--http").env("PYTHONUNBUFFERED", "1");
    let address = format!("127.0.0.1:{PORT}");
    let sink = Server::start(command, address, scratch.path().join("otelsink.txt")).expect("it is there");
    let backlog = scratch.backlog(&bead("a", 1, ""));
    let _ended = begin(&scratch, &backlog, &sink.address).wait().expect_code(0);
    let recorded = sink.text();
    for said in
        ["resourceSpans", "resourceMetrics", "resourceLogs", "'name': 'task a'", "glitchlab.tasks.total"]
    {
        assert!(recorded.contains(said), "{said} is not in what it recorded:\n{recorded}");
    }
}

//! What the program tells a receiver and its log, whatever the receiver does.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use glitchlab_domain::task::TaskState;
use glitchlab_domain::trace::attempt_span;
use serde_json::Value;

use crate::support::receiver::{Manner, Receiver, attribute};
use crate::support::{LIMIT, Run, Scratch, bead, get, text, wait_for};

/// Merges what is green, whatever it costs.
const ON: [&str; 4] = ["--merge", "when_green", "--max-open", "0"];

fn lines(stderr: &str) -> Vec<Value> {
    stderr.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

fn field<'a>(line: &'a Value, name: &str) -> &'a str {
    line[name].as_str().unwrap_or_default()
}

fn health(run: &Run) -> Value {
    let answer = get(&run.address(), "/api/v1/health");
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    serde_json::from_str(body).unwrap_or_default()
}

fn until_telemetry_is(run: &Run, state: &str) -> Value {
    let found = || Some(health(run)).filter(|health| health["telemetry"]["state"] == state);
    wait_for(LIMIT, found).unwrap_or_else(|| panic!("{}\n{}", health(run), run.stderr()))
}

fn until_completed(scratch: &Scratch, run: &Run) {
    let is_done =
        || scratch.try_tasks().filter(|tasks| tasks.iter().all(|task| task.state == TaskState::Completed));
    assert!(wait_for(LIMIT, is_done).is_some(), "{}", run.stderr());
}

#[test]
fn grep_by_a_tasks_trace_gives_its_whole_story_across_a_kill() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&(bead("a", 1, "") + &bead("b", 2, "")));
    let flag = scratch.path().join("go");
    let test = format!("while ! test -f {}; do sleep 0.05; done", text(&flag));
    let own = ["--model", "simulated/fast?seed=3", "--test", &test, "--workers", "2", "--until-idle"];
    let arguments = [&own[..], &ON, &["--backlog", text(&backlog)]].concat();
    let debug = [("GLITCHLAB_LOG", "debug")];

    let first = scratch.start_with(&debug, &arguments);
    first.until_printed("child.started");
    let before = first.stderr();
    first.kill();
    std::fs::write(&flag, "").expect("the tests may pass now");
    let after = scratch.start_with(&debug, &arguments).wait().expect_code(0).stderr;

    for (task, attempts) in [("a", scratch.attempts_of("a")), ("b", scratch.attempts_of("b"))] {
        let trace = attempts[0].trace_id.clone().expect("it was claimed");
        let [before, after] = [&before, &after].map(|text| {
            // The kill may have cut the last line.
            let whole = text.rsplit_once('\n').map(|(whole, _)| whole).unwrap_or_default();
            let lines = lines(whole).into_iter();
            lines.filter(|line| field(line, "task") == task).collect::<Vec<_>>()
        });
        for line in before.iter().chain(&after) {
            assert_eq!(field(line, "trace_id"), trace, "{line}");
        }
        let spans: BTreeSet<_> =
            attempts.iter().map(|row| attempt_span(&row.attempt_id).to_string()).collect();
        let told = |lines: &[Value], event: &str| {
            let line = lines.iter().find(|line| field(line, "event") == event);
            let line = line.unwrap_or_else(|| panic!("{task}: {event} is not told in {lines:#?}"));
            assert!(spans.contains(field(line, "span_id")), "{line}");
        };
        told(&before, "task.claimed");
        told(&after, "attempt.resumed");
        told(&after, "task.finished");
    }
}

#[test]
fn a_receiver_gets_every_named_line_once_with_the_trace_of_its_task_and_the_way_there_tells_nothing() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&(bead("a", 1, "") + &bead("b", 2, "")));
    let receiver = Receiver::new(Manner::Takes);
    let endpoint = receiver.endpoint();
    let variables = [("GLITCHLAB_LOG", "debug"), ("GLITCHLAB_TELEMETRY_OTLP_ENDPOINT", endpoint.as_str())];
    let own =
        ["--model", "simulated/fast?seed=3", "--test", "true", "--until-idle", "--backlog", text(&backlog)];
    let ended = scratch.start_with(&variables, &[&own[..], &ON].concat()).wait().expect_code(0);

    let agent = concat!("glitchlab/", env!("CARGO_PKG_VERSION"));
    let is_ours = |(name, value): &(String, String)| name == "user-agent" && value == agent;
    assert!(receiver.posted().iter().all(|posted| posted.headers.iter().any(is_ours)));
    let records = receiver.logs();
    let is_of_the_way = |target: &str| {
        ["hyper", "h2", "opentelemetry", "tower", "tonic", "glitchlab_telemetry"]
            .iter()
            .any(|carrier| target.starts_with(carrier))
    };
    assert!(records.iter().all(|(target, _)| !is_of_the_way(target)));
    let written = lines(&ended.stderr);
    assert!(records.len() <= written.len() && written.len() < 5_000, "{} {}", records.len(), written.len());
    let names: BTreeSet<&str> = records.iter().map(|(_, record)| record.event_name.as_str()).collect();
    let is_named = |line: &&Value| field(line, "event").contains('.');
    for line in written.iter().filter(is_named) {
        assert!(names.contains(field(line, "event")), "{line}");
    }
    for task in scratch.tasks() {
        let id = task.bead_id.to_string();
        let of_task = |attributes| attribute(attributes, "glitchlab.task_id").as_deref() == Some(id.as_str());
        let its = records.iter().filter(|(_, record)| of_task(&record.attributes));
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let traces: BTreeSet<_> = its.map(|(_, record)| hex(&record.trace_id)).collect();
        assert_eq!(traces, BTreeSet::from([task.trace_id.expect("it was claimed")]), "{id}");
    }
    let resource = receiver.resources().pop().expect("a resource");
    for key in ["service.version", "service.instance.id", "host.name", "process.pid"] {
        assert!(attribute(&resource.attributes, key).is_some(), "{key}");
    }
    assert_eq!(attribute(&resource.attributes, "service.name").as_deref(), Some("glitchlab"));
}

#[test]
fn messages_are_children_of_their_senders() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&bead("a", 1, ""));
    let receiver = Receiver::new(Manner::Takes);
    let endpoint = receiver.endpoint();
    let variables =
        [("GLITCHLAB_TELEMETRY_MESSAGES", "1"), ("GLITCHLAB_TELEMETRY_OTLP_ENDPOINT", endpoint.as_str())];
    let own =
        ["--model", "simulated/fast?seed=3", "--test", "true", "--until-idle", "--backlog", text(&backlog)];
    let ended = scratch.start_with(&variables, &[&own[..], &ON].concat()).wait().expect_code(0);
    let spans = receiver.spans();
    let handled: Vec<_> =
        spans.iter().filter(|span| attribute(&span.attributes, "actor").is_some()).collect();
    let known: BTreeSet<_> = spans.iter().map(|span| (&span.trace_id, &span.span_id)).collect();
    let attempts = scratch.attempts_of("a");
    let attempts: BTreeSet<_> =
        attempts.iter().map(|row| attempt_span(&row.attempt_id).to_bytes().to_vec()).collect();
    assert!(!handled.is_empty(), "{}", ended.stderr);
    for span in &handled {
        let is_known = known.contains(&(&span.trace_id, &span.parent_span_id));
        assert!(is_known || attempts.contains(&span.parent_span_id), "{span:?}");
    }
    let of_messages: BTreeSet<_> = handled.iter().map(|span| &span.span_id).collect();
    let is_of_a_message = |parent| of_messages.contains(parent);
    assert!(handled.iter().any(|span| is_of_a_message(&span.parent_span_id)), "one message leads to another");
}

#[test]
fn what_is_said_to_models_and_by_them_leaves_only_where_it_is_asked_for_and_without_secrets() {
    let secret = format!("ghp_{}", "x1".repeat(18));
    let line = bead("a", 1, &format!(r#","description":"Log in with {secret} first.""#));
    let said = |variables: &[(&str, &str)]| {
        let scratch = Scratch::new();
        let backlog = scratch.backlog(&line);
        let receiver = Receiver::new(Manner::Takes);
        let endpoint = receiver.endpoint();
        let variables = [variables, &[("GLITCHLAB_TELEMETRY_OTLP_ENDPOINT", endpoint.as_str())]].concat();
        let own = [
            "--model",
            "simulated/fast?seed=3",
            "--test",
            "true",
            "--until-idle",
            "--backlog",
            text(&backlog),
        ];
        scratch.start_with(&variables, &[&own[..], &ON].concat()).wait().expect_code(0);
        let spans = receiver.spans();
        let chats = spans.iter().filter(|span| span.name.starts_with("chat "));
        let words = ["gen_ai.input.messages", "gen_ai.output.messages"];
        let said = chats.map(|span| words.map(|name| attribute(&span.attributes, name)));
        (said.collect::<Vec<_>>(), format!("{spans:?}").contains(&secret))
    };
    let (silent, is_leaked) = said(&[]);
    assert!(!silent.is_empty() && silent.iter().flatten().all(Option::is_none) && !is_leaked);
    let (open, is_leaked) = said(&[("GLITCHLAB_TELEMETRY_PROMPTS", "true")]);
    let [asked, answered] = [0, 1].map(|place| open.iter().filter_map(move |said| said[place].as_deref()));
    let asked: Vec<_> = asked.collect();
    assert_eq!(asked.len(), open.len());
    assert!(asked.iter().all(|asked| asked.contains(r#""role":"system""#)), "{}", asked[0]);
    assert!(asked.iter().any(|asked| asked.contains("Log in with [redacted] first.")), "{}", asked[0]);
    assert!(answered.count() > 2 && !is_leaked);
}

#[test]
fn whatever_a_receiver_does_the_work_goes_on_and_the_end_is_in_time() {
    let manners = [
        (None, "Connection refused"),
        (Some(Manner::IsSilent), "no answer within 1000 ms"),
        (Some(Manner::IsSlow(Duration::from_secs(20))), "no answer within 1000 ms"),
        (Some(Manner::Answers(429, Some(30))), "status 429"),
        (Some(Manner::Answers(503, None)), "status 503"),
    ];
    for (manner, what) in manners {
        let scratch = Scratch::new();
        let backlog = scratch.backlog(&(bead("a", 1, "") + &bead("b", 2, "")));
        let receiver = manner.map(Receiver::new);
        let endpoint = receiver.as_ref().map_or_else(|| "127.0.0.1:9".to_owned(), Receiver::endpoint);
        let own = ["--model", "simulated/fast?seed=3", "--test", "true", "--backlog", text(&backlog)];
        let given = ["--otlp-endpoint", endpoint.as_str()];
        let variables = [("OTEL_EXPORTER_OTLP_TIMEOUT", "1000")];
        let run = scratch.start_with(&variables, &[&own[..], &ON, &given].concat());
        until_completed(&scratch, &run);
        let health = until_telemetry_is(&run, "degraded");
        let told = health["telemetry"]["what"].as_str().unwrap_or_default();
        assert!(told.contains(" do not arrive") && told.contains(what), "{health}");
        assert_eq!(health["health"], "degraded");
        assert!(health["why"].as_str().is_some_and(|why| why.contains(what)), "{health}");
        assert!(get(&run.address(), "/health").ends_with("degraded\n"));
        let status = scratch.command(&["status"]);
        assert!(status.contains("Telemetry is degraded: ") && status.contains(what), "{status}");
        let shown = || get(&run.address(), "/").contains("Telemetry is degraded").then_some(());
        assert!(wait_for(LIMIT, shown).is_some(), "it is on the page");

        run.signal("TERM");
        run.until_printed("engine.ended");
        let began = Instant::now();
        let ended = run.wait().expect_code(0);
        assert!(began.elapsed() < Duration::from_secs(6), "{what}: {:?}", began.elapsed());
        let told = ended.stderr.matches("telemetry.degraded").count();
        assert!((1..=2).contains(&told), "it was told {told} times\n{}", ended.stderr);
    }
}

#[test]
fn a_receiver_that_comes_back_is_told_once() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&bead("a", 1, ""));
    let receiver = Receiver::new(Manner::Answers(503, None));
    let endpoint = receiver.endpoint();
    let own = ["--model", "simulated/fast?seed=3", "--test", "true", "--backlog", text(&backlog)];
    let given = ["--otlp-endpoint", endpoint.as_str(), "--poll-interval", "1s"];
    let variables = [
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "500"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "300"),
        ("GLITCHLAB_LOG", "debug"),
    ];
    let run = scratch.start_with(&variables, &[&own[..], &ON, &given].concat());
    until_telemetry_is(&run, "degraded");
    receiver.behave(Manner::Takes);
    // Something must be sent for it to arrive.
    let backlog = scratch.backlog(&(bead("a", 1, "") + &bead("b", 2, "")));
    assert!(backlog.exists());
    until_telemetry_is(&run, "ok");
    run.signal("TERM");
    let ended = run.wait().expect_code(0);
    assert_eq!(ended.stderr.matches("telemetry.recovered").count(), 1, "{}", ended.stderr);
}

#[test]
fn what_a_receiver_refuses_of_what_it_took_is_counted_where_people_look() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&bead("a", 1, ""));
    let receiver = Receiver::new(Manner::TakesBut(2, 12));
    let endpoint = receiver.endpoint();
    let own = ["--model", "simulated/fast", "--test", "true", "--backlog", text(&backlog)];
    let run = scratch.start(&[&own[..], &ON, &["--otlp-endpoint", endpoint.as_str()]].concat());
    let lost = || health(&run)["telemetry"]["lost"].as_u64().filter(|lost| *lost >= 2);
    assert!(wait_for(LIMIT, lost).is_some(), "{}\n{}", health(&run), run.stderr());
    assert_eq!(health(&run)["telemetry"]["state"], "ok", "the rest arrived");
    run.signal("TERM");
    let ended = run.wait().expect_code(0);
    let told = lines(&ended.stderr).into_iter().filter(|line| field(line, "event") == "telemetry.refused");
    let told: Vec<_> = told.map(|line| line["message"].clone()).collect();
    assert!(told.iter().any(|told| told == "the receiver says: xxxxxxxxxxxx"), "{}", ended.stderr);
}

#[test]
fn what_is_wrong_with_a_standard_variable_is_told_before_anything_begins() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&bead("a", 1, ""));
    let own = ["--model", "simulated/fast", "--test", "true", "--until-idle", "--backlog", text(&backlog)];
    let run = |variables: &[(&str, &str)]| {
        scratch.start_with(variables, &[&own[..], &["--otlp-endpoint", "127.0.0.1:9"]].concat()).wait()
    };
    let wrong = [("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon")];
    let ended = run(&wrong).expect_code(78);
    assert!(ended.stderr.contains("OTEL_EXPORTER_OTLP_TIMEOUT: `soon` is no time in ms"), "{}", ended.stderr);
    assert!(ended.stderr.contains("carrier-pigeon"), "{}", ended.stderr);
    let dry = [&["--dry-run", "--otlp-endpoint", "ftp://127.0.0.1:9"][..], &own].concat();
    let ended = scratch.start(&dry).wait().expect_code(78);
    let told = "telemetry.otlp_endpoint (--otlp-endpoint): its scheme is neither http nor https";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    let ended = run(&[("OTEL_SDK_DISABLED", "true")]).expect_code(0);
    assert!(!ended.stderr.contains("telemetry.degraded"), "{}", ended.stderr);
}

#[test]
fn log_lines_are_for_people_when_they_are_asked_to_be() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&bead("a", 1, ""));
    let own = ["--model", "simulated/fast", "--test", "true", "--until-idle", "--backlog", text(&backlog)];
    let ended = scratch.start(&[&own[..], &["--log-format", "human"]].concat()).wait().expect_code(0);
    assert!(ended.stderr.contains(" INFO  task.claimed a Claimed by worker-1"), "{}", ended.stderr);
}

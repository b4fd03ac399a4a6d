use glitchlab_domain::event::{About, Event, EventId, EventKind};
use glitchlab_domain::ledger::Usage;
use glitchlab_domain::trace::Material;
use serde_json::{Value as Json, json};

use super::super::{all, ended};
use super::*;

fn attempt() -> Json {
    json!({
        "attempt_id": "a", "task_key": "t", "bead_id": "gl-1", "root_key": "t",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "n": 1, "generation": 0, "slot": "worker-1", "boot_id": "b",
        "model": "simulated/fast", "simulated": true, "size": null, "branch": "br", "hold": 1, "tokens": 0, "cost": 0,
        "status": null, "failure": null, "detail": "", "files_changed": 0, "crashes": 0, "waiting": null,
        "started_ms": 0, "ended_ms": null,
    })
}

/// A row as an engine wrote it that knew nothing of what is said beside the text.
fn old() -> Json {
    json!({
        "key": {"attempt_id": "a", "step_n": 0, "call_no": 0, "try_no": 0}, "scope": "s", "task_key": "t",
        "root_key": "t", "stage": "planner", "model": "simulated/fast", "boot_id": "b", "fence": "f",
        "input_hash": "", "reply": "yes", "state": "settled", "bound": 9, "actual": 3, "max_out": 512,
        "input_tokens": 40, "output_tokens": 5, "ok": true, "error": null, "latency_ms": 1, "created_ms": 1,
        "settled_ms": 2,
    })
}

fn answered(state: &str) -> Json {
    let mut call = old();
    call["state"] = json!(state);
    call["response"] = json!({
        "id": "sim-1", "model": "fast-2", "finish_reasons": ["stop"], "cache": {"read_tokens": 30, "written_tokens": 10},
    });
    call
}

fn span(call: Json) -> Span {
    let attempts = vec![serde_json::from_value(attempt()).unwrap()];
    let calls = vec![serde_json::from_value(call).unwrap()];
    let spans = all(&Material { attempts, calls, ..Material::default() });
    spans.into_iter().find(|span| span.name.starts_with("chat")).unwrap()
}

#[test]
fn a_chat_says_who_answered_why_it_ended_and_what_came_from_the_cache() {
    let span = span(answered("settled"));
    assert_eq!(span.text("gen_ai.request.model"), Some("fast"));
    assert_eq!(span.text("gen_ai.response.model"), Some("fast-2"));
    assert_eq!(span.text("gen_ai.response.id"), Some("sim-1"));
    let reasons = ("gen_ai.response.finish_reasons", super::super::Value::Texts(vec!["stop".to_owned()]));
    assert!(span.attributes.contains(&reasons), "{:?}", span.attributes);
    let tokens = [
        "input_tokens",
        "cache_read.input_tokens",
        "cache_creation.input_tokens",
        "cache_write.input_tokens",
    ];
    let tokens = tokens.map(|name| span.number(&format!("gen_ai.usage.{name}")));
    assert_eq!(tokens, [40, 30, 10, 10].map(|tokens| Some(f64::from(tokens))));
}

/// The span that an exporter sends when the call is settled.
fn sent(call: Json, redact: Option<&Redact>) -> Span {
    let call: CallRow = serde_json::from_value(call).unwrap();
    let kind = EventKind::BudgetSettled {
        model: String::new(),
        stage: None,
        bound: call.bound,
        actual: call.bound,
        input_tokens: 0,
        output_tokens: 0,
        charged_tokens: 0,
        latency_ms: 0,
        ok: true,
        unknown: false,
        usage: Usage::default(),
        key: Some(call.key.clone()),
    };
    let id = EventId { boot_id: "b".into(), seq: 1 };
    let attempts = vec![serde_json::from_value(attempt()).unwrap()];
    let material = Material { attempts, calls: vec![call], ..Material::default() };
    ended(&[Event { id, at_ms: 2, about: About::default(), kind }], &material, redact).remove(0)
}

#[test]
fn what_was_said_is_told_only_where_it_is_asked_for_and_then_without_secrets() {
    let mut call = answered("settled");
    call["prompt"] = json!([{"role": "system", "text": "be brief"}, {"role": "user", "text": "s3cret?"}]);
    call["reply"] = json!("not s3cret");
    let silent = sent(call.clone(), None);
    assert!(
        !silent.attributes.iter().any(|(name, _)| name.ends_with(".messages")),
        "{:?}",
        silent.attributes
    );

    let redact: Redact = std::sync::Arc::new(|text: &str| text.replace("s3cret", "[redacted]"));
    let open = sent(call, Some(&redact));
    let message =
        |role: &str, text: &str| json!({"role": role, "parts": [{"type": "text", "content": text}]});
    let read = |name: &str| serde_json::from_str::<Json>(open.text(name).unwrap()).unwrap();
    let asked = json!([message("system", "be brief"), message("user", "[redacted]?")]);
    assert_eq!(read("gen_ai.input.messages"), asked);
    let mut said = message("assistant", "not [redacted]");
    said["finish_reason"] = json!("stop");
    assert_eq!(read("gen_ai.output.messages"), json!([said]));
}

#[test]
fn a_call_whose_prompt_was_not_kept_tells_its_reply_alone() {
    let redact: Redact = std::sync::Arc::new(str::to_owned);
    let span = sent(old(), Some(&redact));
    assert_eq!(span.text("gen_ai.input.messages"), None);
    assert!(span.text("gen_ai.output.messages").unwrap().contains("yes"));
}

#[test]
fn what_a_row_of_an_earlier_engine_does_not_know_is_left_out() {
    let span = span(old());
    let is_new = |name: &str| name.starts_with("gen_ai.response") || name.starts_with("gen_ai.usage.cache");
    assert!(!span.attributes.iter().any(|(name, _)| is_new(name)), "{:?}", span.attributes);
    assert_eq!(span.number("gen_ai.usage.input_tokens"), Some(40.0));
}

#[test]
fn usage_that_nobody_knows_says_nothing_of_the_cache() {
    let span = span(answered("unknown"));
    assert_eq!(span.text("gen_ai.response.id"), Some("sim-1"), "the reply came");
    assert!(!span.attributes.iter().any(|(name, _)| name.contains("cache")), "{:?}", span.attributes);
}

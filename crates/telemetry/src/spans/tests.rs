use glitchlab_domain::bead::BeadId;
use glitchlab_domain::event::{About, EventId};
use glitchlab_domain::task::{Round, SourceTask, TaskState};
use serde_json::json;

use super::*;
use crate::names::attribute;

/// A task that was given up once, opened again, and merged.
fn twice() -> TaskRow {
    let key = TaskKey::of("repo", &BeadId::from("gl-1"));
    let source: SourceTask = serde_json::from_value(json!({
        "key": key, "repo_id": "repo", "bead_id": "gl-1", "source": "beads", "parent": null, "title": "x".repeat(10_000),
        "body": "", "priority": 1, "kind": "task", "labels": [], "created_ms": 0, "state": "open", "rev": "1",
    }))
    .unwrap();
    let round = |accepted_ms, over_ms, state, why: Option<&str>| Round {
        accepted_ms,
        over_ms,
        state,
        runs: 1,
        size: None,
        request: None,
        why: why.map(str::to_owned),
    };
    let failed = round(1_000, 2_000, TaskState::Failed, Some("the tests stay red"));
    let done = round(5_000, 9_000, TaskState::Completed, None);
    TaskRow {
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
        accepted_ms: Some(5_000),
        rounds: vec![failed, done],
        state: TaskState::Completed,
        ..source.into_row(0)
    }
}

fn material() -> Material {
    Material { tasks: vec![twice()], ..Material::default() }
}

#[test]
fn every_round_of_a_task_is_a_span_of_its_own_in_the_same_trace() {
    let spans = all(&material());
    let rounds: Vec<&Span> = spans.iter().filter(|span| span.name == "task gl-1").collect();
    let told = |span: &&Span| (span.start_ms, span.end_ms, span.text(attribute::STATUS).map(str::to_owned));
    assert_eq!(
        rounds.iter().map(told).collect::<Vec<_>>(),
        [(1_000, Some(2_000), Some("failed".to_owned())), (5_000, Some(9_000), Some("completed".to_owned()))]
    );
    assert_ne!(rounds[0].span_id, rounds[1].span_id);
    assert_eq!(rounds[0].error.as_deref(), Some("the tests stay red"));
    assert_eq!(rounds[1].error, None, "what went wrong before is not told again");
}

#[test]
fn the_end_of_an_earlier_round_is_told_although_the_task_was_opened_since() {
    let finished = EventKind::TaskClosed { why: "merged".to_owned(), merged: true };
    let about = About { task_key: Some(twice().key), ..About::default() };
    let event = |at_ms| Event {
        id: EventId { boot_id: "b".into(), seq: 1 },
        at_ms,
        about: about.clone(),
        kind: finished.clone(),
    };
    let ended = |at_ms| ended(&[event(at_ms)], &material(), None);
    assert_eq!(ended(2_000).first().map(|span| span.start_ms), Some(1_000));
    assert_eq!(ended(9_000).first().map(|span| span.start_ms), Some(5_000));
    assert_eq!(ended(3_000), []);
}

#[test]
fn a_text_that_a_receiver_could_refuse_is_cut() {
    let spans = all(&material());
    let title = spans[1].text(attribute::TITLE).unwrap();
    assert!(title.len() < 5_000 && title.ends_with('…'), "{}", title.len());
}

#[test]
fn the_tree_says_where_a_span_is_missing() {
    let mut spans = all(&material());
    spans[1].parent = Some(glitchlab_domain::trace::attempt_span(&AttemptId::from("gone")));
    let drawn = tree(&spans);
    assert!(drawn.contains("task gl-1 (1.0 s, failed), under a span that is not there\n"), "{drawn}");
    assert!(drawn.contains("task gl-1 (4.0 s, completed)\n"), "{drawn}");
}

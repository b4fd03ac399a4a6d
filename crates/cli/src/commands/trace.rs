//! `glitchlab trace ID`: the trace of a task, from the store, as an OpenTelemetry receiver would show it.

use std::process::ExitCode;

use anyhow::{Context, anyhow};
use glitchlab_domain::task::TaskRow;
use glitchlab_store::{Reader, StoreError};
use glitchlab_telemetry::spans::{self, Span};
use serde_json::{Map, Value, json};

use super::alone;
use crate::args::Named;
use crate::exit::{Code, OrStop, Stop};
use crate::here::Here;
use crate::output::{one_line, say};
use crate::times;

/// Runs the command.
///
/// # Errors
///
/// Returns why the store cannot be read, or that there is no such trace.
pub(crate) fn run(named: &Named) -> Result<ExitCode, Stop> {
    alone(trace(named))?
}

async fn trace(named: &Named) -> Result<ExitCode, Stop> {
    let here = Here::open(&named.place).await?;
    let none = || {
        let id = one_line(&named.id);
        let what = "a trace is named by its task, or by eight digits of its own id at least; a task has one from its first attempt on";
        Stop::new(Code::Usage, anyhow!("there is no trace of `{id}`: {what}"))
    };
    let reader = here.reader.as_ref().ok_or_else(none)?;
    let task = find(reader, &here.repo_id, &named.id).await.or_stop(Code::Configuration)?.ok_or_else(none)?;
    let material = reader.whole_trace(&here.repo_id, &task.root_key).await.or_stop(Code::Configuration)?;
    let mut spans = spans::all(&material);
    spans.sort_by_key(|span| (span.start_ms, span.end_ms, span.span_id));
    let trace_id = task.trace_id.filter(|_| !spans.is_empty()).ok_or_else(none)?;
    if named.place.json {
        let told = json!({ "trace_id": trace_id, "spans": spans.iter().map(told).collect::<Vec<_>>() });
        say(&serde_json::to_string_pretty(&told).context("spans are plain data")?);
    } else {
        spans.iter_mut().for_each(|span| span.name = one_line(&span.name));
        say(&format!("Trace {trace_id}\n{}", spans::tree(&spans).trim_end()));
    }
    Ok(Code::Done.into())
}

/// The fewest digits of a trace's id that name it.
const DIGITS: usize = 8;

/// Finds a task by its own id, or by the first digits of the id of its trace.
async fn find(reader: &Reader, repo_id: &str, id: &str) -> Result<Option<TaskRow>, StoreError> {
    let tasks = reader.tasks(repo_id).await?;
    let digits = id.trim().to_ascii_lowercase();
    let by_trace = |task: &TaskRow| {
        digits.len() >= DIGITS
            && task.trace_id.as_deref().is_some_and(|trace_id| trace_id.starts_with(&digits))
    };
    let place =
        tasks.iter().position(|task| task.bead_id.as_str() == id).or_else(|| tasks.iter().position(by_trace));
    Ok(place.map(|place| tasks[place].clone()))
}

fn told(span: &Span) -> Value {
    let attributes: Map<String, Value> =
        span.attributes.iter().map(|(name, value)| ((*name).to_owned(), plain(value))).collect();
    json!({
        "span_id": span.span_id.to_string(),
        "parent_span_id": span.parent.map(|parent| parent.to_string()),
        "name": span.name,
        "kind": if span.is_client { "client" } else { "internal" },
        "start": times::instant(span.start_ms),
        "start_ms": span.start_ms,
        "end_ms": span.end_ms,
        "error": span.error,
        "attributes": attributes,
    })
}

fn plain(value: &spans::Value) -> Value {
    match value {
        spans::Value::Text(text) => json!(text),
        spans::Value::Texts(texts) => json!(texts),
        spans::Value::Int(number) => json!(number),
        spans::Value::Float(number) => json!(number),
        spans::Value::Bool(flag) => json!(flag),
    }
}

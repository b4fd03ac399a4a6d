//! Spans, made from rows. Nothing is measured twice and nothing is kept in memory until it ends: when a row says that
//! something ended, its span is made from that row, by whatever process is there then.

mod call;
mod export;
mod requests;
mod step;
mod tree;
mod whole;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use glitchlab_domain::event::{Event, EventKind};
use glitchlab_domain::id::{AttemptId, TaskKey, TryKey};
use glitchlab_domain::rows::{AttemptRow, CallRow, PurseRow, StepRow};
use glitchlab_domain::task::TaskRow;
use glitchlab_domain::trace::{Material, SpanId};

use crate::names::attribute;

pub use export::{data, scope};
pub use requests::requests;
pub use tree::tree;

/// One span.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The trace.
    pub trace_id: [u8; 16],
    /// Its own id.
    pub span_id: SpanId,
    /// The span above it; none for a root task.
    pub parent: Option<SpanId>,
    /// Its name.
    pub name: String,
    /// It is a request to something outside.
    pub is_client: bool,
    /// When it began, ms UTC.
    pub start_ms: i64,
    /// When it ended, ms UTC; none while it runs.
    pub end_ms: Option<i64>,
    /// What else is known.
    pub attributes: Vec<(&'static str, Value)>,
    /// What went wrong.
    pub error: Option<String>,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each is what it is named")]
pub enum Value {
    Text(String),
    Texts(Vec<String>),
    Int(i64),
    Float(f64),
    Bool(bool),
}

impl Span {
    /// Returns how many bytes of text it carries: nearly all that it takes in a request, when it is large.
    fn weight(&self) -> usize {
        let weigh = |value: &Value| match value {
            Value::Text(text) => text.len(),
            Value::Texts(texts) => texts.iter().map(String::len).sum(),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) => 0,
        };
        self.attributes.iter().map(|(_, value)| weigh(value)).sum()
    }

    /// Returns the text of an attribute.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find_map(|(key, value)| match value {
            Value::Text(text) if *key == name => Some(text.as_str()),
            _ => None,
        })
    }

    /// Returns the number of an attribute.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        self.attributes.iter().find_map(|(key, value)| match value {
            #[expect(clippy::cast_precision_loss, reason = "it is shown")]
            Value::Int(number) if *key == name => Some(*number as f64),
            Value::Float(number) if *key == name => Some(*number),
            _ => None,
        })
    }
}

/// Makes of what was said in a call what may leave the process: without secrets, as its owner knows them.
pub type Redact = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// Returns the spans that these events have ended, in their order; `material` holds what
/// [`Wanted`](glitchlab_domain::trace::Wanted) names for them. What is not there has no span. What was said in calls is
/// told only through `redact`.
#[must_use]
pub fn ended(events: &[Event], material: &Material, redact: Option<&Redact>) -> Vec<Span> {
    let rows = Rows { redact, ..Rows::of(material) };
    let mut spans = Vec::new();
    let mut known = HashSet::new();
    for event in events {
        spans.extend(rows.ended_by(event).into_iter().filter(|span| known.insert(span.span_id)));
    }
    spans
}

/// Returns all spans of some rows, also of what still runs.
#[must_use]
pub fn all(material: &Material) -> Vec<Span> {
    let rows = Rows::of(material);
    let tasks = material.tasks.iter();
    let tasks = tasks.flat_map(|task| rows.accepted(task).into_iter().chain(rows.task(task)).map(Some));
    let attempts = material.attempts.iter().map(|attempt| rows.attempt(attempt));
    let steps = material.steps.iter().map(|step| rows.step(step));
    let calls = material.calls.iter().map(|call| rows.call(call));
    tasks.chain(attempts).chain(steps).chain(calls).flatten().collect()
}

/// Rows by their keys.
struct Rows<'a> {
    tasks: HashMap<&'a TaskKey, &'a TaskRow>,
    attempts: HashMap<&'a AttemptId, &'a AttemptRow>,
    steps: HashMap<(&'a AttemptId, u32), &'a StepRow>,
    calls: HashMap<&'a TryKey, &'a CallRow>,
    calls_of: HashMap<(&'a AttemptId, u32), Vec<&'a CallRow>>,
    purses: HashMap<&'a TaskKey, &'a PurseRow>,
    redact: Option<&'a Redact>,
}

impl<'a> Rows<'a> {
    fn of(material: &'a Material) -> Self {
        let mut calls_of = HashMap::<_, Vec<_>>::new();
        for call in &material.calls {
            calls_of.entry((&call.key.attempt_id, call.key.step_n)).or_default().push(call);
        }
        Self {
            tasks: material.tasks.iter().map(|task| (&task.key, task)).collect(),
            attempts: material.attempts.iter().map(|row| (&row.attempt_id, row)).collect(),
            steps: material.steps.iter().map(|step| ((&step.attempt_id, step.n), step)).collect(),
            calls: material.calls.iter().map(|call| (&call.key, call)).collect(),
            calls_of,
            purses: material.purses.iter().map(|purse| (&purse.root_key, purse)).collect(),
            redact: None,
        }
    }

    fn ended_by(&self, event: &Event) -> Vec<Span> {
        let attempt = event.about.attempt_id.as_ref().and_then(|id| self.attempts.get(id));
        let task = event.about.task_key.as_ref().and_then(|key| self.tasks.get(key));
        let spans = match &event.kind {
            EventKind::StageFinished { n, .. } => {
                let key = event.about.attempt_id.as_ref().map(|id| (id, *n));
                vec![key.and_then(|key| self.steps.get(&key)).and_then(|step| self.step(step))]
            }
            EventKind::BudgetSettled { key, .. } => {
                vec![key.as_ref().and_then(|key| self.calls.get(key)).and_then(|call| self.call(call))]
            }
            EventKind::TaskClaimed { .. } => {
                let is_first = |task: &&&TaskRow| task.accepted_ms == Some(event.at_ms);
                vec![task.filter(is_first).and_then(|task| self.accepted(task))]
            }
            _ => {
                let attempt = attempt.filter(|attempt| attempt.ended_ms == Some(event.at_ms));
                let round = task.and_then(|task| {
                    let round = task.rounds.iter().find(|round| round.over_ms == event.at_ms)?;
                    self.round(task, round)
                });
                vec![attempt.and_then(|attempt| self.attempt(attempt)), round]
            }
        };
        spans.into_iter().flatten().filter(|span| span.end_ms.is_some()).collect()
    }

    /// The root's id in the backlog, by which all spans of a trace are one conversation.
    fn conversation(&self, root_key: &TaskKey) -> Option<&'a str> {
        self.tasks.get(root_key).map(|root| root.bead_id.as_str())
    }
}

/// Reads 32 hex digits.
fn trace_id(text: Option<&str>) -> Option<[u8; 16]> {
    let text = text.filter(|text| text.len() == 32 && text.is_ascii())?;
    let mut bytes = [0; 16];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(bytes)
}

/// The longest text of an attribute, in bytes; but what was said in a call is sent as it was kept.
const LONGEST: usize = 4_096;

/// Attributes in the making; what is not known is left out.
#[derive(Default)]
struct Attributes(Vec<(&'static str, Value)>);

impl Attributes {
    /// A long one is cut: a receiver limits its requests, and one text must not cost the others.
    fn text(mut self, name: &'static str, text: impl Into<String>) -> Self {
        let mut text = text.into();
        if text.len() > LONGEST && ![attribute::GENAI_INPUT, attribute::GENAI_OUTPUT].contains(&name) {
            text.truncate(text.floor_char_boundary(LONGEST));
            text.push('…');
        }
        if !text.is_empty() {
            self.0.push((name, Value::Text(text)));
        }
        self
    }

    fn maybe(self, name: &'static str, text: Option<impl Into<String>>) -> Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    /// Nothing is said by an empty list.
    fn texts(mut self, name: &'static str, texts: &[String]) -> Self {
        if !texts.is_empty() {
            self.0.push((name, Value::Texts(texts.to_vec())));
        }
        self
    }

    fn int(mut self, name: &'static str, number: impl TryInto<i64>) -> Self {
        self.0.push((name, Value::Int(number.try_into().unwrap_or(i64::MAX))));
        self
    }

    fn float(mut self, name: &'static str, number: f64) -> Self {
        self.0.push((name, Value::Float(number)));
        self
    }

    fn flag(mut self, name: &'static str, flag: bool) -> Self {
        self.0.push((name, Value::Bool(flag)));
        self
    }
}

#[cfg(test)]
mod tests;

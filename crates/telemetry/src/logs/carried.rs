//! Whose a line is: its task, its attempt, and the trace and span that these have in every receiver.

use tracing::Subscriber;
use tracing::span::{Attributes, Id};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, Scope};

use super::fields::Fields;

/// What a span hands to the lines inside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// The task's id in the backlog.
    pub task: Option<String>,
    /// The attempt's id.
    pub attempt: Option<String>,
    /// The trace, 32 hexadecimal digits.
    pub trace: Option<String>,
    /// The span in it, 16 hexadecimal digits.
    pub span: Option<String>,
}

impl Carried {
    /// Takes from another what this one lacks. A span belongs to its trace: it is not taken for another one.
    #[must_use]
    pub fn or(self, outer: &Self) -> Self {
        let is_same_trace = self.trace.is_none() || self.trace == outer.trace;
        let outer_span = outer.span.as_ref().filter(|_| is_same_trace);
        Self {
            task: self.task.or_else(|| outer.task.clone()),
            attempt: self.attempt.or_else(|| outer.attempt.clone()),
            span: self.span.or_else(|| outer_span.cloned()),
            trace: self.trace.or_else(|| outer.trace.clone()),
        }
    }

    fn is_whole(&self) -> bool {
        [&self.task, &self.attempt, &self.trace, &self.span].into_iter().all(Option::is_some)
    }
}

/// The layer that keeps what spans carry.
#[derive(Clone, Copy, Debug, Default)]
pub struct Carrying;

impl<S> Layer<S> for Carrying
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id).filter(|_| fields.own != Carried::default()) {
            span.extensions_mut().insert(fields.own);
        }
    }
}

/// Completes what an event says of itself by the spans around it, the innermost first.
pub fn carried<'a, S: LookupSpan<'a>>(own: Carried, around: Option<Scope<'a, S>>) -> Carried {
    let mut whole = own;
    for span in around.into_iter().flatten() {
        if whole.is_whole() {
            break;
        }
        if let Some(outer) = span.extensions().get::<Carried>() {
            whole = whole.or(outer);
        }
    }
    whole
}

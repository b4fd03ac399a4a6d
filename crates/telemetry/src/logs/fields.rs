//! What an event or a span says of itself.

use std::fmt;

use serde::Serialize;
use tracing::field::{Field, Visit};

use super::carried::Carried;

/// The fields of one event, sorted by what they mean.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields {
    /// What happened, for people.
    pub message: String,
    /// The event's name.
    pub event: Option<String>,
    /// Whose it is.
    pub own: Carried,
    /// All others that are not empty, in order.
    pub rest: Vec<(&'static str, Value)>,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A text.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// A whole number from 0 on.
    Count(u64),
    /// A number.
    Number(f64),
    /// Yes or no.
    Switch(bool),
}

impl Fields {
    /// Takes those of an event.
    #[must_use]
    pub fn of(event: &tracing::Event<'_>) -> Self {
        let mut fields = Self::default();
        event.record(&mut fields);
        fields
    }

    /// Returns the event's name: the one it gives itself, or that of its place in the code.
    #[must_use]
    pub fn name<'a>(&'a self, event: &tracing::Event<'a>) -> &'a str {
        let metadata = event.metadata();
        let own = Some(metadata.name()).filter(|name| !name.starts_with("event "));
        self.event.as_deref().or(own).unwrap_or(metadata.target())
    }

    fn text(&mut self, name: &'static str, text: String) {
        match name {
            "message" => self.message = text,
            _ if text.is_empty() => {}
            "event" => self.event = Some(text),
            "task" => self.own.task = Some(text),
            "attempt" => self.own.attempt = Some(text),
            "trace" => self.own.trace = Some(text),
            "span" => self.own.span = Some(text),
            _ => self.rest.push((name, Value::Text(text))),
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field.name(), format!("{value:?}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.rest.push((field.name(), Value::Whole(value)));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.rest.push((field.name(), Value::Count(value)));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.rest.push((field.name(), Value::Number(value)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.rest.push((field.name(), Value::Switch(value)));
    }
}

/// Writes a text as it is and everything else as a number or a word.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Whole(number) => number.fmt(f),
            Self::Count(number) => number.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Switch(is_on) => is_on.fmt(f),
        }
    }
}

//! Our spans in the form of the SDK.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{Array, InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::{Span, Value};
use crate::providers::SCOPE;

/// Returns the scope that all spans carry.
#[must_use]
pub fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(SCOPE).with_version(env!("CARGO_PKG_VERSION")).build()
}

/// Returns a span as the SDK exports it; none while it runs.
#[must_use]
pub fn data(span: Span, scope: &InstrumentationScope) -> Option<SpanData> {
    let end_time = time(span.end_ms?);
    let context = SpanContext::new(
        TraceId::from_bytes(span.trace_id),
        SpanId::from_bytes(span.span_id.to_bytes()),
        TraceFlags::SAMPLED,
        false,
        TraceState::default(),
    );
    let parent = span.parent.map_or(SpanId::INVALID, |parent| SpanId::from_bytes(parent.to_bytes()));
    Some(SpanData {
        span_context: context,
        parent_span_id: parent,
        parent_span_is_remote: false,
        span_kind: if span.is_client { SpanKind::Client } else { SpanKind::Internal },
        name: Cow::Owned(span.name),
        start_time: time(span.start_ms).min(end_time),
        end_time,
        attributes: span.attributes.into_iter().map(|(name, value)| attribute(name, value)).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: span.error.map_or(Status::Unset, Status::error),
        instrumentation_scope: scope.clone(),
    })
}

fn attribute(name: &'static str, value: Value) -> KeyValue {
    match value {
        Value::Text(text) => KeyValue::new(name, text),
        Value::Texts(texts) => {
            let texts = texts.into_iter().map(Into::into).collect();
            KeyValue::new(name, opentelemetry::Value::Array(Array::String(texts)))
        }
        Value::Int(number) => KeyValue::new(name, number),
        Value::Float(number) => KeyValue::new(name, number),
        Value::Bool(flag) => KeyValue::new(name, flag),
    }
}

fn time(ms: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

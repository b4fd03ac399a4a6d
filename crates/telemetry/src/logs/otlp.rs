//! Log records for a receiver. The usual bridge knows the trace only from a current span of the SDK; the spans of tasks are
//! made from what is stored, so here it comes from the event and the spans around it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, Severity};
use opentelemetry::{Context as Current, SpanId, TraceFlags, TraceId};
use opentelemetry_sdk::logs::{SdkLogRecord, SdkLogger};
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::{Carried, Fields, Value, carried};
use crate::health::{Clock, Health};
use crate::names::attribute;
use crate::providers::{QUEUE, Telemetry};
use crate::signal::Signal;

/// The layer that makes a record of each event.
pub struct LogRecords {
    logger: SdkLogger,
    clock: Clock,
    health: Health,
    emitted: AtomicU64,
    /// How many an exporter was given.
    exported: Arc<AtomicU64>,
    /// How many were told to be given up before they could be sent.
    overflowed: AtomicU64,
}

impl LogRecords {
    /// Makes the layer; none where no log records are sent.
    #[must_use]
    pub fn new(telemetry: &Telemetry, clock: Clock) -> Option<Self> {
        let (logger, exported) = telemetry.logger()?;
        let (emitted, overflowed) = (AtomicU64::new(0), AtomicU64::new(0));
        Some(Self { logger, clock, health: telemetry.health(), emitted, exported, overflowed })
    }

    /// The queue drops in silence what it has no room for: what neither was exported nor can wait is lost.
    fn count(&self) {
        let emitted = self.emitted.fetch_add(1, Relaxed) + 1;
        let known = self.exported.load(Relaxed) + QUEUE as u64;
        let lost = emitted.saturating_sub(known);
        let told = self.overflowed.fetch_max(lost, Relaxed);
        if lost > told {
            self.health.overflowed(Signal::Logs, lost - told);
        }
    }
}

impl<S> Layer<S> for LogRecords
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        if Current::is_current_telemetry_suppressed() {
            return;
        }
        let fields = Fields::of(event);
        let whose = carried(fields.own.clone(), context.event_scope(event));
        let mut record = self.logger.create_log_record();
        let now_ms = u64::try_from((self.clock)()).unwrap_or(0);
        record.set_timestamp(UNIX_EPOCH + Duration::from_millis(now_ms));
        let level = *event.metadata().level();
        record.set_severity_number(severity(level));
        record.set_severity_text(level.as_str());
        record.set_target(event.metadata().target().to_owned());
        if let Some(name) = interned(fields.name(event)) {
            record.set_event_name(name);
        }
        place(&mut record, whose);
        for (name, value) in fields.rest {
            record.add_attribute(name, any(value));
        }
        record.set_body(fields.message.into());
        self.logger.emit(record);
        self.count();
    }
}

/// Says whose a record is.
fn place(record: &mut SdkLogRecord, whose: Carried) {
    let trace = whose.trace.as_deref().and_then(|trace| TraceId::from_hex(trace).ok());
    let span = whose.span.as_deref().and_then(|span| SpanId::from_hex(span).ok());
    if let Some(trace) = trace {
        record.set_trace_context(trace, span.unwrap_or(SpanId::INVALID), Some(TraceFlags::SAMPLED));
    }
    if let Some(task) = whose.task {
        record.add_attribute(attribute::TASK_ID, task);
    }
    if let Some(attempt) = whose.attempt {
        record.add_attribute(attribute::ATTEMPT_ID, attempt);
    }
}

const fn severity(level: Level) -> Severity {
    match level {
        Level::TRACE => Severity::Trace,
        Level::DEBUG => Severity::Debug,
        Level::INFO => Severity::Info,
        Level::WARN => Severity::Warn,
        Level::ERROR => Severity::Error,
    }
}

fn any(value: Value) -> AnyValue {
    match value {
        Value::Text(text) => text.into(),
        Value::Whole(number) => number.into(),
        Value::Count(number) => i64::try_from(number).unwrap_or(i64::MAX).into(),
        Value::Number(number) => number.into(),
        Value::Switch(is_on) => is_on.into(),
    }
}

/// The most names of events; they are written in the code, and far fewer.
const NAMES: usize = 1_024;

/// Returns a name of an event as one that lives for ever, as a record wants it.
fn interned(name: &str) -> Option<&'static str> {
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = known.get(name) {
        return Some(known);
    }
    if known.len() >= NAMES {
        return None;
    }
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    known.insert(name);
    Some(name)
}

//! Log lines for machines: one JSON object each.

use std::fmt;

use serde::ser::{SerializeMap as _, Serializer as _};
use tracing::Subscriber;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::registry::LookupSpan;

use super::{Fields, carried};

/// The format of a line. Its keys, always in this order: `ts` (RFC 3339, UTC), `level`, `event`, `message`, then what is known
/// of `trace_id`, `span_id`, `task` and `attempt`, then all other fields.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonLines;

/// The keys that are ours: a field of the same name gets an underscore.
const OWN: [&str; 8] = ["ts", "level", "event", "message", "trace_id", "span_id", "task", "attempt"];

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> fmt::Result {
        let fields = Fields::of(event);
        let whose = carried(fields.own.clone(), context.event_scope());
        let mut at = String::new();
        SystemTime.format_time(&mut Writer::new(&mut at))?;
        let mut known = vec![
            ("ts", at.as_str()),
            ("level", event.metadata().level().as_str()),
            ("event", fields.name(event)),
            ("message", &fields.message),
        ];
        let about = [
            ("trace_id", &whose.trace),
            ("span_id", &whose.span),
            ("task", &whose.task),
            ("attempt", &whose.attempt),
        ];
        known.extend(about.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?))));
        let line = line(&known, &fields).map_err(|_| fmt::Error)?;
        writeln!(writer, "{line}")
    }
}

fn line(known: &[(&str, &str)], fields: &Fields) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::with_capacity(256);
    let mut serializer = serde_json::Serializer::new(&mut bytes);
    let mut map = serializer.serialize_map(None)?;
    for (key, value) in known {
        map.serialize_entry(key, value)?;
    }
    for (key, value) in &fields.rest {
        match OWN.contains(key) {
            true => map.serialize_entry(&format!("{key}_"), value)?,
            false => map.serialize_entry(key, value)?,
        }
    }
    map.end()?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

//! Log lines for people: the time, the level, the event's name, its task, then what happened and its fields.

use std::fmt;

use glitchlab_telemetry::logs::{Carried, Fields, carried};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::registry::LookupSpan;

use crate::output::one_line;

/// The format of a line.
pub(super) struct HumanLines;

impl<S, N> FormatEvent<S, N> for HumanLines
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> fmt::Result {
        let fields = Fields::of(event);
        let Carried { task, attempt, trace, .. } = carried(fields.own.clone(), context.event_scope());
        SystemTime.format_time(&mut writer)?;
        write!(writer, " {:5} {}", event.metadata().level(), fields.name(event))?;
        if let Some(task) = task {
            write!(writer, " {}", one_line(&task))?;
        }
        write!(writer, " {}", one_line(&fields.message))?;
        for (name, value) in [("attempt", attempt), ("trace", trace)] {
            if let Some(value) = value {
                write!(writer, " {name}={}", one_line(&value))?;
            }
        }
        for (name, value) in &fields.rest {
            write!(writer, " {name}={}", one_line(&value.to_string()))?;
        }
        writeln!(writer)
    }
}

//! Log lines on stderr: the time, the level, the event's name, then what happened and its fields.

use std::fmt::{self, Write as _};

use glitchlab_actors::activation::Activation;
use glitchlab_actors::feed::Feed;
use glitchlab_domain::event::{Event, EventKind};
use tracing::field::{Field, Visit};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

use crate::output::one_line;
use crate::progress::Foot;
use crate::times;

/// Starts logging. `ractor` itself only speaks up when something is wrong.
///
/// `filter` is such as `debug` or `info,glitchlab_pipeline=debug`; what is wrong in it is left out.
pub(crate) fn start(filter: Option<String>, foot: Foot) {
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .parse_lossy(filter.unwrap_or_default())
        .add_directive("ractor=warn".parse().expect("the directive is sound"));
    let lines = tracing_subscriber::fmt::layer().with_writer(foot).event_format(Line).with_filter(filter);
    // A second start, as in tests, keeps the first.
    let _ = tracing_subscriber::registry().with(lines).try_init();
}

/// Writes a line for every committed event that a person would read.
pub(crate) fn follow(feed: &Feed) {
    let mut commits = feed.follow(Activation::new(|| true));
    tokio::spawn(async move {
        while let Some(committed) = commits.recv().await {
            committed.events.iter().for_each(tell);
        }
    });
}

fn tell(event: &Event) {
    let name = event.kind.name();
    let about = |text: Option<String>| text.unwrap_or_default();
    let task = about(event.about.bead_id.as_ref().map(ToString::to_string));
    let attempt = about(event.about.attempt_id.as_ref().map(ToString::to_string));
    let trace = about(event.about.trace_id.clone());
    match (&event.kind, event.kind.sentence()) {
        (EventKind::BudgetReserved { bound, usage, .. }, _) => {
            tracing::debug!(event = name, task, attempt, trace, "{bound} set aside, {} open", usage.reserved);
        }
        (EventKind::BudgetSettled { actual, bound, usage, .. }, _) => {
            tracing::debug!(
                event = name,
                task,
                attempt,
                trace,
                "{actual} paid of {bound}, {} this hour",
                usage.hour
            );
        }
        (kind, Some(sentence)) if is_trouble(kind) => {
            tracing::warn!(event = name, task, attempt, trace, "{sentence}");
        }
        (kind, Some(sentence)) => {
            let until = until(kind);
            tracing::info!(event = name, task, attempt, trace, until, "{sentence}");
        }
        (_, None) => tracing::debug!(event = name, task, attempt, trace),
    }
}

/// When what waits may start, where an instant is known.
fn until(kind: &EventKind) -> String {
    let (EventKind::AdmissionRefused { wait } | EventKind::CallWaiting { wait }) = kind else {
        return String::new();
    };
    wait.until_ms.map(times::instant).unwrap_or_default()
}

const fn is_trouble(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::SystemicFailure { .. }
            | EventKind::ActorRestarted { .. }
            | EventKind::WatchdogActed { .. }
            | EventKind::BudgetOverrun { .. }
            | EventKind::HumanNeeded { .. }
            | EventKind::BacklogFaulty { .. }
            | EventKind::AdmissionStopped { .. }
            | EventKind::AlertFiring { .. }
            | EventKind::AlertUndelivered { .. }
    )
}

/// The format of a line.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> fmt::Result {
        let mut parts = Parts::default();
        event.record(&mut parts);
        SystemTime.format_time(&mut writer)?;
        let metadata = event.metadata();
        let own_name = Some(metadata.name()).filter(|name| !name.starts_with("event "));
        let name = parts.event.as_deref().or(own_name).unwrap_or(metadata.target());
        write!(writer, " {:5} {name}", metadata.level())?;
        if let Some(task) = parts.task.as_deref().filter(|task| !task.is_empty()) {
            write!(writer, " {task}")?;
        }
        writeln!(writer, " {}{}", parts.message, parts.rest)
    }
}

#[derive(Default)]
struct Parts {
    event: Option<String>,
    task: Option<String>,
    message: String,
    rest: String,
}

impl Parts {
    fn take(&mut self, name: &str, value: String) {
        match name {
            "message" => self.message = value,
            "event" => self.event = Some(value),
            "task" => self.task = Some(value),
            _ if value.is_empty() => {}
            // Writing to a string cannot fail.
            _ => drop(write!(self.rest, " {name}={value}")),
        }
    }
}

impl Visit for Parts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field.name(), one_line(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field.name(), one_line(&format!("{value:?}")));
    }
}

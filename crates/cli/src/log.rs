//! Log lines on stderr, for people on a terminal and as JSON elsewhere, and the same as records for a receiver.

mod human;

use glitchlab_actors::activation::Activation;
use glitchlab_actors::feed::Feed;
use glitchlab_domain::event::{Event, EventKind};
use glitchlab_domain::trace::attempt_span;
use glitchlab_store::clock;
use glitchlab_telemetry::Telemetry;
use glitchlab_telemetry::filter::{is_carrier_span, is_exported};
use glitchlab_telemetry::logs::{Carrying, JsonLines, LogRecords};
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt as _, FilterFn, filter_fn};
use tracing_subscriber::layer::{Filter, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry};

use self::human::HumanLines;
use crate::config::telemetry::LogFormat;
use crate::progress::Foot;
use crate::times;

/// Starts logging: what `filter` wants, such as `debug` or `info,glitchlab_pipeline=debug`, is written on stderr and sent to
/// where telemetry goes. What is wrong in it is left out.
pub(crate) fn start(filter: Option<String>, format: LogFormat, foot: Foot, telemetry: Option<&Telemetry>) {
    let filter = filter.unwrap_or_default();
    let lines = tracing_subscriber::fmt::layer().with_writer(foot);
    let lines = match format {
        LogFormat::Human => lines.event_format(HumanLines).boxed(),
        LogFormat::Json => lines.event_format(JsonLines).boxed(),
    };
    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = vec![
        Carrying.with_filter(carriers()).boxed(),
        lines.with_filter(wanted(&filter).or(carriers())).boxed(),
    ];
    if let Some(telemetry) = telemetry {
        let records = LogRecords::new(telemetry, clock::wall());
        layers.extend(records.map(|records| records.with_filter(exported(&filter)).boxed()));
    }
    // A second start, as in tests, keeps the first.
    let _ = tracing_subscriber::registry().with(layers).try_init();
}

/// `ractor` itself only speaks up when something is wrong.
fn wanted(filter: &str) -> EnvFilter {
    EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .parse_lossy(filter)
        .add_directive("ractor=warn".parse().expect("the directive is sound"))
}

/// Lines take their task from these spans, whatever lines are wanted.
fn carriers() -> FilterFn {
    FilterFn::new(is_carrier_span as fn(&Metadata<'_>) -> bool).with_max_level_hint(LevelFilter::INFO)
}

/// What the way to a receiver says of itself must not go there.
fn exported(filter: &str) -> impl Filter<Registry> + use<> {
    let is_exported = filter_fn(is_exported).with_max_level_hint(LevelFilter::TRACE);
    wanted(filter).and(is_exported).or(carriers())
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
    let span = about(event.about.attempt_id.as_ref().map(|id| attempt_span(id).to_string()));
    match (&event.kind, sentence(&event.kind)) {
        (EventKind::BudgetReserved { .. } | EventKind::BudgetSettled { .. }, text) | (_, text @ None) => {
            tracing::debug!(event = name, task, attempt, trace, span, "{}", about(text));
        }
        (kind, Some(sentence)) if is_trouble(kind) => {
            tracing::warn!(event = name, task, attempt, trace, span, "{sentence}");
        }
        (kind, Some(sentence)) => {
            let until = until(kind);
            tracing::info!(event = name, task, attempt, trace, span, until, "{sentence}");
        }
    }
}

/// What only counts has a sentence in the log alone.
fn sentence(kind: &EventKind) -> Option<String> {
    match kind {
        EventKind::BudgetReserved { bound, usage, .. } => {
            Some(format!("{bound} set aside, {} open", usage.reserved))
        }
        EventKind::BudgetSettled { actual, bound, usage, .. } => {
            Some(format!("{actual} paid of {bound}, {} this hour", usage.hour))
        }
        kind => kind.sentence(),
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

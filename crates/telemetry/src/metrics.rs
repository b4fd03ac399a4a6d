//! The metrics: one fold over the events that this process has committed, and a few levels beside it.
//!
//! What a counter counts follows from committed events alone, so that a total over all processes is what the store's rows
//! add up to. No label is ever open-ended but the model's name; what is beyond [`LIMIT`] sets of labels of one metric is
//! counted under `otel.metric.overflow`.

mod alone;
mod gen_ai;
mod instruments;
mod levels;
mod scrape;

use std::sync::Arc;

use glitchlab_domain::event::{Event, EventKind};
use glitchlab_domain::outcome::{FailureKind, Size, Status};
use glitchlab_domain::stage::{Decision, Role, Stage};
use opentelemetry::KeyValue;
use opentelemetry::metrics::noop::NoopMeterProvider;
use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider};
use opentelemetry_sdk::metrics::{Instrument, Stream};

use crate::genai::usd;
use crate::names::metric;
use crate::providers::SCOPE;

pub use alone::Alone;
pub use gen_ai::Conventions;
pub use levels::Levels;
pub use scrape::{Scrape, Unreadable, scrape};

use gen_ai::{Call, GenAi};
use instruments::{counter, counter_f64, histogram, histogram_f64};

/// The most sets of labels of one metric.
pub const LIMIT: usize = 2_000;

/// The bounds of how long attempts take, in seconds: 1 s to 2 h.
pub const TASK_BOUNDS: [f64; 14] =
    [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0, 7_200.0];
/// The bounds of how long calls take, in seconds, as the `GenAI` conventions have them.
pub const CALL_BOUNDS: [f64; 14] =
    [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
/// The bounds of how deep sub-tasks lie.
pub const DEPTH_BOUNDS: [f64; 8] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];

/// The quality patterns. Those that are alerts of the same name are counted when they fire.
pub const PATTERNS: [&str; 10] = [
    "DecompositionLoop",
    "ScopeCreep",
    "ModelDegradation",
    "StuckAgents",
    "TestFlakiness",
    "ArchitectRejectionRate",
    "BudgetPressure",
    "ProviderFailures",
    "BoundaryViolation",
    "TaskBudgetExhaustion",
];

/// Keeps a metric to [`LIMIT`] sets of labels; a view for the provider.
#[must_use]
pub fn limited(_: &Instrument) -> Option<Stream> {
    Stream::builder().with_cardinality_limit(LIMIT).build().ok()
}

/// What is said of a label that is not known.
const UNKNOWN: &str = "unknown";
/// The effect that puts work on the base.
const MERGE: &str = "merge";

/// All instruments.
pub struct Metrics {
    tasks: Counter<u64>,
    duration: Histogram<f64>,
    tokens: Counter<u64>,
    cost: Counter<f64>,
    decompositions: Counter<u64>,
    depth: Histogram<u64>,
    decisions: Counter<u64>,
    created: Counter<u64>,
    merged: Counter<u64>,
    failures: Counter<u64>,
    latency: Histogram<f64>,
    errors: Counter<u64>,
    patterns: Counter<u64>,
    breaches: Counter<u64>,
    gen_ai: GenAi,
    levels: Arc<Levels>,
}

/// What a process knows of its labels before anything happens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected<'a> {
    /// Each model, or program that edits, with the parts that it plays.
    pub models: &'a [(&'a str, &'a [Role])],
    /// The paths of the supervisors.
    pub supervisors: &'a [&'a str],
}

impl Metrics {
    /// Makes the instruments, with a zero for every set of labels that needs no [`Expected`].
    #[must_use]
    pub fn new(meter: &Meter, conventions: Conventions) -> Self {
        let metrics = Self {
            tasks: counter(meter, metric::TASKS),
            duration: histogram_f64(meter, metric::TASK_DURATION, &TASK_BOUNDS),
            tokens: counter(meter, metric::TOKENS),
            cost: counter_f64(meter, metric::COST),
            decompositions: counter(meter, metric::DECOMPOSITIONS),
            depth: histogram(meter, metric::DECOMPOSITION_DEPTH, &DEPTH_BOUNDS),
            decisions: counter(meter, metric::GATE_DECISIONS),
            created: counter(meter, metric::PRS_CREATED),
            merged: counter(meter, metric::PRS_MERGED),
            failures: counter(meter, metric::FAILURES),
            latency: histogram_f64(meter, metric::MODEL_LATENCY, &CALL_BOUNDS),
            errors: counter(meter, metric::MODEL_ERRORS),
            patterns: counter(meter, metric::PATTERNS),
            breaches: counter(meter, metric::BREACHES),
            gen_ai: GenAi::new(meter, conventions),
            levels: Levels::observed_by(meter),
        };
        metrics.begin();
        metrics
    }

    /// Makes instruments that nobody reads.
    #[must_use]
    pub fn off() -> Self {
        Self::new(&NoopMeterProvider::new().meter(SCOPE), Conventions::default())
    }

    /// Returns the levels, for whoever knows them.
    #[must_use]
    pub fn levels(&self) -> &Levels {
        &self.levels
    }

    /// Adds a zero for each set of labels that this process will likely use: a rate sees the first event only when there
    /// was a number before.
    pub fn expect(&self, expected: &Expected<'_>) {
        for (model, roles) in expected.models {
            self.errors.add(0, &[label(metric::MODEL, model)]);
            for role in *roles {
                let labels = by_role(model, role.name());
                self.tokens.add(0, &labels);
                self.cost.add(0.0, &labels);
            }
        }
        for supervisor in expected.supervisors {
            self.breaches.add(0, &[label(metric::SUPERVISOR, supervisor)]);
        }
    }

    fn begin(&self) {
        Status::ALL.iter().for_each(|it| self.tasks.add(0, &[known(metric::STATUS, it.name())]));
        FailureKind::ALL.iter().for_each(|it| self.failures.add(0, &[known(metric::CATEGORY, it.name())]));
        Decision::ALL.iter().for_each(|it| self.decisions.add(0, &[known(metric::DECISION, it.name())]));
        PATTERNS.iter().for_each(|it| self.patterns.add(0, &[known(metric::PATTERN, it)]));
        [&self.decompositions, &self.created, &self.merged].iter().for_each(|it| it.add(0, &[]));
    }

    /// Takes in one event that this process has committed; each is to be taken in once.
    pub fn observe(&self, event: &Event) {
        match &event.kind {
            EventKind::TaskFinished { status, failure, size, took_ms, .. } => {
                self.ended(*status, *failure, *size, *took_ms);
            }
            EventKind::TaskDecomposed { depth, .. } => {
                self.decompositions.add(1, &[]);
                self.depth.record(u64::from(*depth), &[]);
            }
            EventKind::StageFinished { decision: Some(decision), .. } => {
                self.decisions.add(1, &[known(metric::DECISION, decision.name())]);
            }
            EventKind::EffectDone { effect, .. } if effect == MERGE => self.merged.add(1, &[]),
            EventKind::TaskClosed { merged: true, .. } => self.merged.add(1, &[]),
            EventKind::SystemicFailure { supervisor, .. } => {
                self.breaches.add(1, &[label(metric::SUPERVISOR, supervisor)]);
            }
            EventKind::AlertFiring { rule, .. } if PATTERNS.contains(&rule.as_str()) => {
                self.patterns.add(1, &[label(metric::PATTERN, rule)]);
            }
            kind => self.settled(kind),
        }
        self.levels.take(&event.kind);
    }

    fn ended(&self, status: Status, failure: Option<FailureKind>, size: Option<Size>, took_ms: i64) {
        self.tasks.add(1, &[known(metric::STATUS, status.name())]);
        let size = size.map_or(UNKNOWN, Size::name);
        self.duration.record(seconds(took_ms), &[known(metric::SIZE, size)]);
        if let Some(failure) = failure {
            self.failures.add(1, &[known(metric::CATEGORY, failure.name())]);
        }
        if status == Status::PrCreated {
            self.created.add(1, &[]);
        }
    }

    fn settled(&self, kind: &EventKind) {
        let EventKind::BudgetSettled { model, stage, actual, charged_tokens, .. } = kind else { return };
        let labels = by_role(model, role(*stage));
        self.tokens.add(*charged_tokens, &labels);
        self.cost.add(usd(*actual), &labels);
        let Some(call) = Call::of(kind) else { return };
        self.latency.record(call.took_s, &[label(metric::MODEL, model)]);
        if !call.ok {
            self.errors.add(1, &[label(metric::MODEL, model)]);
        }
        self.gen_ai.record(&call);
    }
}

fn role(stage: Option<Stage>) -> &'static str {
    stage.map_or(UNKNOWN, |stage| Role::of(stage).name())
}

fn by_role(model: &str, role: &'static str) -> [KeyValue; 2] {
    [label(metric::MODEL, model), known(metric::ROLE, role)]
}

fn label(name: &'static str, value: &str) -> KeyValue {
    KeyValue::new(name, value.to_owned())
}

fn known(name: &'static str, value: &'static str) -> KeyValue {
    KeyValue::new(name, value)
}

/// Returns a time in seconds; one that a clock which was set back made negative is none.
fn seconds(ms: i64) -> f64 {
    ms.max(0) as f64 / 1_000.0
}

#[cfg(test)]
mod tests;

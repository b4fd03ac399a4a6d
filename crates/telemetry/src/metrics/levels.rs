//! What is now: the queue and the windows of the budget. Whoever knows a level writes it down here; a collection reads
//! nothing but these numbers, and a level that nobody has told yet is not shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use glitchlab_domain::event::EventKind;
use glitchlab_domain::ledger::Usage;
use glitchlab_domain::money::MicroUsd;
use opentelemetry::metrics::Meter;

use super::known;
use crate::genai::usd;
use crate::names::metric::{self, Metric};

/// The levels.
#[derive(Debug, Default)]
pub struct Levels {
    depth: Level,
    blocked: Level,
    hour: Window,
    day: Window,
}

#[derive(Debug, Default)]
struct Window {
    used: Level,
    limit: Level,
}

#[derive(Debug)]
struct Level(AtomicI64);

/// Nobody has told it yet.
const UNTOLD: i64 = i64::MIN;

impl Default for Level {
    fn default() -> Self {
        Self(AtomicI64::new(UNTOLD))
    }
}

impl Level {
    fn tell(&self, level: i64) {
        self.0.store(level, Ordering::Relaxed);
    }

    fn told(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|level| *level != UNTOLD)
    }
}

impl Window {
    fn tell(&self, used: MicroUsd, limit: MicroUsd) {
        self.used.tell(used.micro());
        self.limit.tell(limit.micro());
    }
}

impl Levels {
    /// Tells how many tasks are ready and how many are blocked.
    pub fn queue(&self, depth: u64, blocked: u64) {
        self.depth.tell(i64::try_from(depth).unwrap_or(i64::MAX));
        self.blocked.tell(i64::try_from(blocked).unwrap_or(i64::MAX));
    }

    /// Tells what the windows hold, as of now: they also fall while nothing happens.
    pub fn budget(&self, usage: &Usage) {
        self.hour.tell(usage.hour + usage.reserved, usage.cap_hour);
        self.day.tell(usage.day + usage.reserved, usage.cap_day);
    }

    /// Takes what an event says of the budget, if anything.
    pub(super) fn take(&self, kind: &EventKind) {
        if let EventKind::ProcessStarted { usage, .. }
        | EventKind::CapChanged { usage }
        | EventKind::BudgetReserved { usage, .. }
        | EventKind::BudgetSettled { usage, .. } = kind
        {
            self.budget(usage);
        }
    }

    /// Makes the gauges of a meter that show the levels.
    pub(super) fn observed_by(meter: &Meter) -> Arc<Self> {
        let levels = Arc::new(Self::default());
        levels.count(meter, metric::QUEUE_DEPTH, |levels| &levels.depth);
        levels.count(meter, metric::QUEUE_BLOCKED, |levels| &levels.blocked);
        levels.amounts(meter, metric::BUDGET_USED, |window| &window.used);
        levels.amounts(meter, metric::BUDGET_LIMIT, |window| &window.limit);
        levels
    }

    fn count(self: &Arc<Self>, meter: &Meter, metric: Metric, level: fn(&Self) -> &Level) {
        let levels = Arc::clone(self);
        let gauge = meter.i64_observable_gauge(metric.name).with_unit(metric.unit);
        let _lives_in_its_meter = gauge
            .with_description(metric.help)
            .with_callback(move |observer| {
                if let Some(count) = level(&levels).told() {
                    observer.observe(count, &[]);
                }
            })
            .build();
    }

    fn amounts(self: &Arc<Self>, meter: &Meter, metric: Metric, level: fn(&Window) -> &Level) {
        let levels = Arc::clone(self);
        let gauge = meter.f64_observable_gauge(metric.name).with_unit(metric.unit);
        let _lives_in_its_meter = gauge
            .with_description(metric.help)
            .with_callback(move |observer| {
                for (name, window) in [("hour", &levels.hour), ("day", &levels.day)] {
                    if let Some(micro) = level(window).told() {
                        observer.observe(usd(MicroUsd::new(micro)), &[known(metric::WINDOW, name)]);
                    }
                }
            })
            .build();
    }
}

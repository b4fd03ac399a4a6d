//! The block at the foot of the rail: the engine's state, its workers, its meters and its clock.

use askama::Template;
use glitchlab_domain::snapshot::{Activity, Snapshot};

use super::Moment;
use super::glyph::Glyph;
use super::meter::Meter;
use super::text::{self, Clock};

/// The engine block.
#[derive(Clone, Debug, Template)]
#[template(path = "fragments/engine.html")]
pub(crate) struct Engine {
    pub(crate) glyph: Glyph,
    pub(crate) beat: bool,
    pub(crate) word: &'static str,
    pub(crate) workers: String,
    pub(crate) windows: [Window; 2],
    pub(crate) repo: String,
    pub(crate) base: String,
    pub(crate) version: String,
    pub(crate) up: String,
    pub(crate) as_of: Clock,
}

/// The meter of one rolling window.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) label: &'static str,
    /// Such as `$3.31 of $5.00`.
    pub(crate) text: String,
    pub(crate) meter: Meter,
}

impl Engine {
    pub(crate) fn new(moment: &Moment) -> Self {
        let snapshot = &*moment.snapshot;
        let (glyph, word) = state(snapshot);
        Self {
            glyph,
            beat: beats(snapshot),
            word,
            workers: workers(snapshot),
            windows: windows(snapshot),
            repo: snapshot.engine.repo.clone(),
            base: snapshot.engine.base.clone(),
            version: snapshot.engine.version.clone(),
            up: up(snapshot.engine.started_ms, moment.now_ms),
            as_of: text::clock(snapshot.as_of_ms),
        }
    }
}

/// Returns the state of the engine in one word.
pub(crate) fn state(snapshot: &Snapshot) -> (Glyph, &'static str) {
    if snapshot.troubles.iter().any(|trouble| trouble.critical) && snapshot.activity != Activity::Stopped {
        return (Glyph::Crit, "In trouble");
    }
    match snapshot.activity {
        Activity::Starting => (Glyph::Run, "Starting"),
        Activity::Running => (Glyph::Run, "Running"),
        Activity::Waiting => (Glyph::Wait, "Waiting"),
        Activity::Idle => (Glyph::Idle, "Idle"),
        Activity::Draining => (Glyph::Pause, "Draining"),
        Activity::Stopped => (Glyph::Stop, "Stopped"),
    }
}

/// Tells whether the state glyph pulses: only while work runs and nothing is wrong.
pub(crate) fn beats(snapshot: &Snapshot) -> bool {
    state(snapshot).0 == Glyph::Run
}

/// Counts the slots that hold a task.
pub(crate) fn busy(snapshot: &Snapshot) -> usize {
    snapshot.lanes.iter().filter(|lane| lane.task.is_some()).count()
}

fn up(started_ms: i64, now_ms: i64) -> String {
    if started_ms == 0 { text::UNKNOWN.to_owned() } else { text::span(now_ms - started_ms) }
}

fn workers(snapshot: &Snapshot) -> String {
    let all = u64::try_from(snapshot.lanes.len()).unwrap_or(u64::MAX);
    format!("{}, {} busy", text::count(all, "worker"), busy(snapshot))
}

fn windows(snapshot: &Snapshot) -> [Window; 2] {
    let usage = snapshot.money.usage;
    let known = snapshot.activity != Activity::Starting;
    [("Hour", usage.hour, usage.cap_hour), ("Day", usage.day, usage.cap_day)].map(|(label, settled, cap)| {
        if known {
            let text = format!("{} of {cap}", settled + usage.reserved);
            Window { label, text, meter: Meter::money(label, true, settled, usage.reserved, cap) }
        } else {
            Window { label, text: text::UNKNOWN.to_owned(), meter: Meter::unknown(label, true) }
        }
    })
}

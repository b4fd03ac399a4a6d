//! How the way to the receivers is, for `/health`, the dashboard and `status`. Every export tells it what came of it; it
//! says so in the log when the way is lost and when it is found again, and not too often between.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::signal::Signal;

/// Returns the time in ms UTC.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The shortest time between two warnings.
const QUIET: Duration = Duration::from_secs(60);

/// How the way to the receivers is. Clones share it.
#[derive(Clone)]
pub struct Health(Arc<Inner>);

struct Inner {
    clock: Clock,
    known: Mutex<Known>,
    said: watch::Sender<Report>,
}

#[derive(Default)]
struct Known {
    /// In the order of [`Signal::ALL`].
    signals: [Way; 3],
    told_at: Option<Instant>,
    /// The present outage was told of.
    is_told: bool,
}

/// The way of one signal.
#[derive(Clone, Debug, Default)]
struct Way {
    is_sent: bool,
    trouble: Option<Trouble>,
    lost: u64,
}

#[derive(Clone, Debug)]
struct Trouble {
    since_ms: i64,
    what: String,
}

/// The state as people and programs read it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How it is as a whole.
    pub state: State,
    /// What does not arrive, in the order of [`Signal::ALL`].
    #[serde(default)]
    pub troubles: Vec<Unreached>,
    /// How many spans and log records were given up since the start, at least.
    #[serde(default)]
    pub lost: u64,
}

/// How the way is as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing is sent.
    #[default]
    Off,
    /// All that was sent last arrived.
    Ok,
    /// Some signal does not arrive.
    Degraded,
}

/// A signal that does not arrive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreached {
    /// Which.
    pub signal: Signal,
    /// Since when, ms UTC.
    pub since_ms: i64,
    /// What came of the last try.
    pub what: String,
    /// How many of its records were given up since the start, at least.
    pub lost: u64,
}

/// Says it in one sentence without its end; nothing while all is well.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, Unreached { signal, what, .. }) in self.troubles.iter().enumerate() {
            let so_far = if place == 0 { "Telemetry is degraded: " } else { "; " };
            write!(f, "{so_far}{signal} do not arrive ({what})")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Health").field(&self.report()).finish()
    }
}

impl Health {
    /// Makes the state of a program that sends these signals.
    #[must_use]
    pub fn new(clock: Clock, sent: &[Signal]) -> Self {
        let way = |signal| Way { is_sent: sent.contains(&signal), ..Way::default() };
        let known = Known { signals: Signal::ALL.map(way), ..Known::default() };
        let said = watch::Sender::new(known.report());
        Self(Arc::new(Inner { clock, known: Mutex::new(known), said }))
    }

    /// Makes the state of a program that sends nothing.
    #[must_use]
    pub fn off() -> Self {
        Self::new(Arc::new(|| 0), &[])
    }

    /// Returns how it is now.
    #[must_use]
    pub fn report(&self) -> Report {
        self.known().report()
    }

    /// Returns what changes when it does.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Report> {
        self.0.said.subscribe()
    }

    /// Notes that a signal arrived.
    pub(crate) fn arrived(&self, signal: Signal) {
        let mut known = self.known();
        let was_lost = known.way(signal).trouble.take().is_some();
        let is_over = was_lost && known.signals.iter().all(|way| way.trouble.is_none());
        let is_told = is_over && std::mem::take(&mut known.is_told);
        self.say(&known);
        drop(known);
        if is_told {
            tracing::info!(event = "telemetry.recovered", "telemetry arrives again");
        }
    }

    /// Notes that a signal did not arrive, and how many of its records were given up for it.
    pub(crate) fn failed(&self, signal: Signal, what: &str, lost: u64) {
        let now_ms = (self.0.clock)();
        let mut known = self.known();
        let way = known.way(signal);
        way.lost = way.lost.saturating_add(lost);
        let since_ms = way.trouble.as_ref().map_or(now_ms, |trouble| trouble.since_ms);
        way.trouble = Some(Trouble { since_ms, what: what.to_owned() });
        let may_tell = known.may_tell();
        known.is_told |= may_tell;
        self.say(&known);
        let report = known.report();
        drop(known);
        if may_tell {
            tracing::warn!(event = "telemetry.degraded", lost = report.lost, "{report}");
        }
    }

    /// Notes that a receiver took a part and refused the rest for good.
    pub(crate) fn refused(&self, signal: Signal, records: u64, why: &str) {
        let mut known = self.known();
        let way = known.way(signal);
        way.lost = way.lost.saturating_add(records);
        let may_tell = known.may_tell();
        self.say(&known);
        drop(known);
        if may_tell {
            let signal = signal.name();
            tracing::warn!(event = "telemetry.refused", signal, records, "the receiver says: {why}");
        }
    }

    /// Notes that records were given up before they could be sent.
    pub(crate) fn overflowed(&self, signal: Signal, records: u64) {
        let mut known = self.known();
        let way = known.way(signal);
        way.lost = way.lost.saturating_add(records);
        self.say(&known);
    }

    fn say(&self, known: &Known) {
        let report = known.report();
        self.0.said.send_if_modified(|said| {
            let is_new = *said != report;
            *said = report;
            is_new
        });
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn report(&self) -> Report {
        let ways = || Signal::ALL.into_iter().zip(&self.signals);
        let unreached = |(signal, way): (Signal, &Way)| {
            let Trouble { since_ms, what } = way.trouble.clone()?;
            Some(Unreached { signal, since_ms, what, lost: way.lost })
        };
        let troubles: Vec<_> = ways().filter_map(unreached).collect();
        let state = match (ways().any(|(_, way)| way.is_sent), troubles.is_empty()) {
            (false, _) => State::Off,
            (true, true) => State::Ok,
            (true, false) => State::Degraded,
        };
        Report { state, troubles, lost: ways().map(|(_, way)| way.lost).sum() }
    }

    fn way(&mut self, signal: Signal) -> &mut Way {
        &mut self.signals[signal as usize]
    }

    fn may_tell(&mut self) -> bool {
        let is_quiet = self.told_at.is_none_or(|at| at.elapsed() >= QUIET);
        if is_quiet {
            self.told_at = Some(Instant::now());
        }
        is_quiet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> Health {
        Health::new(Arc::new(|| 7), &[Signal::Traces, Signal::Logs])
    }

    #[test]
    fn a_program_that_sends_nothing_is_off_and_one_that_does_is_well_until_something_fails() {
        assert_eq!(Health::off().report().state, State::Off);
        assert_eq!(health().report(), Report { state: State::Ok, ..Report::default() });
    }

    #[test]
    fn each_signal_is_lost_and_found_by_itself_and_keeps_since_when() {
        let health = health();
        let said = health.subscribe();
        health.failed(Signal::Traces, "Connection refused", 0);
        assert_eq!(*said.borrow(), health.report());
        health.failed(Signal::Logs, "no answer within 1 s", 512);
        health.failed(Signal::Logs, "status 503", 3);
        let report = health.report();
        assert_eq!(report.state, State::Degraded);
        assert_eq!(
            report.to_string(),
            "Telemetry is degraded: traces do not arrive (Connection refused); logs do not arrive (status 503)"
        );
        assert_eq!(report.lost, 515);
        health.arrived(Signal::Logs);
        assert_eq!(health.report().troubles.len(), 1);
        assert_eq!(health.report().troubles[0].since_ms, 7);
        health.arrived(Signal::Traces);
        let report = health.report();
        assert_eq!((report.state, report.lost, report.to_string().as_str()), (State::Ok, 515, ""));
    }

    #[test]
    fn a_report_goes_through_json_unchanged() {
        let health = health();
        health.failed(Signal::Traces, "status 429", 1);
        let report = health.report();
        let json = serde_json::to_string(&report).expect("plain data");
        assert_eq!(serde_json::from_str::<Report>(&json).expect("the same"), report);
    }
}

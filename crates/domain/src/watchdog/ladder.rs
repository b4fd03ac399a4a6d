//! Which measure is taken, and which one when that did not help.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::limits::Limits;

/// The actor whose looks keep the loop going, and that is blamed when nothing starts.
pub const SCHEDULER: &str = "glitchlab/work/scheduler";

/// What is done about something that hangs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do", content = "path")]
pub enum Measure {
    /// The attempt of a worker is ended with its processes; it goes on at its last durable point.
    End(String),
    /// The incarnation of an actor is killed; its supervisor starts the next one.
    Kill(String),
    /// A subtree is stopped in order and started again.
    Restart(String),
    /// The process is replaced.
    Process,
}

impl Measure {
    /// A subtree takes longer to stop and to start than an actor.
    const fn patience_ms(&self, limits: &Limits) -> u64 {
        match self {
            Self::End(_) | Self::Kill(_) => limits.patience_ms,
            Self::Restart(_) | Self::Process => 4 * limits.patience_ms,
        }
    }

    /// Returns how much it takes with it; more is heavier.
    pub(super) const fn weight(&self) -> u8 {
        match self {
            Self::End(_) => 0,
            Self::Kill(_) => 1,
            Self::Restart(_) => 2,
            Self::Process => 3,
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End(path) => write!(f, "ended the attempt of {path}"),
            Self::Kill(path) => write!(f, "killed {path}"),
            Self::Restart(path) => write!(f, "restarted everything in {path}"),
            Self::Process => f.write_str("restarted the process"),
        }
    }
}

/// Remembers how far it has climbed for each thing that hangs.
#[derive(Clone, Debug, Default)]
pub(super) struct Ladder(BTreeMap<(Clock, String), Climb>);

#[derive(Clone, Debug)]
struct Climb {
    rung: usize,
    at_ms: u64,
    /// How long the measure may take to help.
    patience_ms: u64,
    mark: String,
}

impl Ladder {
    /// Returns the next measure for something that hangs, or nothing while the last one may still help.
    ///
    /// What got on since then begins at the first rung again, but an actor or the loop that hangs anew soon after a
    /// measure is not healed by the same one.
    pub(super) fn climb(
        &mut self,
        clock: Clock,
        place: &str,
        mark: String,
        now_ms: u64,
        limits: &Limits,
    ) -> Option<Measure> {
        let key = (clock, place.to_owned());
        let rung = match self.0.get(&key) {
            Some(last) if now_ms - last.at_ms < last.patience_ms => return None,
            Some(last) if last.mark == mark || is_back(clock, now_ms - last.at_ms, limits) => last.rung + 1,
            _ => 0,
        };
        let measure = measure(clock, place, rung);
        let patience_ms = measure.patience_ms(limits);
        self.0.insert(key, Climb { rung, at_ms: now_ms, patience_ms, mark });
        Some(measure)
    }
}

/// Attempts are counted elsewhere: after three that crashed or hung a task has failed.
fn is_back(clock: Clock, after_ms: u64, limits: &Limits) -> bool {
    let soon_ms = match clock {
        Clock::Handler => 2 * limits.handler_ms + limits.patience_ms,
        Clock::Task | Clock::Loop => 2 * limits.no_progress_ms + limits.patience_ms,
        Clock::Beat | Clock::Progress | Clock::Stage | Clock::WorkProduct | Clock::Silence => 0,
    };
    after_ms < soon_ms
}

fn measure(clock: Clock, place: &str, rung: usize) -> Measure {
    let place = if clock == Clock::Loop { SCHEDULER } else { place };
    match (clock, rung) {
        (Clock::Beat, _) => Measure::Process,
        // Stopped and started again, its work ends with it; a kill alone would leave that running.
        (Clock::Task, 0) => Measure::Restart(place.to_owned()),
        (Clock::Handler | Clock::Loop, 0) => Measure::Kill(place.to_owned()),
        (_, 0) => Measure::End(place.to_owned()),
        (_, 1) => subtree(place).map_or(Measure::Process, Measure::Restart),
        _ => Measure::Process,
    }
}

/// The supervisor of a place, unless that is the root, which is the process.
fn subtree(place: &str) -> Option<String> {
    let (supervisor, _) = place.rsplit_once('/')?;
    supervisor.contains('/').then(|| supervisor.to_owned())
}

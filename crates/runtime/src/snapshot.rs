//! What a tree looks like, as plain data. Durations are milliseconds before or after `as_of_ms`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::child::{ChildKind, Restart};
use crate::gauges::{GaugesReading, Handling, LastError};
use crate::strategy::Strategy;
use crate::task::TaskInfo;

/// Is a whole tree at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeSnapshot {
    /// Age of the tree when it was taken.
    pub as_of_ms: u64,
    /// The root supervisor.
    pub root: NodeSnapshot,
}

/// Is one supervisor or worker at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSnapshot {
    /// Name among its siblings.
    pub id: String,
    /// Place in the tree, from the root.
    pub path: String,
    /// Whether it works or supervises.
    pub kind: ChildKind,
    /// When it is restarted.
    pub restart: Restart,
    /// What it is doing with its life.
    #[serde(flatten)]
    pub state: NodeState,
    /// Which life it is, from 0.
    pub incarnation: u32,
    /// How often it was started again.
    pub restarts_total: u64,
    /// Time since this incarnation started, while it runs.
    pub uptime_ms: Option<u64>,
    /// Incarnations that were told to end, did not, and are no longer waited for.
    pub zombies: u32,
    /// What a supervisor tolerates and how much of it is used up.
    pub supervision: Option<Supervision>,
    /// How a worker is doing.
    pub activity: Option<Activity>,
    /// Work beside the actor.
    pub tasks: Vec<TaskSnapshot>,
    /// Children in start order.
    pub children: Vec<NodeSnapshot>,
}

/// Says what a node is doing with its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum NodeState {
    /// It is being started.
    Starting,
    /// It is up.
    Running,
    /// It failed, or its group did, and it will be started again.
    Restarting {
        /// The wait that is left.
        in_ms: u64,
    },
    /// It was asked to end.
    Stopping,
    /// It ended and is not started again by itself.
    Stopped,
    /// It did not end when told to, and nobody waits for it.
    Zombie,
}

/// Says what a supervisor tolerates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supervision {
    /// Which children are restarted together.
    pub strategy: Strategy,
    /// Restarts that count now.
    pub restarts_in_window: usize,
    /// Restarts that are tolerated in the window.
    pub max: u32,
    /// Length of the window.
    pub window_ms: u64,
}

/// Says how a worker is doing, over all its incarnations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Messages that wait.
    pub mailbox: u64,
    /// Messages that were handled.
    pub messages_total: u64,
    /// Time spent in handlers.
    pub busy_total_ms: u64,
    /// The message it is handling.
    pub current: Option<CurrentHandler>,
    /// Time since it last got on, if ever.
    pub last_progress_ms: Option<u64>,
    /// What went wrong last.
    pub last_error: Option<ErrorSnapshot>,
}

/// Is the message that a worker is handling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrentHandler {
    /// The message's kind.
    pub kind: String,
    /// Which message of this worker, from 1.
    pub seq: u64,
    /// Time since it took it up.
    pub elapsed_ms: u64,
}

/// Is an error as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorSnapshot {
    /// What happened.
    pub message: String,
    /// Time since then.
    pub age_ms: u64,
    /// The trace it happened in, as hexadecimal digits.
    pub trace_id: Option<String>,
}

/// Is a place for work beside an actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSnapshot {
    /// Name of the place.
    pub slot: String,
    /// The work in it.
    pub running: Option<RunningTask>,
    /// Earlier work that did not end when told to, was fenced, and still runs.
    pub zombies: u32,
}

/// Is the work in a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningTask {
    /// What it is.
    pub name: String,
    /// Time since it started.
    pub running_ms: u64,
    /// How often it got on.
    pub progress_total: u64,
    /// Time since it last got on, if ever.
    pub last_progress_ms: Option<u64>,
    /// Whether it was told to end.
    pub ending: bool,
}

impl Activity {
    pub(crate) fn new(reading: &GaugesReading, now: Instant) -> Self {
        Self {
            mailbox: reading.mailbox,
            messages_total: reading.messages_total,
            busy_total_ms: ms(reading.busy),
            current: reading.current.map(CurrentHandler::from),
            last_progress_ms: reading.since_progress.map(ms),
            last_error: reading.last_error.as_ref().map(|error| ErrorSnapshot::new(error, now)),
        }
    }
}

impl From<Handling> for CurrentHandler {
    fn from(handling: Handling) -> Self {
        Self { kind: handling.kind.to_owned(), seq: handling.seq, elapsed_ms: ms(handling.elapsed) }
    }
}

impl ErrorSnapshot {
    fn new(error: &LastError, now: Instant) -> Self {
        Self {
            message: error.message.clone(),
            age_ms: ms(now.saturating_duration_since(error.at)),
            trace_id: error.trace.map(|trace| trace.trace_id_hex()),
        }
    }
}

impl From<TaskInfo> for RunningTask {
    fn from(info: TaskInfo) -> Self {
        Self {
            name: info.name.to_string(),
            running_ms: ms(info.running_for),
            progress_total: info.progress_total,
            last_progress_ms: info.since_progress.map(ms),
            ending: info.ending,
        }
    }
}

/// Returns whole milliseconds.
pub(crate) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

//! What the engine is doing right now, as one plain value: it starts from a query and is then a fold over events.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::alert::Firing;
use crate::bead::BeadId;
use crate::event::{Event, EventId, EventKind};
use crate::id::{AttemptId, BootId, TaskKey};
use crate::ledger::Usage;
use crate::money::MicroUsd;
use crate::outcome::Size;
use crate::reason::Wait;
use crate::rows::{AttemptRow, StepRow};
use crate::stage::Stage;
use crate::task::TaskRow;

/// How many events the feed keeps.
pub const FEED: usize = 20;

/// The state of the engine at one instant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When this was true, ms UTC.
    pub as_of_ms: i64,
    /// The last event folded in; the SSE id.
    pub last: Option<EventId>,
    /// What the engine is.
    pub engine: Engine,
    /// Whether it works, idles, waits or drains.
    pub activity: Activity,
    /// The slots in order, each with its running task if any.
    pub lanes: Vec<Lane>,
    /// The caps and what is spent.
    pub money: Money,
    /// The tasks by where they stand.
    pub queue: Queue,
    /// Why nothing new starts, when that is so.
    pub admission: Option<Wait>,
    /// How many alerts fire.
    #[serde(default)]
    pub firing: Firing,
    /// How the way to the receivers of telemetry is.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// What a person must see at the top of every page.
    pub troubles: Vec<Trouble>,
    /// The last [`FEED`] events that have a sentence, newest first.
    pub feed: VecDeque<Event>,
}

/// How the way to the receivers of telemetry is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telemetry {
    /// Whether any is sent, and arrives.
    pub state: Delivery,
    /// What does not arrive, in one sentence without its end; empty while all does.
    pub what: String,
    /// Since when it is so, ms UTC.
    pub since_ms: Option<i64>,
    /// How many records were given up since the start, at least.
    pub lost: u64,
}

/// Whether telemetry arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// None is sent.
    #[default]
    Off,
    /// All that was sent last arrived.
    Ok,
    /// Some of it does not arrive.
    Degraded,
}

/// What does not change during a boot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engine {
    /// The program's version.
    pub version: String,
    /// The repository's folder name.
    pub repo: String,
    /// The base branch.
    pub base: String,
    /// This boot.
    pub boot_id: BootId,
    /// When it began, ms UTC.
    pub started_ms: i64,
    /// The model that implements.
    pub model: String,
    /// Money and work are pretended.
    pub simulated: bool,
    /// The `merge` setting.
    pub merge: String,
    /// Dollars a task may cost in all.
    pub task_cap: Option<MicroUsd>,
    /// Token budgets for S, M and L.
    pub size_tokens: [u64; 3],
}

/// What the engine as a whole is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Not yet ready to take work.
    #[default]
    Starting,
    /// At least one task runs.
    Running,
    /// Tasks are ready and none may start: the admission says why.
    Waiting,
    /// Nothing is ready.
    Idle,
    /// No new task starts; running ones finish.
    Draining,
    /// The engine has ended.
    Stopped,
}

/// One slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// The slot's name, `worker-1` and so on.
    pub slot: String,
    /// What runs there.
    pub task: Option<LaneTask>,
}

/// A running task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneTask {
    /// The task.
    pub task_key: TaskKey,
    /// Its id in the backlog.
    pub bead_id: BeadId,
    /// Its title: hostile text.
    pub title: String,
    /// The attempt.
    pub attempt_id: AttemptId,
    /// Which attempt, counted from 1.
    pub n: u32,
    /// How many are allowed.
    pub max_attempts: u32,
    /// When it was claimed, ms UTC.
    pub claimed_ms: i64,
    /// The model that implements.
    pub model: String,
    /// The stage that runs; none between two stages.
    pub stage: Option<Stage>,
    /// Since when, ms UTC.
    pub stage_since_ms: i64,
    /// The last finished stage and whether it went well.
    pub last_stage: Option<(Stage, bool)>,
    /// The size that triage judged.
    pub size: Option<Size>,
    /// Tokens billed in this attempt.
    pub tokens: u64,
    /// Money settled in this attempt.
    pub cost: MicroUsd,
    /// Money reserved by its open tries.
    pub reserved: MicroUsd,
    /// What it waits for, when it waits inside a stage.
    pub waiting: Option<Wait>,
}

/// The caps and what is spent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// The windows as of the last ledger event or query.
    pub usage: Usage,
    /// When the oldest settlement leaves the hour, ms UTC, and how much.
    pub hour_returns: Option<(i64, MicroUsd)>,
    /// The same for the day.
    pub day_returns: Option<(i64, MicroUsd)>,
    /// Settled per clock hour: the hour's start, ms UTC, and the sum; the last 24, oldest first; an hour without any
    /// may be missing. Always from a query: a fold would count again what the query had.
    pub by_hour: Vec<(i64, MicroUsd)>,
}

/// The tasks by where they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Ready and waiting for a slot or money, snoozes and back-offs included.
    pub pending: u64,
    /// Running now.
    pub in_progress: u64,
    /// A branch or request is open.
    pub in_review: u64,
    /// Completed by us.
    pub completed: u64,
    /// Failed for good or waiting for a person.
    pub failed: u64,
    /// Open but blocked by something else.
    pub blocked: u64,
    /// Not for us: types, labels, other people's.
    pub skipped: u64,
    /// How many wait for a person.
    pub needs_you: u64,
    /// When the backlog was last read, ms UTC.
    pub read_ms: Option<i64>,
}

/// Something that a person must see on every page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Since when, ms UTC.
    pub since_ms: i64,
    /// Loses or may lose something (true), or only needs a look.
    pub critical: bool,
    /// One sentence.
    pub what: String,
}

impl Snapshot {
    /// Folds one event in. One that it has already changes nothing, so that a query and the events that follow it may
    /// overlap.
    pub fn apply(&mut self, event: &Event) {
        let is_known = |last: &EventId| last.boot_id == event.id.boot_id && last.seq >= event.id.seq;
        if self.last.as_ref().is_some_and(is_known) {
            return;
        }
        self.as_of_ms = self.as_of_ms.max(event.at_ms);
        self.last = Some(event.id.clone());
        self.apply_kind(event);
        if event.kind.sentence().is_some() {
            self.feed.push_front(event.clone());
            self.feed.truncate(FEED);
        }
    }

    fn apply_kind(&mut self, event: &Event) {
        match &event.kind {
            EventKind::TaskClaimed { title, n, max_attempts, slot, model, .. }
            | EventKind::AttemptResumed { title, n, max_attempts, slot, model, .. } => {
                self.occupy(event, title, (*n, *max_attempts), slot, model);
            }
            EventKind::TaskFinished { .. } | EventKind::AttemptSuspended => self.vacate(event),
            EventKind::ProcessStarted { usage, .. }
            | EventKind::CapChanged { usage }
            | EventKind::BudgetReserved { usage, .. }
            | EventKind::BudgetSettled { usage, .. } => self.money.usage = *usage,
            EventKind::AdmissionRefused { wait } | EventKind::AdmissionStopped { wait } => {
                self.admission = Some(wait.clone());
            }
            EventKind::AdmissionResumed => self.admission = None,
            _ => {}
        }
        if let Some(task) = self.running(event) {
            task.apply(event);
        }
    }

    fn occupy(&mut self, event: &Event, title: &str, (n, max_attempts): (u32, u32), slot: &str, model: &str) {
        let (Some(task_key), Some(bead_id), Some(attempt_id)) =
            (event.about.task_key.clone(), event.about.bead_id.clone(), event.about.attempt_id.clone())
        else {
            return;
        };
        self.admission = None;
        let known = self.take_out(&attempt_id);
        let task = LaneTask {
            task_key,
            bead_id,
            title: title.to_owned(),
            attempt_id,
            n,
            max_attempts,
            claimed_ms: event.at_ms,
            model: model.to_owned(),
            stage: None,
            stage_since_ms: event.at_ms,
            last_stage: None,
            size: None,
            tokens: 0,
            cost: MicroUsd::ZERO,
            reserved: MicroUsd::ZERO,
            waiting: None,
        };
        let task = match known {
            Some(known) => task.going_on_from(&known),
            None => task,
        };
        match self.lanes.iter_mut().find(|lane| lane.slot == slot) {
            Some(lane) => lane.task = Some(task),
            None => self.lanes.push(Lane { slot: slot.to_owned(), task: Some(task) }),
        }
    }

    fn vacate(&mut self, event: &Event) {
        if let Some(ended) = &event.about.attempt_id {
            self.take_out(ended);
        }
    }

    /// Empties the lane of an attempt and returns what was in it.
    fn take_out(&mut self, attempt_id: &AttemptId) -> Option<LaneTask> {
        let is_it = |task: &mut LaneTask| task.attempt_id == *attempt_id;
        self.lanes.iter_mut().find_map(|lane| lane.task.take_if(is_it))
    }

    fn running(&mut self, event: &Event) -> Option<&mut LaneTask> {
        let attempt = event.about.attempt_id.as_ref()?;
        self.lanes.iter_mut().filter_map(|lane| lane.task.as_mut()).find(|task| task.attempt_id == *attempt)
    }
}

impl LaneTask {
    /// Tells from the rows what an attempt is at, when its events are too long ago; `reserved` is what its open tries
    /// hold.
    #[must_use]
    pub fn of(
        task: &TaskRow,
        attempt: &AttemptRow,
        steps: &[StepRow],
        reserved: MicroUsd,
        max_attempts: u32,
    ) -> Self {
        let last = steps.iter().max_by_key(|step| step.n);
        let open = last.filter(|step| step.ended_ms.is_none());
        let ended = steps.iter().filter(|step| step.ended_ms.is_some()).max_by_key(|step| step.n);
        Self {
            task_key: task.key.clone(),
            bead_id: task.bead_id.clone(),
            title: task.title.clone(),
            attempt_id: attempt.attempt_id.clone(),
            n: task.failures + 1,
            max_attempts,
            claimed_ms: attempt.started_ms,
            model: attempt.model.clone(),
            stage: open.map(|step| step.stage),
            stage_since_ms: open.map_or(attempt.started_ms, |step| step.started_ms),
            last_stage: ended.map(|step| (step.stage, step.ok)),
            size: attempt.size,
            tokens: attempt.tokens,
            cost: attempt.cost,
            reserved,
            waiting: attempt.waiting.clone(),
        }
    }

    /// Keeps what an attempt has spent and reached when another slot goes on with it.
    fn going_on_from(self, known: &Self) -> Self {
        Self {
            claimed_ms: known.claimed_ms,
            last_stage: known.last_stage,
            size: known.size,
            tokens: known.tokens,
            cost: known.cost,
            reserved: known.reserved,
            ..self
        }
    }

    fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::StageStarted { stage, .. } => {
                self.stage = Some(*stage);
                self.stage_since_ms = event.at_ms;
            }
            EventKind::StageFinished { stage, ok, size, .. } => {
                self.stage = None;
                self.last_stage = Some((*stage, *ok));
                self.size = size.or(self.size);
            }
            EventKind::BudgetReserved { bound, .. } => {
                self.reserved += *bound;
                self.waiting = None;
            }
            EventKind::BudgetSettled { bound, actual, input_tokens, output_tokens, .. } => {
                self.reserved = self.reserved - *bound;
                self.cost += *actual;
                self.tokens += input_tokens + output_tokens;
            }
            EventKind::CallWaiting { wait } => self.waiting = Some(wait.clone()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;

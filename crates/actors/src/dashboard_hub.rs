//! Folds what was committed into the live page's snapshot and publishes it: the first change at once, then at most four
//! times a second. It starts from a query; it owns nothing that is not in the store.

use std::sync::Arc;
use std::time::Duration;

use glitchlab_domain::event::EventKind;
use glitchlab_domain::id::AttemptId;
use glitchlab_domain::ledger::Departures;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::reason::{Reason, Window};
use glitchlab_domain::rows::{AttemptRow, CallRow};
use glitchlab_domain::snapshot::{Activity, Lane, LaneTask, Snapshot, Trouble};
use glitchlab_domain::task::TaskRow;
use glitchlab_runtime::{Actor, Context, Failure, MessageKind};
use glitchlab_store::Committed;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use crate::activation::Activation;
use crate::engine::Engine;

/// The shortest time between two publications.
const PACE: Duration = Duration::from_millis(250);
/// How often the money is looked up anew, since time alone gives room back.
const TICK: Duration = Duration::from_secs(1);
/// How many events the snapshot starts from.
const HISTORY: u32 = 400;
/// Spend by hour is looked up at every so manieth tick.
const HOURS_TICKS: u64 = 10;
/// How far back the page shows spend by hour.
const DAY_MS: i64 = 86_400_000;

/// What the hub understands.
#[derive(Debug)]
pub enum HubMsg {
    /// Something was committed.
    Look,
    /// The pace allows the next publication.
    Publish,
    /// A second has passed.
    Tick,
}

impl MessageKind for HubMsg {
    fn kind(&self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Publish => "publish",
            Self::Tick => "tick",
        }
    }
}

/// The actor.
pub struct DashboardHub;

/// What an incarnation remembers.
pub struct HubState {
    engine: Arc<Engine>,
    snapshot: Snapshot,
    commits: UnboundedReceiver<Arc<Committed>>,
    activation: Activation,
    published_at: Option<Instant>,
    is_planned: bool,
    ticks: u64,
}

impl Actor for DashboardHub {
    type Msg = HubMsg;
    type Arguments = Arc<Engine>;
    type State = HubState;

    async fn start(&self, context: &Context<HubMsg>, engine: Arc<Engine>) -> Result<HubState, Failure> {
        let hub = context.handle().clone();
        let activation = Activation::new(move || hub.send(HubMsg::Look).is_ok());
        // Followed before the query: what commits in between is folded twice rather than not at all.
        let commits = engine.feed.follow(activation.clone());
        let snapshot = first_snapshot(&engine).await?;
        context.send_self(HubMsg::Tick)?;
        Ok(HubState {
            engine,
            snapshot,
            commits,
            activation,
            published_at: None,
            is_planned: false,
            ticks: 0,
        })
    }

    async fn handle(
        &self,
        context: &Context<HubMsg>,
        msg: HubMsg,
        state: &mut HubState,
    ) -> Result<(), Failure> {
        match msg {
            HubMsg::Look => state.fold().await,
            HubMsg::Publish => state.is_planned = false,
            HubMsg::Tick => {
                state.refresh_money().await;
                context.send_after(TICK, HubMsg::Tick);
            }
        }
        state.publish(context);
        context.gauges().progress();
        Ok(())
    }
}

async fn first_snapshot(engine: &Engine) -> Result<Snapshot, Failure> {
    let mut snapshot = Snapshot { engine: engine.settings.about.clone(), ..Snapshot::default() };
    let lane = |name: &String| Lane { slot: name.clone(), task: None };
    snapshot.lanes = engine.slots.iter().map(|slot| lane(&slot.name)).collect();
    for event in engine.reader.last_events_of(&engine.repo_id, HISTORY).await? {
        snapshot.apply(&event);
    }
    let ours = |lane: &Lane| engine.slots.iter().any(|slot| slot.name == lane.slot);
    snapshot.lanes.retain(ours);
    fill_lanes(engine, &mut snapshot).await?;
    Ok(snapshot)
}

/// Finds in the store what runs in lanes whose events are too long ago.
async fn fill_lanes(engine: &Engine, snapshot: &mut Snapshot) -> Result<(), Failure> {
    let stored = Stored::read(engine).await?;
    for (lane, slot) in snapshot.lanes.iter_mut().zip(engine.slots.iter()) {
        let Some(given) = slot.assignment() else { continue };
        let attempt_id = &given.claimed.attempt.attempt_id;
        if lane.task.as_ref().is_none_or(|task| task.attempt_id != *attempt_id) {
            let found = stored.lane(engine, &given.claimed.task, attempt_id).await?;
            lane.task = found.or(lane.task.take());
        }
    }
    Ok(())
}

/// Finds in the store what an attempt that goes on had reached and spent: the events of that are another boot's.
async fn recall(engine: &Engine, snapshot: &mut Snapshot, resumed: &[AttemptId]) -> Result<(), Failure> {
    let stored = Stored::read(engine).await?;
    let lanes = snapshot.lanes.iter_mut().filter_map(|lane| lane.task.as_mut());
    for lane in lanes.filter(|lane| resumed.contains(&lane.attempt_id)) {
        let Some(task) = engine.reader.task(&lane.task_key).await? else { continue };
        if let Some(found) = stored.lane(engine, &task, &lane.attempt_id).await? {
            *lane = found;
        }
    }
    Ok(())
}

/// What runs, as the store has it.
struct Stored {
    running: Vec<AttemptRow>,
    open: Vec<CallRow>,
}

impl Stored {
    async fn read(engine: &Engine) -> Result<Self, Failure> {
        let (running, open) = (engine.reader.running_attempts().await?, engine.reader.open_calls().await?);
        Ok(Self { running, open })
    }

    /// Returns what an attempt is at, while it runs.
    async fn lane(
        &self,
        engine: &Engine,
        task: &TaskRow,
        attempt_id: &AttemptId,
    ) -> Result<Option<LaneTask>, Failure> {
        let attempt = self.running.iter().find(|row| row.attempt_id == *attempt_id);
        let Some(attempt) = attempt else { return Ok(None) };
        let held = self.open.iter().filter(|call| call.key.attempt_id == *attempt_id);
        let reserved = held.map(|call| call.bound).sum();
        let steps = engine.reader.steps(attempt_id).await?;
        let most = engine.live.borrow().retry.attempts;
        Ok(Some(LaneTask::of(task, attempt, &steps, reserved, most)))
    }
}

impl HubState {
    async fn fold(&mut self) {
        self.activation.taken();
        let mut resumed = Vec::new();
        while let Ok(committed) = self.commits.try_recv() {
            for event in &committed.events {
                self.snapshot.apply(event);
                let is_resumed = matches!(event.kind, EventKind::AttemptResumed { .. });
                resumed.extend(event.about.attempt_id.clone().filter(|_| is_resumed));
            }
        }
        if !resumed.is_empty() {
            // A store that does not answer leaves what the events say.
            let _ = recall(&self.engine, &mut self.snapshot, &resumed).await;
        }
    }

    async fn refresh_money(&mut self) {
        let now_ms = self.engine.now_ms();
        if self.ticks.is_multiple_of(HOURS_TICKS)
            && let Ok(hours) = self.engine.reader.spend_by_hour(&self.engine.scope, now_ms - DAY_MS).await
        {
            self.snapshot.money.by_hour = hours;
        }
        self.ticks += 1;
        // A store that does not answer leaves the last numbers, and the trouble says so.
        let Engine { reader, scope, .. } = &*self.engine;
        if let Ok(Some((head, departures))) = reader.ledger_and_departures(scope, now_ms).await {
            self.snapshot.money.usage = head.usage();
            let (hour, day) = returns(&departures);
            self.snapshot.money.hour_returns = hour;
            self.snapshot.money.day_returns = day;
        }
    }

    fn publish(&mut self, context: &Context<HubMsg>) {
        let now = Instant::now();
        if let Some(rest) = self
            .published_at
            .and_then(|at| PACE.checked_sub(now.duration_since(at)))
            .filter(|rest| !rest.is_zero())
        {
            if !std::mem::replace(&mut self.is_planned, true) {
                context.send_after(rest, HubMsg::Publish);
            }
            return;
        }
        self.published_at = Some(now);
        self.complete();
        self.engine.snapshot.send_replace(Arc::new(self.snapshot.clone()));
    }

    /// Adds what is no fold over events.
    fn complete(&mut self) {
        let board = self.engine.board.borrow().clone();
        let closed = self.engine.gate.closed();
        self.clear_lanes();
        self.snapshot.as_of_ms = self.engine.now_ms();
        // A pause is seen although nothing is ready just now.
        let is_paused = board.held.as_ref().is_some_and(|wait| matches!(wait.reason, Reason::Paused { .. }));
        self.snapshot.activity = self.activity(board.has_read, board.queue.pending > 0 || is_paused);
        self.snapshot.admission = closed.clone().or(board.held);
        self.snapshot.queue = board.queue;
        self.snapshot.firing = *self.engine.firing.borrow();
        let gate = closed.filter(|_| !self.engine.gate.is_draining());
        let stopped = gate.map(|wait| (true, format!("Nothing new starts: {}", wait.reason)));
        let config = self.engine.config_faults.borrow().clone();
        self.snapshot.telemetry = self.engine.telemetry.borrow().clone();
        let unreached = Some(self.snapshot.telemetry.what.clone()).filter(|what| !what.is_empty());
        let minor = board.faults.into_iter().chain(config).chain(unreached).map(|fault| (false, fault));
        let found = stopped.into_iter().chain(minor);
        self.snapshot.troubles = found.map(|(critical, what)| self.trouble(critical, what)).collect();
    }

    /// A lane shows what its slot really has: an end that was committed and not published must not stay in view.
    fn clear_lanes(&mut self) {
        for (lane, slot) in self.snapshot.lanes.iter_mut().zip(self.engine.slots.iter()) {
            let runs = slot.assignment().map(|given| given.claimed.attempt.attempt_id.clone());
            lane.task = lane.task.take().filter(|task| Some(&task.attempt_id) == runs.as_ref());
        }
    }

    /// Keeps since when a trouble has been known.
    fn trouble(&self, critical: bool, what: String) -> Trouble {
        let known = self.snapshot.troubles.iter().find(|known| known.what == what);
        Trouble { since_ms: known.map_or(self.snapshot.as_of_ms, |known| known.since_ms), critical, what }
    }

    fn activity(&self, has_read: bool, is_pending: bool) -> Activity {
        if self.engine.gate.is_draining() {
            Activity::Draining
        } else if self.snapshot.lanes.iter().any(|lane| lane.task.is_some()) {
            Activity::Running
        } else if !has_read {
            Activity::Starting
        } else if is_pending {
            Activity::Waiting
        } else {
            Activity::Idle
        }
    }
}

/// When money comes back, ms UTC, and how much.
type Return = Option<(i64, MicroUsd)>;

/// When the oldest settlement of each window leaves it, and how much.
fn returns(departures: &Departures) -> (Return, Return) {
    let first = |list: &[(i64, MicroUsd)], window: Window| {
        list.iter()
            .find(|(_, amount)| *amount > MicroUsd::ZERO)
            .map(|(at, amount)| (at + window.length_ms(), *amount))
    };
    (first(&departures.hour, Window::Hour), first(&departures.day, Window::Day))
}

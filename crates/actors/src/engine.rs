//! What every actor of one engine is built from: plain handles and settings, nothing that an incarnation owns.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use glitchlab_backlog::Source;
use glitchlab_domain::alert::Firing;
use glitchlab_domain::bead::BeadId;
use glitchlab_domain::command::BootBearer;
use glitchlab_domain::gate::GateRules;
use glitchlab_domain::id::{BootId, Fence};
use glitchlab_domain::policy::{LEASE_MS, MoneyRules, RetryRules, WorkFilter};
use glitchlab_domain::reason::Wait;
use glitchlab_domain::rows::ProcessRow;
use glitchlab_domain::snapshot::{self, Queue as QueueCounts, Snapshot};
use glitchlab_domain::task::TaskState;
use glitchlab_domain::watchdog;
use glitchlab_domain::why::{Rules, Why};
use glitchlab_models::Model;
use glitchlab_pipeline::attempt::Merge;
use glitchlab_pipeline::forge::Forge;
use glitchlab_pipeline::workspace::Workspace;
use glitchlab_runtime::{Grace, Handle, TreeHandle};
use glitchlab_store::clock::Clock;
use glitchlab_store::{Backend, Queue, Reader, Writer};
use glitchlab_telemetry::metrics::Metrics;
use tokio::runtime;
use tokio::sync::watch;

use crate::activation::Activation;
use crate::admission::Gate;
use crate::budget_pacer::PacerMsg;
use crate::dashboard_hub::HubMsg;
use crate::feed::Feed;
use crate::ids::random;
use crate::janitor::JanitorMsg;
use crate::journal::JournalMsg;
use crate::offer::Offer;
use crate::scheduler::SchedulerMsg;
use crate::slots::Slots;
use crate::tqm_alerter::AlerterMsg;
use crate::tqm_alerter::webhook::Receivers;
use crate::watchdog::{OwnProcess, WatchdogMsg};

/// Everything that the actors share. Put together once by [`Engine::new`], handed to each as an `Arc`.
pub struct Engine {
    /// This boot's right to write.
    pub boot: BootBearer,
    /// The machine's name.
    pub host: String,
    /// The repository.
    pub repo_id: String,
    /// The ledger's scope.
    pub scope: String,
    /// The settings that decisions take.
    pub settings: Settings,
    /// The settings that may change while it runs.
    pub live: watch::Sender<Live>,
    /// What is wrong with the configuration as it now stands in its files, one sentence each.
    pub config_faults: watch::Sender<Vec<String>>,
    /// How the way to the receivers of telemetry is.
    pub telemetry: watch::Sender<snapshot::Telemetry>,
    /// The wall clock, or a test's.
    pub clock: Clock,
    /// The store's writer; only the journal runs it.
    pub writer: Writer,
    /// Where commands are handed in.
    pub queue: Queue,
    /// Reads the store.
    pub reader: Reader,
    /// The backlog.
    pub source: Arc<dyn Source>,
    /// What an attempt works with.
    pub tools: Tools,
    /// What was committed.
    pub feed: Feed,
    /// What is counted of it.
    pub metrics: Arc<Metrics>,
    /// The worker slots.
    pub slots: Slots,
    /// The gate before new work.
    pub gate: Gate,
    /// The scheduler's view, for pages and the program.
    pub board: watch::Sender<BoardView>,
    /// Why nothing starts, as the scheduler explains it; only while somebody subscribes, at most once a second.
    pub why: watch::Sender<Arc<Why>>,
    /// How many alerts fire.
    pub firing: watch::Sender<Firing>,
    /// Who is told of alerts.
    pub receivers: Receivers,
    /// The live page's state.
    pub snapshot: watch::Sender<Arc<Snapshot>>,
    /// The supervision tree, once it is started.
    pub tree: TreeHandle,
    /// The actors.
    pub handles: Handles,
    /// Where the watchdog keeps its records, beside the store.
    pub folder: PathBuf,
    /// What the watchdog can do to its process.
    pub own: Arc<dyn OwnProcess>,
    /// Where the watchdog runs; none is where the tree runs.
    pub watch_on: Option<runtime::Handle>,
}

/// What an engine is put together from; everything else follows.
pub struct Parts {
    /// This boot, with an id of its own: what the process says of itself before it has an engine carries it too.
    pub boot_id: BootId,
    /// The machine's name.
    pub host: String,
    /// The repository.
    pub repo_id: String,
    /// The ledger's scope.
    pub scope: String,
    /// The settings; what they say of the boot and the model is filled in.
    pub settings: Settings,
    /// The settings that may change while it runs.
    pub live: Live,
    /// How many worker slots.
    pub workers: usize,
    /// Where the store is written.
    pub backend: Backend,
    /// How it is read.
    pub reader: Reader,
    /// The backlog.
    pub source: Arc<dyn Source>,
    /// What an attempt works with.
    pub tools: Tools,
    /// Who is told of alerts.
    pub receivers: Receivers,
    /// The wall clock, or a test's.
    pub clock: Clock,
    /// What the store's writer looks at once for each batch.
    pub writer_clock: Clock,
    /// Where committed events are counted.
    pub metrics: Arc<Metrics>,
    /// Where the watchdog keeps its records, beside the store.
    pub folder: PathBuf,
    /// What the watchdog can do to its process.
    pub own: Arc<dyn OwnProcess>,
    /// Where the watchdog runs; none is where the tree runs.
    pub watch_on: Option<runtime::Handle>,
}

/// The settings that may change while an engine runs; whoever needs one reads it anew each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Which ready beads are work.
    pub filter: WorkFilter,
    /// When a task is tried again.
    pub retry: RetryRules,
    /// How often the backlog and open requests are looked at.
    pub poll_interval: Duration,
    /// Admission stops at this many open requests; 0 is no limit.
    pub max_open: u32,
}

/// The settings of one engine that stay as they were at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Close epics whose children are all closed.
    pub close_epics: bool,
    /// What may be spent beside the caps of an hour and a day, and how fast.
    pub money: MoneyRules,
    /// Admission stops below this many free bytes on the disks that we write.
    pub min_free_bytes: u64,
    /// The folders whose disks are watched.
    pub watched_disks: Vec<PathBuf>,
    /// The one task to work on; none is all of them.
    pub only: Option<BeadId>,
    /// It begins at most so many root tasks; 0 is no limit.
    pub max_tasks: u32,
    /// When the gate of the repository closes by itself.
    pub gate: GateRules,
    /// How long an attempt may take to end when it is told to.
    pub grace: Duration,
    /// How long each thing may take before the watchdog does something about it.
    pub watchdog: watchdog::Limits,
    /// What the live page says of the engine.
    pub about: glitchlab_domain::snapshot::Engine,
}

/// What an attempt works with.
#[derive(Clone)]
pub struct Tools {
    /// Worktrees.
    pub workspace: Arc<dyn Workspace>,
    /// Branches, requests, merges.
    pub forge: Arc<dyn Forge>,
    /// The model.
    pub model: Arc<dyn Model>,
    /// The settings of the stages.
    pub stages: Arc<glitchlab_pipeline::attempt::Settings>,
}

impl Tools {
    /// Tells whether all money is pretended: a program that edits spends real money, whatever plans and reviews.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.model.simulated() && self.stages.implementer.agent().is_none()
    }

    /// Names what implements.
    #[must_use]
    pub fn implements(&self) -> &str {
        self.stages.implementer.agent().map_or_else(|| self.model.id(), |agent| &agent.name)
    }
}

/// How the scheduler sees the backlog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoardView {
    /// The counts.
    pub queue: QueueCounts,
    /// Why nothing new starts although something is ready.
    pub held: Option<Wait>,
    /// A task or a lost claim could take a slot, were there one and nothing in the way.
    pub could_start: bool,
    /// The backlog was read at least once.
    pub has_read: bool,
    /// Nothing is left to do or to wait for, as far as the engine itself goes.
    pub is_quiet: bool,
    /// What is wrong with the backlog, one sentence each.
    pub faults: Vec<String>,
    /// How the task stands that it works on alone.
    pub chosen: Option<Chosen>,
}

/// How the one task stands that an engine was started for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Where we stand with it; none when there is no such task.
    pub state: Option<TaskState>,
    /// Why it is not running.
    pub obstacle: Option<Wait>,
    /// Nothing more happens to it without a person, or for a long time.
    pub is_over: bool,
}

/// The actors' handles; they survive restarts.
#[derive(Clone)]
#[expect(missing_docs, reason = "each names its actor")]
pub struct Handles {
    pub journal: Handle<JournalMsg>,
    pub scheduler: Handle<SchedulerMsg>,
    pub pacer: Handle<PacerMsg>,
    pub hub: Handle<HubMsg>,
    pub janitor: Handle<JanitorMsg>,
    pub watchdog: Handle<WatchdogMsg>,
    pub alerter: Handle<AlerterMsg>,
    /// Wakes the scheduler.
    pub look: Activation,
    /// What the scheduler offers to the pacer.
    pub offer: Offer,
}

impl Default for Handles {
    fn default() -> Self {
        let scheduler: Handle<SchedulerMsg> = Handle::new("scheduler");
        let woken = scheduler.clone();
        let pacer: Handle<PacerMsg> = Handle::new("budget_pacer");
        let offered = pacer.clone();
        Self {
            journal: Handle::new("journal"),
            offer: Offer::new(Activation::new(move || offered.send(PacerMsg::Look).is_ok())),
            pacer,
            hub: Handle::new("dashboard_hub"),
            janitor: Handle::new("janitor"),
            watchdog: Handle::new("watchdog"),
            alerter: Handle::new("tqm_alerter"),
            look: Activation::new(move || woken.send(SchedulerMsg::Look).is_ok()),
            scheduler,
        }
    }
}

/// Commands that may wait for the writer.
const QUEUE: usize = 1_024;
/// How long an attempt may take to vanish after it was aborted.
const ABORT: Duration = Duration::from_secs(1);

impl Engine {
    /// Puts an engine together as a boot of its own, with new ids.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { mut settings, tools, clock, .. } = parts;
        let boot = BootBearer { boot_id: parts.boot_id, fence: Fence::new(random()) };
        let (writer, queue) = Writer::new(parts.backend, boot.boot_id.clone(), parts.writer_clock, QUEUE);
        settings.about.boot_id = boot.boot_id.clone();
        settings.about.started_ms = clock();
        settings.about.model = tools.implements().to_owned();
        settings.about.simulated = tools.is_simulated();
        let first = Snapshot { engine: settings.about.clone(), ..Snapshot::default() };
        Arc::new(Self {
            boot,
            host: parts.host,
            repo_id: parts.repo_id,
            scope: parts.scope,
            slots: Slots::new(parts.workers, Grace { cancel: settings.grace, abort: ABORT }),
            settings,
            live: watch::Sender::new(parts.live),
            config_faults: watch::Sender::new(Vec::new()),
            telemetry: watch::Sender::new(snapshot::Telemetry::default()),
            clock,
            writer,
            queue,
            reader: parts.reader,
            source: parts.source,
            tools,
            feed: Feed::default(),
            metrics: parts.metrics,
            gate: Gate::default(),
            board: watch::Sender::new(BoardView::default()),
            why: watch::Sender::new(Arc::default()),
            firing: watch::Sender::new(Firing::default()),
            receivers: parts.receivers,
            snapshot: watch::Sender::new(Arc::new(first)),
            tree: TreeHandle::new(),
            handles: Handles::default(),
            folder: parts.folder,
            own: parts.own,
            watch_on: parts.watch_on,
        })
    }

    /// Returns the row of this boot, a process that serves its pages at `listen`.
    #[must_use]
    pub fn process_row(&self, pid: u32, start_ticks: u64, listen: String) -> ProcessRow {
        let now_ms = self.now_ms();
        ProcessRow {
            boot_id: self.boot.boot_id.clone(),
            fence: self.boot.fence.clone(),
            host: self.host.clone(),
            pid,
            start_ticks,
            repo_id: self.repo_id.clone(),
            scope: self.scope.clone(),
            listen,
            started_ms: now_ms,
            lease_until_ms: now_ms + LEASE_MS,
            alive: true,
            rules: Some(self.rules()),
            backlog: self.source.location(),
            begun: Vec::new(),
        }
    }

    /// Takes other settings over and has the scheduler look at everything anew; the same ones change nothing.
    pub fn take_live(&self, live: &Live) {
        if self.live.send_if_modified(|now| std::mem::replace(now, live.clone()) != *live) {
            // One that is restarting reads everything when it starts.
            let _ = self.handles.scheduler.send(SchedulerMsg::Rebuild);
            let _ = self.handles.janitor.send(JanitorMsg::Beat);
        }
    }

    /// Returns what decides how many tasks may run and wait for a merge.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            workers: u32::try_from(self.slots.iter().count()).unwrap_or(u32::MAX),
            max_open: self.live.borrow().max_open,
            merges_here: self.tools.stages.merge == Merge::WhenGreen,
            max_tasks: self.settings.max_tasks,
        }
    }

    /// Returns the time, ms UTC.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        (self.clock)()
    }
}

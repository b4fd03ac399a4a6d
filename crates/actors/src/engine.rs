//! What every actor of one engine is built from: plain handles and settings, nothing that an incarnation owns.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use glitchlab_backlog::Source;
use glitchlab_domain::command::BootBearer;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::policy::{RetryRules, WorkFilter};
use glitchlab_domain::reason::Wait;
use glitchlab_domain::snapshot::{Queue as QueueCounts, Snapshot};
use glitchlab_models::Model;
use glitchlab_pipeline::forge::Forge;
use glitchlab_pipeline::workspace::Workspace;
use glitchlab_runtime::{Handle, TreeHandle};
use glitchlab_store::clock::Clock;
use glitchlab_store::{Queue, Reader, Writer};
use tokio::sync::watch;

use crate::activation::Activation;
use crate::admission::Gate;
use crate::budget_pacer::PacerMsg;
use crate::dashboard_hub::HubMsg;
use crate::feed::Feed;
use crate::janitor::JanitorMsg;
use crate::journal::JournalMsg;
use crate::offer::Offer;
use crate::scheduler::SchedulerMsg;
use crate::slots::Slots;

/// Everything that the actors share. Built once by the program, handed to each as an `Arc`.
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
    /// The worker slots.
    pub slots: Slots,
    /// The gate before new work.
    pub gate: Gate,
    /// The scheduler's view, for pages and the program.
    pub board: watch::Sender<BoardView>,
    /// The live page's state.
    pub snapshot: watch::Sender<Arc<Snapshot>>,
    /// The supervision tree, once it is started.
    pub tree: TreeHandle,
    /// The actors.
    pub handles: Handles,
}

/// The settings of one engine.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which ready beads are work.
    pub filter: WorkFilter,
    /// When a task is tried again.
    pub retry: RetryRules,
    /// How often the backlog and open requests are looked at.
    pub poll_interval: Duration,
    /// Close epics whose children are all closed.
    pub close_epics: bool,
    /// Admission stops at this many open requests; 0 is no limit.
    pub max_open: u32,
    /// The expected cost of a task that nothing is known of.
    pub hold: MicroUsd,
    /// Admission stops below this many free bytes on the disks that we write.
    pub min_free_bytes: u64,
    /// The folders whose disks are watched.
    pub watched_disks: Vec<PathBuf>,
    /// How long an attempt may take to end when it is told to.
    pub grace: Duration,
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

/// How the scheduler sees the backlog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoardView {
    /// The counts.
    pub queue: QueueCounts,
    /// Why nothing new starts although something is ready.
    pub held: Option<Wait>,
    /// The backlog was read at least once.
    pub has_read: bool,
    /// Nothing is left to do or to wait for, as far as the engine itself goes.
    pub is_quiet: bool,
    /// What is wrong with the backlog, one sentence each.
    pub faults: Vec<String>,
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
            look: Activation::new(move || woken.send(SchedulerMsg::Look).is_ok()),
            scheduler,
        }
    }
}

impl Engine {
    /// Returns the time, ms UTC.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        (self.clock)()
    }
}

//! What a run left behind.

use std::collections::BTreeMap;
use std::time::Duration;

use glitchlab_domain::board::Board;
use glitchlab_domain::event::Event;
use glitchlab_domain::ledger::Head;
use glitchlab_domain::policy::WorkFilter;
use glitchlab_domain::rows::{AttemptRow, CallRow, ClaimRow};
use glitchlab_domain::task::{TaskRow, TaskState};
use glitchlab_models::account::Entry;
use glitchlab_store::{Reader, StoreError};

use crate::clock::BEGIN_MS;
use crate::invariant;
use crate::settings::{REPO, SCOPE};
use crate::world::Outside;

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing was left to do or to wait for.
    Quiet,
    /// Its time was over.
    OutOfTime,
    /// The root supervisor gave up.
    Breach(String),
}

/// What a run left behind.
pub struct Ran {
    /// What the provider drew from.
    pub seed: u64,
    /// How many processes there were.
    pub boots: u32,
    /// Why it ended.
    pub end: End,
    /// How long it took in virtual time.
    pub took: Duration,
    /// Everything that survived the last process.
    pub outside: Outside,
    /// The tasks by their ids in the backlog.
    pub tasks: BTreeMap<String, TaskRow>,
    /// Every attempt, by task and number.
    pub attempts: Vec<AttemptRow>,
    /// The claims that are left.
    pub claims: Vec<ClaimRow>,
    /// Every call.
    pub calls: Vec<CallRow>,
    /// The ledger.
    pub head: Head,
    /// Everything that happened.
    pub events: Vec<Event>,
    /// The provider's own account.
    pub account: Vec<Entry>,
}

impl Ran {
    pub(crate) fn new(seed: u64, boots: u32, end: End, outside: Outside) -> Self {
        let reading = tokio::runtime::Builder::new_current_thread().build();
        let runtime = reading.expect("a runtime without drivers needs nothing");
        let ran = runtime.block_on(Self::read(seed, boots, end, outside));
        let ran = ran.expect("a store in memory always answers");
        ran.check(invariant::all)
    }

    async fn read(seed: u64, boots: u32, end: End, outside: Outside) -> Result<Self, StoreError> {
        let reader = Reader::Memory(outside.memory.clone());
        let took = outside.clock.passed();
        let tasks = reader.tasks(REPO).await?;
        let mut attempts = Vec::new();
        for task in &tasks {
            attempts.extend(reader.attempts(&task.key).await?);
        }
        let ledger = reader.ledger(SCOPE, (outside.clock.wall())()).await?;
        Ok(Self {
            seed,
            boots,
            end,
            took,
            tasks: tasks.into_iter().map(|task| (task.bead_id.to_string(), task)).collect(),
            attempts,
            claims: reader.claims(REPO).await?,
            calls: reader.calls(SCOPE).await?,
            head: ledger.unwrap_or_default(),
            events: reader.last_events(u32::MAX).await?,
            account: outside.account.entries(),
            outside,
        })
    }

    /// Checks something of the run.
    ///
    /// # Panics
    ///
    /// When it does not hold; the message has the seed.
    pub fn check(self, check: impl FnOnce(&Self) -> Result<(), String>) -> Self {
        if let Err(why) = check(&self) {
            panic!(
                "seed {}, {} processes, {:?} after {:?}: {why}",
                self.seed, self.boots, self.end, self.took
            );
        }
        self
    }

    /// Returns the scheduler's view of what is left.
    #[must_use]
    pub fn board(&self) -> Board {
        let mut board = Board::new(WorkFilter::default(), self.now_ms());
        for task in self.tasks.values() {
            board.take_task(task.clone());
        }
        for bead in self.outside.backlog.beads() {
            board.take_bead(&bead);
        }
        board
    }

    /// Returns the wall clock at the end, ms UTC.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        (self.outside.clock.wall())()
    }

    /// Returns when something happened, since the world began.
    #[must_use]
    pub fn since_begin(&self, at_ms: i64) -> Duration {
        Duration::from_millis(u64::try_from(at_ms - BEGIN_MS).unwrap_or(0))
    }

    /// Counts the tasks in a state.
    #[must_use]
    pub fn count(&self, state: TaskState) -> usize {
        self.tasks.values().filter(|task| task.state == state).count()
    }

    /// Returns the events of a kind, by its name.
    pub fn events_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Event> {
        self.events.iter().filter(move |event| event.kind.name() == name)
    }
}

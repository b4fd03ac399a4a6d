//! What survives a process, and how a scenario is put together and run.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use glitchlab_domain::bead::Bead;
use glitchlab_domain::money::MicroUsd;
use glitchlab_models::simulated::{Profile, Simulated};
use glitchlab_models::{Account, Model};
use glitchlab_pipeline::attempt::Merge;
use glitchlab_pipeline::fakes::{FakeRepo, FakeWorkspace};
use glitchlab_store::Memory;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::act::Act;
use crate::backlog::FakeBacklog;
use crate::clock::WorldClock;
use crate::collector::FakeCollector;
use crate::failures::Failures;
use crate::meters::Meters;
use crate::process::{self, Death};
use crate::ran::{End, Ran};
use crate::receiver::FakeReceiver;
use crate::settings::Setup;
use crate::tripwire::{Place, Trip, Tripwire};

/// More processes than any scenario needs: one that never gets on is found out.
const PROCESSES: u32 = 500;

/// Everything that survives a process.
pub struct Outside {
    /// How engines are set up.
    pub setup: Setup,
    /// The time.
    pub clock: WorldClock,
    /// The store.
    pub memory: Memory,
    /// The backlog.
    pub backlog: FakeBacklog,
    /// The repository.
    pub repo: FakeRepo,
    /// Its worktrees.
    pub workspace: FakeWorkspace,
    /// The provider's own account.
    pub account: Account,
    /// The provider.
    pub model: Arc<dyn Model>,
    /// Where the outside world is touched.
    pub wire: Tripwire,
    /// What its processes have counted.
    pub meters: Meters,
    /// Where the watchdog keeps its records.
    pub folder: TempDir,
    /// Where spans are sent.
    pub collector: Option<FakeCollector>,
    /// It runs in real time, on threads.
    pub is_threaded: bool,
    /// What panics, and where.
    pub failures: Failures,
    /// What the processes gave up of that were started again.
    pub breaches: Vec<String>,
}

/// What happens when, in order.
#[derive(Default)]
pub(crate) struct Plan {
    acts: VecDeque<(Duration, Act)>,
    /// When the last act was.
    last_at: Option<Duration>,
}

impl Plan {
    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.acts.front().map(|(at, _)| *at)
    }

    pub(crate) fn take(&mut self) -> Option<Act> {
        let (at, act) = self.acts.pop_front()?;
        self.last_at = Some(at);
        Some(act)
    }

    /// Returns from when on a quiet engine has seen everything that was planned, given how often it looks; none while
    /// something is still to come.
    pub(crate) fn seen_from(&self, poll_interval: Duration) -> Option<Duration> {
        let last = || self.last_at.map_or(Duration::ZERO, |at| at + poll_interval + Duration::from_secs(1));
        self.acts.is_empty().then(last)
    }

    fn add(&mut self, at: Duration, act: Act) {
        let place = self.acts.partition_point(|(other, _)| *other <= at);
        self.acts.insert(place, (at, act));
    }
}

/// A scenario that is being put together.
pub struct World {
    seed: u64,
    setup: Setup,
    beads: Vec<Bead>,
    plan: Plan,
    wire: Tripwire,
    tests: Option<(Duration, Tests)>,
    threads: Option<usize>,
    receiver: Option<FakeReceiver>,
    collector: Option<FakeCollector>,
    failures: Failures,
    is_started_again: bool,
}

type Tests = Arc<dyn Fn(&std::collections::BTreeMap<String, String>) -> bool + Send + Sync>;

impl World {
    /// Begins a world whose provider draws from a seed.
    #[must_use]
    pub fn seed(seed: u64) -> Self {
        Self {
            seed,
            setup: Setup::default(),
            beads: Vec::new(),
            plan: Plan::default(),
            wire: Tripwire::default(),
            tests: None,
            threads: None,
            receiver: None,
            collector: None,
            failures: Failures::default(),
            is_started_again: false,
        }
    }

    /// Sets the backlog.
    #[must_use]
    pub fn backlog(mut self, beads: Vec<Bead>) -> Self {
        self.beads = beads;
        self
    }

    /// Sets how the provider behaves.
    #[must_use]
    pub fn model(mut self, profile: Profile) -> Self {
        self.setup.profile = profile;
        self
    }

    /// Sets the caps of a rolling hour and day.
    #[must_use]
    pub fn caps(mut self, per_hour: MicroUsd, per_day: MicroUsd) -> Self {
        self.setup.per_hour = per_hour;
        self.setup.per_day = per_day;
        self
    }

    /// Sets the number of worker slots.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.setup.workers = workers;
        self
    }

    /// Sets when finished work is merged by us.
    #[must_use]
    pub fn merge(mut self, merge: Merge) -> Self {
        self.setup.merge = merge;
        self
    }

    /// Sets anything else.
    #[must_use]
    pub fn set(mut self, set: impl FnOnce(&mut Setup)) -> Self {
        set(&mut self.setup);
        self
    }

    /// Lets the tests of the repository take their time, and pass when `verdict` says so of the files.
    #[must_use]
    pub fn tests(
        mut self,
        take: Duration,
        verdict: impl Fn(&std::collections::BTreeMap<String, String>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.tests = Some((take, Arc::new(verdict)));
        self
    }

    /// Tells a receiver of alerts.
    #[must_use]
    pub fn tells(mut self, receiver: &FakeReceiver) -> Self {
        self.receiver = Some(receiver.clone());
        self
    }

    /// Sends spans to a receiver.
    #[must_use]
    pub fn traces(mut self, collector: &FakeCollector) -> Self {
        self.collector = Some(collector.clone());
        self
    }

    /// Lets things panic.
    #[must_use]
    pub fn fails(mut self, failures: &Failures) -> Self {
        self.failures = failures.clone();
        self
    }

    /// Starts the engine again when its root supervisor gave up, as a service manager does.
    #[must_use]
    pub fn starts_again(mut self) -> Self {
        self.is_started_again = true;
        self
    }

    /// Plans what happens after so much time.
    #[must_use]
    pub fn at(mut self, passed: Duration, act: impl Into<Act>) -> Self {
        self.plan.add(passed, act.into());
        self
    }

    /// Plans what happens at the `nth` touch of the outside world, wherever that is.
    #[must_use]
    pub fn at_touch(self, nth: u64, trip: Trip) -> Self {
        self.wire.plan(nth, trip);
        self
    }

    /// Plans what happens at the `nth` touch of one place.
    #[must_use]
    pub fn at_place(self, place: Place, nth: u64, trip: Trip) -> Self {
        self.wire.plan_at(place, nth, trip);
        self
    }

    /// Runs in real time on so many threads: for what blocks one of them.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Runs until nothing planned is left and the engine has nothing to do or to wait for, at most this long.
    ///
    /// # Panics
    ///
    /// When something that must always hold did not, or process after process dies; the message has the seed.
    #[must_use]
    pub fn run(self, limit: Duration) -> Ran {
        let World { seed, setup, beads, mut plan, wire, tests, threads, receiver, collector, .. } = self;
        let is_threaded = threads.is_some();
        let mut outside = outside(seed, setup, beads, wire, tests, is_threaded);
        outside.failures = self.failures;
        if let Some(receiver) = receiver {
            outside.setup.receivers = receiver.receivers(&outside.clock, &outside.wire);
        }
        outside.collector = collector;
        let mut stillborn = "none was stillborn".to_owned();
        for boots in 1..=PROCESSES {
            let death = one_process(&outside, &mut plan, limit, threads);
            outside.failures.end_process();
            let end = match death {
                Death::Killed | Death::Restarted => continue,
                Death::Stillborn(why) => {
                    stillborn = why;
                    continue;
                }
                Death::Breach(why) if self.is_started_again => {
                    outside.breaches.push(why);
                    continue;
                }
                Death::Quiet => End::Quiet,
                Death::OutOfTime => End::OutOfTime,
                Death::Breach(why) => End::Breach(why),
                Death::Violated(why) => panic!("seed {seed}, {:?}: {why}", outside.clock.passed()),
            };
            return Ran::new(seed, boots, end, outside);
        }
        panic!("seed {seed}: {PROCESSES} processes did not come to an end; {stillborn}");
    }
}

fn outside(
    seed: u64,
    setup: Setup,
    beads: Vec<Bead>,
    wire: Tripwire,
    tests: Option<(Duration, Tests)>,
    is_threaded: bool,
) -> Outside {
    let clock = WorldClock::default();
    let account = Account::memory(clock.steady());
    let repo = FakeRepo::new(&[("README.md", "A small repository.\n")]);
    let mut workspace = FakeWorkspace::new(repo.clone());
    if let Some((take, verdict)) = tests {
        workspace = workspace.with_tests(take, move |files| verdict(files));
    }
    let model: Arc<dyn Model> = Arc::new(Simulated::new(setup.profile, seed, account.clone()));
    let backlog = FakeBacklog::new(beads);
    let (memory, folder) = (Memory::default(), tempfile::tempdir().expect("a temporary folder"));
    let meters = Meters::default();
    let (failures, breaches) = (Failures::default(), Vec::new());
    Outside {
        setup,
        clock,
        memory,
        backlog,
        repo,
        workspace,
        account,
        model,
        wire,
        meters,
        folder,
        collector: None,
        is_threaded,
        failures,
        breaches,
    }
}

/// A process is a runtime; what it was in the middle of ends with it.
fn one_process(outside: &Outside, plan: &mut Plan, limit: Duration, threads: Option<usize>) -> Death {
    let runtime = runtime(threads);
    let death = runtime.block_on(async {
        outside.clock.start();
        let death = process::live(outside, plan, limit).await;
        outside.clock.stop();
        death
    });
    // A thread that blocks is not waited for, as the program does not.
    runtime.shutdown_background();
    death
}

fn runtime(threads: Option<usize>) -> Runtime {
    let built = match threads {
        None => Builder::new_current_thread().enable_time().start_paused(true).build(),
        Some(threads) => Builder::new_multi_thread().worker_threads(threads).enable_time().build(),
    };
    built.expect("a runtime without input and output needs nothing but threads")
}

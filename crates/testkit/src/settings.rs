//! How the engines of a world are set up.

use std::time::Duration;

use glitchlab_actors::tqm_alerter::webhook::Receivers;
use glitchlab_actors::{Live, Settings};
use glitchlab_domain::consent::Approval;
use glitchlab_domain::gate::GateRules;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::policy::{Limits, MoneyRules, RetryRules, WorkFilter};
use glitchlab_domain::{snapshot, watchdog};
use glitchlab_models::simulated::Profile;
use glitchlab_pipeline::attempt::{self, Merge, MergeTurn};
use glitchlab_pipeline::git::Identity;
use glitchlab_pipeline::implementer::Implementer;
use glitchlab_pipeline::process::redact::Redactor;
use glitchlab_pipeline::workspace::DEFAULT_TEST_LIMITS;

/// The repository's id in every world.
pub const REPO: &str = "world";
/// The ledger's scope in every world.
pub const SCOPE: &str = "simulated:world";

/// What a scenario may set. The defaults are those of the program, with caps that no scenario reaches by accident.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Worker slots.
    pub workers: usize,
    /// How the provider behaves.
    pub profile: Profile,
    /// The cap of a rolling hour.
    pub per_hour: MicroUsd,
    /// The cap of a rolling day.
    pub per_day: MicroUsd,
    /// What may be spent beside the caps, and how fast.
    pub money: MoneyRules,
    /// A prompt is bounded by the difference to one that it extends.
    pub bound_by_difference: bool,
    /// Prompts are kept and sent, without these words.
    pub keep_prompts: Option<Vec<String>>,
    /// When finished work is merged by us.
    pub merge: Merge,
    /// Admission stops at this many open requests; 0 is no limit.
    pub max_open: u32,
    /// When a task is tried again.
    pub retry: RetryRules,
    /// What the stages may use.
    pub limits: Limits,
    /// How often the backlog and open requests are looked at.
    pub poll_interval: Duration,
    /// How long an attempt may take to end when it is told to.
    pub grace: Duration,
    /// When the gate closes by itself.
    pub gate: GateRules,
    /// What waits for a person's word.
    pub approve: Approval,
    /// A run begins at most so many root tasks; 0 is no limit.
    pub max_tasks: u32,
    /// How long each thing may take before the watchdog does something about it.
    pub watchdog: watchdog::Limits,
    /// Something is meant to hang: in every other world the watchdog must find nothing.
    pub may_stall: bool,
    /// Stand-ins for the program's own children run beside the hub: its pages and its reader of the configuration.
    pub has_pages: bool,
    /// Who is told of alerts.
    pub receivers: Receivers,
    /// The repository's test command, for the fake workspace only a name.
    pub test: Option<String>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            workers: 4,
            profile: Profile::Fast,
            per_hour: MicroUsd::new(100_000_000_000),
            per_day: MicroUsd::new(1_000_000_000_000),
            money: MoneyRules::default(),
            bound_by_difference: true,
            keep_prompts: None,
            merge: Merge::WhenGreen,
            max_open: 0,
            retry: RetryRules::default(),
            limits: Limits::default(),
            poll_interval: Duration::from_secs(60),
            grace: Duration::from_secs(10),
            gate: GateRules::NEVER,
            approve: Approval::None,
            max_tasks: 0,
            watchdog: watchdog::Limits {
                beat_ms: 100_000,
                handler_ms: 100_000,
                ..watchdog::Limits::default()
            },
            may_stall: false,
            has_pages: false,
            receivers: Receivers::default(),
            test: Some("the tests".to_owned()),
        }
    }
}

impl Setup {
    /// Makes the settings of one engine.
    #[must_use]
    pub fn engine(&self) -> Settings {
        Settings {
            close_epics: true,
            money: self.money,
            min_free_bytes: 0,
            watched_disks: Vec::new(),
            only: None,
            max_tasks: self.max_tasks,
            gate: self.gate,
            grace: self.grace,
            watchdog: self.watchdog,
            about: snapshot::Engine {
                version: "testkit".to_owned(),
                repo: REPO.to_owned(),
                base: "main".to_owned(),
                merge: format!("{:?}", self.merge),
                task_cap: self.money.per_task,
                size_tokens: self.limits.size_tokens,
                // The engine fills in its boot and its model.
                ..snapshot::Engine::default()
            },
        }
    }

    /// Makes the settings that may change while an engine runs.
    #[must_use]
    pub fn live(&self) -> Live {
        Live {
            filter: WorkFilter::default(),
            retry: self.retry,
            poll_interval: self.poll_interval,
            max_open: self.max_open,
        }
    }

    /// Makes what takes the words out of prompts and replies that are not to be read.
    pub(crate) fn redactor(&self) -> Option<Redactor> {
        self.keep_prompts.clone().map(Redactor::new)
    }

    /// Makes the settings of the stages.
    #[must_use]
    pub fn stages(&self) -> attempt::Settings {
        attempt::Settings {
            limits: self.limits,
            implementer: Implementer::Builtin,
            bound_by_difference: self.bound_by_difference,
            keep_prompts: self.redactor(),
            merge: self.merge,
            base: "main".to_owned(),
            test: self.test.clone(),
            allow_untested: self.test.is_none(),
            approve: self.approve,
            test_limits: DEFAULT_TEST_LIMITS,
            setup: None,
            author: Identity::new("World", "world@example.org").expect("it is a name and an address"),
            merge_turn: MergeTurn::default(),
        }
    }
}

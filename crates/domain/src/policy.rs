//! Validated settings that decisions take as arguments.

use serde::{Deserialize, Serialize};

use crate::command::TaskCaps;
use crate::ledger::Terms;
use crate::money::{MicroUsd, Price};
use crate::pacing::Spread;

/// What an attempt is expected to use while nothing better is known: the budget of a medium task, a fifth of it output.
const USUAL_PROMPT_TOKENS: u64 = 48_000;
const USUAL_OUTPUT_TOKENS: u64 = 12_000;

/// What a task may cost in all while nobody says otherwise: four dollars.
pub const PER_TASK: MicroUsd = MicroUsd::new(4_000_000);

/// What may be spent beside the caps of an hour and a day, and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoneyRules {
    /// Over which window admission is spread.
    pub spread: Spread,
    /// What a task may cost in all, its attempts and its parts together; none is no cap.
    pub per_task: Option<MicroUsd>,
    /// The same in tokens, for models that are paid by subscription.
    pub tokens_per_task: Option<u64>,
    /// The cap of any rolling day in tokens.
    pub tokens_per_day: Option<u64>,
    /// What an attempt is expected to cost until five of the repository have ended; none: what the usual tokens cost.
    pub hold: Option<MicroUsd>,
}

impl Default for MoneyRules {
    fn default() -> Self {
        Self {
            spread: Spread::default(),
            per_task: Some(PER_TASK),
            tokens_per_task: None,
            tokens_per_day: None,
            hold: None,
        }
    }
}

impl MoneyRules {
    /// Returns what a start asks of the ledger.
    #[must_use]
    pub const fn terms(&self) -> Terms {
        Terms { spread: self.spread, tokens_per_day: self.tokens_per_day }
    }

    /// Returns what a reservation asks of its task's purse.
    #[must_use]
    pub const fn task_caps(&self) -> TaskCaps {
        TaskCaps { money: self.per_task, tokens: self.tokens_per_task }
    }

    /// Returns what an attempt is expected to cost while nothing better is known, in money and in tokens.
    #[must_use]
    pub fn usual_hold(&self, price: Price) -> (MicroUsd, u64) {
        let usual = || price.cost(USUAL_PROMPT_TOKENS, USUAL_OUTPUT_TOKENS);
        (self.hold.unwrap_or_else(usual), USUAL_PROMPT_TOKENS + USUAL_OUTPUT_TOKENS)
    }
}

/// How long a process counts as alive after a beat, for processes of other machines.
pub const LEASE_MS: i64 = 60_000;

/// Which ready beads are work for us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkFilter {
    /// Types that are work.
    pub types: Vec<String>,
    /// When not empty, a bead needs one of these labels.
    pub include_labels: Vec<String>,
    /// A bead with one of these is left to others.
    pub exclude_labels: Vec<String>,
    /// The largest priority number that is taken; 0 is highest.
    pub max_priority: i64,
}

impl Default for WorkFilter {
    fn default() -> Self {
        let words = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        Self {
            types: words(&["task", "bug", "feature", "chore"]),
            include_labels: Vec::new(),
            exclude_labels: words(&["human", "wip"]),
            max_priority: 4,
        }
    }
}

/// When a task is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryRules {
    /// Attempts that may fail before a person is asked.
    pub attempts: u32,
    /// The first back-off; it doubles with each failure.
    pub backoff_ms: i64,
    /// The longest back-off.
    pub backoff_max_ms: i64,
    /// How often a task may be put back.
    pub deferrals: u32,
    /// The first cool-down; it doubles with each deferral.
    pub cool_down_ms: i64,
    /// The longest cool-down.
    pub cool_down_max_ms: i64,
    /// How often one attempt may be lost by its slot before it counts as failed.
    pub crashes: u32,
}

impl Default for RetryRules {
    fn default() -> Self {
        Self {
            attempts: 3,
            backoff_ms: 10_000,
            backoff_max_ms: 300_000,
            deferrals: 3,
            cool_down_ms: 600_000,
            cool_down_max_ms: 7_200_000,
            crashes: 3,
        }
    }
}

/// What the budget gate and the stages may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Token budgets for S, M and L.
    pub size_tokens: [u64; 3],
    /// Levels of decomposition below a root.
    pub depth: u32,
    /// Rounds of debugging after red tests.
    pub debug_rounds: u32,
    /// Rounds of the edit loop in one stage.
    pub edit_rounds: u32,
    /// Added and removed lines of one diff.
    pub diff_lines: u32,
    /// Sub-tasks of one decomposition.
    pub subtasks: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            size_tokens: [20_000, 60_000, 90_000],
            depth: 3,
            debug_rounds: 2,
            edit_rounds: 12,
            diff_lines: 1_500,
            subtasks: 12,
        }
    }
}

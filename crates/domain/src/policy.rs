//! Validated settings that decisions take as arguments.

use serde::{Deserialize, Serialize};

use crate::money::MicroUsd;

/// What a task is expected to cost while nothing better is known: half a dollar. Admission asks the caps for so much.
pub const DEFAULT_HOLD: MicroUsd = MicroUsd::new(500_000);

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

//! What is kept of alerts: one row for each incident, what each rule remembers, and how far events were read.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Labels, Severity};
use crate::bead::BeadId;
use crate::id::BootId;

/// The most tasks and traces that an alert names.
const NAMED: usize = 20;

/// What supports an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Numbers and words by what they mean.
    pub facts: BTreeMap<String, String>,
    /// The tasks that it is about.
    pub tasks: Vec<BeadId>,
    /// Traces, 32 hex digits each.
    pub traces: Vec<String>,
    /// Paths of the dashboard that show more.
    pub pages: Vec<String>,
}

impl Evidence {
    /// Adds one fact.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<String>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a page of the dashboard.
    #[must_use]
    pub fn page(mut self, path: impl Into<String>) -> Self {
        self.pages.push(path.into());
        self
    }

    /// Takes in what is new: later facts win, lists grow up to a bound.
    pub fn add(&mut self, other: Self) {
        self.facts.extend(other.facts);
        grow(&mut self.tasks, other.tasks);
        grow(&mut self.traces, other.traces);
        grow(&mut self.pages, other.pages);
    }
}

fn grow<T: PartialEq>(list: &mut Vec<T>, more: Vec<T>) {
    for item in more {
        if list.len() < NAMED && !list.contains(&item) {
            list.push(item);
        }
    }
}

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// Its condition holds, but not long enough yet.
    Pending,
    /// It fires.
    Firing,
    /// Its condition has passed, and stayed so for the hold-down.
    Resolved,
    /// Its condition passed before it fired: nobody heard of it.
    Lapsed,
}

impl AlertState {
    /// Returns the word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
            Self::Lapsed => "lapsed",
        }
    }
}

/// What receivers have been told of an incident.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Nothing yet.
    #[default]
    Nothing,
    /// That it fires.
    Firing,
    /// That it is over.
    Resolved,
}

/// One incident of one alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertRow {
    /// Its id, a hash of its key and its start.
    pub incident_id: String,
    /// The repository.
    pub repo_id: String,
    /// The rule's name and its sorted labels.
    pub key: String,
    /// The rule.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// What tells it from other alerts of the rule.
    pub labels: Labels,
    /// Where it stands.
    pub state: AlertState,
    /// One sentence: hostile text in parts.
    pub summary: String,
    /// What supports it.
    pub evidence: Evidence,
    /// Since when its condition holds, ms UTC.
    pub since_ms: i64,
    /// When it began to fire, ms UTC.
    pub fired_ms: Option<i64>,
    /// Since when its condition has passed, while it is held down, ms UTC.
    pub cleared_ms: Option<i64>,
    /// When it was over, ms UTC.
    pub ended_ms: Option<i64>,
    /// What receivers have been told.
    pub told: Told,
    /// The firing rule that silences it.
    pub inhibited_by: Option<String>,
}

impl AlertRow {
    /// Tells whether it fires and nothing silences it.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.state == AlertState::Firing && self.inhibited_by.is_none()
    }
}

/// What a rule remembers between two events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Memory(serde_json::Value);

impl Memory {
    /// Returns what was kept; one that was never kept, or by another version of the rule, is empty.
    #[must_use]
    pub fn recall<T: DeserializeOwned + Default>(&self) -> T {
        serde_json::from_value(self.0.clone()).unwrap_or_default()
    }

    /// Keeps a value for the next event.
    pub fn keep<T: Serialize>(&mut self, value: &T) {
        self.0 = serde_json::to_value(value).unwrap_or_default();
    }
}

/// What the alerter of a repository remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AlerterRow {
    /// The repository.
    pub repo_id: String,
    /// What each rule remembers.
    pub memory: BTreeMap<String, Memory>,
    /// Receivers that said that they are gone: their fingerprints by their names.
    pub gone: BTreeMap<String, String>,
}

/// How far the events of one boot were read by the alerter of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorRow {
    /// The repository.
    pub repo_id: String,
    /// The boot that wrote the events.
    pub boot_id: BootId,
    /// The last event that was taken in.
    pub seq: u64,
}

impl CursorRow {
    /// Returns the cursor's key.
    #[must_use]
    pub fn id(&self) -> String {
        cursor_id(&self.repo_id, &self.boot_id)
    }
}

/// Returns the key of a cursor.
#[must_use]
pub fn cursor_id(repo_id: &str, boot_id: &BootId) -> String {
    format!("{repo_id}/{boot_id}")
}

//! How each row is kept: its key, the columns that index it, and its body.

use std::borrow::Cow;

use glitchlab_domain::alert::delivery::OutboxRow;
use glitchlab_domain::alert::{AlertRow, AlerterRow, CursorRow};
use glitchlab_domain::event::Event;
use glitchlab_domain::id::AttemptId;
use glitchlab_domain::ledger::{Head, Unit};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::rows::{
    AttemptRow, CallRow, CallState, ChildRow, ClaimRow, ControlRow, EffectRow, GateRow, ProcessRow, PurseRow,
    StepRow,
};
use glitchlab_domain::task::TaskRow;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value of an indexing column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Text(Cow<'a, str>),
    Int(i64),
    None,
}

/// A row that has a table.
pub(crate) trait Stored: Serialize + DeserializeOwned {
    /// The table's name.
    const TABLE: &'static str;
    /// The columns before `body`, the key first.
    const COLUMNS: &'static [&'static str];
    /// How many of them are the key.
    const KEYS: usize = 1;
    /// How many of them, the key among them, never change of a row.
    const FIXED: usize = Self::KEYS;
    /// The values of [`Stored::COLUMNS`].
    fn values(&self) -> Vec<Value<'_>>;
}

fn text(value: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(value))
}

const fn made(value: String) -> Value<'static> {
    Value::Text(Cow::Owned(value))
}

fn maybe(value: Option<i64>) -> Value<'static> {
    value.map_or(Value::None, Value::Int)
}

pub(crate) fn step_id(attempt_id: &AttemptId, n: u32) -> String {
    format!("{attempt_id}/{n}")
}

/// Returns what the keys of all tries of a call lie between.
pub(crate) fn tries_of(attempt_id: &AttemptId, step_n: u32, call_no: u32) -> [String; 2] {
    let call = format!("{attempt_id}/{step_n}/{call_no}");
    // The character after `/`.
    [format!("{call}/"), format!("{call}0")]
}

impl Stored for TaskRow {
    const TABLE: &'static str = "task";
    const COLUMNS: &'static [&'static str] =
        &["task_key", "repo_id", "bead_id", "root_key", "state", "until_ms", "updated_ms"];
    const FIXED: usize = 4;
    fn values(&self) -> Vec<Value<'_>> {
        vec![
            text(self.key.as_str()),
            text(&self.repo_id),
            text(self.bead_id.as_str()),
            text(self.root_key.as_str()),
            text(self.state.name()),
            maybe(self.until_ms),
            Value::Int(self.updated_ms),
        ]
    }
}

impl Stored for ClaimRow {
    const TABLE: &'static str = "claim";
    const COLUMNS: &'static [&'static str] = &["task_key", "repo_id", "boot_id", "attempt_id"];
    fn values(&self) -> Vec<Value<'_>> {
        vec![
            text(self.task_key.as_str()),
            text(&self.repo_id),
            text(self.boot_id.as_str()),
            text(self.attempt_id.as_str()),
        ]
    }
}

impl Stored for AttemptRow {
    const TABLE: &'static str = "attempt";
    const COLUMNS: &'static [&'static str] =
        &["attempt_id", "task_key", "root_key", "started_ms", "status", "ended_ms"];
    const FIXED: usize = 4;
    fn values(&self) -> Vec<Value<'_>> {
        vec![
            text(self.attempt_id.as_str()),
            text(self.task_key.as_str()),
            text(self.root_key.as_str()),
            Value::Int(self.started_ms),
            self.status.map_or(Value::None, |status| text(status.name())),
            maybe(self.ended_ms),
        ]
    }
}

impl Stored for StepRow {
    const TABLE: &'static str = "step";
    const COLUMNS: &'static [&'static str] = &["step_id"];
    fn values(&self) -> Vec<Value<'_>> {
        vec![made(step_id(&self.attempt_id, self.n))]
    }
}

impl Stored for CallRow {
    const TABLE: &'static str = "model_call";
    const COLUMNS: &'static [&'static str] =
        &["try_id", "scope", "created_ms", "state", "settled_ms", "actual_micro", "tokens"];
    const FIXED: usize = 3;
    fn values(&self) -> Vec<Value<'_>> {
        vec![
            made(self.key.to_string()),
            text(&self.scope),
            Value::Int(self.created_ms),
            text(call_state(self.state)),
            maybe(self.settled_ms),
            maybe(self.actual.map(MicroUsd::micro)),
            maybe(self.amounts(Unit::Tokens).1.map(MicroUsd::micro)),
        ]
    }
}

const fn call_state(state: CallState) -> &'static str {
    match state {
        CallState::Open => "open",
        CallState::Settled => "settled",
        CallState::Unknown => "unknown",
    }
}

impl Stored for EffectRow {
    const TABLE: &'static str = "effect";
    const COLUMNS: &'static [&'static str] = &["effect_key", "task_key", "kind", "done_ms"];
    fn values(&self) -> Vec<Value<'_>> {
        vec![text(self.key.as_str()), text(self.task_key.as_str()), text(&self.kind), maybe(self.done_ms)]
    }
}

impl Stored for ChildRow {
    const TABLE: &'static str = "child";
    const COLUMNS: &'static [&'static str] = &["child_id", "boot_id", "ended_ms"];
    fn values(&self) -> Vec<Value<'_>> {
        vec![made(step_id(&self.attempt_id, self.n)), text(self.boot_id.as_str()), maybe(self.ended_ms)]
    }
}

impl Stored for ProcessRow {
    const TABLE: &'static str = "process";
    const COLUMNS: &'static [&'static str] = &["boot_id", "repo_id", "alive", "lease_until_ms"];
    fn values(&self) -> Vec<Value<'_>> {
        vec![
            text(self.boot_id.as_str()),
            text(&self.repo_id),
            Value::Int(i64::from(self.alive)),
            Value::Int(self.lease_until_ms),
        ]
    }
}

impl Stored for Head {
    const TABLE: &'static str = "ledger_head";
    const COLUMNS: &'static [&'static str] = &["scope"];
    fn values(&self) -> Vec<Value<'_>> {
        vec![text(&self.scope)]
    }
}

impl Stored for PurseRow {
    const TABLE: &'static str = "purse";
    const COLUMNS: &'static [&'static str] = &["root_key"];
    fn values(&self) -> Vec<Value<'_>> {
        vec![text(self.root_key.as_str())]
    }
}

impl Stored for GateRow {
    const TABLE: &'static str = "gate";
    const COLUMNS: &'static [&'static str] = &["repo_id"];
    fn values(&self) -> Vec<Value<'_>> {
        vec![text(&self.repo_id)]
    }
}

impl Stored for ControlRow {
    const TABLE: &'static str = "control";
    const COLUMNS: &'static [&'static str] = &["id", "repo_id", "at_ms", "done_ms"];
    fn values(&self) -> Vec<Value<'_>> {
        vec![text(&self.id), text(&self.repo_id), Value::Int(self.at_ms), maybe(self.done_ms)]
    }
}

impl Stored for AlertRow {
    const TABLE: &'static str = "alert";
    const COLUMNS: &'static [&'static str] = &["incident_id", "repo_id", "rule", "since_ms", "ended_ms"];
    fn values(&self) -> Vec<Value<'_>> {
        vec![
            text(&self.incident_id),
            text(&self.repo_id),
            text(&self.rule),
            Value::Int(self.since_ms),
            maybe(self.ended_ms),
        ]
    }
}

impl Stored for OutboxRow {
    const TABLE: &'static str = "outbox";
    const COLUMNS: &'static [&'static str] = &["webhook_id", "repo_id", "incident_id", "state", "created_ms"];
    fn values(&self) -> Vec<Value<'_>> {
        vec![
            text(&self.webhook_id),
            text(&self.repo_id),
            text(&self.incident_id),
            text(self.state.name()),
            Value::Int(self.created_ms),
        ]
    }
}

impl Stored for AlerterRow {
    const TABLE: &'static str = "alerter";
    const COLUMNS: &'static [&'static str] = &["repo_id"];
    fn values(&self) -> Vec<Value<'_>> {
        vec![text(&self.repo_id)]
    }
}

impl Stored for CursorRow {
    const TABLE: &'static str = "cursor_of_events";
    const COLUMNS: &'static [&'static str] = &["cursor_id"];
    fn values(&self) -> Vec<Value<'_>> {
        vec![made(self.id())]
    }
}

impl Stored for Event {
    const TABLE: &'static str = "event";
    const COLUMNS: &'static [&'static str] = &["boot_id", "seq", "at_ms", "kind", "task_key", "attempt_id"];
    const KEYS: usize = 2;
    fn values(&self) -> Vec<Value<'_>> {
        vec![
            text(self.id.boot_id.as_str()),
            Value::Int(i64::try_from(self.id.seq).unwrap_or(i64::MAX)),
            Value::Int(self.at_ms),
            text(self.kind.name()),
            self.about.task_key.as_ref().map_or(Value::None, |key| text(key.as_str())),
            self.about.attempt_id.as_ref().map_or(Value::None, |id| text(id.as_str())),
        ]
    }
}

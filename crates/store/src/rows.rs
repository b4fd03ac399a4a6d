//! How each row is kept: its key, the columns that index it, and its body.

use glitchlab_domain::alert::delivery::OutboxRow;
use glitchlab_domain::alert::{AlertRow, AlerterRow, CursorRow};
use glitchlab_domain::event::Event;
use glitchlab_domain::id::{AttemptId, TryKey};
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
pub(crate) enum Value {
    Text(String),
    Int(i64),
    NoText,
    NoInt,
}

/// A row that has a table.
pub(crate) trait Stored: Serialize + DeserializeOwned {
    /// The table's name.
    const TABLE: &'static str;
    /// The columns before `body`, the key first.
    const COLUMNS: &'static [&'static str];
    /// How many of them are the key.
    const KEYS: usize = 1;
    /// The values of [`Stored::COLUMNS`].
    fn values(&self) -> Vec<Value>;
}

fn text(value: &(impl ToString + ?Sized)) -> Value {
    Value::Text(value.to_string())
}

fn maybe(value: Option<i64>) -> Value {
    value.map_or(Value::NoInt, Value::Int)
}

pub(crate) fn step_id(attempt_id: &AttemptId, n: u32) -> String {
    format!("{attempt_id}/{n}")
}

pub(crate) fn call_id(attempt_id: &AttemptId, step_n: u32, call_no: u32) -> String {
    format!("{attempt_id}/{step_n}/{call_no}")
}

fn call_of(key: &TryKey) -> String {
    call_id(&key.attempt_id, key.step_n, key.call_no)
}

impl Stored for TaskRow {
    const TABLE: &'static str = "task";
    const COLUMNS: &'static [&'static str] =
        &["task_key", "repo_id", "bead_id", "root_key", "state", "until_ms", "updated_ms"];
    fn values(&self) -> Vec<Value> {
        vec![
            text(&self.key),
            text(&self.repo_id),
            text(&self.bead_id),
            text(&self.root_key),
            text(self.state.name()),
            maybe(self.until_ms),
            Value::Int(self.updated_ms),
        ]
    }
}

impl Stored for ClaimRow {
    const TABLE: &'static str = "claim";
    const COLUMNS: &'static [&'static str] = &["task_key", "repo_id", "boot_id", "attempt_id"];
    fn values(&self) -> Vec<Value> {
        vec![text(&self.task_key), text(&self.repo_id), text(&self.boot_id), text(&self.attempt_id)]
    }
}

impl Stored for AttemptRow {
    const TABLE: &'static str = "attempt";
    const COLUMNS: &'static [&'static str] =
        &["attempt_id", "task_key", "root_key", "status", "started_ms", "ended_ms"];
    fn values(&self) -> Vec<Value> {
        vec![
            text(&self.attempt_id),
            text(&self.task_key),
            text(&self.root_key),
            self.status.map_or(Value::NoText, |status| text(status.name())),
            Value::Int(self.started_ms),
            maybe(self.ended_ms),
        ]
    }
}

impl Stored for StepRow {
    const TABLE: &'static str = "step";
    const COLUMNS: &'static [&'static str] = &["step_id"];
    fn values(&self) -> Vec<Value> {
        vec![Value::Text(step_id(&self.attempt_id, self.n))]
    }
}

impl Stored for CallRow {
    const TABLE: &'static str = "model_call";
    const COLUMNS: &'static [&'static str] = &[
        "try_id",
        "call_id",
        "attempt_id",
        "scope",
        "state",
        "created_ms",
        "settled_ms",
        "actual_micro",
        "tokens",
    ];
    fn values(&self) -> Vec<Value> {
        vec![
            text(&self.key),
            Value::Text(call_of(&self.key)),
            text(&self.key.attempt_id),
            text(&self.scope),
            text(call_state(self.state)),
            Value::Int(self.created_ms),
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
    fn values(&self) -> Vec<Value> {
        vec![text(&self.key), text(&self.task_key), text(&self.kind), maybe(self.done_ms)]
    }
}

impl Stored for ChildRow {
    const TABLE: &'static str = "child";
    const COLUMNS: &'static [&'static str] = &["child_id", "boot_id", "ended_ms"];
    fn values(&self) -> Vec<Value> {
        vec![Value::Text(step_id(&self.attempt_id, self.n)), text(&self.boot_id), maybe(self.ended_ms)]
    }
}

impl Stored for ProcessRow {
    const TABLE: &'static str = "process";
    const COLUMNS: &'static [&'static str] = &["boot_id", "repo_id", "alive", "lease_until_ms"];
    fn values(&self) -> Vec<Value> {
        vec![
            text(&self.boot_id),
            text(&self.repo_id),
            Value::Int(i64::from(self.alive)),
            Value::Int(self.lease_until_ms),
        ]
    }
}

impl Stored for Head {
    const TABLE: &'static str = "ledger_head";
    const COLUMNS: &'static [&'static str] = &["scope"];
    fn values(&self) -> Vec<Value> {
        vec![text(&self.scope)]
    }
}

impl Stored for PurseRow {
    const TABLE: &'static str = "purse";
    const COLUMNS: &'static [&'static str] = &["root_key"];
    fn values(&self) -> Vec<Value> {
        vec![text(&self.root_key)]
    }
}

impl Stored for GateRow {
    const TABLE: &'static str = "gate";
    const COLUMNS: &'static [&'static str] = &["repo_id"];
    fn values(&self) -> Vec<Value> {
        vec![text(&self.repo_id)]
    }
}

impl Stored for ControlRow {
    const TABLE: &'static str = "control";
    const COLUMNS: &'static [&'static str] = &["id", "repo_id", "at_ms", "done_ms"];
    fn values(&self) -> Vec<Value> {
        vec![text(&self.id), text(&self.repo_id), Value::Int(self.at_ms), maybe(self.done_ms)]
    }
}

impl Stored for AlertRow {
    const TABLE: &'static str = "alert";
    const COLUMNS: &'static [&'static str] = &["incident_id", "repo_id", "rule", "since_ms", "ended_ms"];
    fn values(&self) -> Vec<Value> {
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
    fn values(&self) -> Vec<Value> {
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
    fn values(&self) -> Vec<Value> {
        vec![text(&self.repo_id)]
    }
}

impl Stored for CursorRow {
    const TABLE: &'static str = "cursor_of_events";
    const COLUMNS: &'static [&'static str] = &["cursor_id"];
    fn values(&self) -> Vec<Value> {
        vec![Value::Text(self.id())]
    }
}

impl Stored for Event {
    const TABLE: &'static str = "event";
    const COLUMNS: &'static [&'static str] = &["boot_id", "seq", "at_ms", "kind", "task_key", "attempt_id"];
    const KEYS: usize = 2;
    fn values(&self) -> Vec<Value> {
        let maybe_text = |id: Option<String>| id.map_or(Value::NoText, Value::Text);
        vec![
            text(&self.id.boot_id),
            Value::Int(i64::try_from(self.id.seq).unwrap_or(i64::MAX)),
            Value::Int(self.at_ms),
            text(self.kind.name()),
            maybe_text(self.about.task_key.as_ref().map(ToString::to_string)),
            maybe_text(self.about.attempt_id.as_ref().map(ToString::to_string)),
        ]
    }
}

//! What happened, one thin event for each change, in the order of commits.

use serde::{Deserialize, Serialize};

use crate::alert::Severity;
use crate::bead::BeadId;
use crate::id::{AttemptId, BootId, TaskKey, TryKey};
use crate::ledger::Usage;
use crate::money::MicroUsd;
use crate::outcome::{FailureKind, Size, Status};
use crate::reason::Wait;
use crate::stage::{Decision, Stage};
use crate::watchdog::Clock;

/// The place of an event in its boot's gap-free order, and the SSE id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventId {
    /// The boot that wrote it.
    pub boot_id: BootId,
    /// Counted from 1 within the boot.
    pub seq: u64,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its place.
    pub id: EventId,
    /// When the writer decided it, ms UTC.
    pub at_ms: i64,
    /// Which task and attempt it is about; empty for the engine itself.
    pub about: About,
    /// What happened.
    pub kind: EventKind,
}

/// Which task and attempt an event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The task.
    pub task_key: Option<TaskKey>,
    /// The task's id in the backlog.
    pub bead_id: Option<BeadId>,
    /// The attempt.
    pub attempt_id: Option<AttemptId>,
    /// The trace of the root task, 32 hex digits.
    pub trace_id: Option<String>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
#[expect(missing_docs, reason = "the fields repeat what the rows document")]
pub enum EventKind {
    /// A boot began.
    #[serde(rename = "process.started")]
    ProcessStarted { host: String, pid: u32, usage: Usage },
    /// A boot ended in order.
    #[serde(rename = "process.ended")]
    ProcessEnded { why: String },
    /// The caps of a scope were set.
    #[serde(rename = "cap.changed")]
    CapChanged { usage: Usage },
    /// The backlog was read and differs from what we had.
    #[serde(rename = "backlog.synced")]
    BacklogSynced { added: u32, changed: u32 },
    /// The backlog could not be read, or lines of it.
    #[serde(rename = "backlog.faulty")]
    BacklogFaulty { line: Option<u64>, what: String },
    /// A task got a slot.
    #[serde(rename = "task.claimed")]
    TaskClaimed { title: String, n: u32, max_attempts: u32, slot: String, model: String, simulated: bool },
    /// An attempt goes on after a crash, a restart or a shutdown.
    #[serde(rename = "attempt.resumed")]
    AttemptResumed {
        title: String,
        n: u32,
        max_attempts: u32,
        slot: String,
        model: String,
        simulated: bool,
        from: BootId,
    },
    /// An attempt was put down by a shutdown.
    #[serde(rename = "attempt.suspended")]
    AttemptSuspended,
    /// A task may not start now.
    #[serde(rename = "admission.refused")]
    AdmissionRefused { wait: Wait },
    /// A stage began.
    #[serde(rename = "stage.started")]
    StageStarted { stage: Stage, n: u32 },
    /// A stage ended and its output is durable.
    #[serde(rename = "stage.finished")]
    StageFinished {
        stage: Stage,
        n: u32,
        ok: bool,
        summary: String,
        took_ms: i64,
        size: Option<Size>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decision: Option<Decision>,
    },
    /// Money was set aside for one try.
    #[serde(rename = "budget.reserved")]
    BudgetReserved { model: String, bound: MicroUsd, usage: Usage },
    /// What a try really cost.
    #[serde(rename = "budget.settled")]
    BudgetSettled {
        model: String,
        #[serde(default)]
        stage: Option<Stage>,
        bound: MicroUsd,
        actual: MicroUsd,
        input_tokens: u64,
        output_tokens: u64,
        #[serde(default)]
        charged_tokens: u64,
        latency_ms: i64,
        ok: bool,
        unknown: bool,
        usage: Usage,
        #[serde(default, rename = "try")]
        key: Option<TryKey>,
    },
    /// A provider billed more than the bound.
    #[serde(rename = "budget.overrun")]
    BudgetOverrun { model: String, bound: MicroUsd, actual: MicroUsd },
    /// A person lets a model be used again that had billed more than a bound.
    #[serde(rename = "model.trusted")]
    ModelTrusted { model: String },
    /// A running task waits for money or a provider.
    #[serde(rename = "call.waiting")]
    CallWaiting { wait: Wait },
    /// Something outside the store is about to be done.
    #[serde(rename = "effect.intended")]
    EffectIntended { effect: String, target: String },
    /// Something outside the store is done.
    #[serde(rename = "effect.done")]
    EffectDone { effect: String, result: String },
    /// An attempt ended.
    #[serde(rename = "task.finished")]
    TaskFinished {
        status: Status,
        detail: String,
        until_ms: Option<i64>,
        tokens: u64,
        cost: MicroUsd,
        took_ms: i64,
        attempts: u32,
        #[serde(default)]
        failure: Option<FailureKind>,
        #[serde(default)]
        size: Option<Size>,
    },
    /// Sub-tasks were written.
    #[serde(rename = "task.decomposed")]
    TaskDecomposed { subtasks: Vec<BeadId>, depth: u32 },
    /// A parent, an epic or a merged request was closed.
    #[serde(rename = "task.closed")]
    TaskClosed {
        why: String,
        #[serde(default)]
        merged: bool,
    },
    /// A task changed its state outside an attempt: a person's verb, or the source.
    #[serde(rename = "task.reopened")]
    TaskReopened { why: String },
    /// A person must decide.
    #[serde(rename = "human.needed")]
    HumanNeeded { why: String },
    /// A long process was started.
    #[serde(rename = "child.started")]
    ChildStarted { pid: u32 },
    /// A long process is gone.
    #[serde(rename = "child.ended")]
    ChildEnded { pid: u32 },
    /// A supervised actor was restarted.
    #[serde(rename = "actor.restarted")]
    ActorRestarted { path: String, incarnation: u32, reason: String },
    /// A supervisor gave up: more restarts than its intensity allows.
    #[serde(rename = "supervisor.breach")]
    SystemicFailure { supervisor: String, child: String, reasons: Vec<String>, within_ms: u64 },
    /// Something hung, and the watchdog did something about it.
    #[serde(rename = "watchdog.acted")]
    WatchdogActed { clock: Clock, subject: String, detail: String, age_ms: u64, limit_ms: u64, did: String },
    /// The machine slept, the process was stopped, or the wall clock was set: no clock counts that time.
    #[serde(rename = "watchdog.gap")]
    ClockGap { asleep_ms: u64, jump_ms: i64 },
    /// Nothing new starts until the reason is gone.
    #[serde(rename = "admission.stopped")]
    AdmissionStopped { wait: Wait },
    /// New tasks may start again.
    #[serde(rename = "admission.resumed")]
    AdmissionResumed,
    /// A person, or the loss limit, has stopped new tasks.
    #[serde(rename = "engine.paused")]
    EnginePaused { by: String, why: String, until_ms: Option<i64> },
    /// A pause is over.
    #[serde(rename = "engine.resumed")]
    EngineResumed { by: String, why: String },
    /// The last outcomes say that the next one will fail too.
    #[serde(rename = "breaker.opened")]
    BreakerOpened { failure: FailureKind, until_ms: i64 },
    /// The canary did not fail in the same way.
    #[serde(rename = "breaker.closed")]
    BreakerClosed { failure: FailureKind },
    /// What a person asked for was done, or refused.
    #[serde(rename = "control.done")]
    ControlDone { verb: String, by: String, ok: bool, result: String },
    /// Receivers are told that an alert fires.
    #[serde(rename = "alert.firing")]
    AlertFiring { incident_id: String, rule: String, severity: Severity, summary: String },
    /// Receivers are told that an alert is over.
    #[serde(rename = "alert.resolved")]
    AlertResolved { incident_id: String, rule: String, summary: String },
    /// A message to a receiver is given up.
    #[serde(rename = "alert.undelivered")]
    AlertUndelivered { webhook_id: String, endpoint: String, why: String },
}

impl EventKind {
    /// Returns the event's name in logs and rows.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ProcessStarted { .. } => "process.started",
            Self::ProcessEnded { .. } => "process.ended",
            Self::CapChanged { .. } => "cap.changed",
            Self::BacklogSynced { .. } => "backlog.synced",
            Self::BacklogFaulty { .. } => "backlog.faulty",
            Self::TaskClaimed { .. } => "task.claimed",
            Self::AttemptResumed { .. } => "attempt.resumed",
            Self::AttemptSuspended => "attempt.suspended",
            Self::AdmissionRefused { .. } => "admission.refused",
            Self::StageStarted { .. } => "stage.started",
            Self::StageFinished { .. } => "stage.finished",
            Self::BudgetReserved { .. } => "budget.reserved",
            Self::BudgetSettled { .. } => "budget.settled",
            Self::BudgetOverrun { .. } => "budget.overrun",
            Self::ModelTrusted { .. } => "model.trusted",
            Self::CallWaiting { .. } => "call.waiting",
            Self::EffectIntended { .. } => "effect.intended",
            Self::EffectDone { .. } => "effect.done",
            Self::TaskFinished { .. } => "task.finished",
            Self::TaskDecomposed { .. } => "task.decomposed",
            Self::TaskClosed { .. } => "task.closed",
            Self::TaskReopened { .. } => "task.reopened",
            Self::HumanNeeded { .. } => "human.needed",
            Self::ChildStarted { .. } => "child.started",
            Self::ChildEnded { .. } => "child.ended",
            Self::ActorRestarted { .. } => "actor.restarted",
            Self::SystemicFailure { .. } => "supervisor.breach",
            Self::WatchdogActed { .. } => "watchdog.acted",
            Self::ClockGap { .. } => "watchdog.gap",
            Self::AdmissionStopped { .. } => "admission.stopped",
            Self::AdmissionResumed => "admission.resumed",
            Self::EnginePaused { .. } => "engine.paused",
            Self::EngineResumed { .. } => "engine.resumed",
            Self::BreakerOpened { .. } => "breaker.opened",
            Self::BreakerClosed { .. } => "breaker.closed",
            Self::ControlDone { .. } => "control.done",
            Self::AlertFiring { .. } => "alert.firing",
            Self::AlertResolved { .. } => "alert.resolved",
            Self::AlertUndelivered { .. } => "alert.undelivered",
        }
    }

    /// Says the event in one line for logs and the feed, without the task's id; `None` for those that only count.
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        Some(match self {
            Self::ProcessStarted { pid, .. } => format!("Engine started, process {pid}"),
            Self::ProcessEnded { why } => format!("Engine ended: {why}"),
            Self::CapChanged { usage } => {
                format!("Caps are {} an hour and {} a day", usage.cap_hour, usage.cap_day)
            }
            Self::BacklogSynced { added, changed } => {
                format!("Backlog read: {added} new, {changed} changed")
            }
            Self::BacklogFaulty { what, .. } => format!("Backlog: {what}"),
            Self::TaskClaimed { n, max_attempts, slot, .. } => {
                format!("Claimed by {slot}, attempt {n} of {max_attempts}")
            }
            Self::AttemptResumed { n, max_attempts, slot, .. } => {
                format!("Resumed by {slot}, attempt {n} of {max_attempts}")
            }
            Self::AttemptSuspended => "Suspended, goes on from here later".to_owned(),
            Self::AdmissionRefused { wait } | Self::CallWaiting { wait } => format!("Waits: {}", wait.reason),
            Self::StageStarted { .. }
            | Self::BudgetReserved { .. }
            | Self::BudgetSettled { .. }
            | Self::EffectIntended { .. }
            | Self::EffectDone { .. }
            | Self::ChildStarted { .. }
            | Self::ChildEnded { .. } => return None,
            Self::StageFinished { stage, summary, .. } => format!("{}: {summary}", stage.word()),
            Self::BudgetOverrun { model, bound, actual } => {
                format!("{model} billed {actual}, more than its bound of {bound}")
            }
            Self::ModelTrusted { model } => format!("{model} is used again"),
            Self::TaskFinished { status, detail, cost, .. } => format!("{}: {detail}, {cost}", status.name()),
            Self::TaskDecomposed { subtasks, depth } => {
                format!("Decomposed into {} sub-tasks at depth {depth}", subtasks.len())
            }
            Self::TaskClosed { why, .. } => format!("Closed: {why}"),
            Self::TaskReopened { why } => format!("Back in the queue: {why}"),
            Self::HumanNeeded { why } => format!("Needs you: {why}"),
            Self::ActorRestarted { path, incarnation, reason } => {
                format!("Actor {path} restarted, incarnation {incarnation}: {reason}")
            }
            Self::SystemicFailure { supervisor, child, .. } => {
                format!("Supervisor {supervisor} gave up on {child}")
            }
            Self::WatchdogActed { clock, subject, detail, age_ms, did, .. } => {
                format!("Watchdog {did}: {} for {} s ({subject}, {detail})", clock.trouble(), age_ms / 1_000)
            }
            Self::ClockGap { asleep_ms, jump_ms } if *asleep_ms > 0 => {
                let jumped = if *jump_ms == 0 { "" } else { ", and the wall clock was set" };
                format!("The process did not run for {} s{jumped}: no clock counts that", asleep_ms / 1_000)
            }
            Self::ClockGap { jump_ms, .. } => {
                format!("The wall clock jumped by {} s: the machine slept, or it was set", jump_ms / 1_000)
            }
            Self::AdmissionStopped { wait } => format!("Nothing new starts: {}", wait.reason),
            Self::AdmissionResumed => "New tasks may start again".to_owned(),
            Self::EnginePaused { by, why, .. } if why.is_empty() => format!("Paused by {by}"),
            Self::EnginePaused { by, why, .. } => format!("Paused by {by}: {why}"),
            Self::EngineResumed { by, why } => format!("The pause by {by} is over: {why}"),
            Self::BreakerOpened { failure, .. } => {
                format!(
                    "The breaker is open after {}: nothing starts until it has cooled down",
                    failure.name()
                )
            }
            Self::BreakerClosed { failure } => {
                format!("The breaker is closed: {} did not come again", failure.name())
            }
            Self::ControlDone { verb, by, ok: true, result } => format!("{verb}, said by {by}: {result}"),
            Self::ControlDone { verb, by, result, .. } => {
                format!("{verb}, said by {by}, was refused: {result}")
            }
            Self::AlertFiring { rule, summary, .. } => format!("Alert {rule}: {summary}"),
            Self::AlertResolved { rule, summary, .. } => format!("Alert {rule} is over: {summary}"),
            Self::AlertUndelivered { endpoint, why, .. } => {
                format!("An alert could not be delivered to {endpoint}: {why}")
            }
        })
    }
}

#[cfg(test)]
mod tests;

//! The states that have a glyph, and which of them an event shows. The style sheet draws them from `data-s`.

use std::fmt;

use glitchlab_domain::alert::Severity;
use glitchlab_domain::event::EventKind;
use glitchlab_domain::outcome::Status;

/// A state with a glyph and a colour; the word beside it is always in the markup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Glyph {
    Run,
    Up,
    Ok,
    Pr,
    Split,
    Wait,
    Pause,
    Idle,
    Block,
    Skip,
    Todo,
    You,
    Warn,
    Again,
    Crit,
    Fail,
    Dead,
    Stop,
}

impl Glyph {
    const fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Up => "up",
            Self::Ok => "ok",
            Self::Pr => "pr",
            Self::Split => "split",
            Self::Wait => "wait",
            Self::Pause => "pause",
            Self::Idle => "idle",
            Self::Block => "block",
            Self::Skip => "skip",
            Self::Todo => "todo",
            Self::You => "you",
            Self::Warn => "warn",
            Self::Again => "again",
            Self::Crit => "crit",
            Self::Fail => "fail",
            Self::Dead => "dead",
            Self::Stop => "stop",
        }
    }
}

/// Writes the value of `data-s`.
impl fmt::Display for Glyph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Returns an event's glyph and the word that a screen reader says for it.
pub(crate) const fn of_event(kind: &EventKind) -> (Glyph, &'static str) {
    match kind {
        EventKind::ProcessStarted { .. } => (Glyph::Run, "started"),
        EventKind::TaskClaimed { .. } | EventKind::StageStarted { .. } | EventKind::ChildStarted { .. } => {
            (Glyph::Run, "started")
        }
        EventKind::AttemptResumed { .. } => (Glyph::Again, "resumed"),
        EventKind::ProcessEnded { .. } => (Glyph::Stop, "stopped"),
        EventKind::AttemptSuspended => (Glyph::Pause, "suspended"),
        EventKind::CapChanged { .. } | EventKind::BacklogSynced { .. } | EventKind::ClockGap { .. } => {
            (Glyph::Idle, "changed")
        }
        EventKind::SystemicFailure { .. } | EventKind::AlertFiring { severity: Severity::Critical, .. } => {
            (Glyph::Crit, "critical")
        }
        EventKind::BacklogFaulty { .. }
        | EventKind::BudgetOverrun { .. }
        | EventKind::WatchdogActed { .. }
        | EventKind::AlertFiring { .. }
        | EventKind::AlertUndelivered { .. } => (Glyph::Warn, "warning"),
        EventKind::AdmissionRefused { .. } | EventKind::CallWaiting { .. } => (Glyph::Wait, "waiting"),
        EventKind::AdmissionStopped { .. } | EventKind::BreakerOpened { .. } => (Glyph::Block, "stopped"),
        EventKind::EnginePaused { .. } => (Glyph::Pause, "paused"),
        EventKind::ControlDone { ok: false, .. } => (Glyph::Warn, "refused"),
        EventKind::StageFinished { ok, .. } | EventKind::BudgetSettled { ok, .. } => {
            if *ok {
                (Glyph::Ok, "ok")
            } else {
                (Glyph::Fail, "failed")
            }
        }
        EventKind::BudgetReserved { .. } | EventKind::EffectIntended { .. } => (Glyph::Todo, "to come"),
        EventKind::EffectDone { .. }
        | EventKind::TaskClosed { .. }
        | EventKind::ModelTrusted { .. }
        | EventKind::AdmissionResumed
        | EventKind::EngineResumed { .. }
        | EventKind::BreakerClosed { .. }
        | EventKind::ControlDone { .. } => (Glyph::Ok, "ok"),
        EventKind::TaskFinished { status, .. } => of_status(*status),
        EventKind::TaskDecomposed { .. } => (Glyph::Split, "decomposed"),
        EventKind::TaskReopened { .. } => (Glyph::Todo, "pending"),
        EventKind::HumanNeeded { .. } => (Glyph::You, "needs you"),
        EventKind::ChildEnded { .. } => (Glyph::Stop, "ended"),
        EventKind::ActorRestarted { .. } => (Glyph::Again, "restarted"),
        EventKind::AlertResolved { .. } => (Glyph::Ok, "resolved"),
    }
}

/// Returns the glyph and the word of an outcome.
pub(crate) const fn of_status(status: Status) -> (Glyph, &'static str) {
    match status {
        Status::PrCreated => (Glyph::Pr, "in review"),
        Status::Completed => (Glyph::Ok, "completed"),
        Status::Decomposed => (Glyph::Split, "decomposed"),
        Status::Deferred => (Glyph::Wait, "deferred"),
        Status::Blocked => (Glyph::Block, "blocked"),
        Status::NeedsHuman => (Glyph::You, "needs you"),
        Status::Retried => (Glyph::Again, "retried"),
        Status::Failed => (Glyph::Fail, "failed"),
        Status::Cancelled => (Glyph::Skip, "cancelled"),
    }
}

//! One trace for each root task. The ids of its spans follow from the keys of the rows that the spans tell of, so that
//! nothing has to be kept: whoever knows a row knows its span and the span above it, after any restart.
//!
//! ```text
//! task (root)                        from its first claim until it is over
//! └── attempt
//!     ├── architect_triage, planner, ...        one for each step
//!     │   └── chat                              one for each try of a call
//!     └── decompose
//!         └── task (part)                       and so on
//! ```

use std::collections::BTreeSet;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::event::{Event, EventKind};
use crate::id::{AttemptId, TaskKey, TryKey};
use crate::rows::{AttemptRow, CallRow, PurseRow, StepRow};
use crate::stage::Stage;
use crate::task::TaskRow;

/// The id of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId([u8; 8]);

impl SpanId {
    /// Returns its bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0
    }

    fn of(what: &str, key: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(what.as_bytes());
        hash.update([0]);
        hash.update(key.as_bytes());
        let digest = hash.finalize();
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&digest[..8]);
        Self(bytes)
    }
}

/// 16 hex digits.
impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Returns the span of a task from the claim at `accepted_ms` on; opened again and claimed again it has another.
#[must_use]
pub fn task_span(key: &TaskKey, accepted_ms: i64) -> SpanId {
    SpanId::of("task", &format!("{key}/{accepted_ms}"))
}

/// Returns the mark that a task was accepted, which is there long before its span.
#[must_use]
pub fn accepted_span(key: &TaskKey, accepted_ms: i64) -> SpanId {
    SpanId::of("accepted", &format!("{key}/{accepted_ms}"))
}

/// Returns the span of an attempt.
#[must_use]
pub fn attempt_span(attempt_id: &AttemptId) -> SpanId {
    SpanId::of("attempt", attempt_id.as_str())
}

/// Returns the span of a step. An attempt decomposes at most once, and the parts must know that span without its number.
#[must_use]
pub fn step_span(attempt_id: &AttemptId, stage: Stage, n: u32) -> SpanId {
    match stage {
        Stage::Decompose => SpanId::of("decompose", attempt_id.as_str()),
        _ => SpanId::of("step", &format!("{attempt_id}/{n}")),
    }
}

/// Returns the span of one try of a call.
#[must_use]
pub fn call_span(key: &TryKey) -> SpanId {
    SpanId::of("call", &key.to_string())
}

/// The W3C `traceparent` of work under a step, for programs that trace themselves; none when the task has no trace.
#[must_use]
pub fn traceparent(trace_id: &str, span: SpanId) -> Option<String> {
    let is_trace = trace_id.len() == 32 && trace_id.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_trace.then(|| format!("00-{trace_id}-{span}-01"))
}

/// The keys of the rows whose spans some events have ended, and of those that these lie in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Tasks that began or may be over.
    pub tasks: BTreeSet<TaskKey>,
    /// Attempts.
    pub attempts: BTreeSet<AttemptId>,
    /// Steps that ended.
    pub steps: BTreeSet<(AttemptId, u32)>,
    /// Tries that were settled.
    pub calls: BTreeSet<TryKey>,
}

impl Wanted {
    /// The names of the events that end a span.
    pub const KINDS: [&'static str; 8] = [
        "stage.finished",
        "budget.settled",
        "task.claimed",
        "task.finished",
        "task.closed",
        "task.reopened",
        "human.needed",
        "control.done",
    ];

    /// Returns what these events ask for.
    #[must_use]
    pub fn of(events: &[Event]) -> Self {
        let mut wanted = Self::default();
        for Event { about, kind, .. } in events {
            let attempt_id = about.attempt_id.clone();
            match (kind, &attempt_id) {
                (EventKind::StageFinished { n, .. }, Some(id)) => wanted.steps.extend([(id.clone(), *n)]),
                (EventKind::BudgetSettled { key, .. }, _) => wanted.calls.extend(key.clone()),
                _ => wanted.tasks.extend(about.task_key.clone()),
            }
            wanted.attempts.extend(attempt_id);
        }
        wanted
    }
}

/// The rows that spans are made from.
#[derive(Clone, Debug, Default)]
pub struct Material {
    /// Tasks.
    pub tasks: Vec<TaskRow>,
    /// Attempts.
    pub attempts: Vec<AttemptRow>,
    /// Steps of these attempts.
    pub steps: Vec<StepRow>,
    /// Tries of these attempts: all those of the steps, and maybe others.
    pub calls: Vec<CallRow>,
    /// The money of root tasks.
    pub purses: Vec<PurseRow>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_known_by_its_key_and_differs_from_every_other() {
        let attempt = AttemptId::from("a1");
        let key = |try_no| TryKey { attempt_id: attempt.clone(), step_n: 1, call_no: 0, try_no };
        let task = TaskKey::from("t1");
        let spans = [
            task_span(&task, 1),
            task_span(&task, 2),
            accepted_span(&task, 1),
            attempt_span(&attempt),
            step_span(&attempt, Stage::Planner, 1),
            step_span(&attempt, Stage::Decompose, 1),
            call_span(&key(0)),
            call_span(&key(1)),
        ];
        let different: std::collections::BTreeSet<SpanId> = spans.into_iter().collect();
        assert_eq!(different.len(), spans.len());
        assert_eq!(step_span(&attempt, Stage::Planner, 1), spans[4]);
        assert_eq!(attempt_span(&attempt).to_string().len(), 16);
    }

    #[test]
    fn a_traceparent_says_that_it_is_sampled_and_is_none_without_a_trace() {
        let span = SpanId([0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
        assert_eq!(
            traceparent("4bf92f3577b34da6a3ce929d0e0e4736", span).as_deref(),
            Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        );
        assert_eq!(traceparent("", span), None);
        assert_eq!(traceparent("4bf92f3577b34da6a3ce929d0e0e473é", span), None);
    }
}

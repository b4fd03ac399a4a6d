//! More fails than supervision can mend: a supervisor gave up, or the dispatch breaker is open. Both are one incident,
//! because a breach opens the breaker; it is over when the breaker's canary has closed it.

use super::{Condition, Facts, Rule, Signal, label};
use crate::alert::rows::{Evidence, Memory};
use crate::alert::{Labels, Severity};
use crate::event::{Event, EventKind};

pub(super) static RULE: Rule = Rule {
    name: "SystemicFailure",
    severity: Severity::Critical,
    fires_when: "A supervisor's restart intensity is exceeded, or the dispatch breaker opens",
    for_ms: 0,
    hold_ms: 60_000,
    inhibits: &["ModelDegradation", "QueueStarvation"],
    kinds: &["supervisor.breach", "breaker.opened", "breaker.closed"],
    observe,
    standing: Some(standing),
};

fn observe(_: &mut Memory, event: &Event) -> Vec<Signal> {
    match &event.kind {
        EventKind::SystemicFailure { supervisor, child, reasons, within_ms } => {
            let evidence = Evidence::default()
                .fact("Supervisor", supervisor.as_str())
                .fact("Child", child.as_str())
                .fact("Failures", format!("{} within {} s", reasons.len(), within_ms / 1_000))
                .fact("Last failure", reasons.last().map_or("not known", String::as_str))
                .page("/actors");
            let summary = format!("Supervisor {supervisor} gave up on {child}: nothing new starts");
            vec![Signal::Holds(Condition { labels: labels(), summary, evidence })]
        }
        EventKind::BreakerOpened { failure, until_ms } => {
            let mut condition = open(failure.name(), *until_ms);
            condition.evidence.tasks.extend(event.about.bead_id.clone());
            condition.evidence.traces.extend(event.about.trace_id.clone());
            vec![Signal::Holds(condition)]
        }
        EventKind::BreakerClosed { .. } => vec![Signal::Passed(labels())],
        _ => Vec::new(),
    }
}

fn standing(facts: &Facts) -> Vec<Condition> {
    let open_breaker = facts.gate.breaker.open.as_ref();
    open_breaker.map(|breaker| open(breaker.failure.name(), breaker.until_ms)).into_iter().collect()
}

fn open(failure: &str, until_ms: i64) -> Condition {
    let evidence = Evidence::default()
        .fact("Kind of failure", failure)
        .fact("Next try", super::super::format::instant(until_ms))
        .page("/why");
    let summary =
        format!("The dispatch breaker opened after {failure}: nothing starts until one task has succeeded");
    Condition { labels: labels(), summary, evidence }
}

/// Whatever the cause, dispatch has stopped: one incident.
fn labels() -> Labels {
    label("component", "dispatch")
}

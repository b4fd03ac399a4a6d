//! A task or the engine as a whole waits for a person.

use super::{Condition, Facts, Rule, Signal, Waiting, label};
use crate::alert::rows::{Evidence, Memory};
use crate::alert::{Labels, Severity};
use crate::bead::BeadId;
use crate::event::{Event, EventKind};
use crate::gate::STOP_LOSS;

pub(super) static RULE: Rule = Rule {
    name: "HumanNeeded",
    severity: Severity::Warning,
    fires_when: "A task or the engine waits for a person",
    for_ms: 0,
    hold_ms: 0,
    inhibits: &[],
    kinds: &["human.needed", "task.reopened", "task.closed", "task.claimed", "engine.resumed"],
    observe,
    standing: Some(standing),
};

fn observe(_: &mut Memory, event: &Event) -> Vec<Signal> {
    let task = event.about.bead_id.as_ref();
    match (&event.kind, task) {
        (EventKind::HumanNeeded { why }, Some(bead_id)) => {
            let trace_id = event.about.trace_id.clone();
            vec![Signal::Holds(task_waits(&Waiting { bead_id: bead_id.clone(), why: why.clone(), trace_id }))]
        }
        (EventKind::HumanNeeded { why }, None) => vec![Signal::Holds(engine_waits(why))],
        (
            EventKind::TaskReopened { .. } | EventKind::TaskClosed { .. } | EventKind::TaskClaimed { .. },
            Some(id),
        ) => {
            vec![Signal::Passed(of_task(id))]
        }
        (EventKind::EngineResumed { .. }, _) => vec![Signal::Passed(of_engine())],
        _ => Vec::new(),
    }
}

fn standing(facts: &Facts) -> Vec<Condition> {
    let pause = facts.gate.pause.as_ref().filter(|pause| pause.by == STOP_LOSS);
    let engine = pause.map(|pause| engine_waits(&pause.why));
    facts.waiting.iter().map(task_waits).chain(engine).collect()
}

fn task_waits(waiting: &Waiting) -> Condition {
    let Waiting { bead_id, why, trace_id } = waiting;
    let evidence = Evidence {
        tasks: vec![bead_id.clone()],
        traces: trace_id.iter().cloned().collect(),
        ..Evidence::default().page("/why?group=you")
    };
    Condition { labels: of_task(bead_id), summary: format!("{bead_id} waits for a person: {why}"), evidence }
}

fn engine_waits(why: &str) -> Condition {
    let evidence = Evidence::default().page("/why");
    Condition { labels: of_engine(), summary: format!("The engine waits for a person: {why}"), evidence }
}

fn of_task(id: &BeadId) -> Labels {
    label("task", id.as_str())
}

fn of_engine() -> Labels {
    label("component", "engine")
}

//! What the metrics count is what the store's rows add up to, over all processes of a world.

use std::collections::BTreeMap;

use glitchlab_domain::event::EventKind;
use glitchlab_domain::outcome::{Size, Status};
use glitchlab_domain::rows::{AttemptRow, CallRow, CallState};
use glitchlab_domain::stage::Role;

use crate::ran::Ran;

/// Totals by name and labels, as Prometheus writes them.
#[derive(Default)]
struct Totals(BTreeMap<String, f64>);

impl Totals {
    fn add(&mut self, name: &str, labels: &[(&str, &str)], amount: f64) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let key = if labels.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", labels.join(",")) };
        *self.0.entry(key).or_default() += amount;
    }

    /// Adds one value of a histogram.
    fn record(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.add(&format!("{name}_count"), labels, 1.0);
        self.add(&format!("{name}_sum"), labels, value);
    }
}

/// Compares every counter, and the count and the sum of every histogram, with a recomputation from the rows.
///
/// # Errors
///
/// Returns the first one that differs.
pub fn counted(ran: &Ran) -> Result<(), String> {
    let samples = ran.outside.meters.samples();
    let Totals(totals) = recomputed(ran);
    let level = |name: &str| ["queue_", "budget_used", "budget_limit"].iter().any(|part| name.contains(part));
    let ours = |name: &str| name.starts_with("glitchlab_") && !name.contains("_bucket{") && !level(name);
    let names = samples.keys().filter(|name| ours(name)).chain(totals.keys());
    for name in names {
        let sample = samples.get(name).copied().unwrap_or(0.0);
        let total = totals.get(name).copied().unwrap_or(0.0);
        if (sample - total).abs() > 1e-6 * total.abs().max(1.0) {
            return Err(format!("{name} is {sample}, and the rows add up to {total}"));
        }
    }
    Ok(())
}

fn recomputed(ran: &Ran) -> Totals {
    let mut totals = Totals::default();
    ran.attempts.iter().for_each(|attempt| add_attempt(&mut totals, attempt));
    ran.calls.iter().for_each(|call| add_call(&mut totals, call));
    let depths: BTreeMap<_, _> = ran.tasks.values().map(|task| (&task.key, task.depth)).collect();
    let split = |attempt: &&AttemptRow| attempt.status == Some(Status::Decomposed);
    for attempt in ran.attempts.iter().filter(split) {
        totals.add("glitchlab_decompositions_total", &[], 1.0);
        let depth = depths.get(&attempt.task_key).copied().unwrap_or_default() + 1;
        totals.record("glitchlab_decompositions_depth", &[], f64::from(depth));
    }
    for event in &ran.events {
        match &event.kind {
            EventKind::StageFinished { decision: Some(decision), .. } => {
                let labels = [("decision", decision.name())];
                totals.add("glitchlab_budget_gate_decisions_total", &labels, 1.0);
            }
            EventKind::SystemicFailure { supervisor, .. } => {
                let labels = [("supervisor", supervisor.as_str())];
                totals.add("glitchlab_supervisor_breaches_total", &labels, 1.0);
            }
            EventKind::EffectDone { effect, .. } if effect == "merge" => {
                totals.add("glitchlab_prs_merged_total", &[], 1.0);
            }
            EventKind::TaskClosed { merged: true, .. } => {
                totals.add("glitchlab_prs_merged_total", &[], 1.0);
            }
            _ => {}
        }
    }
    totals
}

fn add_attempt(totals: &mut Totals, attempt: &AttemptRow) {
    let (Some(status), Some(ended_ms)) = (attempt.status, attempt.ended_ms) else { return };
    totals.add("glitchlab_tasks_total", &[("status", status.name())], 1.0);
    let seconds = (ended_ms - attempt.started_ms).max(0) as f64 / 1_000.0;
    let size = attempt.size.map_or("unknown", Size::name);
    totals.record("glitchlab_tasks_duration_seconds", &[("size", size)], seconds);
    if let Some(failure) = attempt.failure {
        totals.add("glitchlab_failures_total", &[("category", failure.name())], 1.0);
    }
    if status == Status::PrCreated {
        totals.add("glitchlab_prs_created_total", &[], 1.0);
    }
}

fn add_call(totals: &mut Totals, call: &CallRow) {
    let (Some(actual), Some(tokens)) = (call.actual, call.charged_tokens()) else { return };
    let model = ("model", call.model.as_str());
    let by_role = [model, ("role", Role::of(call.stage).name())];
    totals.add("glitchlab_tokens_used_total", &by_role, tokens as f64);
    totals.add("glitchlab_cost_usd_total", &by_role, actual.micro() as f64 / 1_000_000.0);
    // One that was given up before an answer, or whose process died, says nothing of the model.
    if call.state == CallState::Settled || call.latency_ms > 0 {
        totals.record("glitchlab_model_latency_seconds", &[model], call.latency_ms as f64 / 1_000.0);
        totals.add("glitchlab_model_errors_total", &[model], if call.ok { 0.0 } else { 1.0 });
    }
}

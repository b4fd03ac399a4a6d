//! The span of a step.

use glitchlab_domain::rows::{CallRow, StepRow};
use glitchlab_domain::stage::{Decision, Role, Stage};
use glitchlab_domain::story;
use glitchlab_domain::trace::{attempt_span, step_span};

use super::{Attributes, Rows, Span, trace_id};
use crate::genai::usd;
use crate::names::{attribute, span};

impl Rows<'_> {
    /// The span of a step.
    pub(super) fn step(&self, step: &StepRow) -> Option<Span> {
        let attempt = self.attempts.get(&step.attempt_id)?;
        let no_calls = Vec::new();
        let calls = self.calls_of.get(&(&step.attempt_id, step.n)).unwrap_or(&no_calls);
        let is_over = step.ended_ms.is_some();
        let error = (is_over && !step.ok).then(|| step.summary.clone());
        let status = is_over.then_some(if step.ok { "ok" } else { "failed" });
        let attributes = Attributes::default()
            .text(attribute::TASK_ID, attempt.bead_id.as_str())
            .maybe(attribute::GENAI_CONVERSATION, self.conversation(&attempt.root_key))
            .int(attribute::STEP, step.n)
            .text(attribute::AGENT, Role::of(step.stage).name());
        let attributes = used(doing(attributes, step.stage, calls), calls)
            .maybe(attribute::DECISION, story::decision(step).map(Decision::name))
            .text(attribute::SUMMARY, &step.summary)
            .maybe(attribute::STATUS, status)
            .maybe(attribute::ERROR, error.clone());
        let attributes = match story::parts(step) {
            Some(parts) => attributes.int(attribute::SUBTASKS, parts),
            None => attributes,
        };
        Some(Span {
            trace_id: trace_id(attempt.trace_id.as_deref())?,
            span_id: step_span(&step.attempt_id, step.stage, step.n),
            parent: Some(attempt_span(&step.attempt_id)),
            name: step.stage.name().to_owned(),
            is_client: false,
            start_ms: step.started_ms,
            end_ms: step.ended_ms,
            attributes: attributes.0,
            error,
        })
    }
}

/// What the conventions call it.
fn doing(attributes: Attributes, stage: Stage, calls: &[&CallRow]) -> Attributes {
    match stage {
        Stage::Test => attributes
            .text(attribute::GENAI_OPERATION, span::EXECUTE_TOOL)
            .text(attribute::GENAI_TOOL, stage.name()),
        _ if calls.is_empty() => attributes,
        _ => attributes
            .text(attribute::GENAI_OPERATION, span::INVOKE_AGENT)
            .text(attribute::GENAI_AGENT, Role::of(stage).name()),
    }
}

/// What its calls came to. A stage that asked nobody says so: it has used nothing.
fn used(attributes: Attributes, calls: &[&CallRow]) -> Attributes {
    let prompt: u64 = calls.iter().map(|call| call.input_tokens).sum();
    let completion: u64 = calls.iter().map(|call| call.output_tokens).sum();
    let total: u64 = calls.iter().filter_map(|call| call.charged_tokens()).sum();
    let cost = calls.iter().filter_map(|call| call.actual).sum();
    attributes
        .maybe(attribute::MODEL, calls.first().map(|call| call.model.as_str()))
        .int(attribute::TOKENS_PROMPT, prompt)
        .int(attribute::TOKENS_COMPLETION, completion)
        .int(attribute::TOKENS_TOTAL, total)
        .float(attribute::COST_USD, usd(cost))
}

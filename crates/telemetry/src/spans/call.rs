//! The span of one try of a call.

use glitchlab_domain::agent;
use glitchlab_domain::rows::{CallRow, CallState};
use glitchlab_domain::trace::{call_span, step_span};

use super::{Attributes, Redact, Rows, Span, trace_id};
use crate::genai::{provider_and_model, usd};
use crate::names::{attribute, span};

impl Rows<'_> {
    /// The span of one try. It begins when the request was made, not when the money was set aside.
    pub(super) fn call(&self, call: &CallRow) -> Option<Span> {
        let attempt = self.attempts.get(&call.key.attempt_id)?;
        let (provider, model) = provider_and_model(&call.model);
        let operation = if agent::is_unmetered(&call.model) { span::INVOKE_AGENT } else { span::CHAT };
        let start_ms =
            call.settled_ms.map_or(call.created_ms, |at| at - call.latency_ms).max(call.created_ms);
        let attributes = Attributes::default()
            .text(attribute::TASK_ID, attempt.bead_id.as_str())
            .maybe(attribute::GENAI_CONVERSATION, self.conversation(&attempt.root_key))
            .text(attribute::GENAI_OPERATION, operation)
            .text(attribute::MODEL, &call.model)
            .int(attribute::CALL, call.key.call_no)
            .int(attribute::TRY, call.key.try_no)
            .float(attribute::BOUND_USD, usd(call.bound));
        let attributes = asked(attributes, call, (provider, model));
        let (asked_for, said) = self.redact.map(|redact| words(call, redact)).unwrap_or_default();
        let attributes = answered(paid(attributes, call), call)
            .maybe(attribute::GENAI_INPUT, asked_for)
            .maybe(attribute::GENAI_OUTPUT, said)
            .maybe(attribute::ERROR, call.error.clone());
        Some(Span {
            trace_id: trace_id(attempt.trace_id.as_deref())?,
            span_id: call_span(&call.key),
            parent: Some(step_span(&call.key.attempt_id, call.stage, call.key.step_n)),
            name: format!("{operation} {model}"),
            is_client: true,
            start_ms,
            end_ms: call.settled_ms,
            attributes: attributes.0,
            error: call.error.clone(),
        })
    }
}

/// Who was asked, for how much at most: a program that works by itself has no such bound.
fn asked(attributes: Attributes, call: &CallRow, (provider, model): (&str, &str)) -> Attributes {
    if agent::is_unmetered(&call.model) {
        return attributes.text(attribute::GENAI_AGENT, model);
    }
    attributes
        .text(attribute::GENAI_PROVIDER, provider)
        .text(attribute::GENAI_REQUEST_MODEL, model)
        .int(attribute::GENAI_MAX_TOKENS, call.max_out)
}

/// What the provider said of the reply beside its text. What its cache did is a part of the usage, and known with it.
fn answered(attributes: Attributes, call: &CallRow) -> Attributes {
    let Some(response) = &call.response else { return attributes };
    let attributes = attributes
        .text(attribute::GENAI_RESPONSE_MODEL, &response.model)
        .text(attribute::GENAI_RESPONSE_ID, &response.id)
        .texts(attribute::GENAI_FINISH_REASONS, &response.finish_reasons);
    match response.cache.filter(|_| call.state == CallState::Settled) {
        Some(cache) => attributes
            .int(attribute::GENAI_CACHE_READ, cache.read_tokens)
            .int(attribute::GENAI_CACHE_CREATION, cache.written_tokens)
            .int(attribute::GENAI_CACHE_WRITE, cache.written_tokens),
        None => attributes,
    }
}

/// What the model was asked and what it said, as the conventions write messages.
fn words(call: &CallRow, redact: &Redact) -> (Option<String>, Option<String>) {
    let message = |role: &str, text: &str| serde_json::json!({ "role": role, "parts": [{ "type": "text", "content": redact(text) }] });
    let asked: Vec<_> = call.prompt.iter().map(|said| message(&said.role, &said.text)).collect();
    let asked = (!asked.is_empty()).then(|| serde_json::Value::from(asked).to_string());
    let said = call.reply.as_deref().map(|reply| {
        let mut said = message("assistant", reply);
        if let Some(reason) = call.response.as_ref().and_then(|response| response.finish_reasons.first()) {
            said["finish_reason"] = reason.as_str().into();
        }
        serde_json::Value::from(vec![said]).to_string()
    });
    (asked, said)
}

/// What was billed, by every name that some viewer knows; nothing when nobody knows.
fn paid(attributes: Attributes, call: &CallRow) -> Attributes {
    let Some(cost) = call.actual.map(usd) else { return attributes };
    let attributes = attributes
        .float(attribute::COST_USD, cost)
        .float(attribute::GENAI_COST, cost)
        .text(attribute::LANGFUSE_COST, serde_json::json!({ "total": cost }).to_string());
    match call.state {
        CallState::Settled => attributes
            .int(attribute::GENAI_INPUT_TOKENS, call.input_tokens)
            .int(attribute::GENAI_OUTPUT_TOKENS, call.output_tokens),
        CallState::Unknown | CallState::Open => attributes.text(attribute::ERROR_TYPE, "usage_unknown"),
    }
}

#[cfg(test)]
#[path = "call_tests.rs"]
mod tests;

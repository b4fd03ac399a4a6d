//! The client metrics of the `GenAI` conventions, in the released form or in the latest one.
//!
//! Source: <https://github.com/open-telemetry/semantic-conventions-genai>, v0.1.0 for the latest form.

use glitchlab_domain::agent;
use glitchlab_domain::event::EventKind;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};

use super::instruments::{counter, histogram, histogram_f64};
use super::{CALL_BOUNDS, known, label, seconds};
use crate::genai::provider_and_model;
use crate::names::{metric, span};

/// The bounds of tokens of a call.
const TOKEN_BOUNDS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// Which form of the conventions is emitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conventions {
    /// The names that most receivers know.
    #[default]
    Released,
    /// The names of v0.1.0.
    Latest,
}

impl Conventions {
    /// Reads the value of `OTEL_SEMCONV_STABILITY_OPT_IN`, a list with commas.
    #[must_use]
    pub fn opted(value: &str) -> Self {
        if value.split(',').any(|word| word.trim() == "gen_ai_latest_experimental") {
            Self::Latest
        } else {
            Self::Released
        }
    }
}

/// A call that was really made.
pub(super) struct Call<'a> {
    model: &'a str,
    pub(super) ok: bool,
    pub(super) took_s: f64,
    /// Billed prompt and output tokens; none when nobody knows.
    tokens: Option<(u64, u64)>,
}

impl<'a> Call<'a> {
    /// Reads a settlement. One of which neither the use nor a time is known paid for a call that was given up before an
    /// answer came, or whose process died: it says nothing of the model.
    pub(super) fn of(kind: &'a EventKind) -> Option<Self> {
        let EventKind::BudgetSettled { model, input_tokens, output_tokens, latency_ms, ok, unknown, .. } =
            kind
        else {
            return None;
        };
        let tokens = (!unknown).then_some((*input_tokens, *output_tokens));
        let was_made = tokens.is_some() || *latency_ms > 0;
        was_made.then(|| Self { model, ok: *ok, took_s: seconds(*latency_ms), tokens })
    }

    fn labels(&self) -> Vec<KeyValue> {
        let (provider, model) = provider_and_model(self.model);
        let operation = if agent::is_unmetered(self.model) { span::INVOKE_AGENT } else { span::CHAT };
        vec![
            known(metric::OPERATION, operation),
            label(metric::PROVIDER, provider),
            label(metric::REQUEST_MODEL, model),
        ]
    }
}

pub(super) enum GenAi {
    Released(Released),
    Latest(Latest),
}

pub(super) struct Released {
    usage: Histogram<u64>,
    duration: Histogram<f64>,
}

pub(super) struct Latest {
    input: Counter<u64>,
    output: Counter<u64>,
    call_input: Histogram<u64>,
    call_output: Histogram<u64>,
    duration: Histogram<f64>,
}

impl GenAi {
    pub(super) fn new(meter: &Meter, conventions: Conventions) -> Self {
        match conventions {
            Conventions::Released => Self::Released(Released {
                usage: histogram(meter, metric::GEN_AI_TOKEN_USAGE, &TOKEN_BOUNDS),
                duration: histogram_f64(meter, metric::GEN_AI_OPERATION_DURATION, &CALL_BOUNDS),
            }),
            Conventions::Latest => Self::Latest(Latest {
                input: counter(meter, metric::GEN_AI_INPUT_TOKENS),
                output: counter(meter, metric::GEN_AI_OUTPUT_TOKENS),
                call_input: histogram(meter, metric::GEN_AI_OPERATION_INPUT, &TOKEN_BOUNDS),
                call_output: histogram(meter, metric::GEN_AI_OPERATION_OUTPUT, &TOKEN_BOUNDS),
                duration: histogram_f64(meter, metric::GEN_AI_INFERENCE_DURATION, &CALL_BOUNDS),
            }),
        }
    }

    pub(super) fn record(&self, call: &Call<'_>) {
        let labels = call.labels();
        let failed = (!call.ok).then(|| known(metric::ERROR_TYPE, "_OTHER"));
        let with_error = with(&labels, failed);
        match self {
            Self::Released(it) => {
                it.duration.record(call.took_s, &with_error);
                it.record_tokens(call, &labels);
            }
            Self::Latest(it) => {
                it.duration.record(call.took_s, &with_error);
                it.record_tokens(call, &labels, &with_error);
            }
        }
    }
}

impl Released {
    fn record_tokens(&self, call: &Call<'_>, labels: &[KeyValue]) {
        let Some((input, output)) = call.tokens else { return };
        self.usage.record(input, &with(labels, Some(known(metric::TOKEN_TYPE, "input"))));
        self.usage.record(output, &with(labels, Some(known(metric::TOKEN_TYPE, "output"))));
    }
}

impl Latest {
    /// A call whose use nobody knows is one of no tokens, of an unknown kind: so the conventions want it.
    fn record_tokens(&self, call: &Call<'_>, labels: &[KeyValue], with_error: &[KeyValue]) {
        let (input, output) = call.tokens.unwrap_or_default();
        let modality = if call.tokens.is_some() { "text" } else { "unknown" };
        let by_modality = with(labels, Some(known(metric::TOKEN_MODALITY, modality)));
        self.input.add(input, &by_modality);
        self.output.add(output, &by_modality);
        self.call_input.record(input, with_error);
        self.call_output.record(output, with_error);
    }
}

fn with(labels: &[KeyValue], one_more: Option<KeyValue>) -> Vec<KeyValue> {
    labels.iter().cloned().chain(one_more).collect()
}

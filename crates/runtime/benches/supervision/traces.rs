//! Tracing with the layer that is usual, to the point where a span would be exported.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use glitchlab_runtime::{MessageSpan, Propagator, TraceContext, install_propagator};
use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer,
    TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    SamplingDecision, SamplingResult, SdkTracer, SdkTracerProvider, ShouldSample, Span, SpanData,
    SpanProcessor,
};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Under which circumstances a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tracing {
    /// Nobody listens to spans.
    Absent,
    /// In a span that is not recorded.
    Unsampled,
    /// In a span that is recorded, and so is the receiver's.
    Sampled,
}

impl fmt::Display for Tracing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "without a subscriber",
            Self::Unsampled => "in an unsampled span",
            Self::Sampled => "in a sampled span",
        })
    }
}

static SAMPLED: AtomicBool = AtomicBool::new(false);

impl Tracing {
    /// Makes what follows happen under these circumstances; a subscriber, once there, stays.
    pub(crate) fn begin(self, tracer: &SdkTracer) {
        SAMPLED.store(self == Self::Sampled, Relaxed);
        if self != Self::Absent && !tracing::dispatcher::has_been_set() {
            subscribe(tracer.clone());
        }
    }
}

fn subscribe(tracer: SdkTracer) {
    let layer = tracing_opentelemetry::layer().with_tracer(tracer);
    let targets = Targets::new().with_default(LevelFilter::INFO).with_target("ractor", LevelFilter::WARN);
    tracing_subscriber::registry().with(layer.with_filter(targets)).init();
}

/// Installs what every program with traces installs, and returns its tracer.
pub(crate) fn propagate() -> SdkTracer {
    let provider = SdkTracerProvider::builder().with_sampler(Switch).with_span_processor(Discard).build();
    let tracer = provider.tracer("bench");
    install_propagator(Box::new(OpenTelemetry(tracer.clone()))).unwrap();
    // The tracer works only as long as its provider.
    std::mem::forget(provider);
    tracer
}

struct OpenTelemetry(SdkTracer);

impl Propagator for OpenTelemetry {
    fn capture(&self) -> Option<TraceContext> {
        Context::map_current(|context| {
            let span = context.has_active_span().then(|| context.span())?;
            let span = span.span_context();
            Some(TraceContext {
                trace_id: span.trace_id().to_bytes(),
                span_id: span.span_id().to_bytes(),
                flags: span.trace_flags().to_u8(),
            })
        })
    }

    fn receive(&self, sender: TraceContext, path: &Arc<str>, kind: &'static str) -> Box<dyn MessageSpan> {
        let parent = SpanContext::new(
            TraceId::from_bytes(sender.trace_id),
            SpanId::from_bytes(sender.span_id),
            TraceFlags::new(sender.flags),
            true,
            TraceState::NONE,
        );
        let builder = self
            .0
            .span_builder(format!("{kind} {path}"))
            .with_kind(SpanKind::Consumer)
            .with_attributes([KeyValue::new("actor", Arc::clone(path)), KeyValue::new("kind", kind)]);
        let parent = Context::new().with_remote_span_context(parent);
        Box::new(Received(Context::new().with_span(self.0.build_with_context(builder, &parent))))
    }
}

/// The span of a message, as the program makes it.
struct Received(Context);

impl MessageSpan for Received {
    fn enter(&mut self, work: &mut dyn FnMut()) {
        let _current = self.0.clone().attach();
        work();
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        self.0.span().end();
    }
}

/// Records all spans or none.
#[derive(Debug, Clone)]
struct Switch;

impl ShouldSample for Switch {
    fn should_sample(
        &self,
        _: Option<&Context>,
        _: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let decision =
            if SAMPLED.load(Relaxed) { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
        SamplingResult { decision, attributes: Vec::new(), trace_state: TraceState::NONE }
    }
}

/// Takes finished spans and lets them go: what an exporter does with them is not measured.
#[derive(Debug)]
struct Discard;

impl SpanProcessor for Discard {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        drop(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

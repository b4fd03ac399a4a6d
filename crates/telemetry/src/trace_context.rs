//! Live spans of actor messages: each that is handled is a child of the span that it was sent in. What mailboxes carry is
//! plain bytes; whoever composes the program connects them with [`Messages`].

use std::sync::Arc;

use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;
use tracing_subscriber::registry::{LookupSpan, Registry};

use crate::logs::{Carried, carried};

/// A span in the numbers of W3C Trace Context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The trace.
    pub trace_id: [u8; 16],
    /// The span in it.
    pub span_id: [u8; 8],
    /// The flags; bit 0 says that the span is recorded.
    pub flags: u8,
}

/// What makes the spans of messages. Clones share it.
#[derive(Clone, Debug)]
pub struct Messages {
    tracer: SdkTracer,
    one_in: u32,
}

impl Messages {
    /// Makes it; of `one_in` traces one is recorded.
    pub(crate) const fn new(tracer: SdkTracer, one_in: u32) -> Self {
        Self { tracer, one_in }
    }

    /// Returns the span that a message is sent in: that of the message which is being handled, or that of the attempt
    /// which is at work; otherwise a new one that says only that something was sent. None where it is not recorded.
    #[must_use]
    pub fn capture(&self) -> Option<Sender> {
        let current = Context::map_current(|context| {
            context.has_active_span().then(|| sender(context.span().span_context()))
        });
        let sender = current.or_else(|| match at_work() {
            Some(attempt) => Some(attempt).filter(|attempt| is_chosen(attempt.trace_id, self.one_in)),
            None => sent(&self.tracer),
        });
        sender.filter(|sender| sender.flags & 1 == 1)
    }

    /// Opens the span in which the actor at `path` handles a message of this `kind`.
    ///
    /// Made here and not by a layer of `tracing`, in which it would take three times as long.
    #[must_use]
    pub fn receive(&self, sender: Sender, path: &Arc<str>, kind: &'static str) -> Received {
        let parent = SpanContext::new(
            TraceId::from_bytes(sender.trace_id),
            SpanId::from_bytes(sender.span_id),
            TraceFlags::new(sender.flags),
            true,
            TraceState::NONE,
        );
        let builder = self
            .tracer
            .span_builder(format!("{kind} {path}"))
            .with_kind(SpanKind::Consumer)
            .with_attributes([KeyValue::new("actor", Arc::clone(path)), KeyValue::new("kind", kind)]);
        let parent = Context::new().with_remote_span_context(parent);
        Received(Context::new().with_span(self.tracer.build_with_context(builder, &parent)))
    }
}

/// The span of one message that is being handled. Its drop ends it.
#[derive(Debug)]
pub struct Received(Context);

impl Received {
    /// Makes it the current span of this thread for as long as `work` takes.
    pub fn enter(&self, work: impl FnOnce()) {
        let _current = self.0.clone().attach();
        work();
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        // Also when somebody still holds the context.
        self.0.span().end();
    }
}

fn sender(span: &SpanContext) -> Sender {
    Sender {
        trace_id: span.trace_id().to_bytes(),
        span_id: span.span_id().to_bytes(),
        flags: span.trace_flags().to_u8(),
    }
}

/// Makes the root of a chain of messages, which begins with a timer, a signal or a commit.
fn sent(tracer: &SdkTracer) -> Option<Sender> {
    let builder = tracer.span_builder("message.send").with_kind(SpanKind::Producer);
    let mut span = tracer.build_with_context(builder, &Context::new());
    let sender = sender(span.span_context());
    if sender.flags & 1 == 0 {
        return None;
    }
    let thread = std::thread::current().name().unwrap_or_default().to_owned();
    span.set_attribute(KeyValue::new("thread.name", thread));
    span.end();
    Some(sender)
}

/// Returns the span of the attempt whose work this is.
fn at_work() -> Option<Sender> {
    let found = tracing::Span::current().with_subscriber(|(id, dispatch)| {
        let registry = dispatch.downcast_ref::<Registry>()?;
        Some(carried(Carried::default(), Some(registry.span(id)?.scope())))
    });
    let Carried { trace, span, .. } = found.flatten()?;
    let trace_id = TraceId::from_hex(&trace?).ok()?.to_bytes();
    let span_id = SpanId::from_hex(&span?).ok()?.to_bytes();
    Some(Sender { trace_id, span_id, flags: 1 })
}

/// The same traces are chosen wherever it is asked.
fn is_chosen(trace_id: [u8; 16], one_in: u32) -> bool {
    let [_, _, _, _, _, _, _, _, low @ ..] = trace_id;
    u64::from_be_bytes(low).checked_rem(u64::from(one_in)) == Some(0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanProcessor};
    use std::sync::Mutex;
    use tracing_subscriber::filter;
    use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

    use super::*;
    use crate::filter::is_carrier_span;
    use crate::logs::Carrying;

    #[derive(Clone, Debug, Default)]
    struct Kept(Arc<Mutex<Vec<SpanData>>>);

    impl Kept {
        fn taken(&self) -> Vec<SpanData> {
            self.0.lock().expect("nobody panics").clone()
        }
    }

    impl SpanProcessor for Kept {
        fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &Context) {}

        fn on_end(&self, span: SpanData) {
            self.0.lock().expect("nobody panics").push(span);
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }

        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    /// Returns the spans that are recorded while this is done.
    fn recorded(sampler: Sampler, work: impl FnOnce(&Messages)) -> Vec<SpanData> {
        let kept = Kept::default();
        let sampler = Sampler::ParentBased(Box::new(sampler));
        let builder = SdkTracerProvider::builder().with_sampler(sampler);
        let provider = builder.with_span_processor(kept.clone()).build();
        let messages = Messages::new(provider.tracer("test"), 1);
        let carrying = Carrying.with_filter(filter::filter_fn(is_carrier_span));
        let subscriber = tracing_subscriber::registry().with(carrying);
        tracing::subscriber::with_default(subscriber, || work(&messages));
        kept.taken()
    }

    #[test]
    fn a_message_is_a_child_of_the_one_that_it_was_sent_in() {
        let spans = recorded(Sampler::AlwaysOn, |messages| {
            let received =
                |path: &str, kind| messages.receive(messages.capture().expect("sampled"), &path.into(), kind);
            let first = received("root/a", "tick");
            first.enter(|| drop(received("root/b", "look")));
        });
        let named = |name: &str| spans.iter().find(|span| span.name == name).expect(name);
        let (sent, tick, look) = (named("message.send"), named("tick root/a"), named("look root/b"));
        assert_eq!(tick.parent_span_id, sent.span_context.span_id());
        assert_eq!(look.parent_span_id, tick.span_context.span_id());
        assert_eq!(look.span_context.trace_id(), sent.span_context.trace_id());
        assert_eq!(spans.len(), 3);
    }

    #[test]
    fn a_message_from_an_attempts_work_is_a_child_of_the_attempt() {
        let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        let spans = recorded(Sampler::AlwaysOff, |messages| {
            let attempt = tracing::info_span!(target: "glitchlab_actors", "attempt", trace, span);
            let sender = attempt.in_scope(|| messages.capture()).expect("its trace is chosen");
            drop(messages.receive(sender, &"root/a".into(), "look"));
            assert_eq!(messages.capture(), None, "nothing else is sampled");
        });
        assert_eq!(spans.len(), 1);
        assert_eq!(spans[0].span_context.trace_id().to_string(), trace);
        assert_eq!(spans[0].parent_span_id.to_string(), span);
    }

    #[test]
    fn of_so_many_traces_one_is_chosen_and_none_of_no_number() {
        let chosen = |one_in: u32| {
            let ids = (0..100u8).map(|n| std::array::from_fn(|at| if at == 15 { n } else { 0 }));
            ids.filter(|id: &[u8; 16]| is_chosen(*id, one_in)).count()
        };
        assert_eq!([1, 10, 0].map(chosen), [100, 10, 0]);
    }
}

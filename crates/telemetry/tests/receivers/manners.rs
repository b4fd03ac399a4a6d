//! What arrives, what is kept for later, and that nothing blocks or grows.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use glitchlab_telemetry::health::State;
use glitchlab_telemetry::outlet::Unsent;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::case::Case;
use crate::receiver::{Manner, Receiver, attribute};

/// What a queue holds, with what may be under way.
const HELD: u64 = 2_048 + 512;

/// What `telemetry.refused` said.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn of(work: impl FnOnce()) -> Vec<String> {
        let told = Self::default();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(told.clone()), work);
        told.0.lock().expect("no line panics").clone()
    }
}

impl<S: Subscriber> Layer<S> for Told {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        if fields.event == "telemetry.refused" {
            self.0.lock().expect("no line panics").push(fields.message);
        }
    }
}

#[derive(Default)]
struct Fields {
    event: String,
    message: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "event" {
            self.event = value.to_owned();
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}

#[test]
fn spans_arrive_as_they_are_with_the_headers_and_the_resource() {
    let receiver = Receiver::new(Manner::Takes);
    let case = Case::new(&receiver.endpoint(), &[("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s3%2525cret")]);
    assert_eq!(case.send(), Ok(()));
    let spans = receiver.spans();
    assert_eq!((spans.len(), spans[0].name.as_str()), (1, "planner"));
    assert_eq!(spans[0].span_id, 9_u64.to_be_bytes());
    assert_eq!(spans[0].end_time_unix_nano, 2_000_000_000);
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let headers = receiver.posted()[0].headers.clone();
    assert!(headers.contains(&header("api-key", "s3%25cret")), "{headers:?}");
    let agent = concat!("glitchlab/", env!("CARGO_PKG_VERSION"));
    assert!(headers.contains(&header("user-agent", agent)), "{headers:?}");
    assert!(headers.contains(&header("content-type", "application/x-protobuf")), "{headers:?}");
    assert_eq!(case.telemetry.health().report().state, State::Ok);
}

#[test]
fn what_a_receiver_answers_decides_whether_spans_are_sent_again() {
    let receiver = Receiver::new(Manner::Answers(429, Some(7)));
    let case = Case::new(&receiver.endpoint(), &[("OTEL_EXPORTER_OTLP_TIMEOUT", "300")]);
    let after = Some(Duration::from_secs(7));
    assert_eq!(case.send(), Err(Unsent::Later { what: "status 429 Too Many Requests".to_owned(), after }));
    assert_eq!(receiver.posted().len(), 1, "whoever sends decides when to try again");
    receiver.behave(Manner::Answers(503, None));
    assert!(matches!(case.send(), Err(Unsent::Later { after: None, .. })));
    receiver.behave(Manner::IsSilent);
    assert!(
        matches!(case.send(), Err(Unsent::Later { what, .. }) if what.contains("no answer within 300 ms"))
    );
    assert_eq!(case.telemetry.health().report().state, State::Degraded);
    assert_eq!(case.telemetry.health().report().lost, 0, "they are kept by whoever sends them");
    receiver.behave(Manner::Answers(400, None));
    assert!(matches!(case.send(), Err(Unsent::Never(_))));
    assert_eq!(case.telemetry.health().report().lost, 1);
    receiver.behave(Manner::Takes);
    assert_eq!(case.send(), Ok(()));
    assert_eq!(case.telemetry.health().report().state, State::Ok);
}

#[test]
fn what_a_receiver_refuses_of_what_it_took_is_counted_and_told() {
    let receiver = Receiver::new(Manner::TakesBut(3, 20));
    let case = Case::new(&receiver.endpoint(), &[]);
    let told = Told::of(|| assert_eq!(case.send(), Ok(())));
    assert_eq!(told, [format!("the receiver says: {}", "x".repeat(20))]);
    let report = case.telemetry.health().report();
    assert_eq!((report.state, report.lost), (State::Ok, 3), "the rest arrived");
}

#[test]
fn a_long_answer_is_read_to_its_end_and_an_endless_one_is_told() {
    let receiver = Receiver::new(Manner::TakesBut(2, 200 * 1024));
    let case = Case::new(&receiver.endpoint(), &[]);
    assert_eq!(case.send(), Ok(()));
    assert_eq!(case.telemetry.health().report().lost, 2);

    let receiver = Receiver::new(Manner::TakesBut(2, 5 * 1024 * 1024));
    let case = Case::new(&receiver.endpoint(), &[]);
    let told = Told::of(|| assert_eq!(case.send(), Ok(()), "what was taken is not sent again"));
    assert!(told[0].contains("cannot be read") && told[0].contains("length limit"), "{told:?}");
    assert_eq!(case.telemetry.health().report().state, State::Ok);
}

#[test]
fn a_receiver_that_is_not_there_is_told_as_such() {
    let case = Case::new("127.0.0.1:9", &[]);
    let Err(Unsent::Later { what, after: None }) = case.send() else { panic!("it is for later") };
    assert!(what.contains("Connection refused") && what.contains("127.0.0.1:9"), "{what}");
}

#[test]
fn log_records_arrive_with_the_trace_and_span_of_their_task() {
    let receiver = Receiver::new(Manner::Takes);
    let case = Case::new(&receiver.endpoint(), &[("OTEL_SERVICE_NAME", "mine")]);
    let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    case.logging(|| {
        let _attempt =
            tracing::info_span!(target: "glitchlab_actors", "attempt", task = "gl-1", trace, span).entered();
        tracing::warn!(event = "agent.ended", cost = 3, "it is over");
        tracing::info!(target: "hyper::client", "not for a receiver");
    });
    assert!(case.end(Duration::from_secs(3)) < Duration::from_secs(3));
    let [(_, record)] = receiver.logs().try_into().expect("one record");
    assert_eq!((record.event_name.as_str(), record.severity_text.as_str()), ("agent.ended", "WARN"));
    assert_eq!(record.time_unix_nano, 1_700_000_000_000_000_000);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!((hex(&record.trace_id), hex(&record.span_id)), (trace.to_owned(), span.to_owned()));
    assert_eq!(attribute(&record.attributes, "glitchlab.task_id").as_deref(), Some("gl-1"));
    assert_eq!(attribute(&record.attributes, "cost").as_deref(), Some("3"));
    let resource = receiver.resources().pop().expect("a resource");
    for (key, value) in
        [("service.name", "mine"), ("service.version", "1.2.3"), ("service.instance.id", "boot")]
    {
        assert_eq!(attribute(&resource.attributes, key).as_deref(), Some(value), "{key}");
    }
}

#[test]
fn whatever_the_receiver_does_nobody_waits_and_what_is_held_is_bounded() {
    let manners = [
        Manner::IsSilent,
        Manner::IsSlow(Duration::from_secs(30)),
        Manner::Answers(429, Some(60)),
        Manner::Answers(503, None),
    ];
    for manner in manners {
        let receiver = Receiver::new(manner);
        let case = Case::new(&receiver.endpoint(), &[("OTEL_EXPORTER_OTLP_TIMEOUT", "60000")]);
        let began = Instant::now();
        let emitted = 20_000;
        case.logging(|| (0..emitted).for_each(|n| tracing::info!(event = "task.claimed", n, "a line")));
        assert!(began.elapsed() < Duration::from_secs(20), "{manner:?} {:?}", began.elapsed());
        let lost = case.telemetry.health().report().lost;
        assert!(lost <= emitted, "{manner:?}: {lost}");
        // One export may be under way; what neither waits nor is under way was given up and counted.
        assert!(emitted - lost <= HELD + 512, "{manner:?}: {lost} of {emitted} are lost");
        let took = case.end(Duration::from_millis(500));
        assert!(took < Duration::from_millis(1_500), "{manner:?}: it took {took:?}");
    }
}

#[test]
fn a_slow_receiver_gets_everything_in_the_end() {
    let receiver = Receiver::new(Manner::IsSlow(Duration::from_millis(50)));
    let case = Case::new(&receiver.endpoint(), &[]);
    case.logging(|| (0..1_000).for_each(|n| tracing::info!(event = "task.claimed", n, "a line")));
    case.end(Duration::from_secs(5));
    assert_eq!(receiver.logs().len(), 1_000);
    assert_eq!(case.telemetry.health().report().lost, 0);
}

#[test]
fn metrics_arrive_on_their_interval_and_at_the_end() {
    let receiver = Receiver::new(Manner::Takes);
    let case = Case::new(&receiver.endpoint(), &[]);
    case.telemetry.meter().u64_counter("glitchlab.tasks.total").build().add(1, &[]);
    case.end(Duration::from_secs(3));
    let requests = receiver.taken::<ExportMetricsServiceRequest>("/v1/metrics");
    let scopes = requests
        .iter()
        .flat_map(|request| &request.resource_metrics)
        .flat_map(|metrics| &metrics.scope_metrics);
    let names: Vec<_> = scopes.flat_map(|scope| &scope.metrics).map(|metric| metric.name.as_str()).collect();
    assert_eq!(names, ["glitchlab.tasks.total"]);
}

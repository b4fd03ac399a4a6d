//! A process as far as its telemetry goes.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use glitchlab_telemetry::Telemetry;
use glitchlab_telemetry::config::{Config, Given};
use glitchlab_telemetry::filter::{is_carrier_span, is_exported};
use glitchlab_telemetry::health::Clock;
use glitchlab_telemetry::logs::{Carrying, LogRecords};
use glitchlab_telemetry::outlet::Unsent;
use glitchlab_telemetry::providers::Origin;
use opentelemetry::InstrumentationScope;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use tokio::runtime::Runtime;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

/// What sends, and the runtime that it sends on.
pub(crate) struct Case {
    pub(crate) runtime: Runtime,
    pub(crate) telemetry: Telemetry,
}

impl Case {
    pub(crate) fn new(endpoint: &str, variables: &[(&str, &str)]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let given =
            Given { firm: Some(endpoint.to_owned()), variables: variables.collect(), ..Given::default() };
        let config = Config::read(&given).expect("sound");
        let origin = Origin { version: "1.2.3".to_owned(), boot_id: "boot".to_owned(), ..Origin::default() };
        let telemetry =
            Telemetry::start(&config, &origin, clock(), runtime.handle(), None).expect("exporters are made");
        Self { runtime, telemetry }
    }

    /// Does something whose lines go to the receiver.
    pub(crate) fn logging(&self, work: impl FnOnce()) {
        let records = LogRecords::new(&self.telemetry, clock()).expect("they are sent");
        let wanted = LevelFilter::TRACE.and(filter_fn(is_exported)).or(filter_fn(is_carrier_span));
        let carrying = Carrying.with_filter(filter_fn(is_carrier_span));
        let subscriber = tracing_subscriber::registry().with(carrying).with(records.with_filter(wanted));
        tracing::subscriber::with_default(subscriber, work);
    }

    /// Sends one span.
    pub(crate) fn send(&self) -> Result<(), Unsent> {
        let outlet = self.telemetry.outlet().expect("spans are sent");
        self.runtime.block_on(outlet.send(vec![span()]))
    }

    /// Ends it and returns how long that took.
    pub(crate) fn end(&self, within: Duration) -> Duration {
        let began = Instant::now();
        self.telemetry.shutdown(within);
        began.elapsed()
    }
}

fn clock() -> Clock {
    Arc::new(|| 1_700_000_000_000)
}

fn at(ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(ms)
}

fn span() -> SpanData {
    let ids = (TraceId::from(7_u128), SpanId::from(9_u64));
    SpanData {
        span_context: SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED, false, TraceState::NONE),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: "planner".into(),
        start_time: at(1_000),
        end_time: at(2_000),
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder("glitchlab").build(),
    }
}

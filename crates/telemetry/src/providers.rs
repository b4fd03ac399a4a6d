//! The providers of all signals, made once for a process and shut down at its end.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::logs::LoggerProvider as _;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{self, BatchLogProcessor, SdkLogger, SdkLoggerProvider};
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::{self, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanLimits};
use tokio::runtime::Handle;

use crate::config::Config;
use crate::exporters::Exporters;
use crate::health::{Clock, Health};
use crate::metrics::limited;
use crate::outlet::{OtlpOutlet, SpanOutlet};
use crate::signal::Signal;
use crate::trace_context::Messages;

/// The most records that wait to be sent; what is beyond is given up.
pub(crate) const QUEUE: usize = 2_048;
/// The most records of one export.
const BATCH: usize = 512;
/// How long records are gathered.
const DELAY: Duration = Duration::from_secs(1);
/// How long the end of a process waits for its last telemetry.
pub const LAST_WORDS: Duration = Duration::from_secs(3);
/// The name of the instrumentation scope of everything that is sent.
pub const SCOPE: &str = "glitchlab";

/// What also reads the instruments, for a scrape.
pub type Reader = opentelemetry_prometheus::PrometheusExporter;

/// Whose telemetry it is.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The version of the program.
    pub version: String,
    /// The boot, which is the instance of the service.
    pub boot_id: String,
    /// The machine's name.
    pub host: String,
    /// The process on it.
    pub pid: u32,
}

/// All providers of a process.
pub struct Telemetry {
    health: Health,
    spans: Option<Arc<dyn SpanOutlet>>,
    meters: SdkMeterProvider,
    loggers: Option<(SdkLoggerProvider, Arc<AtomicU64>)>,
    tracers: Option<SdkTracerProvider>,
    messages: u32,
}

impl Telemetry {
    /// Makes the providers. Requests run on the runtime of `on`, which must outlive them; instruments are also read by
    /// `reader`, whatever is sent.
    ///
    /// # Errors
    ///
    /// Returns why an exporter cannot be made.
    pub fn start(
        config: &Config,
        origin: &Origin,
        clock: Clock,
        on: &Handle,
        reader: Option<Reader>,
    ) -> Result<Self, ExporterBuildError> {
        let sent = Signal::ALL.map(|signal| config.destination(signal).map(|_| signal));
        let health = Health::new(clock, &sent.into_iter().flatten().collect::<Vec<_>>());
        let exporters = Exporters::new(on, health.clone());
        let resource = resource(config, origin);
        Ok(Self {
            spans: spans(config, &exporters, &resource)?,
            meters: meters(config, &exporters, &resource, reader)?,
            loggers: loggers(config, &exporters, &resource)?,
            tracers: tracers(config, &exporters, resource)?,
            messages: config.messages,
            health,
        })
    }

    /// Returns how the way to the receivers is.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Returns where finished spans go; none when they are not sent.
    #[must_use]
    pub fn outlet(&self) -> Option<Arc<dyn SpanOutlet>> {
        self.spans.clone()
    }

    /// Returns what makes instruments.
    #[must_use]
    pub fn meter(&self) -> Meter {
        self.meters.meter(SCOPE)
    }

    /// Returns where log records go, with the count of those that an exporter was given; none when they are not sent.
    pub(crate) fn logger(&self) -> Option<(SdkLogger, Arc<AtomicU64>)> {
        let (provider, exported) = self.loggers.as_ref()?;
        Some((provider.logger(SCOPE), Arc::clone(exported)))
    }

    /// Returns what makes live spans of messages; none when they are not wanted.
    #[must_use]
    pub fn messages(&self) -> Option<Messages> {
        let tracer = self.tracers.as_ref()?.tracer(SCOPE);
        Some(Messages::new(tracer, self.messages))
    }

    /// Sends what still waits and ends, all signals at once, and returns after `within` at the latest. What a receiver has
    /// not taken by then is lost, but for finished spans, which are sent again by whoever has them.
    pub fn shutdown(&self, within: Duration) {
        let until = Instant::now() + within;
        let (ended, ends) = mpsc::channel();
        let end = |work: Box<dyn FnOnce() -> OTelSdkResult + Send>| {
            let ended = ended.clone();
            // A thread each: a provider may wait for longer than it was told to.
            let spawned = thread::Builder::new().name("telemetry-end".to_owned()).spawn(move || {
                let _is_told_by_health = work();
                let _ = ended.send(());
            });
            spawned.is_ok()
        };
        let meters = self.meters.clone();
        let mut count = usize::from(end(Box::new(move || meters.shutdown_with_timeout(within))));
        if let Some((loggers, _)) = self.loggers.clone() {
            count += usize::from(end(Box::new(move || loggers.shutdown_with_timeout(within))));
        }
        if let Some(tracers) = self.tracers.clone() {
            count += usize::from(end(Box::new(move || tracers.shutdown_with_timeout(within))));
        }
        for _ in 0..count {
            let left = until.saturating_duration_since(Instant::now());
            if ends.recv_timeout(left).is_err() {
                return;
            }
        }
    }
}

fn resource(config: &Config, origin: &Origin) -> Resource {
    let Origin { version, boot_id, host, pid } = origin.clone();
    let given = config.attributes.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes([
            KeyValue::new("service.version", version),
            KeyValue::new("service.instance.id", boot_id),
            KeyValue::new("host.name", host),
            KeyValue::new("process.pid", i64::from(pid)),
        ])
        .with_attributes(given)
        .with_service_name(config.service.clone())
        .build()
}

fn spans(
    config: &Config,
    exporters: &Exporters,
    resource: &Resource,
) -> Result<Option<Arc<dyn SpanOutlet>>, ExporterBuildError> {
    let Some(to) = &config.traces else { return Ok(None) };
    let mut exporter = exporters.spans(to)?;
    trace::SpanExporter::set_resource(&mut exporter, resource);
    Ok(Some(Arc::new(OtlpOutlet::new(exporter))))
}

fn meters(
    config: &Config,
    exporters: &Exporters,
    resource: &Resource,
    reader: Option<Reader>,
) -> Result<SdkMeterProvider, ExporterBuildError> {
    let mut builder = SdkMeterProvider::builder().with_resource(resource.clone()).with_view(limited);
    if let Some(reader) = reader {
        builder = builder.with_reader(reader);
    }
    if let Some(to) = &config.metrics {
        let exporter = exporters.metrics(to)?;
        builder = builder
            .with_reader(PeriodicReader::builder(exporter).with_interval(config.metric_interval).build());
    }
    Ok(builder.build())
}

fn loggers(
    config: &Config,
    exporters: &Exporters,
    resource: &Resource,
) -> Result<Option<(SdkLoggerProvider, Arc<AtomicU64>)>, ExporterBuildError> {
    let Some(to) = &config.logs else { return Ok(None) };
    let exporter = exporters.logs(to)?;
    let exported = Arc::clone(&exporter.taken);
    let batches = logs::BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE)
        .with_max_export_batch_size(BATCH)
        .with_scheduled_delay(DELAY)
        .build();
    let processor = BatchLogProcessor::builder(exporter).with_batch_config(batches).build();
    let builder = SdkLoggerProvider::builder().with_resource(resource.clone());
    Ok(Some((builder.with_log_processor(processor).build(), exported)))
}

fn tracers(
    config: &Config,
    exporters: &Exporters,
    resource: Resource,
) -> Result<Option<SdkTracerProvider>, ExporterBuildError> {
    let (Some(to), true) = (&config.traces, config.messages > 0) else { return Ok(None) };
    let batches = trace::BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE)
        .with_max_export_batch_size(BATCH)
        .with_scheduled_delay(DELAY)
        .build();
    let processor = BatchSpanProcessor::builder(exporters.spans(to)?).with_batch_config(batches).build();
    let sampler = Sampler::TraceIdRatioBased(1.0 / f64::from(config.messages));
    let builder = SdkTracerProvider::builder().with_resource(resource);
    // Without limits of its own the SDK would look for them in the environment.
    let builder =
        builder.with_sampler(Sampler::ParentBased(Box::new(sampler))).with_span_limits(SpanLimits::default());
    Ok(Some(builder.with_span_processor(processor).build()))
}

//! Where this process sends its telemetry, from its first line to its last.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use glitchlab_actors::trace_exporter::TraceExporter;
use glitchlab_actors::{Engine, ids};
use glitchlab_domain::id::BootId;
use glitchlab_domain::snapshot::{self, Delivery};
use glitchlab_pipeline::process::engine::Engine as Process;
use glitchlab_runtime::{ChildSpec, MessageSpan, Propagator, TraceContext, install_propagator};
use glitchlab_store::clock;
use glitchlab_telemetry::Telemetry;
use glitchlab_telemetry::config::Config as Wanted;
use glitchlab_telemetry::health::{Report, State};
use glitchlab_telemetry::metrics::{self, Metrics};
use glitchlab_telemetry::providers::{LAST_WORDS, Origin};
use glitchlab_telemetry::spans::Redact;
use glitchlab_telemetry::trace_context::{Messages, Received, Sender};
use tokio::runtime::{Builder, Runtime};

use crate::agents;
use crate::compose::state_of;
use crate::config::{Config, telemetry};
use crate::exit::{Code, OrStop, Stop};

/// Writes all metrics in Prometheus's text format; nothing when they cannot be written, which the log says.
pub(crate) type Scrape = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// The telemetry of this process.
pub(crate) struct Exports {
    /// The boot that it is about.
    pub(crate) boot_id: BootId,
    telemetry: Telemetry,
    /// The instruments, which are sent and scraped.
    metrics: Arc<Metrics>,
    scrape: metrics::Scrape,
    /// Of its own: it sends while the engine's hangs, and after that has ended. None once telemetry has.
    runtime: Mutex<Option<Runtime>>,
    wanted: Wanted,
}

impl Exports {
    /// Makes ready to send what the settings and the standard variables ask for, if anything.
    ///
    /// # Errors
    ///
    /// Names what is wrong with them.
    pub(crate) fn start(config: &Config) -> Result<Arc<Self>, Stop> {
        let wanted = telemetry::read(&config.effective, &config.sources).or_stop(Code::Configuration)?;
        let (boot_id, process) = (ids::boot(), Process::current());
        let origin = Origin {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: boot_id.to_string(),
            host: process.host.clone(),
            pid: process.pid,
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("telemetry")
            .enable_all()
            .build()
            .context("the runtime of telemetry cannot start")?;
        let (reader, scrape) = metrics::scrape().or_stop(Code::Unexpected)?;
        let telemetry = Telemetry::start(&wanted, &origin, clock::wall(), runtime.handle(), Some(reader))
            .or_stop(Code::Configuration)?;
        let metrics = Arc::new(Metrics::new(&telemetry.meter(), wanted.conventions));
        if let Some(messages) = telemetry.messages() {
            // A second one, as in tests, is left out.
            let _ = install_propagator(Box::new(Mailboxes(messages)));
        }
        let runtime = Mutex::new(Some(runtime));
        Ok(Arc::new(Self { boot_id, telemetry, metrics, scrape, runtime, wanted }))
    }

    /// Says where telemetry goes; nothing where none does.
    pub(crate) fn receivers(&self) -> Option<String> {
        self.wanted.is_on().then(|| self.wanted.to_string())
    }

    /// Returns the providers.
    pub(crate) const fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Returns where committed events are counted.
    pub(crate) fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// Returns what reads the same instruments for a scrape.
    pub(crate) fn scrape(&self) -> Scrape {
        let scrape = self.scrape.clone();
        Arc::new(move || {
            let unreadable = |error: &_| tracing::warn!(event = "metrics.unreadable", "{error}");
            scrape.text().inspect_err(unreadable).ok()
        })
    }

    /// Says what was asked for and does not count.
    pub(crate) fn tell_notes(&self) {
        for note in &self.wanted.notes {
            tracing::warn!(event = "telemetry.ignored", "{note}");
        }
    }

    /// Shows in the engine how the way to the receivers is.
    pub(crate) fn follow(&self, engine: &Arc<Engine>) {
        let mut reports = self.telemetry.health().subscribe();
        let engine = Arc::clone(engine);
        tokio::spawn(async move {
            loop {
                let report = shown(&reports.borrow_and_update());
                engine.telemetry.send_replace(report);
                if reports.changed().await.is_err() {
                    return;
                }
            }
        });
    }

    /// Tells whether spans are sent, and what models are asked and reply with them.
    pub(crate) fn wants_prompts(&self, config: &Config) -> bool {
        self.wanted.traces.is_some() && config.effective.switch("telemetry.prompts")
    }

    /// Describes the child that sends the spans of tasks; none where spans are not sent.
    pub(crate) fn traces(&self, engine: &Arc<Engine>, config: &Config) -> Option<ChildSpec> {
        let secrets = agents::secrets(config);
        let redact = move |text: &str| secrets.redact(text);
        let exporter = TraceExporter {
            engine: Arc::clone(engine),
            outlet: self.telemetry.outlet()?,
            bookmark: state_of(config).join(format!("traces-{}.json", engine.repo_id)),
            redact: self.wants_prompts(config).then(|| Arc::new(redact) as Redact),
        };
        Some(exporter.child())
    }

    /// Sends what still waits, for a while, and ends. Called again it does nothing.
    pub(crate) fn end(&self) {
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            self.telemetry.shutdown(LAST_WORDS);
            runtime.shutdown_background();
        }
    }
}

/// Says it as the pages and `status` do.
fn shown(report: &Report) -> snapshot::Telemetry {
    snapshot::Telemetry {
        state: match report.state {
            State::Off => Delivery::Off,
            State::Ok => Delivery::Ok,
            State::Degraded => Delivery::Degraded,
        },
        what: report.to_string(),
        since_ms: report.troubles.iter().map(|trouble| trouble.since_ms).min(),
        lost: report.lost,
    }
}

/// Connects the mailboxes of the actors with the spans of their messages.
struct Mailboxes(Messages);

impl Propagator for Mailboxes {
    fn capture(&self) -> Option<TraceContext> {
        let Sender { trace_id, span_id, flags } = self.0.capture()?;
        Some(TraceContext { trace_id, span_id, flags })
    }

    fn receive(&self, sender: TraceContext, path: &Arc<str>, kind: &'static str) -> Box<dyn MessageSpan> {
        let TraceContext { trace_id, span_id, flags } = sender;
        Box::new(Message(self.0.receive(Sender { trace_id, span_id, flags }, path, kind)))
    }
}

/// The span of a message that an actor handles.
struct Message(Received);

impl MessageSpan for Message {
    fn enter(&mut self, work: &mut dyn FnMut()) {
        self.0.enter(work);
    }
}

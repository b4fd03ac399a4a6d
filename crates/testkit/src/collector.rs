//! A receiver of spans that behaves as a scenario says and keeps what it has taken.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use glitchlab_actors::Engine;
use glitchlab_actors::trace_exporter::TraceExporter;
use glitchlab_runtime::ChildSpec;
use glitchlab_telemetry::outlet::{SpanOutlet, Unsent};
use glitchlab_telemetry::spans::Redact;
use opentelemetry_sdk::trace::SpanData;

use crate::clock::WorldClock;
use crate::tripwire::{Place, Tripwire};

type Behaviour = Arc<dyn Fn(Duration) -> Manner + Send + Sync>;

/// What a receiver of spans does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It takes the spans.
    Takes,
    /// It asks to be left alone.
    IsBusy,
    /// It refuses the spans for good.
    Refuses,
    /// It takes at most so many spans in one request.
    TakesAtMost(usize),
    /// It takes the request and never answers.
    Hangs,
}

/// A receiver of spans. Clones share it.
#[derive(Clone)]
pub struct FakeCollector {
    behaviour: Behaviour,
    taken: Arc<Mutex<Vec<SpanData>>>,
}

impl fmt::Debug for FakeCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FakeCollector({} spans)", self.taken().len())
    }
}

impl FakeCollector {
    /// Makes a receiver whose manner depends on the time since the world began.
    pub fn new(behaviour: impl Fn(Duration) -> Manner + Send + Sync + 'static) -> Self {
        Self { behaviour: Arc::new(behaviour), taken: Arc::default() }
    }

    /// Returns what it has taken, in order, each as often as it was taken.
    #[must_use]
    pub fn taken(&self) -> Vec<SpanData> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns what it has taken by the ids of spans, the last of each.
    #[must_use]
    pub fn spans(&self) -> BTreeMap<[u8; 8], SpanData> {
        let taken = self.taken().into_iter();
        taken.map(|span| (span.span_context.span_id().to_bytes(), span)).collect()
    }

    /// Describes the child of an engine that sends it spans.
    pub(crate) fn exporter(&self, engine: &Arc<Engine>, way: Way) -> ChildSpec {
        let Way { clock, wire, bookmark, redact } = way;
        let outlet = Arc::new(Line { collector: self.clone(), clock, wire });
        TraceExporter { engine: Arc::clone(engine), outlet, bookmark, redact }.child()
    }
}

/// What lies between an engine and its receiver of spans.
pub(crate) struct Way {
    pub(crate) clock: WorldClock,
    pub(crate) wire: Tripwire,
    pub(crate) bookmark: PathBuf,
    pub(crate) redact: Option<Redact>,
}

/// The way to it, with a tripwire before and after.
struct Line {
    collector: FakeCollector,
    clock: WorldClock,
    wire: Tripwire,
}

#[async_trait]
impl SpanOutlet for Line {
    async fn send(&self, spans: Vec<SpanData>) -> Result<(), Unsent> {
        self.wire.touch(Place::Exporting).await;
        let answer = match (self.collector.behaviour)(self.clock.passed()) {
            Manner::TakesAtMost(most) if spans.len() > most => Err(Unsent::TooLarge("413".to_owned())),
            Manner::Takes | Manner::TakesAtMost(_) => {
                self.collector.taken.lock().unwrap_or_else(PoisonError::into_inner).extend(spans);
                Ok(())
            }
            Manner::IsBusy => Err(Unsent::Later { what: "503".to_owned(), after: None }),
            Manner::Refuses => Err(Unsent::Never("400".to_owned())),
            Manner::Hangs => {
                tokio::time::sleep(Duration::from_secs(10)).await;
                Err(Unsent::Later { what: "no answer within 10 s".to_owned(), after: None })
            }
        };
        self.wire.touch(Place::Exported).await;
        answer
    }
}

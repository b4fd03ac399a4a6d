//! A dashboard over a made-up engine whose state the test publishes.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use glitchlab_domain::event::EventKind;
use glitchlab_domain::snapshot::Snapshot;
use glitchlab_web::{Guard, Health, Sources, router};
use http_body_util::BodyExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::records::Made;
use crate::sample;

/// 2026-03-02T14:32:07Z.
pub(crate) const NOW_MS: i64 = 1_772_461_927_000;

/// What the engine has counted.
pub(crate) const METRICS: &str = "# TYPE a_total counter\na_total 1\n";

pub(crate) const HOST: &str = "127.0.0.1:3000";

/// The engine's side of a dashboard.
pub(crate) struct Site {
    pub(crate) engine: watch::Sender<Arc<Snapshot>>,
    pub(crate) health: Arc<Mutex<Health>>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) sources: Sources,
}

impl Site {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        let (engine, receiver) = watch::channel(Arc::new(snapshot));
        let health = Arc::new(Mutex::new(Health::Ok));
        let asked = Arc::clone(&health);
        let sources = Sources {
            snapshot: receiver,
            why: watch::channel(Arc::new(sample::why(NOW_MS))).1,
            tree: Arc::new(|| Some(sample::tree())),
            health: Arc::new(move || asked.lock().expect("no test panics with it").clone()),
            metrics: Some(Arc::new(|| Some(METRICS.to_owned()))),
            records: Arc::new(Made::new(NOW_MS)),
            clock: Arc::new(|| NOW_MS),
        };
        Self { engine, health, shutdown: CancellationToken::new(), sources }
    }

    pub(crate) fn router(&self) -> Router {
        router(self.sources.clone(), &Guard::loopback(3000), &self.shutdown)
    }

    /// Asks for a path as a browser at the right address does.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path).header("host", HOST).body(Body::empty()).expect("a request");
        answer(&self.router(), request).await
    }

    /// Lets one event happen.
    pub(crate) fn happens(&self, seq: u64) {
        let mut snapshot = Snapshot::clone(&self.engine.borrow());
        let kind = EventKind::HumanNeeded { why: format!("number {seq}") };
        snapshot.apply(&sample::event(seq, NOW_MS, "gl-1", kind));
        self.engine.send_replace(Arc::new(snapshot));
    }
}

/// A whole response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: Response<()>,
    pub(crate) body: String,
}

impl Answer {
    /// Returns a header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.head.headers().get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }
}

pub(crate) async fn answer(app: &Router, request: Request<Body>) -> Answer {
    let response = app.clone().oneshot(request).await.expect("a router does not fail");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("the body ends").to_bytes();
    let body = String::from_utf8(body.to_vec()).expect("UTF-8");
    Answer { status: parts.status.as_u16(), head: Response::from_parts(parts, ()), body }
}

//! The routes, and the server around them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::routing::get;
use axum::{Router, middleware};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::guard::{self, Guard};
use crate::pages::View;
use crate::seats::Seats;
use crate::sse::{Frame, Renderer};
use crate::{Sources, alerts, api, assets, history, pages};

/// How long a connection may take to end after the streams have ended. A client that does not read would else keep the
/// engine from stopping.
const DRAIN: Duration = Duration::from_millis(500);

/// What the handlers share.
pub(crate) struct Site {
    pub(crate) sources: Sources,
    pub(crate) seats: Arc<Seats>,
    pub(crate) shutdown: CancellationToken,
    frames: Vec<watch::Receiver<Arc<Frame>>>,
}

impl Site {
    /// Returns the present state of a page.
    pub(crate) fn frame(&self, view: View) -> Arc<Frame> {
        Arc::clone(&self.receiver(view).borrow())
    }

    /// Subscribes to the states of a page.
    pub(crate) fn frames(&self, view: View) -> watch::Receiver<Arc<Frame>> {
        self.receiver(view).clone()
    }

    fn receiver(&self, view: View) -> &watch::Receiver<Arc<Frame>> {
        &self.frames[view as usize]
    }
}

/// Serves the pages on a bound listener until the token is cancelled, and then at most half a second longer.
///
/// # Errors
///
/// Returns what the listener says when it cannot accept any more, and an error when the rendering task has panicked:
/// the pages would stand still.
pub async fn serve(
    listener: TcpListener,
    sources: Sources,
    guard: Guard,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let (app, renderer) = assemble(sources, &guard, &shutdown);
    let rendering = tokio::spawn(renderer.run(shutdown.clone()));
    let server = axum::serve(listener, app).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    tokio::select! {
        served = server => served,
        () = overdue(&shutdown) => Ok(()),
        fault = fault(rendering) => Err(fault),
    }
}

/// Builds the routes for a server of one's own, and starts the rendering task, which ends with the token.
///
/// # Panics
///
/// Panics outside a tokio runtime.
pub fn router(sources: Sources, guard: &Guard, shutdown: &CancellationToken) -> Router {
    let (app, renderer) = assemble(sources, guard, shutdown);
    tokio::spawn(renderer.run(shutdown.clone()));
    app
}

fn assemble(sources: Sources, guard: &Guard, shutdown: &CancellationToken) -> (Router, Renderer) {
    let (renderer, frames) = Renderer::new(sources.clone());
    let site = Site { sources, seats: Seats::new(guard), shutdown: shutdown.clone(), frames };
    let app = Router::new()
        .route("/", get(pages::live))
        .route("/events", get(pages::live_stream))
        .route("/why", get(pages::why))
        .route("/events/why", get(pages::why_stream))
        .route("/actors", get(pages::actors))
        .route("/events/actors", get(pages::actors_stream))
        .route("/alerts", get(alerts::alerts))
        .route("/tasks", get(history::tasks))
        .route("/tasks/{id}", get(history::task))
        .route("/transcripts/{attempt}/{step}", get(history::transcript))
        .route("/health", get(api::health))
        .route("/metrics", get(api::metrics))
        .route("/api/v1/health", get(api::details))
        .route("/api/v1/state", get(api::state))
        .route("/api/v1/actors", get(api::actors))
        .route("/api/v1/why", get(api::why))
        .route("/api/v1/alerts", get(alerts::alerts_json))
        .route("/api/v1/tasks", get(history::tasks_json))
        .route("/api/v1/tasks.csv", get(history::tasks_csv))
        .route("/api/v1/tasks/{id}", get(history::task_json))
        .route("/assets/{name}", get(assets::serve))
        .fallback(pages::missing)
        .layer(middleware::from_fn_with_state(Arc::new(guard.clone()), guard::stand))
        .with_state(Arc::new(site));
    (app, renderer)
}

async fn overdue(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(DRAIN).await;
}

/// Waits for the rendering task to fail; its orderly end is the server's own business.
async fn fault(rendering: tokio::task::JoinHandle<()>) -> io::Error {
    match rendering.await {
        Ok(()) => std::future::pending().await,
        Err(panic) => {
            io::Error::other(format!("the page renderer has panicked, no page moves any more: {panic}"))
        }
    }
}

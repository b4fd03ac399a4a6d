//! What machines read: the health in one word, and every view as JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use glitchlab_domain::snapshot::Telemetry;
use glitchlab_runtime::TreeSnapshot;
use serde::Serialize;

use crate::Health;
use crate::error::Refused;
use crate::pages::View;
use crate::server::Site;
use crate::view::tree::{Rates, rates};

/// `GET /health`: one word and a status, nothing about the engine's content.
pub(crate) async fn health(State(site): State<Arc<Site>>) -> Response {
    let (status, word) = match (site.sources.health)() {
        Health::Ok => (StatusCode::OK, "ok\n"),
        Health::Degraded(_) => (StatusCode::OK, "degraded\n"),
        Health::Failing(_) => (StatusCode::SERVICE_UNAVAILABLE, "failing\n"),
    };
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-store")], word).into_response()
}

/// The content type of Prometheus's text format.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /metrics`: what Prometheus scrapes; 404 in a process that counts nothing.
pub(crate) async fn metrics(State(site): State<Arc<Site>>) -> Response {
    let Some(read) = &site.sources.metrics else { return Refused::NoMetrics.into_response() };
    match read() {
        Some(text) => ([(CONTENT_TYPE, EXPOSITION), (CACHE_CONTROL, "no-store")], text).into_response(),
        None => Refused::BadMetrics.into_response(),
    }
}

/// What is behind the word of `/health`.
#[derive(Serialize)]
struct Details<'a> {
    /// The word.
    health: &'static str,
    /// What is impaired, or why the engine cannot work.
    why: Option<String>,
    telemetry: &'a Telemetry,
}

/// `GET /api/v1/health`: how the engine is, and how the way to the receivers of its telemetry is.
pub(crate) async fn details(State(site): State<Arc<Site>>) -> Response {
    let (health, why) = match (site.sources.health)() {
        Health::Ok => ("ok", None),
        Health::Degraded(why) => ("degraded", Some(why)),
        Health::Failing(why) => ("failing", Some(why)),
    };
    let snapshot = Arc::clone(&site.sources.snapshot.borrow());
    json(&Details { health, why, telemetry: &snapshot.telemetry })
}

/// `GET /api/v1/state`: the live snapshot.
pub(crate) async fn state(State(site): State<Arc<Site>>) -> Response {
    let snapshot = Arc::clone(&site.sources.snapshot.borrow());
    json(&*snapshot)
}

/// `GET /api/v1/why`: why nothing starts, every wait and every skip; the same as `glitchlab why --json`.
pub(crate) async fn why(State(site): State<Arc<Site>>) -> Response {
    let why = Arc::clone(&site.sources.why.borrow());
    json(&*why)
}

/// The supervision tree with what its actors did within the last second.
#[derive(Serialize)]
struct Actors<'a> {
    #[serde(flatten)]
    tree: &'a TreeSnapshot,
    /// By path; empty at the first look.
    rates: BTreeMap<&'a str, Rates>,
}

/// `GET /api/v1/actors`: the supervision tree and its rates, or 503 when there is none.
pub(crate) async fn actors(State(site): State<Arc<Site>>) -> Response {
    let Some(tree) = (site.sources.tree)() else { return Refused::NoTree.into_response() };
    let moment = Arc::clone(&site.frame(View::Actors).moment);
    let rates = match (&moment.earlier_tree, &moment.tree) {
        (Some(earlier), Some(now)) => rates(earlier, now),
        _ => BTreeMap::new(),
    };
    json(&Actors { tree: &tree, rates })
}

/// Answers with JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> Response {
    let body = serde_json::to_vec(value).expect("plain data with text keys is always JSON");
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body).into_response()
}

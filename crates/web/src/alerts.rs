//! The page of alerts, and the same as JSON. It is polled, as the history is.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use crate::api::json;
use crate::error::Refused;
use crate::history::{is_poll, now, partials, unavailable};
use crate::pages::page;
use crate::server::Site;
use crate::view::page::AlertsPage;
use crate::view::render;

/// `GET /alerts`
pub(crate) async fn alerts(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let moment = now(&site);
    match site.sources.records.alerts().await {
        Ok(overview) => {
            let view = AlertsPage::new(&moment, &overview);
            if is_poll(&headers) { partials(&view.regions().whole()) } else { page(render(&view), &headers) }
        }
        Err(error) => unavailable(&moment, "/alerts", &headers, &error),
    }
}

/// `GET /api/v1/alerts`: the same as `glitchlab alerts list --json`.
pub(crate) async fn alerts_json(State(site): State<Arc<Site>>) -> Response {
    match site.sources.records.alerts().await {
        Ok(overview) => json(&overview),
        Err(_) => Refused::NoStore.into_response(),
    }
}

//! The pages and the streams that keep them current.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};

use crate::error::Refused;
use crate::seats;
use crate::server::Site;
use crate::sse::{Regions, Subscriber};
use crate::view::banners::Banners;
use crate::view::engine::{Engine, state};
use crate::view::feed::Feed;
use crate::view::lead::Lead;
use crate::view::money::Money;
use crate::view::now::Now;
use crate::view::page::{ActorsPage, LivePage, MissingPage};
use crate::view::queue::Queue;
use crate::view::tree::{self, Tree};
use crate::view::{Moment, render};

/// A page that has a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// What the engine is doing now.
    Live,
    /// Whether the supervision tree is whole.
    Actors,
}

impl View {
    /// All of them; the place in this list finds a view's frames.
    pub(crate) const ALL: [Self; 2] = [Self::Live, Self::Actors];

    /// Renders all regions of the page.
    pub(crate) fn regions(self, moment: &Moment) -> Regions {
        match self {
            Self::Live => live_regions(moment),
            Self::Actors => actors_regions(moment),
        }
    }

    const fn stream(self) -> &'static str {
        match self {
            Self::Live => "/events",
            Self::Actors => "/events/actors",
        }
    }
}

fn live_regions(moment: &Moment) -> Regions {
    let lead = Lead::live(&moment.snapshot, moment.now_ms);
    Regions {
        title: lead.title(),
        say: state(&moment.snapshot).1.to_owned(),
        units: vec![
            ("engine", render(&Engine::new(moment))),
            ("banners", render(&Banners::new(moment))),
            ("lead", render(&lead)),
            ("now", render(&Now::new(moment))),
            ("money", render(&Money::new(moment))),
            ("queue", render(&Queue::new(moment))),
        ],
        feed: Some(Feed::new(&moment.snapshot)),
    }
}

fn actors_regions(moment: &Moment) -> Regions {
    let lead = tree::lead(moment);
    Regions {
        title: lead.title(),
        say: state(&moment.snapshot).1.to_owned(),
        units: vec![
            ("engine", render(&Engine::new(moment))),
            ("banners", render(&Banners::new(moment))),
            ("lead", render(&lead)),
            ("tree", render(&Tree::new(moment))),
        ],
        feed: None,
    }
}

/// `GET /`
pub(crate) async fn live(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let (moment, events) = opening(&site, View::Live);
    page(render(&LivePage::new(&moment, events)), &headers)
}

/// `GET /actors`
pub(crate) async fn actors(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let (moment, events) = opening(&site, View::Actors);
    page(render(&ActorsPage::new(&moment, events)), &headers)
}

/// Any path that leads nowhere.
pub(crate) async fn missing(State(site): State<Arc<Site>>) -> Response {
    let (moment, _) = opening(&site, View::Live);
    (StatusCode::NOT_FOUND, [(CACHE_CONTROL, "no-store")], Html(render(&MissingPage::new(&moment))))
        .into_response()
}

/// `GET /events`
pub(crate) async fn live_stream(
    State(site): State<Arc<Site>>,
    query: Result<Query<HashMap<String, String>>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    stream(&site, View::Live, query, &headers)
}

/// `GET /events/actors`
pub(crate) async fn actors_stream(
    State(site): State<Arc<Site>>,
    query: Result<Query<HashMap<String, String>>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    stream(&site, View::Actors, query, &headers)
}

/// Reads the state that a page shows, and the URL of its stream from there on.
fn opening(site: &Site, view: View) -> (Arc<Moment>, String) {
    let frame = site.frame(view);
    (Arc::clone(&frame.moment), format!("{}?since={}", view.stream(), frame.id()))
}

/// Answers with a page, and with the browser's cookie when it has none.
pub(crate) fn page(html: String, headers: &HeaderMap) -> Response {
    let mut response = ([(CACHE_CONTROL, "no-store")], Html(html)).into_response();
    if seats::browser(headers).is_none() {
        response.headers_mut().insert(SET_COOKIE, seats::new_cookie());
    }
    response
}

fn stream(
    site: &Site,
    view: View,
    query: Result<Query<HashMap<String, String>>, QueryRejection>,
    headers: &HeaderMap,
) -> Response {
    let Ok(Query(query)) = query else { return Refused::Query.into_response() };
    if site.shutdown.is_cancelled() {
        return Refused::Ending.into_response();
    }
    let Some(seat) = site.seats.take(seats::browser(headers)) else { return Refused::Full.into_response() };
    let since = last_event_id(headers).or(query.get("since").map(String::as_str));
    let subscriber = Subscriber::new(site.frames(view), since, seat, site.shutdown.clone());
    let head = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    (head, Body::from_stream(subscriber.into_stream())).into_response()
}

/// What the browser saw last wins over what its page was rendered from.
fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    headers.get("last-event-id").and_then(|id| id.to_str().ok())
}

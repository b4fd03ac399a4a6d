//! The pages and the streams that keep them current.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};

use glitchlab_domain::reason::Group;

use crate::error::Refused;
use crate::seats;
use crate::server::Site;
use crate::sse::{Regions, Subscriber};
use crate::view::badge::Badge;
use crate::view::banners::Banners;
use crate::view::engine::{Engine, state};
use crate::view::feed::Feed;
use crate::view::lead::Lead;
use crate::view::money::Money;
use crate::view::now::Now;
use crate::view::page::{ActorsPage, LivePage, MissingPage, WhyPage};
use crate::view::queue::Queue;
use crate::view::tree::{self, Tree};
use crate::view::why::{self, Gates, Waits};
use crate::view::{Moment, render};

type Asked = Result<Query<HashMap<String, String>>, QueryRejection>;

/// A page that has a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// What the engine is doing now.
    Live,
    /// Whether the supervision tree is whole.
    Actors,
    /// Why nothing starts.
    Why,
    /// What waits for a person.
    You,
}

impl View {
    /// All of them; the place in this list finds a view's frames.
    pub(crate) const ALL: [Self; 4] = [Self::Live, Self::Actors, Self::Why, Self::You];

    /// Renders all regions of the page.
    pub(crate) fn regions(self, moment: &Moment) -> Regions {
        match self {
            Self::Live => live_regions(moment),
            Self::Actors => actors_regions(moment),
            Self::Why => why_regions(moment),
            Self::You => you_regions(moment),
        }
    }

    const fn stream(self) -> &'static str {
        match self {
            Self::Live => "/events",
            Self::Actors => "/events/actors",
            Self::Why => "/events/why",
            Self::You => "/events/why?group=you",
        }
    }
}

fn live_regions(moment: &Moment) -> Regions {
    let lead = Lead::live(&moment.snapshot, moment.now_ms);
    let own = vec![
        ("now", render(&Now::new(moment))),
        ("money", render(&Money::new(moment))),
        ("queue", render(&Queue::new(moment))),
    ];
    Regions { feed: Some(Feed::new(&moment.snapshot)), ..regions(moment, &lead, own) }
}

fn actors_regions(moment: &Moment) -> Regions {
    regions(moment, &tree::lead(moment), vec![("tree", render(&Tree::new(moment)))])
}

fn why_regions(moment: &Moment) -> Regions {
    let own = vec![("gates", render(&Gates::new(moment))), ("waits", render(&Waits::new(moment)))];
    regions(moment, &why::lead(moment), own)
}

fn you_regions(moment: &Moment) -> Regions {
    regions(moment, &why::needs_you(moment), vec![("waits", render(&Waits::needs_you(moment)))])
}

/// Puts what every page has before what is its own.
fn regions(moment: &Moment, lead: &Lead, own: Vec<(&'static str, String)>) -> Regions {
    let shared = [
        ("you", render(&Badge::you(moment))),
        ("alarms", render(&Badge::firing(moment))),
        ("engine", render(&Engine::new(moment))),
        ("banners", render(&Banners::new(moment))),
        ("lead", render(lead)),
    ];
    Regions {
        title: lead.title(),
        say: state(&moment.snapshot).1.to_owned(),
        units: shared.into_iter().chain(own).collect(),
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

/// `GET /why`, with `?group=you` only what waits for a person.
pub(crate) async fn why(State(site): State<Arc<Site>>, query: Asked, headers: HeaderMap) -> Response {
    let Ok(Query(query)) = query else { return Refused::Query.into_response() };
    let view = which(&query);
    let (moment, events) = opening(&site, view);
    match view {
        View::You => page(render(&WhyPage::needs_you(&moment, events)), &headers),
        _ => page(render(&WhyPage::new(&moment, events)), &headers),
    }
}

fn which(query: &HashMap<String, String>) -> View {
    if query.get("group").is_some_and(|group| group == Group::You.name()) { View::You } else { View::Why }
}

/// Any path that leads nowhere.
pub(crate) async fn missing(State(site): State<Arc<Site>>) -> Response {
    let (moment, _) = opening(&site, View::Live);
    (StatusCode::NOT_FOUND, [(CACHE_CONTROL, "no-store")], Html(render(&MissingPage::new(&moment))))
        .into_response()
}

/// `GET /events`
pub(crate) async fn live_stream(State(site): State<Arc<Site>>, query: Asked, headers: HeaderMap) -> Response {
    stream(&site, View::Live, query, &headers)
}

/// `GET /events/actors`
pub(crate) async fn actors_stream(
    State(site): State<Arc<Site>>,
    query: Asked,
    headers: HeaderMap,
) -> Response {
    stream(&site, View::Actors, query, &headers)
}

/// `GET /events/why`
pub(crate) async fn why_stream(State(site): State<Arc<Site>>, query: Asked, headers: HeaderMap) -> Response {
    let view = query.as_ref().map_or(View::Why, |Query(query)| which(query));
    stream(&site, view, query, &headers)
}

/// Reads the state that a page shows, and the URL of its stream from there on.
fn opening(site: &Site, view: View) -> (Arc<Moment>, String) {
    let frame = site.frame(view);
    let mark = if view.stream().contains('?') { '&' } else { '?' };
    (Arc::clone(&frame.moment), format!("{}{mark}since={}", view.stream(), frame.id()))
}

/// Answers with a page, and with the browser's cookie when it has none.
pub(crate) fn page(html: String, headers: &HeaderMap) -> Response {
    let mut response = ([(CACHE_CONTROL, "no-store")], Html(html)).into_response();
    if seats::browser(headers).is_none() {
        response.headers_mut().insert(SET_COOKIE, seats::new_cookie());
    }
    response
}

fn stream(site: &Site, view: View, query: Asked, headers: &HeaderMap) -> Response {
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

//! The list of tasks and the page of one, as pages, as JSON and as CSV. They are polled, not streamed: a poll is the page's
//! own address asked again by the script, and is answered with the regions that may have changed.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use glitchlab_domain::bead::BeadId;
use glitchlab_domain::history::TaskPage;
use glitchlab_domain::id::AttemptId;
use serde::Serialize;

use crate::api::json;
use crate::error::Refused;
use crate::pages::{View, page};
use crate::records::Unavailable;
use crate::server::Site;
use crate::view::page::{RefusedPage, TaskView, TasksView};
use crate::view::tasks::ask::Ask;
use crate::view::tasks::csv;
use crate::view::{Moment, link, render};

type Asked = Result<Query<HashMap<String, String>>, QueryRejection>;
type Named = Result<Path<String>, PathRejection>;

/// `GET /tasks`
pub(crate) async fn tasks(State(site): State<Arc<Site>>, query: Asked, headers: HeaderMap) -> Response {
    let Some(ask) = read(query) else { return Refused::Query.into_response() };
    let moment = now(&site);
    match site.sources.records.tasks(&ask.question(moment.now_ms)).await {
        Ok(found) => {
            let view = TasksView::new(&moment, &ask, &found);
            if is_poll(&headers) { partials(&view.regions().whole()) } else { page(render(&view), &headers) }
        }
        Err(error) => unavailable(&moment, "/tasks", &headers, &error),
    }
}

/// `GET /tasks/{id}`
pub(crate) async fn task(State(site): State<Arc<Site>>, id: Named, headers: HeaderMap) -> Response {
    let Ok(Path(id)) = id else { return Refused::Name.into_response() };
    let moment = now(&site);
    let here = link::task(&id);
    match site.sources.records.story(&BeadId::new(id.clone())).await {
        Ok(Some(story)) => {
            let view = TaskView::new(&moment, &story);
            if is_poll(&headers) { partials(&view.regions().whole()) } else { page(render(&view), &headers) }
        }
        Ok(None) => plain(StatusCode::NOT_FOUND, &RefusedPage::no_task(&moment, here, &id)),
        Err(error) => unavailable(&moment, &here, &headers, &error),
    }
}

/// `GET /transcripts/{attempt}/{step}`: what a program said. Hostile text, and served as nothing but text.
pub(crate) async fn transcript(
    State(site): State<Arc<Site>>,
    place: Result<Path<(String, u32)>, PathRejection>,
) -> Response {
    let Ok(Path((attempt, step_n))) = place else { return Refused::NoTranscript.into_response() };
    match site.sources.records.said(&AttemptId::new(attempt), step_n).await {
        Ok(Some(text)) => {
            let head = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-store")];
            (head, text).into_response()
        }
        Ok(None) => Refused::NoTranscript.into_response(),
        Err(_) => Refused::NoStore.into_response(),
    }
}

/// A page of the list as JSON.
#[derive(Serialize)]
struct List {
    as_of_ms: i64,
    #[serde(flatten)]
    page: TaskPage,
    /// The address of the next page; null on the last.
    next: Option<String>,
}

/// `GET /api/v1/tasks`
pub(crate) async fn tasks_json(State(site): State<Arc<Site>>, query: Asked) -> Response {
    let Some(ask) = read(query) else { return Refused::Query.into_response() };
    let as_of_ms = (site.sources.clock)();
    match site.sources.records.tasks(&ask.export(as_of_ms)).await {
        Ok(page) => {
            let next = page.next.clone().map(|place| ask.from(place).href("/api/v1/tasks"));
            json(&List { as_of_ms, page, next })
        }
        Err(_) => Refused::NoStore.into_response(),
    }
}

/// `GET /api/v1/tasks.csv`
pub(crate) async fn tasks_csv(State(site): State<Arc<Site>>, query: Asked) -> Response {
    let Some(ask) = read(query) else { return Refused::Query.into_response() };
    match site.sources.records.tasks(&ask.export((site.sources.clock)())).await {
        Ok(page) => {
            let head = [
                (CONTENT_TYPE, "text/csv; charset=utf-8"),
                (CONTENT_DISPOSITION, "attachment; filename=\"tasks.csv\""),
                (CACHE_CONTROL, "no-store"),
            ];
            (head, csv::write(&page.lines)).into_response()
        }
        Err(_) => Refused::NoStore.into_response(),
    }
}

/// `GET /api/v1/tasks/{id}`
pub(crate) async fn task_json(State(site): State<Arc<Site>>, id: Named) -> Response {
    let Ok(Path(id)) = id else { return Refused::Name.into_response() };
    match site.sources.records.story(&BeadId::new(id)).await {
        Ok(Some(story)) => json(&story),
        Ok(None) => Refused::NoTask.into_response(),
        Err(_) => Refused::NoStore.into_response(),
    }
}

fn read(query: Asked) -> Option<Ask> {
    Ask::read(&query.ok()?.0)
}

/// Takes the engine's state as it was last published, and the time as it is.
pub(crate) fn now(site: &Site) -> Moment {
    let now_ms = (site.sources.clock)();
    Moment { now_ms, ..Moment::clone(&site.frame(View::Live).moment) }
}

/// The script asks for regions, a person for the page.
pub(crate) fn is_poll(headers: &HeaderMap) -> bool {
    headers.contains_key("hx-request")
}

pub(crate) fn partials(html: &str) -> Response {
    ([(CACHE_CONTROL, "no-store")], Html(html.to_owned())).into_response()
}

fn plain(status: StatusCode, page: &RefusedPage) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], Html(render(page))).into_response()
}

/// A poll is told so by the status alone: the page keeps its numbers, and looks as old as they are.
pub(crate) fn unavailable(moment: &Moment, here: &str, headers: &HeaderMap, error: &Unavailable) -> Response {
    if is_poll(headers) {
        return Refused::NoStore.into_response();
    }
    plain(StatusCode::SERVICE_UNAVAILABLE, &RefusedPage::no_store(moment, here.to_owned(), error))
}

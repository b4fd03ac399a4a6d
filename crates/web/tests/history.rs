//! The list of tasks and the page of one: what they show, and what they do when they cannot.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use insta::assert_snapshot;

use crate::records::Made;
use crate::sample::live;
use crate::site::{Answer, HOST, NOW_MS, Site, answer};

fn site() -> Site {
    Site::new(live(NOW_MS))
}

async fn poll(site: &Site, path: &str) -> Answer {
    let request = Request::get(path).header("host", HOST).header("hx-request", "true");
    answer(&site.router(), request.body(Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn the_list_answers_with_a_sentence_a_number_and_a_row_a_task() {
    let body = poll(&site(), "/tasks?sort=cost").await.body;
    assert!(body.contains("41 of 50 finished tasks succeeded"), "{body}");
    assert!(body.contains("<b>$35.90</b><span>settled, $0.88 a success</span>"), "{body}");
    assert_snapshot!("list", body);
}

#[tokio::test]
async fn the_page_of_a_task_tells_its_whole_story() {
    assert_snapshot!("task", poll(&site(), "/tasks/gl-li2.1").await.body);
}

#[tokio::test]
async fn a_poll_brings_regions_and_a_visit_the_page() {
    let site = site();
    for path in ["/tasks", "/tasks/gl-li2.1"] {
        let (visit, poll) = (site.get(path).await, poll(&site, path).await);
        assert!(visit.body.starts_with("<!doctype html>") && !poll.body.contains("<!doctype"), "{path}");
        assert!(visit.body.contains(&format!("hx-get=\"{path}\"")), "{path} asks for itself");
        for region in poll.body.matches("hx-target=\"#").collect::<Vec<_>>() {
            assert!(!region.is_empty());
        }
        let targets = poll.body.split("hx-target=\"#").skip(1).filter_map(|rest| rest.split('"').next());
        for id in targets {
            assert!(visit.body.contains(&format!("id=\"{id}\"")), "{path} has no place for #{id}");
        }
    }
}

#[tokio::test]
async fn an_id_with_a_slash_has_a_page_of_its_own() {
    let site = site();
    assert!(site.get("/tasks").await.body.contains("href=\"/tasks/gl-m4p%2Fx\""));
    let answer = site.get("/tasks/gl-m4p%2Fx").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("gl-m4p/x"));
}

#[tokio::test]
async fn an_empty_list_says_why_and_shows_the_way_back() {
    let body = site().get("/tasks?q=nothing&status=failed&range=24h").await.body;
    assert!(body.contains("No task matches"), "{body}");
    assert!(
        body.contains("status is Failed, id or title contains “nothing”, in the last 24 hours."),
        "{body}"
    );
    assert!(body.contains("<a href=\"/tasks?range=24h\">Clear the filter</a>"), "{body}");
}

#[tokio::test]
async fn a_task_that_is_not_there_is_a_page_with_a_way_back() {
    let answer = site().get("/tasks/unknown").await;
    assert_eq!(answer.status, 404);
    assert!(
        answer.body.contains("There is no such task") && answer.body.contains("href=\"/tasks\">All tasks")
    );
    assert_eq!(site().get("/api/v1/tasks/unknown").await.status, 404);
    assert_eq!(site().get("/tasks/%FF").await.status, 400);
}

#[tokio::test]
async fn a_store_that_fails_is_unavailable_and_never_an_empty_list() {
    let mut site = site();
    site.sources.records = Arc::new(Made { fails: true, ..Made::new(NOW_MS) });
    for path in [
        "/tasks",
        "/tasks/gl-li2.1",
        "/alerts",
        "/api/v1/alerts",
        "/api/v1/tasks",
        "/api/v1/tasks.csv",
        "/api/v1/tasks/gl-li2.1",
    ] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, 503, "{path}");
        assert!(!answer.body.contains("$0.00") || answer.body.contains("Unavailable"), "{path}");
    }
    assert!(site.get("/tasks").await.body.contains("The history cannot be read"));
    assert_eq!(poll(&site, "/tasks").await.status, 503, "a poll leaves the old numbers where they are");
}

#[tokio::test]
async fn a_query_that_cannot_be_read_is_refused_and_not_guessed_at() {
    for path in
        ["/tasks?status=gone", "/tasks?range=9d", "/api/v1/tasks?sort=title", "/api/v1/tasks.csv?after=x"]
    {
        assert_eq!(site().get(path).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn exports_say_the_same_as_the_list() {
    let site = site();
    let json: serde_json::Value =
        serde_json::from_str(&site.get("/api/v1/tasks?status=failed").await.body).expect("JSON");
    assert_eq!(json["as_of_ms"], NOW_MS);
    assert_eq!(json["lines"][0]["task"], "gl-li2.1");
    assert_eq!(json["lines"][0]["cost_micro"], 1_090_000);
    assert_eq!(json["tally"]["states"]["completed"], 41);
    assert_eq!(json["next"], "/api/v1/tasks?status=failed&after=12.k");
    let csv = site.get("/api/v1/tasks.csv").await;
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"tasks.csv\"");
    assert!(csv.body.contains("\"gl-m4p/x\",\"Say which keys are unknown\",completed,"), "{}", csv.body);
    assert_eq!(csv.body.lines().count(), 4);
}

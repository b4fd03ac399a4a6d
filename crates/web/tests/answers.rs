//! What is answered and what is refused.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request};
use glitchlab_domain::snapshot::{Delivery, Snapshot, Telemetry, Trouble};
use glitchlab_web::Health;

use crate::sample::{live, tree};
use crate::site::{Answer, HOST, METRICS, NOW_MS, Site, answer};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const PATHS: [&str; 18] = [
    "/",
    "/actors",
    "/alerts",
    "/api/v1/alerts",
    "/tasks",
    "/tasks/gl-li2.1",
    "/api/v1/tasks",
    "/api/v1/tasks.csv",
    "/api/v1/tasks/gl-li2.1",
    "/health",
    "/metrics",
    "/api/v1/health",
    "/api/v1/state",
    "/api/v1/actors",
    "/assets/app.css",
    "/assets/none",
    "/events",
    "/nowhere",
];

async fn ask(site: &Site, method: &str, path: &str, hosts: &[&str]) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let mut request = Request::builder().method(method).uri(path);
    for host in hosts {
        request = request.header("host", *host);
    }
    answer(&site.router(), request.body(Body::empty()).expect("a request")).await
}

fn assert_guarded(answer: &Answer, what: &str) {
    assert_eq!(answer.header("content-security-policy"), POLICY, "{what}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer", "{what}");
}

#[tokio::test]
async fn every_method_but_get_and_head_is_refused_everywhere() {
    let site = Site::new(live(NOW_MS));
    for path in PATHS {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY", "PROPFIND"] {
            let answer = ask(&site, method, path, &[HOST]).await;
            assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"), "{method} {path}");
            assert_guarded(&answer, path);
        }
    }
}

#[tokio::test]
async fn a_foreign_host_is_refused_whatever_it_asks_for() {
    let site = Site::new(live(NOW_MS));
    let foreign: [&[&str]; 7] = [
        &["evil.example"],
        &["127.0.0.1:3001"],
        &["127.0.0.1"],
        &["localhost:3000.evil.example"],
        &[""],
        &[],
        &[HOST, "evil.example"],
    ];
    for hosts in foreign {
        for path in PATHS {
            let answer = ask(&site, "GET", path, hosts).await;
            assert_eq!(answer.status, 421, "{hosts:?} {path}");
            assert!(!answer.body.contains("gl-li2"), "{hosts:?} {path}");
            assert_guarded(&answer, path);
        }
    }
    assert_eq!(ask(&site, "GET", "http://evil.example/", &[HOST]).await.status, 421);
}

#[tokio::test]
async fn each_name_of_the_loopback_interface_is_answered() {
    let site = Site::new(live(NOW_MS));
    for host in ["127.0.0.1:3000", "localhost:3000", "LOCALHOST:3000", "[::1]:3000"] {
        assert_eq!(ask(&site, "GET", "/health", &[host]).await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn pages_carry_the_policy_and_nothing_inline() {
    let site = Site::new(live(NOW_MS));
    for (path, status) in [
        ("/", 200),
        ("/actors", 200),
        ("/alerts", 200),
        ("/tasks", 200),
        ("/tasks/gl-li2.1", 200),
        ("/tasks/unknown", 404),
        ("/nowhere", 404),
    ] {
        let answer = site.get(path).await;
        assert_eq!((answer.status, answer.header("cache-control")), (status, "no-store"), "{path}");
        assert_guarded(&answer, path);
        for inline in ["style=", "<style", "onclick", "onload", "javascript:", "hx-on"] {
            assert!(!answer.body.contains(inline), "{path} has {inline}");
        }
        assert_eq!(answer.body.matches("<script").count(), 1, "{path}");
    }
}

#[tokio::test]
async fn a_head_request_gets_the_head_of_the_page() {
    let site = Site::new(live(NOW_MS));
    let answer = ask(&site, "HEAD", "/", &[HOST]).await;
    assert_eq!(
        (answer.status, answer.header("content-type"), &*answer.body),
        (200, "text/html; charset=utf-8", "")
    );
}

#[tokio::test]
async fn navigation_shows_the_pages_that_exist_and_where_one_is() {
    let site = Site::new(live(NOW_MS));
    let page = site.get("/actors").await.body;
    let nav = &page[page.find("<nav").expect("a nav")..page.find("</nav>").expect("its end")];
    assert!(
        nav.contains(r#"<a href="/"><span>Live"#)
            && nav.contains(r#"<a href="/actors" aria-current="page"><span>Actors"#)
    );
    assert_eq!(nav.matches("<a ").count(), 5);
    assert!(nav.contains(r#"<span>Why</span><span id="you"><span class="st" data-s="you">2<"#), "{nav}");
}

#[tokio::test]
async fn why_nothing_starts_has_a_page_a_list_for_people_and_the_same_as_json() {
    let site = Site::new(live(NOW_MS));
    let page = site.get("/why").await.body;
    assert!(page.contains("The next task waits for money") && page.contains("Where the queue stops"));
    assert!(page.contains(r#"hx-sse:connect="/events/why?since="#), "{page}");
    let you = site.get("/why?group=you").await.body;
    assert!(you.contains("2 things wait for you") && !you.contains("gl-77a"), "{you}");
    assert!(you.contains("hx-sse:connect=\"/events/why?group=you&#38;since="), "{you}");
    let json = site.get("/api/v1/why").await.body;
    let why: glitchlab_domain::why::Why = serde_json::from_str(&json).expect("it is stable JSON");
    assert_eq!(why, crate::sample::why(NOW_MS));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["headline"]["text"], "The next task waits for money");
    assert_eq!(json["headline"]["reason"]["type"], "cap_reached");
    assert_eq!(json["groups"][0]["entries"][1]["chip"], "NeedsHuman: GateRejected");
}

#[tokio::test]
async fn a_path_that_leads_nowhere_gets_a_page_with_a_way_back() {
    let site = Site::new(live(NOW_MS));
    let answer = site.get("/task/gl-1?x=1").await;
    assert_eq!(answer.status, 404);
    assert!(answer.body.contains("There is no such page") && answer.body.contains(r#"<a href="/">Live</a>"#));
    assert!(!answer.body.contains("hx-sse:connect"), "a page without numbers needs no stream");
}

#[tokio::test]
async fn health_is_one_word_and_a_status_and_tells_nothing_else() {
    let site = Site::new(live(NOW_MS));
    let secret = || "the disk of acme is full".to_owned();
    let cases = [
        (Health::Ok, 200, "ok\n"),
        (Health::Degraded(secret()), 200, "degraded\n"),
        (Health::Failing(secret()), 503, "failing\n"),
    ];
    for (health, status, word) in cases {
        *site.health.lock().expect("no test panics with it") = health;
        let answer = site.get("/health").await;
        assert_eq!((answer.status, &*answer.body), (status, word));
    }
}

#[tokio::test]
async fn metrics_are_text_for_prometheus_and_are_nowhere_else_than_in_the_engine() {
    let mut site = Site::new(live(NOW_MS));
    let answer = site.get("/metrics").await;
    assert_eq!((answer.status, &*answer.body), (200, METRICS));
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-store");
    site.sources.metrics = Some(Arc::new(|| None));
    assert_eq!(site.get("/metrics").await.status, 500);
    site.sources.metrics = None;
    let answer = site.get("/metrics").await;
    assert!(answer.status == 404 && answer.body.contains("this process has no metrics"), "{answer:?}");
}

#[tokio::test]
async fn the_details_of_the_health_say_why_and_how_telemetry_is() {
    let what = "Telemetry is degraded: logs do not arrive (status 503)";
    let telemetry =
        Telemetry { state: Delivery::Degraded, what: what.to_owned(), since_ms: Some(NOW_MS), lost: 512 };
    let site = Site::new(Snapshot { telemetry, ..live(NOW_MS) });
    let details = async || -> serde_json::Value {
        serde_json::from_str(&site.get("/api/v1/health").await.body).expect("JSON")
    };
    let well = details().await;
    assert_eq!((&well["health"], &well["why"]), (&"ok".into(), &serde_json::Value::Null));
    *site.health.lock().expect("no test panics with it") = Health::Degraded(what.to_owned());
    let impaired = details().await;
    assert_eq!((&impaired["health"], &impaired["why"]), (&"degraded".into(), &what.into()));
    let telemetry = &impaired["telemetry"];
    assert_eq!((&telemetry["state"], &telemetry["lost"]), (&"degraded".into(), &512.into()));
}

#[tokio::test]
async fn impaired_health_and_troubles_are_banners_on_every_page_the_worst_first() {
    let trouble =
        |critical, what: &str| Trouble { since_ms: NOW_MS - 660_000, critical, what: what.to_owned() };
    let troubles = vec![trouble(false, "Line 14 is wrong."), trouble(true, "The breaker opened.")];
    let site = Site::new(Snapshot { troubles, ..live(NOW_MS) });
    *site.health.lock().expect("no test panics with it") =
        Health::Degraded("The collector is silent.".to_owned());
    for path in ["/", "/actors", "/nowhere"] {
        let page = site.get(path).await.body;
        let banners = &page[page.find(r#"id="banners""#).expect("banners")..];
        let places = ["The breaker opened.", "The collector is silent.", "Line 14 is wrong.", "SIMULATED"]
            .map(|what| banners.find(what));
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{path}: {places:?}");
    }
}

#[tokio::test]
async fn a_trouble_that_is_also_the_health_is_said_once() {
    let what = "Nothing new starts: the disk is full";
    let trouble = Trouble { since_ms: NOW_MS, critical: true, what: what.to_owned() };
    let site = Site::new(Snapshot { troubles: vec![trouble], ..live(NOW_MS) });
    *site.health.lock().expect("no test panics with it") = Health::Degraded(what.to_owned());
    let page = site.get("/actors").await.body;
    assert_eq!(page.matches(what).count(), 1);
}

#[tokio::test]
async fn old_numbers_are_said_to_be_old_unless_the_engine_has_stopped() {
    let mut snapshot = Snapshot { as_of_ms: NOW_MS - 10_000, ..live(NOW_MS) };
    assert!(!Site::new(snapshot.clone()).get("/").await.body.contains("Old numbers"));
    snapshot.as_of_ms -= 1;
    assert!(Site::new(snapshot.clone()).get("/actors").await.body.contains("Old numbers"));
    snapshot.activity = glitchlab_domain::snapshot::Activity::Stopped;
    assert!(!Site::new(snapshot).get("/").await.body.contains("Old numbers"));
}

#[tokio::test]
async fn an_engine_that_is_not_simulated_does_not_say_so() {
    let mut snapshot = live(NOW_MS);
    snapshot.engine.simulated = false;
    assert!(!Site::new(snapshot).get("/").await.body.contains("SIMULATED"));
}

#[tokio::test]
async fn a_stopped_engine_has_no_stream_and_looks_stopped() {
    let mut snapshot = live(NOW_MS);
    snapshot.activity = glitchlab_domain::snapshot::Activity::Stopped;
    let page = Site::new(snapshot).get("/").await.body;
    assert!(page.contains(r#"<body data-stream="off">"#) && !page.contains("hx-sse:connect"));
}

#[tokio::test]
async fn the_state_is_served_as_json_that_reads_back_the_same() {
    let site = Site::new(live(NOW_MS));
    let answer = site.get("/api/v1/state").await;
    assert_eq!(answer.header("content-type"), "application/json");
    let back: Snapshot = serde_json::from_str(&answer.body).expect("a snapshot");
    assert_eq!(back, live(NOW_MS));
}

#[tokio::test]
async fn the_tree_is_served_as_json_or_said_to_be_missing() {
    let mut site = Site::new(live(NOW_MS));
    let back: glitchlab_runtime::TreeSnapshot =
        serde_json::from_str(&site.get("/api/v1/actors").await.body).expect("a tree");
    assert_eq!(back, tree());
    site.sources.tree = std::sync::Arc::new(|| None);
    assert_eq!(site.get("/api/v1/actors").await.status, 503);
    assert!(site.get("/actors").await.body.contains("<b>Unavailable</b>"));
}

#[tokio::test]
async fn assets_are_kept_forever_by_their_hash_and_else_asked_for_again() {
    let site = Site::new(live(NOW_MS));
    let page = site.get("/").await.body;
    let href = page.split('"').find(|part| part.starts_with("/assets/app.js?v=")).expect("the script");
    let named = site.get(href).await;
    assert_eq!((named.status, named.header("cache-control")), (200, "public, max-age=31536000, immutable"));
    assert_eq!(named.header("content-type"), "text/javascript; charset=utf-8");
    let plain = site.get("/assets/app.js?v=0").await;
    assert_eq!((plain.header("cache-control"), plain.header("etag")), ("no-cache", named.header("etag")));

    let known =
        Request::get("/assets/app.js").header("host", HOST).header("if-none-match", plain.header("etag"));
    let again = answer(&site.router(), known.body(Body::empty()).expect("a request")).await;
    assert_eq!((again.status, &*again.body), (304, ""));
    assert_eq!(site.get("/assets/app.css").await.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(site.get("/assets/..%2fapp.css").await.status, 404);
}

#[tokio::test]
async fn a_browser_gets_its_cookie_once() {
    let site = Site::new(live(NOW_MS));
    let first = site.get("/").await;
    let cookie = first.header("set-cookie");
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
    let pair = cookie.split(';').next().expect("a pair");
    let request = Request::get("/").header("host", HOST).header("cookie", pair);
    let second = answer(&site.router(), request.body(Body::empty()).expect("a request")).await;
    assert_eq!(second.header("set-cookie"), "");
}

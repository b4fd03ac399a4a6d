//! Everything that comes from tasks and agents is hostile text.

use std::sync::Arc;

use glitchlab_domain::bead::BeadId;
use glitchlab_domain::event::EventKind;
use glitchlab_domain::outcome::Status;
use glitchlab_domain::reason::{Reason, Wait};
use glitchlab_domain::snapshot::{Snapshot, Trouble};
use glitchlab_web::Health;

use crate::records::Made;
use crate::sample::{self, live};
use crate::site::{HOST, NOW_MS, Site};

const EVIL: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>' <hx-partial hx-target=\"body\">javascript:alert(1)\
                    \r\ndata: x\n\n\rid: 1\rdata: y\r\r</title></hx-partial>";

/// Puts hostile text wherever text can come from outside.
fn poisoned() -> Snapshot {
    let mut snapshot = live(NOW_MS);
    let evil = || EVIL.to_owned();
    let task = snapshot.lanes[0].task.as_mut().expect("the first lane is busy");
    (task.title, task.model, task.bead_id) = (evil(), evil(), BeadId::new(EVIL));
    task.waiting = Some(Wait { reason: Reason::Label { label: evil() }, until_ms: None });
    snapshot.admission =
        Some(Wait { reason: Reason::CoolDown { why: evil(), deferrals: 1 }, until_ms: None });
    snapshot.troubles = vec![Trouble { since_ms: NOW_MS, critical: true, what: evil() }];
    (snapshot.engine.repo, snapshot.engine.base, snapshot.engine.version) = (evil(), evil(), evil());
    let ended = EventKind::TaskFinished {
        status: Status::Failed,
        detail: evil(),
        until_ms: None,
        tokens: 0,
        cost: Default::default(),
        took_ms: 0,
        attempts: 1,
        failure: None,
        size: None,
    };
    snapshot.apply(&sample::event(90, NOW_MS, EVIL, ended));
    snapshot
}

fn assert_harmless(html: &str, what: &str) {
    for tag in ["<script>", "<img", "<hx-partial hx-target=\"body\"", "\">&#60;script", "&#62;\"><"] {
        assert!(!html.contains(tag), "{what} lets {tag} through");
    }
    for (quoted, _) in html.match_indices("href=") {
        assert!(
            html[quoted + 6..].starts_with('/') || html[quoted + 6..].starts_with('#'),
            "{what} links elsewhere"
        );
    }
}

#[tokio::test]
async fn hostile_text_stays_text_on_the_pages() {
    let site = Site::new(poisoned());
    *site.health.lock().expect("no test panics with it") = Health::Failing(EVIL.to_owned());
    for path in ["/", "/actors"] {
        assert_harmless(&site.get(path).await.body, path);
    }
    assert!(site.get("/").await.body.contains("&#60;script&#62;alert(1)"), "it is shown, not dropped");
}

#[tokio::test]
async fn hostile_text_stays_text_in_the_history() {
    let mut site = Site::new(poisoned());
    site.sources.records = Arc::new(Made { now_ms: NOW_MS, text: EVIL, fails: false });
    for path in
        ["/tasks", "/tasks/gl-li2.1", "/tasks/%22%3E%3Cscript%3Ealert(1)", "/tasks/unknown", "/alerts"]
    {
        assert_harmless(&site.get(path).await.body, path);
    }
    assert!(
        site.get("/tasks/gl-1").await.body.contains("&#60;script&#62;alert(1)"),
        "it is shown, not dropped"
    );
    let csv = site.get("/api/v1/tasks.csv").await.body;
    assert!(csv.contains("\"\"\"><script>"), "quotes are doubled: {csv}");
    let json: serde_json::Value =
        serde_json::from_str(&site.get("/api/v1/tasks/gl-1").await.body).expect("JSON");
    assert_eq!(json["title"], EVIL);
}

#[tokio::test]
async fn hostile_text_breaks_no_message_of_the_stream() {
    let site = Site::new(poisoned());
    let app = site.router();
    let request = axum::http::Request::get("/events").header("host", HOST);
    let request = request.body(axum::body::Body::empty()).expect("a request");
    let response = tower::ServiceExt::oneshot(app, request).await.expect("a router does not fail");
    let mut body = response.into_body();
    let frame = http_body_util::BodyExt::frame(&mut body).await.expect("it lives").expect("no error");
    let message = String::from_utf8(frame.into_data().expect("data").to_vec()).expect("UTF-8");
    assert_harmless(&message, "/events");
    assert!(!message.contains('\r'), "a carriage return ends a line of the stream");
    let lines = message.trim_end().lines();
    assert!(lines.skip(1).all(|line| line.starts_with("data: ")), "{message}");
    assert_eq!(message.matches("\n\n").count(), 1, "one message stays one");
}

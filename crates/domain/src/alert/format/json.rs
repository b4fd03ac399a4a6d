//! Everything that is known, as plain JSON.

use serde_json::json;

use super::{Origin, instant};
use crate::alert::evaluate::Notice;
use crate::alert::rows::Told;

pub(super) fn body(notice: &Notice, origin: &Origin) -> String {
    let (alert, evidence) = (&notice.alert, &notice.alert.evidence);
    let links: Vec<String> = evidence.pages.iter().map(|path| origin.link(path)).collect();
    let resolved = notice.told == Told::Resolved;
    json!({
        "type": if resolved { "alert.resolved" } else { "alert.firing" },
        "incident_id": alert.incident_id,
        "alert": alert.rule,
        "key": alert.key,
        "severity": alert.severity,
        "labels": alert.labels,
        "summary": alert.summary,
        "since": instant(alert.since_ms),
        "ended": alert.ended_ms.map(instant),
        "repository": origin.repository,
        "repository_id": alert.repo_id,
        "evidence": {
            "facts": evidence.facts,
            "tasks": evidence.tasks,
            "traces": evidence.traces,
            "links": links,
        },
    })
    .to_string()
}

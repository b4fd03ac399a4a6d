//! What Alertmanager sends to a webhook, version 4: <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Origin, UNSET, instant};
use crate::alert::evaluate::Notice;
use crate::alert::rows::Told;

pub(super) fn body(notice: &Notice, origin: &Origin) -> String {
    let status = if notice.told == Told::Resolved { "resolved" } else { "firing" };
    let (labels, annotations) = (labels(notice, origin), annotations(notice, origin));
    let alert = &notice.alert;
    let ends_at = alert.ended_ms.map_or_else(|| UNSET.to_owned(), instant);
    json!({
        "version": "4",
        "groupKey": alert.key,
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "glitchlab",
        "groupLabels": { "alertname": alert.rule },
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": origin.pages,
        "alerts": [{
            "status": status,
            "labels": labels,
            "annotations": annotations,
            "startsAt": instant(alert.since_ms),
            "endsAt": ends_at,
            "generatorURL": origin.link("/alerts"),
            "fingerprint": &crate::alert::hash(&alert.key, 16),
        }],
    })
    .to_string()
}

/// The labels of an alert: its own, its name and severity, and the repository.
pub(super) fn labels(notice: &Notice, origin: &Origin) -> BTreeMap<String, String> {
    let alert = &notice.alert;
    let mut labels = alert.labels.clone();
    labels.insert("alertname".to_owned(), alert.rule.clone());
    labels.insert("severity".to_owned(), alert.severity.name().to_owned());
    labels.insert("repository".to_owned(), origin.repository.clone());
    labels.insert("repository_id".to_owned(), alert.repo_id.clone());
    labels
}

/// What may change during an incident, all of it text, as Alertmanager wants it.
pub(super) fn annotations(notice: &Notice, origin: &Origin) -> Map<String, Value> {
    let (alert, evidence) = (&notice.alert, &notice.alert.evidence);
    let facts = evidence.facts.iter().map(|(name, value)| format!("{name}: {value}"));
    let links = evidence.pages.iter().map(|path| origin.link(path));
    let tasks = evidence.tasks.iter().map(ToString::to_string);
    let texts = [
        ("summary", alert.summary.clone()),
        ("description", joined(facts, "; ")),
        ("incident", alert.incident_id.clone()),
        ("tasks", joined(tasks, " ")),
        ("traces", evidence.traces.join(" ")),
        ("links", joined(links, " ")),
    ];
    let said = texts.into_iter().filter(|(_, text)| !text.is_empty());
    said.map(|(name, text)| (name.to_owned(), Value::String(text))).collect()
}

fn joined(parts: impl Iterator<Item = String>, between: &str) -> String {
    parts.collect::<Vec<_>>().join(between)
}

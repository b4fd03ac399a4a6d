//! What Alertmanager itself takes at `/api/v2/alerts`: a list of alerts.
//!
//! An alert that comes without an end is resolved by Alertmanager itself after five minutes, and we tell of each
//! transition once: so a firing one says that it lasts for long, and the message of its end sets the true one.

use serde_json::json;

use super::alertmanager::{annotations, labels};
use super::{Origin, instant};
use crate::alert::evaluate::Notice;

/// A year, in ms.
const LONG_MS: i64 = 365 * 86_400_000;

pub(super) fn body(notice: &Notice, origin: &Origin) -> String {
    let alert = &notice.alert;
    let ends_ms = alert.ended_ms.unwrap_or(alert.since_ms.saturating_add(LONG_MS));
    json!([{
        "labels": labels(notice, origin),
        "annotations": annotations(notice, origin),
        "startsAt": instant(alert.since_ms),
        "endsAt": instant(ends_ms),
        "generatorURL": origin.link("/alerts"),
    }])
    .to_string()
}

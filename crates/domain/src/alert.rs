//! Alerts: what must be told to somebody, decided as a fold over events.
//!
//! A [`rules::Rule`] turns events into signals that a condition holds or has passed. The [`lifecycle`] makes of them an
//! incident: inactive, pending for a while, firing, and resolved after a hold-down. [`evaluate`] folds a batch of events
//! over all rules, lets a firing rule silence those that only follow from it, and says what must be delivered.
//! [`delivery`] decides when a message is sent, sent again or given up; [`mod@format`] writes its exact body.

pub mod delivery;
pub mod evaluate;
pub mod format;
pub mod lifecycle;
pub mod overview;
pub mod rows;
pub mod rules;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use rows::{AlertRow, AlertState, AlerterRow, CursorRow, Evidence, Told};

/// What tells one alert of a rule from another: sorted names and values.
pub type Labels = BTreeMap<String, String>;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look.
    Warning,
    /// Work has stopped, or money is lost.
    Critical,
}

impl Severity {
    /// Returns the word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// How many alerts fire now and are not silenced, by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firing {
    /// Critical ones.
    pub critical: u32,
    /// Warnings.
    pub warning: u32,
    /// The others.
    pub info: u32,
}

impl Firing {
    /// Counts all of them.
    #[must_use]
    pub const fn all(&self) -> u32 {
        self.critical + self.warning + self.info
    }

    /// Counts those of `alerts` that fire.
    pub fn of<'a>(alerts: impl IntoIterator<Item = &'a AlertRow>) -> Self {
        let mut firing = Self::default();
        for alert in alerts.into_iter().filter(|alert| alert.is_heard()) {
            match alert.severity {
                Severity::Critical => firing.critical += 1,
                Severity::Warning => firing.warning += 1,
                Severity::Info => firing.info += 1,
            }
        }
        firing
    }
}

/// Returns the key by which two reports of the same alert are recognised: the rule's name and its sorted labels.
#[must_use]
pub fn dedup_key(rule: &str, labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{rule}{{{}}}", pairs.join(","))
}

/// Returns the id of one incident, 32 hex digits: a hash of its repository, its key and its start, which is an instant in
/// ms UTC and the number of the event that began it.
#[must_use]
pub fn incident_id(repo_id: &str, key: &str, (since_ms, seq): (i64, u64)) -> String {
    hash(&format!("{repo_id}\n{key}\n{since_ms}\n{seq}"), 32)
}

/// Returns the first `digits` hex digits of a hash, at most 64.
pub(crate) fn hash(text: &str, digits: usize) -> String {
    let bytes = Sha256::digest(text.as_bytes());
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.chars().take(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_does_not_depend_on_the_order_of_labels_nor_on_what_they_quote() {
        let labels = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Labels>()
        };
        let (one, other) = (labels(&[("b", "2"), ("a", "1")]), labels(&[("a", "1"), ("b", "2")]));
        assert_eq!(dedup_key("Rule", &one), dedup_key("Rule", &other));
        let (split, quoted) = (labels(&[("a", "1"), ("b", "2")]), labels(&[("a", "1\",b=\"2")]));
        assert_ne!(dedup_key("Rule", &split), dedup_key("Rule", &quoted));
    }

    #[test]
    fn an_incident_of_another_start_or_repository_has_another_id() {
        let id = incident_id("repo", "Rule{}", (1, 1));
        assert_eq!(id.len(), 32);
        assert_ne!(id, incident_id("repo", "Rule{}", (2, 1)));
        assert_ne!(id, incident_id("repo", "Rule{}", (1, 2)));
        assert_ne!(id, incident_id("other", "Rule{}", (1, 1)));
    }
}

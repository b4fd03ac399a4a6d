//! The exact body of a message: one file for each format, and one line in [`Format::ALL`].

mod alertmanager;
mod alertmanager_api;
mod json;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::evaluate::Notice;

/// How a receiver wants to be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// What Alertmanager sends to a webhook, version 4.
    #[default]
    Alertmanager,
    /// What Alertmanager itself takes at `/api/v2/alerts`.
    AlertmanagerApi,
    /// Everything that is known, as plain JSON.
    Json,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Alertmanager, Self::AlertmanagerApi, Self::Json];

    /// Returns its name in the settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::AlertmanagerApi => "alertmanager-api",
            Self::Json => "json",
        }
    }

    /// Finds a format by its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Writes a message.
    #[must_use]
    pub fn body(self, notice: &Notice, origin: &Origin) -> String {
        match self {
            Self::Alertmanager => alertmanager::body(notice, origin),
            Self::AlertmanagerApi => alertmanager_api::body(notice, origin),
            Self::Json => json::body(notice, origin),
        }
    }
}

/// Where a message comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The repository's folder name.
    pub repository: String,
    /// Where its pages are, such as `http://127.0.0.1:3000`; empty when there are none.
    pub pages: String,
}

impl Origin {
    /// Returns the address of a page of the dashboard.
    #[must_use]
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.pages)
    }
}

/// Writes an instant given in ms UTC as RFC 3339; one that no calendar has is the year 1, which Alertmanager takes for
/// unset.
#[must_use]
pub fn instant(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms).map_or_else(|_| UNSET.to_owned(), |at| at.to_string())
}

/// How Alertmanager writes an end that is not known.
const UNSET: &str = "0001-01-01T00:00:00Z";

#[cfg(test)]
mod tests;

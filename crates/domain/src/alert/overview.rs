//! Alerts as they are shown: the rules with what each is at, the incidents, and their deliveries without their bodies.

use serde::Serialize;

use super::delivery::{OutboxRow, OutboxState};
use super::rows::{AlertRow, AlertState, Told};
use super::rules::RULES;
use super::{Firing, Severity};

/// How many incidents that are over are shown.
pub const PAST: u32 = 50;
/// How many deliveries are shown.
pub const DELIVERIES: u32 = 100;

/// What is shown of the alerts of a repository; its JSON is stable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Overview {
    /// When this was so, ms UTC.
    pub as_of_ms: i64,
    /// How many alerts fire.
    pub firing: Firing,
    /// Every rule.
    pub rules: Vec<RuleNow>,
    /// The incidents: those that are not over and the last of the others, newest first.
    pub alerts: Vec<AlertRow>,
    /// The last deliveries, newest first.
    pub deliveries: Vec<Delivery>,
}

/// What a rule is at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleNow {
    /// Its name.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// When it fires, for people.
    pub fires_when: &'static str,
    /// What it is at.
    pub state: RuleState,
    /// How many of its alerts are not over.
    pub active: u32,
}

/// What a rule is at, as its most urgent alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleState {
    /// Nothing is wrong.
    Inactive,
    /// A condition holds, but not long enough yet.
    Pending,
    /// An alert fires and another one silences it.
    Inhibited,
    /// An alert fires.
    Firing,
}

impl RuleState {
    /// Returns the word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Inhibited => "inhibited",
            Self::Firing => "firing",
        }
    }
}

/// One message to one receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Its id, which the receiver sees.
    pub webhook_id: String,
    /// The receiver's name.
    pub receiver: String,
    /// The incident.
    pub incident_id: String,
    /// What it tells.
    pub told: Told,
    /// Where it stands.
    pub state: OutboxState,
    /// How often it was sent.
    pub tries: u32,
    /// When it is sent next, while it is queued, ms UTC.
    pub next_ms: Option<i64>,
    /// What the last try came to.
    pub answer: Option<String>,
    /// When it was queued, ms UTC.
    pub created_ms: i64,
    /// When it needed no more sending, ms UTC.
    pub done_ms: Option<i64>,
}

impl Overview {
    /// Puts together what is shown; both lists come newest first.
    #[must_use]
    pub fn new(alerts: Vec<AlertRow>, deliveries: Vec<OutboxRow>, as_of_ms: i64) -> Self {
        let rules = RULES.iter().map(|rule| {
            let active = alerts.iter().filter(|alert| alert.rule == rule.name && !alert.is_over());
            RuleNow {
                name: rule.name,
                severity: rule.severity,
                fires_when: rule.fires_when,
                state: active.clone().map(state_of).max().unwrap_or(RuleState::Inactive),
                active: u32::try_from(active.count()).unwrap_or(u32::MAX),
            }
        });
        Self {
            as_of_ms,
            firing: Firing::of(&alerts),
            rules: rules.collect(),
            deliveries: deliveries.into_iter().map(Delivery::of).collect(),
            alerts: alerts.into_iter().filter(|alert| alert.state != AlertState::Lapsed).collect(),
        }
    }
}

impl Delivery {
    fn of(row: OutboxRow) -> Self {
        Self {
            webhook_id: row.webhook_id,
            receiver: row.endpoint,
            incident_id: row.incident_id,
            told: row.told,
            state: row.state,
            tries: row.tries,
            next_ms: Some(row.next_ms).filter(|_| row.state == OutboxState::Queued),
            answer: row.answer,
            created_ms: row.created_ms,
            done_ms: row.done_ms,
        }
    }
}

fn state_of(alert: &AlertRow) -> RuleState {
    match (alert.state, &alert.inhibited_by) {
        (AlertState::Firing, None) => RuleState::Firing,
        (AlertState::Firing, Some(_)) => RuleState::Inhibited,
        (AlertState::Pending, _) => RuleState::Pending,
        (AlertState::Resolved | AlertState::Lapsed, _) => RuleState::Inactive,
    }
}

//! What the alerter asks of the writer, and what the supervision tree tells it.

use super::{BootBearer, Command};
use crate::alert::delivery::{Answer, Endpoint};
use crate::alert::rules::Facts;
use crate::breaker::BreakerRules;
use crate::event::Event;
use crate::id::BootId;
use crate::rows::RowKey;

/// See [`Command::Breach`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breached {
    /// The repository, whose dispatch stops.
    pub repo_id: String,
    /// How long it stops.
    pub rules: BreakerRules,
    /// The supervisor that gave up.
    pub supervisor: String,
    /// The child that it gave up on.
    pub child: String,
    /// How the child failed, oldest first.
    pub reasons: Vec<String>,
    /// The window of the supervisor's intensity, in ms.
    pub within_ms: u64,
}

/// See [`Command::Evaluate`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluate {
    /// The boot that does it.
    pub by: BootBearer,
    /// The repository.
    pub repo_id: String,
    /// Its folder name, for receivers.
    pub repository: String,
    /// The boot whose events these are.
    pub of: BootId,
    /// Its events of the kinds that rules look at, in order; what was taken in before is skipped.
    pub events: Vec<Event>,
    /// The last of its events, of any kind, that was looked at.
    pub through: u64,
    /// What the store knows after them, when that was looked up.
    pub facts: Option<Facts>,
    /// The receivers.
    pub endpoints: Vec<Endpoint>,
}

/// See [`Command::Deliver`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deliver {
    /// The boot that has sent it.
    pub by: BootBearer,
    /// The repository.
    pub repo_id: String,
    /// The message.
    pub webhook_id: String,
    /// Which try it was, counted from 1: said again it changes nothing.
    pub n: u32,
    /// To whom.
    pub endpoint: Endpoint,
    /// What it came to.
    pub answer: Answer,
}

impl Command {
    /// Returns the rows that a command about alerts looks at; none for any other.
    pub(super) fn alert_needs(&self) -> Vec<RowKey> {
        let alerting = |repo_id: &str, boot_id: &BootId| RowKey::Alerting {
            repo_id: repo_id.to_owned(),
            boot_id: boot_id.clone(),
        };
        match self {
            Self::Breach(breached) => vec![RowKey::Gate(breached.repo_id.clone())],
            Self::Evaluate(ask) => {
                vec![RowKey::Process(ask.by.boot_id.clone()), alerting(&ask.repo_id, &ask.of)]
            }
            Self::Deliver(ask) => {
                vec![RowKey::Process(ask.by.boot_id.clone()), alerting(&ask.repo_id, &ask.by.boot_id)]
            }
            _ => Vec::new(),
        }
    }
}

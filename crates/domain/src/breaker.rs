//! The dispatch breaker: when the last outcomes say that the next one will fail too, nothing starts but one canary.

use serde::{Deserialize, Serialize};

use crate::outcome::FailureKind;

/// What the last outcomes say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// The last failures in a row, oldest first: when, in ms UTC, and of which kind.
    pub failures: Vec<(i64, FailureKind)>,
}

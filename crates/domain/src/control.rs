//! What a person asks of an engine from another terminal.

use serde::{Deserialize, Serialize};

use crate::bead::BeadId;
use crate::id::TaskKey;
use crate::rows::{ControlRow, Verb};

impl Verb {
    /// Returns the verb as it is typed.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pause { .. } => "pause",
            Self::Resume => "resume",
            Self::Stop => "stop",
            Self::Approve { .. } => "approve",
            Self::Retry { .. } => "retry",
            Self::Drop { .. } => "drop",
        }
    }

    /// Returns the task that it names.
    #[must_use]
    pub const fn bead_id(&self) -> Option<&BeadId> {
        match self {
            Self::Pause { .. } | Self::Resume | Self::Stop => None,
            Self::Approve { bead_id } | Self::Retry { bead_id } | Self::Drop { bead_id, .. } => Some(bead_id),
        }
    }
}

impl ControlRow {
    /// Returns the key of the task that it names.
    #[must_use]
    pub fn task_key(&self) -> Option<TaskKey> {
        self.verb.bead_id().map(|id| TaskKey::of(&self.repo_id, id))
    }
}

/// What a person has said and nobody has done yet: the next engine does it, or the next command where none works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The verb as it is typed.
    pub verb: String,
    /// The task that it names.
    pub task: Option<BeadId>,
    /// Who has said it.
    pub by: String,
    /// When, ms UTC.
    pub at_ms: i64,
}

impl Said {
    /// Reads a row; one that is done is not left.
    #[must_use]
    pub fn of(row: &ControlRow) -> Option<Self> {
        let task = row.verb.bead_id().cloned();
        let said = Self { verb: row.verb.name().to_owned(), task, by: row.by.clone(), at_ms: row.at_ms };
        row.done_ms.is_none().then_some(said)
    }

    /// Says it in one clause.
    #[must_use]
    pub fn clause(&self) -> String {
        let task = self.task.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
        format!("{}{task}, by {}", self.verb, self.by)
    }
}

//! What a person asks of an engine from another terminal.

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

//! What the errors of the outside world mean for the attempt.

use glitchlab_domain::outcome::FailureKind;

use crate::durable::Lost;
use crate::ending::{End, Stop};
use crate::forge::ForgeError;
use crate::git::GitError;
use crate::process::ProcessError;
use crate::workspace::WorkspaceError;

/// Sorts an error of the workspace.
pub(crate) fn workspace(error: WorkspaceError) -> Stop {
    let message = error.to_string();
    match error {
        WorkspaceError::Process(error) => process(&error, message),
        WorkspaceError::Git(error) => git(&error, message),
        WorkspaceError::Protected { .. }
        | WorkspaceError::Outside { .. }
        | WorkspaceError::NotAFile { .. }
        | WorkspaceError::Nested { .. }
        | WorkspaceError::TooMuch { .. }
        | WorkspaceError::Secret { .. }
        | WorkspaceError::Shrinks { .. } => End::retry(FailureKind::Boundary, message).into(),
        // Hooks are checks like tests.
        WorkspaceError::CommitRefused { .. } => End::retry(FailureKind::TestsFailed, message).into(),
        // Somebody's hands are on the repository: that is no fault of the task, and it comes back.
        WorkspaceError::NoBase { .. } => End::snooze(message).into(),
        WorkspaceError::InsideCheckout { .. } => End::permanent(message).into(),
        _ => transient(message),
    }
}

/// Sorts an error of the forge.
pub(crate) fn forge(error: ForgeError) -> Stop {
    let message = error.to_string();
    match error {
        ForgeError::Git(error) => git(&error, message),
        ForgeError::TaskId { .. } => End::permanent(message).into(),
        ForgeError::NoBranch { .. } | ForgeError::CheckoutBusy { .. } => transient(message),
    }
}

fn git(error: &GitError, message: String) -> Stop {
    match error {
        GitError::Process { source, .. } => process(source, message),
        _ => transient(message),
    }
}

fn process(error: &ProcessError, message: String) -> Stop {
    match error {
        // The process could not be recorded, which only a lost claim or a lost store does.
        ProcessError::Refused { .. } => Lost::new(message).into(),
        ProcessError::Spawn { .. } => End::permanent(message).into(),
        _ => transient(message),
    }
}

fn transient(message: String) -> Stop {
    End::retry(FailureKind::Transient, message).into()
}

//! Where a task stands, as a glyph and a word.

use glitchlab_domain::outcome::Status;
use glitchlab_domain::reason::{Reason, Wait};
use glitchlab_domain::task::TaskState;

use super::glyph::{self, Glyph};

/// All states that the list can be filtered by, in the order of its menu.
pub(crate) const STATES: [TaskState; 9] = [
    TaskState::Running,
    TaskState::InReview,
    TaskState::Completed,
    TaskState::Decomposed,
    TaskState::NeedsHuman,
    TaskState::Failed,
    TaskState::Open,
    TaskState::Blocked,
    TaskState::Dropped,
];

/// Says where a task stands; one that is open and rests says that it waits.
pub(crate) const fn of(state: TaskState, waits: Option<&Wait>) -> (Glyph, &'static str) {
    match (state, waits) {
        (TaskState::Open, Some(_)) => (Glyph::Wait, "Waiting"),
        (TaskState::Open, None) => (Glyph::Todo, "Pending"),
        (TaskState::Running, _) => (Glyph::Run, "Running"),
        (TaskState::InReview, _) => (Glyph::Pr, "In review"),
        (TaskState::Completed, _) => (Glyph::Ok, "Completed"),
        (TaskState::Decomposed, _) => (Glyph::Split, "Decomposed"),
        (TaskState::Blocked, _) => (Glyph::Block, "Blocked"),
        (TaskState::NeedsHuman, _) => (Glyph::You, "Needs you"),
        (TaskState::Failed, _) => (Glyph::Fail, "Failed"),
        (TaskState::Dropped, _) => (Glyph::Skip, "Dropped"),
    }
}

/// Says how an attempt ended, or that it runs or asks a person.
pub(crate) fn of_attempt(status: Option<Status>, waits: Option<&Wait>) -> (Glyph, &'static str) {
    let asks = |wait: &Wait| matches!(&wait.reason, Reason::NeedsHuman { .. });
    match status {
        Some(status) => glyph::of_status(status),
        None if waits.is_some_and(asks) => (Glyph::You, "waits for you"),
        None => (Glyph::Run, "running"),
    }
}

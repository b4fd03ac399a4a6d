//! Who edits: a list of one so far, the edit loop over model calls in [`builtin`].
//!
//! An implementer is given the worktree, what to do and a number of rounds, and comes back with the changes it wants.
//! Success is judged by the diff and the tests, never by its word.

mod builtin;
mod draft;

use glitchlab_domain::stage::Stage;
use glitchlab_models::Turn;
use serde::{Deserialize, Serialize};

use crate::attempt::Job;
use crate::ending::Stop;
use crate::run::Made;
use crate::workspace::Worktree;

/// What an implementer is asked to do.
pub(crate) struct Assignment<'a> {
    pub(crate) at: &'a Worktree,
    pub(crate) stage: Stage,
    pub(crate) step_n: u32,
    /// The conversation that it goes on with.
    pub(crate) turns: Vec<Turn>,
    /// The most rounds.
    pub(crate) rounds: u32,
}

/// What it came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Edited {
    /// The changes.
    pub(crate) made: Made,
    /// It is through; else it asks for the tests and wants to go on.
    pub(crate) done: bool,
    /// How many rounds it took.
    pub(crate) rounds: u32,
    /// What was done, in a sentence.
    pub(crate) summary: String,
    /// The conversation so far, when it is to go on.
    pub(crate) turns: Vec<Turn>,
}

/// Lets the implementer work.
pub(crate) async fn edit(job: &Job, assignment: Assignment<'_>) -> Result<Edited, Stop> {
    builtin::edit(job, assignment).await
}

//! Who edits: the edit loop over model calls in `builtin`, or a program of its own in `command`.
//!
//! An implementer is given the worktree and what to do, and comes back with the changes it wants or has made. Success is
//! judged by the diff and the tests, never by its word.

mod artifact;
mod builtin;
pub mod command;
mod draft;
mod vigil;

use std::sync::Arc;

use glitchlab_domain::stage::Stage;
use glitchlab_models::Turn;
use serde::{Deserialize, Serialize};

use crate::attempt::Job;
use crate::ending::Stop;
use crate::run::Made;
use crate::workspace::Worktree;

pub use artifact::Artifacts;
pub use command::Agent;

/// Who does the edits of an attempt.
#[derive(Clone, Debug, Default)]
pub enum Implementer {
    /// The model of the engine, by an edit loop.
    #[default]
    Builtin,
    /// A program that works in the worktree by itself.
    Command(Arc<Agent>),
}

impl Implementer {
    /// Returns the agent that is not metered, if it is one.
    #[must_use]
    pub fn agent(&self) -> Option<&Agent> {
        match self {
            Self::Builtin => None,
            Self::Command(agent) => Some(agent),
        }
    }
}

/// What an implementer is asked to do.
pub(crate) struct Assignment<'a> {
    pub(crate) at: &'a Worktree,
    pub(crate) stage: Stage,
    pub(crate) step_n: u32,
    /// The conversation that it goes on with; what is to be done is its last turn.
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
    match &job.settings.implementer {
        Implementer::Builtin => builtin::edit(job, assignment).await,
        Implementer::Command(agent) => command::edit(job, agent, assignment).await,
    }
}

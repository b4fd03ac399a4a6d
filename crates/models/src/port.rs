//! The port: what is asked of a model, and who can answer.

use async_trait::async_trait;
use glitchlab_domain::bead::BeadId;
use glitchlab_domain::money::Price;
pub use glitchlab_domain::stage::Role;
use glitchlab_domain::stage::Stage;
use serde::{Deserialize, Serialize};

use crate::reservation::{Reservation, Spent};

/// Who says a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// The rules.
    System,
    /// The engine.
    User,
    /// The model.
    Assistant,
}

impl Who {
    /// Returns its name: `system`, `user` or `assistant`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Turn {
    /// Who says it.
    pub who: Who,
    /// What.
    pub text: String,
}

impl Turn {
    /// Makes a turn of the rules.
    pub fn system(text: impl Into<String>) -> Self {
        Self { who: Who::System, text: text.into() }
    }

    /// Makes a turn of the engine.
    pub fn user(text: impl Into<String>) -> Self {
        Self { who: Who::User, text: text.into() }
    }

    /// Makes a turn of the model.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self { who: Who::Assistant, text: text.into() }
    }
}

/// One question to a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The task's id in the backlog.
    pub bead_id: BeadId,
    /// How often the task was opened again.
    pub generation: u32,
    /// The stage that asks.
    pub stage: Stage,
    /// Attempts that failed before, plus one.
    pub attempt_n: u32,
    /// The step, counted from 0 within the attempt.
    pub step_n: u32,
    /// The call, counted from 0 within the step.
    pub call_no: u32,
    /// The part that the model plays.
    pub role: Role,
    /// The conversation so far.
    pub turns: Vec<Turn>,
    /// The most output tokens that are of use; the reservation may allow fewer.
    pub max_out: u64,
}

/// Tokens that a provider may add to each message: its marks and the name of who says it.
const TOKENS_PER_MESSAGE: u64 = 16;

/// Returns the most tokens that a provider can bill as the prompt: its UTF-8 bytes, since no token is less than a byte,
/// plus a constant for each message and one for the reply that begins.
#[must_use]
pub fn prompt_bound(request: &Request) -> u64 {
    bytes_bound(&request.turns)
}

/// Returns the same of some turns and the reply that begins after them.
pub(crate) fn bytes_bound(turns: &[Turn]) -> u64 {
    let bytes: u64 = turns.iter().map(|turn| turn.text.len() as u64).sum();
    bytes + TOKENS_PER_MESSAGE * (turns.len() as u64 + 1)
}

/// A language model.
#[async_trait]
pub trait Model: Send + Sync {
    /// Names it, as rows and metrics show it: `simulated/fast`.
    fn id(&self) -> &str;

    /// Says whether its money and work are pretended.
    fn simulated(&self) -> bool;

    /// Returns what it charges.
    fn price(&self) -> Price;

    /// Returns the most output tokens that are of use in a role.
    fn max_out(&self, role: Role) -> u64;

    /// Asks once; never tries again by itself, since each try needs money of its own.
    async fn call(&self, money: Reservation, request: &Request) -> Spent;
}

#[cfg(test)]
pub(crate) mod tests;

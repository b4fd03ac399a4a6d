//! What the history pages ask, and who can answer: the store of this process, or of another one.

use async_trait::async_trait;
use glitchlab_domain::alert::overview::Overview;
use glitchlab_domain::bead::BeadId;
use glitchlab_domain::history::{TaskPage, TaskQuestion};
use glitchlab_domain::id::AttemptId;
use glitchlab_domain::story::Story;

/// Answers the questions of the history pages; reads only.
#[async_trait]
pub trait Records: Send + Sync {
    /// Returns one page of the list of tasks.
    ///
    /// # Errors
    ///
    /// Returns why the records cannot be read.
    async fn tasks(&self, question: &TaskQuestion) -> Result<TaskPage, Unavailable>;

    /// Tells the story of one task; none when there is no such task.
    ///
    /// # Errors
    ///
    /// Returns why the records cannot be read.
    async fn story(&self, bead_id: &BeadId) -> Result<Option<Story>, Unavailable>;

    /// Returns all that the program of a step said; none when nothing is kept of it, which is the default.
    ///
    /// # Errors
    ///
    /// Returns why it cannot be read.
    async fn said(&self, attempt_id: &AttemptId, step_n: u32) -> Result<Option<String>, Unavailable> {
        let _ = (attempt_id, step_n);
        Ok(None)
    }

    /// Returns the alerts with their deliveries.
    ///
    /// # Errors
    ///
    /// Returns why the records cannot be read.
    async fn alerts(&self) -> Result<Overview, Unavailable>;
}

/// The records cannot be read now; the pages say so instead of showing zeros.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store cannot be read: {0}")]
pub struct Unavailable(pub String);

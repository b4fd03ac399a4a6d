//! What the history pages ask, answered by a store.

use async_trait::async_trait;
use glitchlab_domain::alert::overview::{DELIVERIES, Overview, PAST};
use glitchlab_domain::bead::BeadId;
use glitchlab_domain::history::{TaskPage, TaskQuestion};
use glitchlab_domain::id::{AttemptId, TaskKey};
use glitchlab_domain::story::Story;
use glitchlab_pipeline::implementer::Artifacts;
use glitchlab_store::{Reader, StoreError, clock};
use glitchlab_web::{Records, Unavailable};

/// The records of one repository.
pub(crate) struct StoreRecords {
    pub(crate) reader: Reader,
    pub(crate) repo_id: String,
    /// What programs said that edited.
    pub(crate) artifacts: Artifacts,
}

#[async_trait]
impl Records for StoreRecords {
    async fn tasks(&self, question: &TaskQuestion) -> Result<TaskPage, Unavailable> {
        self.reader.task_page(&self.repo_id, question).await.map_err(unavailable)
    }

    async fn story(&self, bead_id: &BeadId) -> Result<Option<Story>, Unavailable> {
        self.reader.story(&TaskKey::of(&self.repo_id, bead_id)).await.map_err(unavailable)
    }

    async fn said(&self, attempt_id: &AttemptId, step_n: u32) -> Result<Option<String>, Unavailable> {
        let read = self.artifacts.read_transcript(attempt_id.as_str(), step_n).await;
        read.map_err(|error| Unavailable(error.to_string()))
    }

    async fn alerts(&self) -> Result<Overview, Unavailable> {
        overview(&self.reader, &self.repo_id).await.map_err(unavailable)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn unavailable(error: StoreError) -> Unavailable {
    tracing::warn!(event = "pages.unavailable", "the pages cannot read the store: {error}");
    Unavailable(error.to_string())
}

/// Reads what is shown of the alerts of a repository.
///
/// # Errors
///
/// Returns what the store says.
pub(crate) async fn overview(reader: &Reader, repo_id: &str) -> Result<Overview, StoreError> {
    let alerts = reader.alerts(repo_id, PAST).await?;
    let deliveries = reader.deliveries(repo_id, DELIVERIES).await?;
    Ok(Overview::new(alerts, deliveries, clock::wall()()))
}

//! Compares claims with what really runs: a claim of this boot without a task has crashed, one of a dead boot or a
//! suspended one waits to go on. Boot, tick and crash share this code.

use std::sync::Arc;

use glitchlab_domain::rows::ClaimRow;
use glitchlab_runtime::{Failure, Task};

use crate::engine::Engine;

/// Finds the claims that want a slot.
pub(super) fn inspection(engine: &Arc<Engine>) -> Task<Vec<ClaimRow>> {
    let engine = Arc::clone(engine);
    Task::new("claim inspection", move |_scope| async move { lost(&engine).await })
}

async fn lost(engine: &Engine) -> Result<Vec<ClaimRow>, Failure> {
    let claims = engine.reader.claims(&engine.repo_id).await?;
    let alive = engine.reader.alive_processes().await?;
    let lives = |claim: &ClaimRow| alive.iter().any(|process| process.boot_id == claim.boot_id);
    let is_lost = |claim: &ClaimRow| {
        let is_ours = claim.boot_id == engine.boot.boot_id;
        claim.suspended || (is_ours && engine.slots.find(&claim.attempt_id).is_none()) || !lives(claim)
    };
    Ok(claims.into_iter().filter(is_lost).collect())
}

//! Asks the forge what became of the branches and requests that wait for a merge.

use std::sync::Arc;

use glitchlab_domain::command::Command;
use glitchlab_domain::outcome::Reference;
use glitchlab_domain::task::{TaskRow, TaskState};
use glitchlab_pipeline::forge::{OpenRequest, RequestState};
use glitchlab_runtime::{Failure, Task};

use crate::durable::insist;
use crate::engine::Engine;

/// Looks at every open request once.
pub(super) fn poll(engine: &Arc<Engine>) -> Task<()> {
    let engine = Arc::clone(engine);
    Task::new("request poll", move |_scope| async move { look(&engine).await })
}

async fn look(engine: &Engine) -> Result<(), Failure> {
    let tasks = engine.reader.tasks(&engine.repo_id).await?;
    let open: Vec<TaskRow> = tasks.into_iter().filter(|task| task.state == TaskState::InReview).collect();
    if open.is_empty() {
        return Ok(());
    }
    let requests: Vec<OpenRequest> = open.iter().map(|task| request(engine, task)).collect();
    match engine.tools.forge.poll(&requests).await {
        Ok(states) => {
            for (task, state) in open.iter().zip(states) {
                apply(engine, task, state).await?;
            }
        }
        Err(error) => {
            tracing::warn!(event = "forge.unreachable", "open requests were not looked at: {error}");
        }
    }
    Ok(())
}

fn request(engine: &Engine, task: &TaskRow) -> OpenRequest {
    OpenRequest {
        branch: task.request.clone().unwrap_or_default(),
        base: engine.tools.stages.base.clone(),
        task_id: task.trailer(),
    }
}

async fn apply(engine: &Engine, task: &TaskRow, state: RequestState) -> Result<(), Failure> {
    let (by, task_key) = (engine.boot.clone(), task.key.clone());
    let command = match state {
        RequestState::Open => return Ok(()),
        RequestState::Merged { commit } => Command::Close {
            by,
            task_key,
            why: format!("merged as {}", commit.get(..12).unwrap_or(&commit)),
            reference: Reference::Merge { commit },
        },
        RequestState::ClosedUnmerged => {
            Command::Reopen { by, task_key, why: "its request was closed unmerged".to_owned(), anew: true }
        }
    };
    // A refusal means that it has changed meanwhile: the next poll sees how.
    let _changed = insist(&engine.queue, command).await?;
    Ok(())
}

//! Closes what waits for nothing else: decomposed tasks whose parts are done, epics whose children are closed; and frees
//! what waited for something that is there now. Each closing is an effect under the boot's own fence, so that a source
//! that takes writes is told once.

use std::sync::Arc;

use glitchlab_domain::board::SUBTASK;
use glitchlab_domain::command::{Authority, Command, Refusal, Reply};
use glitchlab_domain::id::{EffectKey, TaskKey};
use glitchlab_domain::outcome::Reference;
use glitchlab_domain::task::TaskRow;
use glitchlab_runtime::{Failure, Task};

use crate::durable::insist;
use crate::engine::Engine;

/// What is to be written down, and why.
pub(super) enum Due {
    /// The task is done.
    Close(Box<TaskRow>, &'static str),
    /// What the task waited for is there.
    Free(TaskKey, &'static str),
}

/// Writes down what is due, each for its reason.
pub(super) fn closing(engine: &Arc<Engine>, due: Vec<Due>) -> Task<()> {
    let engine = Arc::clone(engine);
    Task::new("closings", move |scope| async move {
        for due in due {
            let written = match due {
                Due::Close(task, why) => close(&engine, &task, why).await?,
                Due::Free(key, why) => free(&engine, key, why).await?,
            };
            match written {
                Ok(()) => scope.progress(),
                // Somebody has changed it meanwhile, or this boot is ending: the next look sees how.
                Err(refusal) => tracing::warn!(event = "close.refused", "{refusal}"),
            }
        }
        Ok(())
    })
}

async fn free(engine: &Engine, task_key: TaskKey, why: &str) -> Result<Result<(), Refusal>, Failure> {
    let reopen = Command::Reopen { by: engine.boot.clone(), task_key, why: why.to_owned(), anew: false };
    Ok(insist(&engine.queue, reopen).await?.map(|_| ()))
}

/// A refusal is an answer: the task has changed meanwhile, or this boot is ending.
async fn close(engine: &Engine, task: &TaskRow, why: &str) -> Result<Result<(), Refusal>, Failure> {
    let key = EffectKey::new(format!("close:{}:{}", task.key, task.generation));
    let by = Authority::Boot(engine.boot.clone());
    let (task_key, target) = (task.key.clone(), task.bead_id.to_string());
    let begin = Command::BeginEffect {
        by: by.clone(),
        key: key.clone(),
        task_key: task_key.clone(),
        kind: "close".to_owned(),
        target,
    };
    let is_due = match insist(&engine.queue, begin).await? {
        Ok(reply) => reply == Reply::Act,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if is_due {
        if engine.source.capabilities().writes && task.source != SUBTASK {
            engine.source.close(&task.bead_id, why).await?;
        }
        let result = format!("closed: {why}");
        let finish = Command::FinishEffect { by, key, task_key: task_key.clone(), result };
        if let Err(refusal) = insist(&engine.queue, finish).await? {
            return Ok(Err(refusal));
        }
    }
    let (reference, why) = (Reference::ChildrenClosed, why.to_owned());
    let close = Command::Close { by: engine.boot.clone(), task_key, reference, why };
    Ok(insist(&engine.queue, close).await?.map(|_| ()))
}

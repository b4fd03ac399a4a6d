//! Closes what waits for nothing else: decomposed tasks whose parts are done, epics whose children are closed. Each is an
//! effect under the boot's own fence, so that a source that takes writes is told once.

use std::sync::Arc;

use glitchlab_domain::board::SUBTASK;
use glitchlab_domain::command::{Authority, Command, Reply};
use glitchlab_domain::id::EffectKey;
use glitchlab_domain::outcome::Reference;
use glitchlab_domain::task::TaskRow;
use glitchlab_runtime::{Failure, Task};

use crate::durable::insist;
use crate::engine::Engine;

/// Closes the given tasks, each for its reason.
pub(super) fn closing(engine: &Arc<Engine>, due: Vec<(TaskRow, &'static str)>) -> Task<()> {
    let engine = Arc::clone(engine);
    Task::new("closings", move |scope| async move {
        for (task, why) in due {
            close(&engine, &task, why).await?;
            scope.progress();
        }
        Ok(())
    })
}

async fn close(engine: &Engine, task: &TaskRow, why: &str) -> Result<(), Failure> {
    let key = EffectKey::new(format!("close:{}:{}", task.key, task.generation));
    let by = Authority::Boot(engine.boot.clone());
    let begin = Command::BeginEffect {
        by: by.clone(),
        key: key.clone(),
        task_key: task.key.clone(),
        kind: "close".to_owned(),
        target: task.bead_id.to_string(),
    };
    if insist(&engine.queue, begin).await?? == Reply::Act {
        if engine.source.capabilities().writes && task.source != SUBTASK {
            engine.source.close(&task.bead_id, why).await?;
        }
        let result = format!("closed: {why}");
        insist(&engine.queue, Command::FinishEffect { by, key, task_key: task.key.clone(), result })
            .await??;
    }
    let close = Command::Close {
        by: engine.boot.clone(),
        task_key: task.key.clone(),
        reference: Reference::ChildrenClosed,
        why: why.to_owned(),
    };
    insist(&engine.queue, close).await??;
    Ok(())
}

//! Closes what waits for nothing else: decomposed tasks whose parts are done, epics whose children are closed; and frees
//! what waited for something that is there now. Each closing is an effect under the boot's own fence, so that a source
//! that takes writes is told once.

use std::sync::Arc;

use glitchlab_domain::board::SUBTASK;
use glitchlab_domain::command::{Authority, Command, Refusal, Reply};
use glitchlab_domain::id::{EffectKey, TaskKey};
use glitchlab_domain::outcome::{Reference, Status};
use glitchlab_domain::rows::AttemptRow;
use glitchlab_domain::task::TaskRow;
use glitchlab_pipeline::attempt;
use glitchlab_runtime::{Failure, Task};
use tracing::{Instrument as _, Span};

use crate::carrying::Carrier;
use crate::durable::insist;
use crate::engine::Engine;

/// What is to be written down, and why.
pub(super) enum Due {
    /// The task is done.
    Close(Box<TaskRow>, &'static str),
    /// What the task waited for is there.
    Free(TaskKey, &'static str),
    /// The attempt at the task that asks a person is not wanted any more.
    CallBack(TaskKey, String),
}

impl Due {
    /// Returns the task that it is about.
    pub(super) fn key(&self) -> &TaskKey {
        match self {
            Self::Close(task, _) => &task.key,
            Self::Free(key, _) | Self::CallBack(key, _) => key,
        }
    }
}

/// The span that every line about a task takes the task and its trace from.
pub(super) fn span(task: Option<&TaskRow>) -> Span {
    let bead = task.map(|task| task.bead_id.as_str()).unwrap_or_default();
    let trace = task.and_then(|task| task.trace_id.as_deref()).unwrap_or_default();
    tracing::info_span!("closing", task = bead, trace)
}

/// Writes down what is due, each for its reason and within its span.
pub(super) fn closing(engine: &Arc<Engine>, due: Vec<(Due, Span)>) -> Task<()> {
    let engine = Arc::clone(engine);
    Task::new("closings", move |scope| async move {
        for (due, span) in due {
            write_down(&engine, due).instrument(span).await?;
            scope.progress();
        }
        Ok(())
    })
}

async fn write_down(engine: &Arc<Engine>, due: Due) -> Result<(), Failure> {
    let written = match due {
        Due::Close(task, why) => close(engine, &task, why).await?,
        Due::Free(key, why) => free(engine, key, why).await?,
        Due::CallBack(key, why) => call_back(engine, &key, why).await?,
    };
    if let Err(refusal) = written {
        // Somebody has changed it meanwhile, or this boot is ending: the next look sees how.
        tracing::warn!(event = "close.refused", "{refusal}");
    }
    Ok(())
}

async fn call_back(engine: &Arc<Engine>, key: &TaskKey, why: String) -> Result<Result<(), Refusal>, Failure> {
    let Some(finish) = Carrier::of(engine).ending(key, why).await? else { return Ok(Ok(())) };
    let ended = insist(&engine.queue, Command::Finish(*finish)).await?.map(|_| ());
    tidy_ended(engine, key).await?;
    Ok(ended)
}

/// Removes the worktree of the last attempt at a task when it was called back and no slot has it: no worker does.
pub(super) async fn tidy_ended(engine: &Engine, key: &TaskKey) -> Result<(), Failure> {
    let (task, attempts) = (engine.reader.task(key).await?, engine.reader.attempts(key).await?);
    let is_over = |row: &&AttemptRow| {
        row.status == Some(Status::Cancelled) && engine.slots.find(&row.attempt_id).is_none()
    };
    if let (Some(task), Some(attempt)) = (task, attempts.last().filter(is_over)) {
        attempt::tidy(&engine.tools.workspace, &task, attempt, false).await;
    }
    Ok(())
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

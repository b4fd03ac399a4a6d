//! `glitchlab run ID`: an engine that works on one task alone, and ends with its outcome.

use std::process::ExitCode;

use glitchlab_actors::{Chosen, Engine};
use glitchlab_domain::bead::{BeadId, argument};
use glitchlab_domain::id::TaskKey;
use glitchlab_domain::task::TaskState;
use glitchlab_domain::why::{nearest, no_such_task};

use crate::args::{Continuous, Run};
use crate::commands::continuous;
use crate::exit::{Code, Stop};

/// Runs the command.
///
/// # Errors
///
/// Returns why it could not start, or why it ended otherwise than it should.
pub(crate) fn run(flags: &Run) -> Result<ExitCode, Stop> {
    continuous::run(&Continuous { only: Some(flags.id.clone()), ..flags.how.clone() })
}

/// How the chosen task stood before a run.
pub(crate) struct Before {
    id: BeadId,
    key: TaskKey,
    runs: u32,
    is_begun: bool,
}

impl Before {
    /// Looks at the task that an engine is started for, when it is started for one.
    ///
    /// # Errors
    ///
    /// Returns what the store says.
    pub(crate) async fn of(engine: &Engine) -> anyhow::Result<Option<Self>> {
        let Some(id) = engine.settings.only.clone() else { return Ok(None) };
        let key = TaskKey::of(&engine.repo_id, &id);
        let task = engine.reader.task(&key).await?;
        let runs = task.as_ref().map_or(0, |task| task.runs);
        let is_begun = task.is_some_and(|task| task.state == TaskState::Running || task.goes_on.is_some());
        Ok(Some(Self { id, key, runs, is_begun }))
    }

    /// Says what became of it, with the exit code for that.
    ///
    /// # Errors
    ///
    /// Returns what the store says.
    pub(crate) async fn outcome(&self, engine: &Engine, chosen: &Chosen) -> anyhow::Result<(Code, String)> {
        let id = &self.id;
        let Some(task) = engine.reader.task(&self.key).await? else {
            let tasks = engine.reader.tasks(&engine.repo_id).await?;
            let near = nearest(tasks.iter().map(|task| &task.bead_id), id.as_str());
            return Ok((Code::Usage, no_such_task(id.as_str(), &near)));
        };
        let has_run = self.is_begun || task.runs > self.runs;
        if has_run && matches!(task.state, TaskState::Completed | TaskState::InReview | TaskState::Decomposed)
        {
            let branch = task.request.as_ref().filter(|_| task.state == TaskState::InReview);
            let branch = branch.map(|branch| format!(", branch {branch}")).unwrap_or_default();
            return Ok((Code::Done, format!("{id}: {}{branch}", task.state.name())));
        }
        let verb = if has_run { "is not done" } else { "cannot run now" };
        let reason = chosen.obstacle.as_ref().map(|wait| &wait.reason).or(task.reason.as_ref());
        let why = match reason {
            Some(reason) => format!("{reason}. What helps: {}", reason.unblocks(id.as_str())),
            None => {
                let word = argument(id.as_str());
                format!("it is {}; `glitchlab retry {word}` begins it again", task.state.name())
            }
        };
        Ok((Code::Unexpected, format!("{id} {verb}: {why}")))
    }
}

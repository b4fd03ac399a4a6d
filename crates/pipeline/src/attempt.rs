//! One attempt at a task, from its first stage to its outcome.
//!
//! The same function starts an attempt and goes on with one that was interrupted, at any point and however often: every
//! stage is a durable step, every model call a durable try, every act outside the store an effect with a key of its
//! own. So the flow below is simply run again, and whatever the log has is taken from there.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use glitchlab_domain::consent::Approval;
use glitchlab_domain::outcome::{Learned, Outcome};
use glitchlab_domain::policy::Limits;
use glitchlab_domain::response::Message;
use glitchlab_domain::rows::AttemptRow;
use glitchlab_domain::task::TaskRow;
use glitchlab_models::account::Clock;
use glitchlab_models::{Model, Prompts, Turn};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::durable::{Durable, Lost};
use crate::ending::{End, Stop};
use crate::forge::Forge;
use crate::git::Identity;
use crate::implementer::Implementer;
use crate::kept::kept;
use crate::process::RunLimits;
use crate::process::redact::Redactor;
use crate::run::Run;
use crate::stages;
use crate::workspace::Workspace;

/// When finished work is merged by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// A person merges.
    Never,
    /// When the tests pass on the base as it is.
    WhenGreen,
}

/// What holds for every attempt.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the stages may use.
    pub limits: Limits,
    /// Who does the edits.
    pub implementer: Implementer,
    /// A prompt is bounded by the difference to one that it extends, not by its bytes alone.
    pub bound_by_difference: bool,
    /// What takes secrets out of the prompts that are kept with their calls; none keeps no prompts.
    pub keep_prompts: Option<Redactor>,
    /// When finished work is merged by us.
    pub merge: Merge,
    /// The branch that work starts from and goes to.
    pub base: String,
    /// The repository's own test command, a line for the shell.
    pub test: Option<String>,
    /// Work goes out without tests when there is no command.
    pub allow_untested: bool,
    /// How long a test run may take, and how much of what it prints is kept.
    pub test_limits: RunLimits,
    /// What waits for a person's word.
    pub approve: Approval,
    /// A shell command run once in each new worktree.
    pub setup: Option<String>,
    /// Who makes the commits.
    pub author: Identity,
    /// Who merges next.
    pub merge_turn: MergeTurn,
}

/// Lets one attempt at a time merge. While it tests its work on a base that moved, no other moves the base again, so
/// that every attempt gets through, however many want to. Clones share the turn.
#[derive(Clone, Debug, Default)]
pub struct MergeTurn {
    turn: Arc<Mutex<()>>,
}

/// How often a waiting attempt says that it is well, and how often it does so before it goes on without the turn.
const TURN_TICK: Duration = Duration::from_secs(60);
const TURN_TICKS: u32 = 60;

impl MergeTurn {
    /// Waits for the turn, first come, first served; it ends when the guard is dropped. One that is never given back
    /// stops nobody: the forge keeps merges right without it.
    pub(crate) async fn take(&self, durable: &dyn Durable) -> Option<OwnedMutexGuard<()>> {
        let mut turn = pin!(Arc::clone(&self.turn).lock_owned());
        for _ in 0..TURN_TICKS {
            if let Ok(guard) = tokio::time::timeout(TURN_TICK, turn.as_mut()).await {
                return Some(guard);
            }
            durable.progress();
        }
        None
    }
}

/// One attempt and what it works with.
#[derive(Clone)]
pub struct Job {
    /// The task, as it was claimed.
    pub task: TaskRow,
    /// The attempt.
    pub attempt: AttemptRow,
    /// What holds for every attempt.
    pub settings: Arc<Settings>,
    /// The durable log, under the attempt's fence.
    pub durable: Arc<dyn Durable>,
    /// Worktrees.
    pub workspace: Arc<dyn Workspace>,
    /// Requests and merges.
    pub forge: Arc<dyn Forge>,
    /// The model.
    pub model: Arc<dyn Model>,
    /// What it billed for prompts in this run of the attempt.
    pub prompts: Prompts,
    /// Tells the time, ms UTC.
    pub clock: Clock,
}

impl Job {
    /// Returns what is kept of a prompt.
    pub(crate) fn kept(&self, turns: &[Turn]) -> Vec<Message> {
        self.settings.keep_prompts.as_ref().map(|redactor| kept(turns, redactor)).unwrap_or_default()
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The outcome.
    pub outcome: Outcome,
    /// One line for people.
    pub detail: String,
    /// What the next attempt should know.
    pub learned: Option<Learned>,
    /// Files in its diff.
    pub files_changed: u32,
    /// A person may want to look at the worktree.
    pub keep_worktree: bool,
}

/// Runs an attempt, or goes on with it, to its end.
///
/// # Errors
///
/// Returns [`Lost`] when the attempt has lost its right to work; it then has no outcome.
pub async fn run(job: &Job) -> Result<Ended, Lost> {
    let mut run = Run::new(job);
    match stages::flow(&mut run).await {
        Ok(end) => Ok(ended(&run, end)),
        Err(Stop::Ended(end)) => Ok(ended(&run, *end)),
        Err(Stop::Lost(lost)) => Err(lost),
    }
}

fn ended(run: &Run<'_>, end: End) -> Ended {
    let end = end.dated((run.job.clock)());
    let failed = matches!(end.outcome, Outcome::Retryable { .. } | Outcome::NeedsHuman { .. });
    Ended {
        learned: end.learned(run.approach()),
        files_changed: run.files_changed(),
        keep_worktree: failed && run.files_changed() > 0,
        outcome: end.outcome,
        detail: end.detail,
    }
}

/// Removes what an attempt left behind after its outcome is durable, or marks it as kept for a person to look at.
/// A failure is logged: the sweep of old worktrees looks again.
pub async fn tidy(workspace: &Arc<dyn Workspace>, task: &TaskRow, attempt: &AttemptRow, keep: bool) {
    let (attempt_id, bead_id) = (attempt.attempt_id.as_str(), task.bead_id.as_str());
    let tidied = match workspace.find(attempt_id, bead_id).await {
        Ok(Some(at)) => workspace.close(&at, keep).await,
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = tidied {
        tracing::warn!(
            event = "worktree.left",
            task = bead_id,
            attempt = attempt_id,
            "its worktree stays: {error}"
        );
    }
}

/// Saves the work in progress of an attempt that is put down. A failure is logged: the worktree itself stays.
pub async fn checkpoint(workspace: &Arc<dyn Workspace>, task: &TaskRow, attempt: &AttemptRow) {
    let (attempt_id, bead_id) = (attempt.attempt_id.as_str(), task.bead_id.as_str());
    let saved = match workspace.find(attempt_id, bead_id).await {
        Ok(Some(at)) => workspace.checkpoint(&at, attempt_id).await,
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = saved {
        tracing::warn!(
            event = "worktree.unsaved",
            task = bead_id,
            attempt = attempt_id,
            "no copy was made: {error}"
        );
    }
}

#[cfg(test)]
mod tests;

//! What an attempt knows while it runs; all of it is made again from the log when it is interrupted.

use std::collections::BTreeMap;

use glitchlab_domain::outcome::FailureKind;
use serde::{Deserialize, Serialize};

use crate::attempt::Job;
use crate::ending::{End, Stop};
use crate::trouble;
use crate::workspace::{Refreshed, Snapshot, Workspace, WorkspaceError, Worktree, WorktreeSpec};

/// The new content of files by their paths; none for a file that is removed.
pub(crate) type Changes = BTreeMap<String, Option<String>>;

/// One running attempt.
pub(crate) struct Run<'a> {
    pub(crate) job: &'a Job,
    next_step: u32,
    /// The worktree, once it was opened in this run.
    worktree: Option<Worktree>,
    pending: Pending,
    approach: String,
    files_changed: u32,
}

/// Changes that are in the log and perhaps not in the worktree yet.
#[derive(Default)]
struct Pending {
    /// The tree that a program left, on which the changes were made.
    tree: Option<String>,
    changes: Changes,
    /// The commit that they were made on.
    base_commit: String,
}

/// What an edit step made, from which the worktree can be made again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    /// What was changed.
    pub(crate) changes: Changes,
    /// The commit that the worktree was compared with.
    pub(crate) base_commit: String,
    /// What a program left that worked in the worktree itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) snapshot: Option<Snapshot>,
}

impl Made {
    /// Counts the files that were changed.
    pub(crate) fn files(&self) -> usize {
        self.changes.len() + self.snapshot.as_ref().map_or(0, |snapshot| snapshot.touched.len())
    }
}

impl<'a> Run<'a> {
    pub(crate) fn new(job: &'a Job) -> Self {
        Self {
            job,
            next_step: 0,
            worktree: None,
            pending: Pending::default(),
            approach: String::new(),
            files_changed: 0,
        }
    }

    /// Numbers the next step. The numbers are the same in every run, since the flow follows from the outputs.
    pub(crate) const fn number_step(&mut self) -> u32 {
        let n = self.next_step;
        self.next_step += 1;
        n
    }

    pub(crate) fn approach(&self) -> &str {
        &self.approach
    }

    pub(crate) fn follow(&mut self, approach: &str) {
        approach.clone_into(&mut self.approach);
    }

    pub(crate) const fn files_changed(&self) -> u32 {
        self.files_changed
    }

    pub(crate) const fn count_files(&mut self, files: u32) {
        self.files_changed = files;
    }

    /// Takes over what an edit step made. It is written to the worktree when the next one needs that, so that the
    /// worktree never holds what the log does not.
    pub(crate) fn take_over(&mut self, made: &Made) {
        if let Some(snapshot) = &made.snapshot {
            // Its tree has all that was changed before.
            self.pending = Pending { tree: Some(snapshot.tree.clone()), ..Pending::default() };
        }
        self.pending.changes.extend(made.changes.clone());
        self.pending.base_commit.clone_from(&made.base_commit);
    }

    /// Says that the work is committed: the branch has it now, and it may be merged with others' there.
    pub(crate) fn forget_changes(&mut self) {
        self.pending = Pending::default();
    }

    /// Returns the worktree with everything that the log has; opens it when this run has not yet.
    pub(crate) async fn worktree(&mut self) -> Result<Worktree, Stop> {
        let at = match self.worktree.take() {
            Some(at) => at,
            None => self.job.workspace.open(&self.spec()).await.map_err(trouble::workspace)?,
        };
        self.worktree = Some(at.clone());
        self.write_pending(&at).await?;
        Ok(at)
    }

    /// Lists the files of the worktree.
    pub(crate) async fn list_files(&mut self) -> Result<Vec<String>, Stop> {
        let at = self.worktree().await?;
        self.job.workspace.list(&at).await.map_err(trouble::workspace)
    }

    /// Lists the files that differ from the base.
    pub(crate) async fn changed_files(&mut self) -> Result<Vec<String>, Stop> {
        let at = self.worktree().await?;
        let diff = self.job.workspace.diff(&at).await.map_err(trouble::workspace)?;
        Ok(diff.files.into_iter().map(|file| file.path).collect())
    }

    fn spec(&self) -> WorktreeSpec {
        let Job { task, attempt, settings, .. } = self.job;
        WorktreeSpec {
            attempt_id: attempt.attempt_id.to_string(),
            bead_id: task.bead_id.to_string(),
            branch: attempt.branch.clone(),
            base: settings.base.clone(),
            setup: settings.setup.clone(),
        }
    }

    /// Merges the newest base into the worktree.
    pub(crate) async fn refresh(&mut self) -> Result<Worktree, Stop> {
        let at = self.worktree().await?;
        let base = &self.job.settings.base;
        match self.job.workspace.refresh(&at, base).await.map_err(trouble::workspace)? {
            Refreshed::UpToDate => Ok(at),
            Refreshed::Merged(at) => {
                self.worktree = Some(at.clone());
                Ok(at)
            }
            Refreshed::Conflict { files } => Err(conflict(base, &files).into()),
        }
    }

    async fn write_pending(&mut self, at: &Worktree) -> Result<(), Stop> {
        if self.pending.tree.is_none() && self.pending.changes.is_empty() {
            return Ok(());
        }
        if self.pending.base_commit != at.base_commit {
            // Whole files written over newer ones would take back what others did meanwhile.
            let message = "the worktree is gone and the base has moved, so the edits of this attempt cannot be made again";
            return Err(End::retry(FailureKind::Transient, message).into());
        }
        if let Some(tree) = &self.pending.tree {
            self.job.workspace.restore(at, tree).await.map_err(trouble::workspace)?;
        }
        for (path, content) in &self.pending.changes {
            let put = put(self.job.workspace.as_ref(), at, path, content.as_deref()).await;
            put.map_err(trouble::workspace)?;
        }
        self.forget_changes();
        Ok(())
    }
}

/// Brings one file to its new content, whether or not it is there already.
async fn put(
    workspace: &dyn Workspace,
    at: &Worktree,
    path: &str,
    content: Option<&str>,
) -> Result<(), WorkspaceError> {
    let Some(new) = content else {
        return match workspace.remove_file(at, path).await {
            Err(WorkspaceError::NotFound { .. }) => Ok(()),
            other => other,
        };
    };
    match workspace.read(at, path).await {
        Ok(current) if current == new => Ok(()),
        // Whether the file may shrink was asked when the change was made.
        Ok(current) if !current.is_empty() => workspace.replace(at, path, &current, new).await,
        _ => workspace.write(at, path, new).await,
    }
}

/// Both sides changed the same places.
pub(crate) fn conflict(base: &str, files: &[String]) -> End {
    let message = format!("its change and `{base}` touch the same places in {}", files.join(", "));
    End::retry(FailureKind::Transient, message)
        .recommending("make the change again on the new base, where others' work is in these files")
}

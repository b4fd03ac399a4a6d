//! What ended attempts left behind.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::git::GitWorkspace;
use super::record::{self, Record};
use super::{WorkspaceError, Worktree, name};

/// How long and how many worktrees of failures stay for a person to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepPolicy {
    /// The present.
    pub now: SystemTime,
    /// How long one is kept.
    pub kept_for: Duration,
    /// How many are kept, the newest.
    pub kept_at_most: usize,
}

impl KeepPolicy {
    /// Keeps at most ten for a day.
    #[must_use]
    pub fn usual(now: SystemTime) -> Self {
        Self { now, kept_for: Duration::from_secs(24 * 60 * 60), kept_at_most: 10 }
    }
}

impl GitWorkspace {
    /// Removes the worktrees of attempts that are not among `running` (or suspended), and their work in progress.
    ///
    /// Those that were closed to be kept stay as the policy says, and take their branch with them when they go. Of all
    /// others a branch goes only when nothing is lost with it. Returns the directories that were removed.
    ///
    /// # Errors
    ///
    /// Fails when git does, or when a directory cannot be removed.
    pub async fn prune_worktrees(
        &self,
        running: &HashSet<String>,
        policy: KeepPolicy,
    ) -> Result<Vec<PathBuf>, WorkspaceError> {
        let (mut gone, ended) = {
            let _changing = self.changing.lock().await;
            let found = self.found(running);
            let mut gone = self.remove_unrecorded(found.unrecorded).await?;
            gone.extend(self.remove_kept(found.kept, policy).await?);
            (gone, found.ended)
        };
        for (path, record) in ended {
            let Record { branch, base_commit, .. } = record;
            let at = Worktree { path, branch, base_commit, created: false };
            self.close_worktree(&at, false).await?;
            gone.push(at.path);
        }
        self.remove_work_in_progress(running).await?;
        // What git keeps of a worktree and was half removed; one that is only not there now is none of our business.
        self.repo.call(&["worktree", "prune", "--expire=never"]).run().await?;
        Ok(gone)
    }

    fn found(&self, running: &HashSet<String>) -> Found {
        let mut found = Found::default();
        let on_disk = entries(&self.root).filter(|path| path.is_dir() && *path != self.scratch());
        let places: BTreeSet<PathBuf> = on_disk.chain(self.known_to_git()).collect();
        for path in places {
            let admin = self.admin(&path);
            match (record::read(&admin), record::kept_since(&admin)) {
                (Some(record), _) if running.contains(&record.attempt_id) => {}
                (Some(record), Some(since)) => found.kept.push((since, path, record)),
                (Some(record), None) => found.ended.push((path, record)),
                (None, _) => found.unrecorded.push(path),
            }
        }
        found
    }

    /// Returns where git believes worktrees of ours: a removal that was cut off leaves git's files without the directory.
    fn known_to_git(&self) -> impl Iterator<Item = PathBuf> {
        entries(&self.repo.common_dir.join("worktrees")).filter_map(|admin| {
            let pointer = fs::read_to_string(admin.join("gitdir")).ok()?;
            let leads_to = admin.join(pointer.trim_end());
            let path = self.root.join(admin.file_name()?);
            let place = leads_to.parent()?.parent()?.canonicalize().ok()?;
            (place == self.root && leads_to.parent()?.file_name() == path.file_name()).then_some(path)
        })
    }

    /// A worktree without a record was never returned to anyone.
    async fn remove_unrecorded(&self, paths: Vec<PathBuf>) -> Result<Vec<PathBuf>, WorkspaceError> {
        for path in &paths {
            self.discard(path).await?;
        }
        Ok(paths)
    }

    async fn remove_kept(
        &self,
        mut kept: Vec<(SystemTime, PathBuf, Record)>,
        policy: KeepPolicy,
    ) -> Result<Vec<PathBuf>, WorkspaceError> {
        kept.sort_by_key(|(since, ..)| std::cmp::Reverse(*since));
        let is_over = |n: usize, since: SystemTime| {
            n >= policy.kept_at_most
                || policy.now.duration_since(since).is_ok_and(|age| age >= policy.kept_for)
        };
        let mut gone = Vec::new();
        for (n, (since, path, record)) in kept.into_iter().enumerate() {
            if is_over(n, since) {
                self.remove_with_branch(&path, &record).await?;
                gone.push(path);
            }
        }
        Ok(gone)
    }

    async fn remove_with_branch(&self, path: &Path, record: &Record) -> Result<(), WorkspaceError> {
        self.delete_kept(&record.attempt_id).await?;
        self.delete_branch(&record.branch, path).await?;
        self.discard(path).await
    }

    async fn remove_work_in_progress(&self, running: &HashSet<String>) -> Result<(), WorkspaceError> {
        let refs = self
            .repo
            .call(&["for-each-ref", "--format=%(refname)", "refs/glitchlab/wip/", "refs/glitchlab/steps/"])
            .run()
            .await?
            .text();
        let names = |attempt_id: &String| [name::wip_ref(attempt_id), name::steps_ref(attempt_id)];
        let needed: HashSet<String> = running.iter().flat_map(names).collect();
        for full in refs.lines().filter(|full| !needed.contains(*full)) {
            self.delete_ref(full).await?;
        }
        Ok(())
    }
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// What there is of worktrees, without those of running attempts.
#[derive(Default)]
struct Found {
    kept: Vec<(SystemTime, PathBuf, Record)>,
    ended: Vec<(PathBuf, Record)>,
    unrecorded: Vec<PathBuf>,
}

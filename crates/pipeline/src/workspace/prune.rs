//! What ended attempts left behind.

use std::collections::HashSet;
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
        Ok(gone)
    }

    fn found(&self, running: &HashSet<String>) -> Found {
        let mut found = Found::default();
        let on_disk = entries(&self.root).filter(|path| path.is_dir() && *path != self.scratch());
        for path in on_disk.chain(self.cut_off()) {
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

    /// Returns where worktrees of ours were whose removal was cut off: git's files for them are still there.
    ///
    /// One that was not being removed and is gone from its place stays: a person moved it, and wants it.
    fn cut_off(&self) -> impl Iterator<Item = PathBuf> {
        entries(&self.repo.common_dir.join("worktrees")).filter_map(|admin| {
            let path = self.root.join(admin.file_name()?);
            let is_ours = match fs::read_to_string(admin.join("gitdir")) {
                Ok(pointer) => self.leads_to(&admin, &pointer, &path),
                // Without it there is only the name to go by; git itself takes such an entry for nothing.
                Err(_) => name::is_worktree_directory(admin.file_name()?.to_str()?),
            };
            let was_removed = record::read(&admin).is_none_or(|record| record.closing);
            (is_ours && was_removed && !path.exists()).then_some(path)
        })
    }

    /// Says whether git's pointer to a worktree leads to this place of ours, which may be gone.
    fn leads_to(&self, admin: &Path, pointer: &str, path: &Path) -> bool {
        let target = admin.join(pointer.trim_end());
        let target =
            target.parent().and_then(|at| Some((at.parent()?.canonicalize().ok()?, at.file_name()?)));
        target.is_some_and(|(place, name)| place == self.root && Some(name) == path.file_name())
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
        kept: Vec<(SystemTime, PathBuf, Record)>,
        policy: KeepPolicy,
    ) -> Result<Vec<PathBuf>, WorkspaceError> {
        let (half_gone, mut kept): (Vec<_>, Vec<_>) =
            kept.into_iter().partition(|(.., record)| record.closing);
        kept.sort_by_key(|(since, ..)| std::cmp::Reverse(*since));
        let is_over = |n: usize, since: SystemTime| {
            n >= policy.kept_at_most
                || policy.now.duration_since(since).is_ok_and(|age| age >= policy.kept_for)
        };
        let over = kept.into_iter().enumerate().filter(|(n, (since, ..))| is_over(*n, *since));
        let mut gone = Vec::new();
        for (_, path, record) in half_gone.into_iter().chain(over.map(|(_, kept)| kept)) {
            self.remove_with_branch(&path, &record).await?;
            gone.push(path);
        }
        Ok(gone)
    }

    async fn remove_with_branch(&self, path: &Path, record: &Record) -> Result<(), WorkspaceError> {
        record::write(&self.admin(path), &Record { closing: true, ..record.clone() })?;
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

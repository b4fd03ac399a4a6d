//! How worktrees come and go.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::git::GitWorkspace;
use super::history::sweep_copies;
use super::record::{self, Record};
use super::{WorkspaceError, Worktree, WorktreeSpec, contain, name};
use crate::git::intent::Intent;
use crate::git::{GitError, checkouts, sweep};
use crate::process::{Command, RunLimits, Unwatched, contained};

/// How much of a failed setup's output is told.
const SETUP_OUTPUT_BYTES: usize = 8 * 1024;

impl GitWorkspace {
    pub(super) async fn open_worktree(&self, spec: &WorktreeSpec) -> Result<Worktree, WorkspaceError> {
        let path = self.root.join(name::worktree_directory(&spec.bead_id, &spec.attempt_id));
        let (record, created) = {
            let _changing = self.changing.lock().await;
            sweep::sweep_own_locks(&self.repo, sweep::SETTLE).await?;
            match self.found_again(&path).await? {
                Some(record) => (record, false),
                None => (self.make(&path, spec).await?, true),
            }
        };
        self.set_up(&path, spec, &record).await?;
        Ok(Worktree { path, branch: record.branch, base_commit: record.base_commit, created })
    }

    pub(super) async fn find_worktree(
        &self,
        attempt_id: &str,
        bead_id: &str,
    ) -> Result<Option<Worktree>, WorkspaceError> {
        let path = self.root.join(name::worktree_directory(bead_id, attempt_id));
        let _changing = self.changing.lock().await;
        sweep::sweep_own_locks(&self.repo, sweep::SETTLE).await?;
        let found = self.found_again(&path).await?;
        Ok(found.map(|Record { branch, base_commit, .. }| Worktree {
            path,
            branch,
            base_commit,
            created: false,
        }))
    }

    /// Checks that a worktree is where it should be and still belongs to the repository: an agent can write anywhere
    /// in it, and by its `.git` file lead git to another repository.
    pub(super) fn check(&self, at: &Worktree) -> Result<(), WorkspaceError> {
        self.check_connected(at)?;
        if !self.is_on_branch(at) {
            return Err(not_ours(at, "its branch is not checked out any more"));
        }
        Ok(())
    }

    /// Checks the same of a worktree in which another branch may be checked out for now.
    pub(super) fn check_connected(&self, at: &Worktree) -> Result<(), WorkspaceError> {
        self.check_place(at)?;
        if !self.is_connected(&at.path) {
            return Err(not_ours(at, "its .git file is gone or leads elsewhere"));
        }
        Ok(())
    }

    /// Checks that a directory is one of ours, before anything is done to it.
    fn check_place(&self, at: &Worktree) -> Result<(), WorkspaceError> {
        let is_ours = at.path.parent() == Some(&self.root) && at.path.file_name().is_some();
        if is_ours { Ok(()) } else { Err(not_ours(at, "it is not in the directory of worktrees")) }
    }

    /// A repository that keeps its refs in tables has a file `HEAD` that names none.
    fn is_on_branch(&self, at: &Worktree) -> bool {
        let head = fs::read_to_string(self.admin(&at.path).join("HEAD")).unwrap_or_default();
        let branch = head.trim_end().strip_prefix("ref: refs/heads/");
        branch == Some(at.branch.as_str()) || branch == Some(".invalid")
    }

    /// Returns where git keeps its files for a worktree; our directory names are unique, so git takes them as they are.
    pub(super) fn admin(&self, path: &Path) -> PathBuf {
        self.repo.common_dir.join("worktrees").join(path.file_name().unwrap_or_default())
    }

    /// Ends a worktree and what was made for it. Can be done again after a crash in the middle.
    pub(super) async fn close_worktree(&self, at: &Worktree, keep: bool) -> Result<(), WorkspaceError> {
        self.check_place(at)?;
        let _changing = self.changing.lock().await;
        let admin = self.admin(&at.path);
        if keep {
            sweep_copies(&admin);
            return if admin.is_dir() { record::mark_kept(&admin) } else { Ok(()) };
        }
        match record::read(&admin) {
            Some(record) => self.close_recorded(&at.path, record).await,
            None => self.close_rest(&at.path, &at.branch, &self.repo.base, &at.base_commit).await,
        }
    }

    /// Writes down that it ends, so that a crash on the way leaves nothing that could be taken for work to go on with.
    async fn close_recorded(&self, path: &Path, record: Record) -> Result<(), WorkspaceError> {
        let record = Record { closing: true, ..record };
        record::write(&self.admin(path), &record)?;
        self.delete_kept(&record.attempt_id).await?;
        self.close_rest(path, &record.branch, &record.base, &record.base_commit).await
    }

    /// The branch goes before the worktree: once the worktree is gone, nobody looks for the rest.
    async fn close_rest(
        &self,
        path: &Path,
        branch: &str,
        base: &str,
        base_commit: &str,
    ) -> Result<(), WorkspaceError> {
        if self.is_settled(branch, base, base_commit).await? {
            self.delete_branch(branch, path).await?;
        }
        self.discard(path).await
    }

    /// Deletes a branch, unless somebody looks at it elsewhere: that checkout would be left without a commit.
    pub(super) async fn delete_branch(&self, branch: &str, own: &Path) -> Result<(), GitError> {
        let checkouts = checkouts::list(&self.repo).await?;
        let is_shown = checkouts.iter().any(|checkout| checkout.path != own && checkout.shows(branch));
        if is_shown { Ok(()) } else { self.delete_ref(&format!("refs/heads/{branch}")).await }
    }

    /// Removes a worktree in whatever state it is.
    pub(super) async fn discard(&self, path: &Path) -> Result<(), WorkspaceError> {
        let admin = self.admin(path);
        if admin.exists() {
            // Twice --force: also when a crash left it locked, as it is while it is being made.
            let call = self.repo.call(&["worktree", "remove", "--force", "--force"]).arg(path);
            let answer = call.timeout(self.options.commit_timeout).answer().await?;
            if !answer.exit.is_success() {
                tracing::debug!(path = %path.display(), said = answer.stderr, "git does not remove the worktree");
            }
        }
        for left in [path, &admin] {
            remove_directory(left).map_err(|source| contain::failed("remove", left, source))?;
        }
        Ok(())
    }

    /// Says whether nothing is lost with the branch: the base has all of it, or there is nothing on it.
    async fn is_settled(&self, branch: &str, base_branch: &str, base_commit: &str) -> Result<bool, GitError> {
        let (Some(tip), Some(base)) =
            (self.repo.branch_commit(branch).await?, self.repo.branch_commit(base_branch).await?)
        else {
            return Ok(false);
        };
        Ok(branch != base_branch && (tip == base_commit || self.repo.is_ancestor(&tip, &base).await?))
    }

    /// Deletes what is kept of an attempt beside its branch: git takes one lock for all of it.
    pub(super) async fn delete_kept(&self, attempt_id: &str) -> Result<(), GitError> {
        self.delete_refs(&[name::wip_ref(attempt_id), name::steps_ref(attempt_id)]).await
    }

    pub(super) async fn delete_ref(&self, full: &str) -> Result<(), GitError> {
        self.delete_refs(&[full.to_owned()]).await
    }

    async fn delete_refs(&self, all: &[String]) -> Result<(), GitError> {
        let own = all.iter().map(|full| self.repo.common_dir.join(format!("{full}.lock")));
        let locks = own.chain([self.repo.common_dir.join("packed-refs.lock")]).collect();
        let note = Intent::locks(locks).write(&self.repo)?;
        let orders: String = all.iter().map(|full| format!("delete {full}\n")).collect();
        self.repo.call(&["update-ref", "--stdin"]).by(&self.repo.author).input(orders).run().await?;
        note.done();
        Ok(())
    }

    fn is_connected(&self, path: &Path) -> bool {
        let pointer = fs::read_to_string(path.join(".git")).unwrap_or_default();
        let Some(target) = pointer.trim_end().strip_prefix("gitdir: ") else { return false };
        let (target, admin) = (path.join(target).canonicalize(), self.admin(path).canonicalize());
        target.ok().zip(admin.ok()).is_some_and(|(target, admin)| target == admin)
    }

    /// Finds the worktree as a crash left it, and ends what was cut off in it: a refresh, or its own end.
    async fn found_again(&self, path: &Path) -> Result<Option<Record>, WorkspaceError> {
        match record::read(&self.admin(path)) {
            Some(record) if record.closing => {
                self.close_recorded(path, record).await?;
                Ok(None)
            }
            Some(record) if self.is_connected(path) => {
                sweep_copies(&self.admin(path));
                Ok(Some(self.finish_moving(path, record).await?))
            }
            _ => Ok(None),
        }
    }

    /// Makes the worktree anew, with what was saved of the attempt.
    async fn make(&self, path: &Path, spec: &WorktreeSpec) -> Result<Record, WorkspaceError> {
        self.discard(path).await?;
        let base_commit = self.add(path, spec).await?;
        let WorktreeSpec { attempt_id, branch, base, .. } = spec.clone();
        let record =
            Record { attempt_id, branch, base, base_commit, set_up: false, moving_to: None, closing: false };
        self.restore_work_in_progress(path, &spec.attempt_id).await?;
        record::write(&self.admin(path), &record)?;
        Ok(record)
    }

    /// Adds the worktree and returns the commit that its work is compared with.
    async fn add(&self, path: &Path, spec: &WorktreeSpec) -> Result<String, WorkspaceError> {
        let base = self.repo.branch_commit(&spec.base).await?;
        let base = base.ok_or_else(|| WorkspaceError::NoBase { base: spec.base.clone() })?;
        let tip = self.repo.branch_commit(&spec.branch).await?;
        let call =
            self.repo.call(&["worktree", "add", "--quiet", "--force"]).timeout(self.options.commit_timeout);
        let note = Intent::locks(self.locks(path, &spec.branch)).write(&self.repo)?;
        let base_commit = match &tip {
            Some(tip) => {
                call.arg(path).arg(&spec.branch).run().await?;
                self.repo.call(&["merge-base", tip, &base]).line().await?
            }
            None => {
                call.arg("--no-track").arg("-b").arg(&spec.branch).arg(path).arg(&base).run().await?;
                base
            }
        };
        note.done();
        Ok(base_commit)
    }

    /// Names the locks that git takes to change a worktree and its branch.
    pub(super) fn locks(&self, path: &Path, branch: &str) -> Vec<PathBuf> {
        let admin = self.admin(path);
        let branch = self.repo.common_dir.join(format!("refs/heads/{branch}.lock"));
        vec![admin.join("index.lock"), admin.join("HEAD.lock"), admin.join("ORIG_HEAD.lock"), branch]
    }

    async fn set_up(&self, path: &Path, spec: &WorktreeSpec, record: &Record) -> Result<(), WorkspaceError> {
        let Some(line) = spec.setup.as_ref().filter(|_| !record.set_up) else { return Ok(()) };
        let environment = self.options.environment.for_tests(&self.options.pass_env);
        let command = Command::shell(line, path, environment);
        let limits = RunLimits { timeout: self.options.setup_timeout, max_output_bytes: SETUP_OUTPUT_BYTES };
        let run = contained::run(&command, &limits, self.options.grace, &Unwatched).await?;
        if !run.exit.is_success() {
            return Err(WorkspaceError::Setup { command: line.clone(), exit: run.exit, output: run.output });
        }
        record::write(&self.admin(path), &Record { set_up: true, ..record.clone() })
    }
}

fn not_ours(at: &Worktree, why: &str) -> WorkspaceError {
    WorkspaceError::NotOurs { path: at.path.clone(), why: why.to_owned() }
}

/// Removes a directory also when what is in it was made read-only, as module caches are.
fn remove_directory(path: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            make_writable(path);
            fs::remove_dir_all(path)
        }
        other => other,
    }
}

/// What cannot be changed is seen when the directory is removed.
fn make_writable(directory: &Path) {
    let _ = fs::set_permissions(directory, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}

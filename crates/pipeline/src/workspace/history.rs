//! What changed in a worktree, and how it becomes history.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::git::GitWorkspace;
use super::record::{self, Record};
use super::{CommitMessage, DiffSummary, FileChange, Refreshed, WorkspaceError, Worktree, contain, name};
use crate::git::call::Call;
use crate::git::intent::Intent;
use crate::git::merge_tree::{MergedTree, merge_trees};
use crate::git::{GitError, Identity};
use crate::process::Exit;

impl GitWorkspace {
    pub(super) async fn summarise(&self, at: &Worktree) -> Result<DiffSummary, WorkspaceError> {
        let tree = self.tree(at).await?;
        let files = self.changes(&at.base_commit, &tree).await?;
        let patch = ["diff-tree", "-r", "-p", "--binary", "--no-renames", "--no-ext-diff", "--no-textconv"];
        let patch = self.repo.call(&patch).arg(&at.base_commit).arg(&tree).run_cut(0).await?.success()?;
        let protects = |file: &&FileChange| self.options.protected.pattern_of(&file.path).is_some();
        let protected = files.iter().filter(protects).map(|file| file.path.clone()).collect();
        let lines = files.iter().map(|file| file.added + file.removed).sum();
        Ok(DiffSummary { files, lines, patch_bytes: patch.stdout_bytes, tree, protected })
    }

    pub(super) async fn commit_all(
        &self,
        at: &Worktree,
        message: &CommitMessage,
    ) -> Result<Option<String>, WorkspaceError> {
        let note = Intent::locks(self.locks(&at.path, &at.branch)).write(&self.repo)?;
        self.git(at, &["add", "--all"]).run().await?;
        let tree = self.git(at, &["write-tree"]).line().await?;
        self.refuse_protected(&self.changes(&at.base_commit, &tree).await?)?;
        let text = message.render(&self.repo.author);
        let commit = if tree == self.git(at, &["rev-parse", "HEAD^{tree}"]).line().await? {
            self.already_made(at, &text).await?
        } else {
            Some(self.commit_staged(at, &text).await?)
        };
        note.done();
        Ok(commit)
    }

    /// Commits what is in the worktree to a ref beside the branch, which names no branch and needs no checkout.
    pub(super) async fn save_work_in_progress(
        &self,
        at: &Worktree,
        attempt_id: &str,
    ) -> Result<(), WorkspaceError> {
        let tree = self.tree(at).await?;
        let head = self.git(at, &["rev-parse", "HEAD"]).line().await?;
        let call = self.repo.call(&["commit-tree", &tree, "-p", &head, "-m", "Work in progress"]);
        let commit = call.by(&self.repo.author).line().await?;
        let full = name::wip_ref(attempt_id);
        let note =
            Intent::locks(vec![self.repo.common_dir.join(format!("{full}.lock"))]).write(&self.repo)?;
        self.repo.call(&["update-ref", &full, &commit]).by(&self.repo.author).run().await?;
        note.done();
        Ok(())
    }

    /// Brings back what was saved, into a worktree that was just made.
    pub(super) async fn restore_work_in_progress(
        &self,
        path: &Path,
        attempt_id: &str,
    ) -> Result<(), WorkspaceError> {
        let full = name::wip_ref(attempt_id);
        let saved = self.repo.call(&["for-each-ref", "--format=%(tree)", &full]).line().await?;
        if saved.is_empty() {
            return Ok(());
        }
        // Files and index become the saved ones; the branch stays, so the difference is work to commit.
        self.repo.git.at(path, &["read-tree", "--reset", "-u", &saved]).run().await?;
        Ok(())
    }

    /// Merges the newest base into the branch without a conflict, or not at all.
    pub(super) async fn take_in(&self, at: &Worktree, base: &str) -> Result<Refreshed, WorkspaceError> {
        self.refuse_uncommitted(at).await?;
        let head = self.git(at, &["rev-parse", "HEAD"]).line().await?;
        let theirs = self.repo.branch_commit(base).await?;
        let theirs = theirs.ok_or_else(|| WorkspaceError::NoBase { base: base.to_owned() })?;
        if self.repo.is_ancestor(&theirs, &head).await? {
            return Ok(Refreshed::UpToDate);
        }
        let tree = match merge_trees(&self.repo, &head, &theirs).await? {
            MergedTree::Clean(tree) => tree,
            MergedTree::Conflict(files) => return Ok(Refreshed::Conflict { files }),
        };
        let message = format!("Merge {base} into {}", at.branch);
        let call = self.repo.call(&["commit-tree", &tree, "-p", &head, "-p", &theirs, "-m", &message]);
        let commit = call.by(&self.repo.author).line().await?;
        let admin = self.admin(&at.path);
        let record = record::read(&admin).ok_or_else(|| not_recorded(&at.path))?;
        let moving = Record { base_commit: theirs.clone(), moving_to: Some(commit), ..record };
        record::write(&admin, &moving)?;
        self.finish_moving(&at.path, moving).await?;
        Ok(Refreshed::Merged(Worktree { base_commit: theirs, ..at.clone() }))
    }

    /// Brings the files to where a refresh was taking them. Nothing was uncommitted then, so nothing is lost.
    pub(super) async fn finish_moving(&self, path: &Path, record: Record) -> Result<Record, WorkspaceError> {
        let Some(commit) = &record.moving_to else { return Ok(record) };
        let note = Intent::locks(self.locks(path, &record.branch)).write(&self.repo)?;
        let call = self.repo.git.at(path, &["reset", "--quiet", "--hard", commit]);
        call.timeout(self.options.commit_timeout).by(&self.repo.author).run().await?;
        note.done();
        let record = Record { moving_to: None, ..record };
        record::write(&self.admin(path), &record)?;
        Ok(record)
    }

    pub(super) fn git(&self, at: &Worktree, arguments: &[&str]) -> Call {
        self.repo.git.at(&at.path, arguments)
    }

    /// Writes everything that is not ignored as a tree, by an index of its own: the worktree's index stays.
    pub(super) async fn tree(&self, at: &Worktree) -> Result<String, WorkspaceError> {
        let index = Scratch::index(&self.admin(&at.path))?;
        self.git(at, &["add", "--all"]).env("GIT_INDEX_FILE", &index.path).run().await?;
        Ok(self.git(at, &["write-tree"]).env("GIT_INDEX_FILE", &index.path).line().await?)
    }

    async fn changes(&self, base: &str, tree: &str) -> Result<Vec<FileChange>, GitError> {
        let call = self.repo.call(&["diff-tree", "-r", "--numstat", "-z", "--no-renames", base, tree]);
        let answer = call.run().await?;
        let text = answer.text();
        let entries = text.split('\0').filter(|entry| !entry.is_empty());
        entries.map(|entry| numstat(entry).ok_or_else(|| answer.unreadable())).collect()
    }

    fn refuse_protected(&self, files: &[FileChange]) -> Result<(), WorkspaceError> {
        let rule = |file: &FileChange| {
            Some((file.path.clone(), self.options.protected.pattern_of(&file.path)?.to_owned()))
        };
        match files.iter().find_map(rule) {
            Some((path, pattern)) => Err(WorkspaceError::Protected { path, pattern }),
            None => Ok(()),
        }
    }

    async fn refuse_uncommitted(&self, at: &Worktree) -> Result<(), WorkspaceError> {
        let status = self.git(at, &["status", "--porcelain", "-z", "--no-renames"]).run().await?;
        match status.stdout.split(|&byte| byte == 0).filter(|entry| !entry.is_empty()).count() {
            0 => Ok(()),
            files => Err(WorkspaceError::Uncommitted { files }),
        }
    }

    async fn commit_staged(&self, at: &Worktree, text: &str) -> Result<String, WorkspaceError> {
        let call = self.git(at, &["commit", "--quiet", "--cleanup=whitespace", "--file=-"]);
        let call = call
            .by(&self.repo.author)
            .input(text)
            .with_hooks(&self.options.pass_env)
            .timeout(self.options.commit_timeout);
        let answer = call.answer().await?;
        // git itself fails with 128; with 1 it passes on what a hook said.
        if answer.exit == Exit::Code(1) {
            let output = format!("{}\n{}", answer.text().trim(), answer.stderr).trim().to_owned();
            return Err(WorkspaceError::CommitRefused { output });
        }
        answer.success()?;
        Ok(self.git(at, &["rev-parse", "HEAD"]).line().await?)
    }

    /// Returns the last commit when it is the one that is asked for: the crash was between it and its record.
    async fn already_made(&self, at: &Worktree, text: &str) -> Result<Option<String>, GitError> {
        let last = self.git(at, &["log", "-1", "--no-show-signature", "--format=%H%n%B"]).run().await?.text();
        let (commit, message) = last.split_once('\n').unwrap_or_default();
        Ok((commit != at.base_commit && message.trim() == text.trim()).then(|| commit.to_owned()))
    }
}

impl CommitMessage {
    /// Writes the message as git keeps it, with the author's own trailer at the end.
    pub(super) fn render(&self, author: &Identity) -> String {
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let trailers = self.trailers.iter().cloned().chain(author.co_author());
        let trailers: Vec<String> =
            trailers.map(|(key, value)| format!("{key}: {}", one_line(&value))).collect();
        let subject = match one_line(&self.subject) {
            empty if empty.is_empty() => "Change files".to_owned(),
            subject => subject,
        };
        let parts = [subject, self.body.trim().to_owned(), trailers.join("\n")];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        format!("{}\n", parts.join("\n\n"))
    }
}

/// A copy of the index, which keeps what git knows of unchanged files, so that only changed ones are read.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    const NAME: &str = "glitchlab-index-";

    fn index(admin: &Path) -> Result<Self, WorkspaceError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = admin.join(format!("{}{}-{n}", Self::NAME, std::process::id()));
        fs::copy(admin.join("index"), &path)
            .map_err(|source| contain::failed("copy", &admin.join("index"), source))?;
        Ok(Self { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays after a kill is swept, or goes with the worktree.
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes the copies of an index that a killed engine left, and git's locks of them: the next engine may have the same
/// process id, as in a container, and would make copies of the same names.
pub(super) fn sweep_copies(admin: &Path) {
    let copies = fs::read_dir(admin).into_iter().flatten().flatten();
    for copy in copies.filter(|copy| copy.file_name().to_string_lossy().starts_with(Scratch::NAME)) {
        let _may_go_with_the_worktree = fs::remove_file(copy.path());
    }
}

/// Reads `added<tab>removed<tab>path`, with dashes for a binary file.
fn numstat(entry: &str) -> Option<FileChange> {
    let mut fields = entry.splitn(3, '\t');
    let mut count = || Some(fields.next()?.parse().unwrap_or(0));
    let (added, removed) = (count()?, count()?);
    Some(FileChange { path: fields.next()?.to_owned(), added, removed })
}

fn not_recorded(path: &Path) -> WorkspaceError {
    WorkspaceError::NotOurs { path: path.to_owned(), why: "its record is gone".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_trailers_in_one_block_at_the_end() {
        let author: Identity = "Ada <ada@example.org>".parse().unwrap();
        let message = CommitMessage {
            subject: "Add a\nthing".into(),
            body: "Because.\n".into(),
            trailers: vec![("Glitchlab-Task".into(), "gl-1 g1".into())],
        };
        let expected = "Add a thing\n\nBecause.\n\nGlitchlab-Task: gl-1 g1\n\
                        Co-authored-by: GLITCHLAB <glitchlab@localhost>\n";
        assert_eq!(message.render(&author), expected);
    }

    #[test]
    fn numbers_of_lines_are_read_and_binary_files_have_none() {
        let change = |path: &str, added, removed| Some(FileChange { path: path.into(), added, removed });
        assert_eq!(numstat("3\t1\tsrc/a b.rs"), change("src/a b.rs", 3, 1));
        assert_eq!(numstat("-\t-\tlogo.png"), change("logo.png", 0, 0));
        assert_eq!(numstat("nonsense"), None);
    }
}

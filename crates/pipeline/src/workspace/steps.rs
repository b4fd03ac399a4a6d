//! What a program changed that works in the worktree itself, instead of saying what to change.
//!
//! The worktree before a step and after it is kept as a tree of git, so nothing of it is lost: bytes, modes and links.
//! Both are commits of one ref beside the branch, each on top of the last, so that no upkeep takes away what the log
//! still names. What such a program did to branch, index or HEAD is put back: only the engine makes history.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::git::{GitWorkspace, blocking};
use super::{Snapshot, WorkspaceError, Worktree, contain, name};
use crate::git::intent::Intent;
use crate::process::redact::Redactor;

/// The most bytes that a step may leave behind.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// What a program that was ended in the middle of a git command leaves.
const LOCKS: [&str; 2] = ["index.lock", "HEAD.lock"];
/// Made anew each time: one that a program has had its hands on can hide changes from git.
const INDEX: &str = "index";

/// One state of the worktree in the chain of a ref.
struct Kept {
    commit: String,
    tree: String,
    subject: String,
    parents: Vec<String>,
}

impl Kept {
    /// The commit that was checked out, always the last parent.
    fn head(&self) -> &str {
        self.parents.last().map_or("", String::as_str)
    }
}

fn before(n: u32, at: &Worktree) -> String {
    format!("before step {n} on {}", at.base_commit)
}

fn after(n: u32, at: &Worktree) -> String {
    format!("after step {n} on {}", at.base_commit)
}

impl GitWorkspace {
    /// Remembers how the worktree stands before a step. One that was cut off in the step is brought back first.
    pub(super) async fn mark_step(
        &self,
        at: &Worktree,
        attempt_id: &str,
        n: u32,
    ) -> Result<(), WorkspaceError> {
        if let Some(kept) = self.kept_before(at, attempt_id, n).await? {
            self.put_back_history(at, kept.head()).await?;
            self.update_ref(&name::steps_ref(attempt_id), &kept.commit).await?;
            return self.overwrite(at, &kept.tree).await;
        }
        let head = self.git(at, &["rev-parse", "HEAD"]).line().await?;
        let tree = self.tree(at).await?;
        self.keep(attempt_id, &tree, &head, &before(n, at)).await
    }

    /// Takes what a step changed, after everything that worked in the worktree is gone.
    pub(super) async fn take_step(
        &self,
        at: &Worktree,
        attempt_id: &str,
        n: u32,
        secrets: &Redactor,
    ) -> Result<Snapshot, WorkspaceError> {
        let kept = self.kept_before(at, attempt_id, n).await?;
        let kept = kept.ok_or_else(|| WorkspaceError::NotOurs {
            path: at.path.clone(),
            why: "what it was before the step is not known any more".to_owned(),
        })?;
        self.put_back_history(at, kept.head()).await?;
        self.refuse_secrets_and_bulk(at, secrets).await?;
        let tree = self.tree(at).await?;
        let touched = self.touched(&kept.tree, &tree).await?;
        self.keep(attempt_id, &tree, kept.head(), &after(n, at)).await?;
        Ok(Snapshot { tree, touched })
    }

    /// Brings the files to a state that was taken.
    pub(super) async fn restore_tree(&self, at: &Worktree, tree: &str) -> Result<(), WorkspaceError> {
        if self.tree(at).await? == tree { Ok(()) } else { self.overwrite(at, tree).await }
    }

    /// Finds how the worktree stood before the step: the last that is kept, or the one before its result.
    async fn kept_before(
        &self,
        at: &Worktree,
        attempt_id: &str,
        n: u32,
    ) -> Result<Option<Kept>, WorkspaceError> {
        let full = name::steps_ref(attempt_id);
        if self.repo.call(&["for-each-ref", "--format=%(objectname)", &full]).line().await?.is_empty() {
            return Ok(None);
        }
        let format = "--format=%H%x00%T%x00%P%x00%s";
        let log = self.repo.call(&["log", "-2", "--first-parent", "--no-show-signature", format, &full]);
        let text = log.run().await?.text();
        let mut found = text.lines().filter_map(kept);
        Ok(found.find(|kept| kept.subject == before(n, at)))
    }

    async fn keep(
        &self,
        attempt_id: &str,
        tree: &str,
        head: &str,
        subject: &str,
    ) -> Result<(), WorkspaceError> {
        let full = name::steps_ref(attempt_id);
        let last = self.repo.call(&["for-each-ref", "--format=%(objectname)", &full]).line().await?;
        let mut call = self.repo.call(&["commit-tree", tree, "-m", subject]);
        for parent in [last.as_str(), head].into_iter().filter(|parent| !parent.is_empty()) {
            call = call.arg("-p").arg(parent);
        }
        let commit = call.by(&self.repo.author).line().await?;
        self.update_ref(&full, &commit).await
    }

    async fn update_ref(&self, full: &str, commit: &str) -> Result<(), WorkspaceError> {
        let lock = self.repo.common_dir.join(format!("{full}.lock"));
        let note = Intent::locks(vec![lock]).write(&self.repo)?;
        self.repo.call(&["update-ref", full, commit]).by(&self.repo.author).run().await?;
        note.done();
        Ok(())
    }

    /// Puts branch, HEAD and index to where they were; the files stay as they are.
    async fn put_back_history(&self, at: &Worktree, head: &str) -> Result<(), WorkspaceError> {
        let admin = self.admin(&at.path);
        for left in LOCKS.into_iter().chain([INDEX]) {
            remove_if_there(&admin.join(left))?;
        }
        let branch = format!("refs/heads/{}", at.branch);
        let note = Intent::locks(self.locks(&at.path, &at.branch)).write(&self.repo)?;
        self.git(at, &["symbolic-ref", "HEAD", &branch]).run().await?;
        let reset = self.git(at, &["reset", "--quiet", "--mixed", head]);
        reset.timeout(self.options.commit_timeout).by(&self.repo.author).run().await?;
        note.done();
        Ok(())
    }

    /// Makes the files those of a tree, whatever is there; what git ignores stays.
    async fn overwrite(&self, at: &Worktree, tree: &str) -> Result<(), WorkspaceError> {
        let note = Intent::locks(self.locks(&at.path, &at.branch)).write(&self.repo)?;
        let time = self.options.commit_timeout;
        self.git(at, &["read-tree", "--reset", "-u", tree]).timeout(time).run().await?;
        self.git(at, &["clean", "-ffdq"]).timeout(time).run().await?;
        note.done();
        Ok(())
    }

    async fn touched(&self, from: &str, to: &str) -> Result<BTreeMap<String, bool>, WorkspaceError> {
        let call = self.repo.call(&["diff-tree", "-r", "--raw", "-z", "--no-renames", from, to]);
        let answer = call.run().await?;
        let text = answer.text();
        let mut parts = text.split('\0').filter(|part| !part.is_empty());
        let mut touched = BTreeMap::new();
        while let Some(facts) = parts.next() {
            let path = parts.next().ok_or_else(|| answer.unreadable())?;
            touched.insert(path.to_owned(), change(facts, path).ok_or_else(|| answer.unreadable())??);
        }
        Ok(touched)
    }

    /// Looks at what is new before git takes it in, where nothing would ever take it out again.
    async fn refuse_secrets_and_bulk(&self, at: &Worktree, secrets: &Redactor) -> Result<(), WorkspaceError> {
        let list = ["ls-files", "--others", "--modified", "--exclude-standard", "-z"];
        let answer = self.git(at, &list).run().await?;
        let paths: Vec<String> =
            answer.text().split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
        let (top, secrets) = (at.path.clone(), secrets.clone());
        blocking(move || look_at(&top, &paths, &secrets)).await
    }
}

fn kept(line: &str) -> Option<Kept> {
    let mut fields = line.split('\0');
    let mut next = || fields.next().map(str::to_owned);
    let (commit, tree, parents, subject) = (next()?, next()?, next()?, next()?);
    let parents = parents.split(' ').map(str::to_owned).collect();
    Some(Kept { commit, tree, subject, parents })
}

/// Reads `:<mode> <mode> <object> <object> <status>`: whether the file is gone. A repository inside would be taken as a
/// link to a commit that nobody has.
fn change(facts: &str, path: &str) -> Option<Result<bool, WorkspaceError>> {
    let mut fields = facts.trim_start_matches(':').split(' ');
    let (old, new, status) = (fields.next()?, fields.next()?, fields.next_back()?);
    if new == "160000" && old != "160000" {
        return Some(Err(WorkspaceError::Nested { path: path.to_owned() }));
    }
    Some(Ok(status.starts_with('D')))
}

fn look_at(top: &Path, paths: &[String], secrets: &Redactor) -> Result<(), WorkspaceError> {
    let mut bytes = 0_u64;
    for path in paths {
        let file = top.join(path);
        // What is gone, a directory or a link has no bytes of its own to speak of.
        let Ok(metadata) = file.symlink_metadata() else { continue };
        if !metadata.is_file() {
            continue;
        }
        bytes = bytes.saturating_add(metadata.len());
        if bytes > MOST_BYTES {
            return Err(WorkspaceError::TooMuch { path: path.clone(), limit_bytes: MOST_BYTES });
        }
        let content = fs::read(&file).map_err(|source| contain::failed("read", &file, source))?;
        if secrets.finds(&content) {
            return Err(WorkspaceError::Secret { path: path.clone() });
        }
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> Result<(), WorkspaceError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(contain::failed("remove", path, error)),
        _ => Ok(()),
    }
}

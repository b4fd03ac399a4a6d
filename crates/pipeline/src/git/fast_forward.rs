//! Moving a branch that the user has checked out, with his files, and without touching his changes.

use std::collections::HashSet;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::call::{Answer, Call};
use super::intent::Intent;
use super::{GitError, GitRepo, Identity};

/// A checkout and the commits it moves between.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FastForward {
    pub(crate) checkout: PathBuf,
    pub(crate) branch: String,
    pub(crate) old: String,
    pub(crate) new: String,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Moved {
    /// The branch and the files are at the new commit.
    Done,
    /// The user changed these files too; nothing was done.
    Overlap(Vec<String>),
    /// The branch went elsewhere in the meantime.
    Elsewhere(String),
    /// The user is in the middle of something.
    Busy(String),
}

impl FastForward {
    /// Lets git move the branch from inside the checkout. git looks at all files before it touches one.
    pub(crate) async fn make(&self, repo: &GitRepo, by: &Identity) -> Result<Moved, GitError> {
        let git_dir = self.git_dir(repo).await?;
        if let Some(why) = busy(&git_dir) {
            return Ok(Moved::Busy(why));
        }
        let overlap = self.overlap(repo).await?;
        if !overlap.is_empty() {
            return Ok(Moved::Overlap(overlap));
        }
        let intent = Intent { fast_forward: Some(self.clone()), ..Intent::locks(self.locks(repo, &git_dir)) };
        let note = intent.write(repo)?;
        let told = self.merge(repo, by).await;
        // A hook of the user's may fail or hang after the branch has moved, so the branch is what counts.
        let now = repo.branch_commit(&self.branch).await?.unwrap_or_default();
        if told.is_ok() {
            note.done();
        }
        match (now, told) {
            (now, _) if now == self.new => Ok(Moved::Done),
            (_, Err(error)) => Err(error),
            (now, Ok(answer)) if now == self.old => Ok(Moved::Busy(answer.stderr)),
            (now, Ok(_)) => Ok(Moved::Elsewhere(now)),
        }
    }

    /// Runs the command. The user's files stay: no stash of his changes, no ignored file of his overwritten.
    async fn merge(&self, repo: &GitRepo, by: &Identity) -> Result<Answer, GitError> {
        let options =
            ["--quiet", "--ff-only", "--no-autostash", "--no-overwrite-ignore", "--no-verify-signatures"];
        let call = repo.git.at(&self.checkout, &["merge"]).by(by).with_hooks(&[]);
        options.iter().fold(call, |call, option| call.arg(*option)).arg(&self.new).answer().await
    }

    fn locks(&self, repo: &GitRepo, git_dir: &Path) -> Vec<PathBuf> {
        let branch = repo.common_dir.join("refs/heads").join(format!("{}.lock", self.branch));
        vec![git_dir.join("index.lock"), git_dir.join("HEAD.lock"), git_dir.join("ORIG_HEAD.lock"), branch]
    }

    async fn git_dir(&self, repo: &GitRepo) -> Result<PathBuf, GitError> {
        Ok(repo.git.at(&self.checkout, &["rev-parse", "--absolute-git-dir"]).line().await?.into())
    }

    /// Finds the files that both the user and the merge change.
    async fn overlap(&self, repo: &GitRepo) -> Result<Vec<String>, GitError> {
        let status = ["status", "--porcelain", "-z", "--no-renames", "--untracked-files=all"];
        let status = repo.git.at(&self.checkout, &status).run().await?;
        let changed_here: HashSet<&str> = status.fields().filter_map(|entry| entry.get(3..)).collect();
        let changes = self.changes(repo).await?;
        let overlaps = |change: &&Change| {
            // A file that is ignored here and added there does not show as changed.
            let in_the_way =
                change.old.is_none() && self.checkout.join(&change.path).symlink_metadata().is_ok();
            changed_here.contains(change.path.as_str()) || in_the_way
        };
        Ok(changes.iter().filter(overlaps).map(|change| change.path.clone()).collect())
    }

    /// Sets back what a killed `make` left half done, so that the checkout is at the old commit again.
    ///
    /// git writes the files, then the index, then the branch. A file is set back when it holds what one of the two
    /// commits has, or the beginning of it; anything else is the user's, who went on since. Returns what was set back.
    pub(crate) async fn set_back(&self, repo: &GitRepo) -> Result<Vec<String>, GitError> {
        if !self.is_at_old(repo).await? {
            return Ok(Vec::new());
        }
        let mut ours = Vec::new();
        for change in self.changes(repo).await? {
            if self.is_torn(repo, &change).await? {
                ours.push(change);
            }
        }
        self.restore(repo, &ours).await?;
        Ok(ours.into_iter().map(|change| change.path).collect())
    }

    /// Says whether the checkout still shows the branch at the old commit.
    async fn is_at_old(&self, repo: &GitRepo) -> Result<bool, GitError> {
        if !self.checkout.is_dir() {
            return Ok(false);
        }
        let head = repo.git.at(&self.checkout, &["symbolic-ref", "--quiet", "HEAD"]).answer().await?;
        let on_branch = head.text().trim_end().strip_prefix("refs/heads/") == Some(self.branch.as_str());
        Ok(on_branch && repo.branch_commit(&self.branch).await?.as_deref() == Some(self.old.as_str()))
    }

    async fn restore(&self, repo: &GitRepo, ours: &[Change]) -> Result<(), GitError> {
        let (kept, added): (Vec<&Change>, Vec<&Change>) =
            ours.iter().partition(|change| change.old.is_some());
        if !added.is_empty() {
            let forget = ["rm", "--cached", "--quiet", "--ignore-unmatch", "--force"];
            self.on_paths(repo, &forget, &added).run().await?;
            added.iter().for_each(|change| remove_with_directories(&self.checkout, &change.path));
        }
        if !kept.is_empty() {
            let source = format!("--source={}", self.old);
            self.on_paths(repo, &["restore", "--staged", "--worktree", &source], &kept).run().await?;
        }
        Ok(())
    }

    /// Prepares a call on these very paths, given as input because there can be more than arguments may be long.
    fn on_paths(&self, repo: &GitRepo, arguments: &[&str], changes: &[&Change]) -> Call {
        let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
        let call =
            repo.git.at(&self.checkout, arguments).arg("--pathspec-from-file=-").arg("--pathspec-file-nul");
        call.env("GIT_LITERAL_PATHSPECS", "1").input(paths.join("\0"))
    }

    /// Says whether the file is not what the old commit has, and is what an interrupted git leaves.
    async fn is_torn(&self, repo: &GitRepo, change: &Change) -> Result<bool, GitError> {
        let here = read(&self.checkout.join(&change.path));
        if here == self.content(repo, change, change.old.as_deref()).await? {
            // Perhaps only its mode changed, which does no harm to set back.
            return Ok(change.old == change.new);
        }
        let new = self.content(repo, change, change.new.as_deref()).await?;
        Ok(match (here, new) {
            (Some(here), Some(new)) => new.starts_with(&here),
            // Removed by the merge, or to be written anew when it was cut off.
            (None, _) => true,
            (Some(_), None) => false,
        })
    }

    /// Returns what git would write for a blob, line ends and filters included.
    async fn content(
        &self,
        repo: &GitRepo,
        change: &Change,
        id: Option<&str>,
    ) -> Result<Option<Vec<u8>>, GitError> {
        let Some(id) = id else { return Ok(None) };
        let call = repo.git.at(&self.checkout, &["cat-file", "--filters"]);
        let answer = call.arg(format!("--path={}", change.path)).arg(id).run().await?;
        Ok(Some(answer.stdout))
    }

    async fn changes(&self, repo: &GitRepo) -> Result<Vec<Change>, GitError> {
        let call = ["diff-tree", "-r", "-z", "--no-renames", "--no-abbrev", &self.old, &self.new];
        let answer = repo.call(&call).run().await?;
        let fields: Vec<&str> = answer.fields().collect();
        // A submodule is only a number here; git moves no file for it.
        let files = fields.chunks(2).filter(|pair| !pair[0].contains(SUBMODULE));
        files.map(|pair| Change::parse(pair).ok_or_else(|| answer.unreadable())).collect()
    }
}

/// The mode of a submodule.
const SUBMODULE: &str = "160000";

/// One file that the merge changes, with the blobs before and after.
#[derive(Debug)]
struct Change {
    path: String,
    old: Option<String>,
    new: Option<String>,
}

impl Change {
    /// Reads `:<old mode> <new mode> <old id> <new id> <letter>` and the path.
    fn parse(pair: &[&str]) -> Option<Self> {
        let [about, path] = pair else { return None };
        let mut words = about.split(' ').skip(2);
        let blob = |id: &str| id.bytes().any(|byte| byte != b'0').then(|| id.to_owned());
        Some(Self { path: (*path).to_owned(), old: blob(words.next()?), new: blob(words.next()?) })
    }
}

/// Says what the user is in the middle of.
fn busy(git_dir: &Path) -> Option<String> {
    let signs = [
        ("index.lock", "another git command is running there"),
        ("MERGE_HEAD", "a merge waits to be committed"),
        ("CHERRY_PICK_HEAD", "a cherry-pick waits to be committed"),
        ("REVERT_HEAD", "a revert waits to be committed"),
    ];
    signs.iter().find(|(file, _)| git_dir.join(file).exists()).map(|(_, why)| (*why).to_owned())
}

/// Reads what a blob would hold: a file's bytes, or where a symbolic link leads.
fn read(path: &Path) -> Option<Vec<u8>> {
    if path.symlink_metadata().ok()?.is_symlink() {
        return Some(fs::read_link(path).ok()?.into_os_string().into_vec());
    }
    fs::read(path).ok()
}

/// Removes a file and the directories that are empty without it.
fn remove_with_directories(top: &Path, path: &str) {
    let file = top.join(path);
    // What is not there, and a directory that is not empty, stay as they are.
    let _ = fs::remove_file(&file);
    for directory in file.ancestors().skip(1).take_while(|directory| *directory != top) {
        if fs::remove_dir(directory).is_err() {
            return;
        }
    }
}

//! The checkouts of a repository: the user's, and the worktrees.

use std::fs;
use std::path::{Path, PathBuf};

use super::{GitError, GitRepo};

/// One place where files of the repository are checked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// Its directory.
    pub path: PathBuf,
    /// The branch that is checked out; `None` when it is none.
    pub branch: Option<String>,
}

impl Checkout {
    /// Says whether the branch is checked out here, and the directory is there.
    #[must_use]
    pub fn shows(&self, branch: &str) -> bool {
        self.branch.as_deref() == Some(branch) && self.path.is_dir()
    }
}

/// Lists them, the user's main checkout first.
///
/// # Errors
///
/// Fails when git does.
pub async fn list(repo: &GitRepo) -> Result<Vec<Checkout>, GitError> {
    let answer = repo.call(&["worktree", "list", "--porcelain", "-z"]).run().await?;
    let mut checkouts: Vec<Checkout> = Vec::new();
    for field in answer.fields() {
        let (key, value) = field.split_once(' ').unwrap_or((field, ""));
        match (key, checkouts.last_mut()) {
            ("worktree", _) => checkouts.push(Checkout { path: value.into(), branch: None }),
            ("branch", Some(last)) => last.branch = value.strip_prefix("refs/heads/").map(str::to_owned),
            // The entry of a bare repository has no files.
            ("bare", Some(_)) => drop(checkouts.pop()),
            _ => {}
        }
    }
    Ok(checkouts)
}

/// Says whether somewhere a rebase of this branch waits to be continued, which ends by moving the branch.
#[must_use]
pub fn is_being_rebased(repo: &GitRepo, branch: &str) -> bool {
    let linked = fs::read_dir(repo.common_dir.join("worktrees")).into_iter().flatten().flatten();
    let mut git_dirs = linked.map(|entry| entry.path()).chain([repo.common_dir.clone()]);
    let full = format!("refs/heads/{branch}");
    let names = |git_dir: &Path, kind: &str| {
        fs::read_to_string(git_dir.join(kind).join("head-name")).is_ok_and(|name| name.trim() == full)
    };
    git_dirs.any(|dir| names(&dir, "rebase-merge") || names(&dir, "rebase-apply"))
}

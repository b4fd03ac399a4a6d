//! The user's repository, checked once before any work begins.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::call::Call;
use super::repo_error::OLDEST_GIT;
use super::{Git, GitError, Identity, RepoError};
use crate::process::Environment;

/// What the configuration says about the repository.
#[derive(Clone, Debug)]
pub struct RepoOptions {
    /// The branch that work starts from and goes to; `None` for the remote's default or the current branch.
    pub base: Option<String>,
    /// The author of commits, as `Name <mail>`; `None` for the repository's own user.
    pub author: Option<String>,
    /// The engine's environment.
    pub environment: Environment,
    /// When a git call is ended.
    pub git_timeout: Duration,
}

impl RepoOptions {
    /// Takes everything from the repository.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        Self { base: None, author: None, environment, git_timeout: Duration::from_secs(120) }
    }
}

/// A repository that work can be done on.
#[derive(Clone, Debug)]
pub struct GitRepo {
    /// The git command for it.
    pub git: Git,
    /// The directory with the objects and refs, shared by all worktrees.
    pub common_dir: PathBuf,
    /// The user's checkout; `None` in a bare repository.
    pub checkout: Option<PathBuf>,
    /// The branch that work starts from and goes to.
    pub base: String,
    /// Where the base was when the repository was opened.
    pub base_commit: String,
    /// Who makes the commits.
    pub author: Identity,
    /// Whether the history is cut off, so that old commits cannot be found.
    pub shallow: bool,
    /// Files in the user's checkout that differ from its last commit: what tasks will not see.
    pub dirty_files: usize,
}

impl GitRepo {
    /// Opens the repository that `path` is in and checks that work can be done on it.
    ///
    /// # Errors
    ///
    /// Fails with the first thing that is missing, and how to mend it.
    pub async fn open(path: &Path, options: &RepoOptions) -> Result<Self, RepoError> {
        let git = Git::new(&options.environment, options.git_timeout);
        check_version(&git).await?;
        let place = Place::find(&git, path).await?;
        let base = match &options.base {
            Some(base) => base.clone(),
            None => place.default_base(&git).await?,
        };
        let base_commit = place.base_commit(&git, &base).await?;
        let author = place.author(&git, options.author.as_deref()).await?;
        let dirty_files = place.dirty_files(&git).await?;
        let Place { common_dir, checkout, shallow, .. } = place;
        Ok(Self { git, common_dir, checkout, base, base_commit, author, shallow, dirty_files })
    }

    /// Says whether there is no checkout of the user's.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.checkout.is_none()
    }

    /// Prepares a call about objects and refs, which needs no checkout.
    pub fn call(&self, arguments: &[&str]) -> Call {
        self.git.at(&self.common_dir, arguments).env("GIT_DIR", &self.common_dir)
    }

    /// Returns the commit of a branch, if there is such a branch.
    ///
    /// # Errors
    ///
    /// Fails when git does.
    pub async fn branch_commit(&self, branch: &str) -> Result<Option<String>, GitError> {
        let full = format!("refs/heads/{branch}");
        ref_commit(self.call(&["for-each-ref", "--format=%(objectname) %(refname)", &full]), &full).await
    }

    /// Says whether everything of `older` is in `newer`.
    ///
    /// # Errors
    ///
    /// Fails when git does, also when one of them is unknown.
    pub async fn is_ancestor(&self, older: &str, newer: &str) -> Result<bool, GitError> {
        let answer = self.call(&["merge-base", "--is-ancestor", older, newer]).answer().await?;
        match answer.exit {
            crate::process::Exit::Code(0) => Ok(true),
            crate::process::Exit::Code(1) => Ok(false),
            _ => Err(answer.failure()),
        }
    }

    /// Returns a directory of ours inside the repository, which no checkout shows.
    #[must_use]
    pub fn own_dir(&self) -> PathBuf {
        self.common_dir.join("glitchlab")
    }
}

async fn check_version(git: &Git) -> Result<(), RepoError> {
    let found =
        git.at(Path::new("/"), &["version"]).line().await.map_err(|source| RepoError::NoGit { source })?;
    let numbers =
        found.trim_start_matches("git version ").split('.').map_while(|part| part.parse::<u32>().ok());
    let version: Vec<u32> = numbers.take(2).collect();
    if version.as_slice() < [OLDEST_GIT.0, OLDEST_GIT.1].as_slice() {
        return Err(RepoError::GitTooOld { found });
    }
    Ok(())
}

async fn ref_commit(call: Call, full: &str) -> Result<Option<String>, GitError> {
    let answer = call.run().await?;
    let text = answer.text();
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    Ok(lines.find(|(_, name)| *name == full).map(|(commit, _)| commit.to_owned()))
}

/// Where the repository is, before anything else is known about it.
struct Place {
    path: PathBuf,
    common_dir: PathBuf,
    checkout: Option<PathBuf>,
    shallow: bool,
}

impl Place {
    async fn find(git: &Git, path: &Path) -> Result<Self, RepoError> {
        let not_one = |said: String| RepoError::NotARepository { path: path.to_owned(), said };
        if !path.is_dir() {
            return Err(not_one("there is no such directory".into()));
        }
        let asked = ["rev-parse", "--path-format=absolute", "--git-common-dir", "--is-shallow-repository"];
        let answer = git.at(path, &asked).answer().await?;
        if !answer.exit.is_success() {
            return Err(not_one(answer.stderr));
        }
        let text = answer.text();
        let Some((common_dir, shallow)) = text.trim_end().rsplit_once('\n') else {
            return Err(answer.unreadable().into());
        };
        // Fails where there are no files: in a bare repository, and inside a `.git`.
        let top = git.at(path, &["rev-parse", "--path-format=absolute", "--show-toplevel"]).answer().await?;
        let checkout = top.exit.is_success().then(|| PathBuf::from(top.text().trim_end_matches('\n')));
        Ok(Self {
            path: path.to_owned(),
            common_dir: common_dir.into(),
            checkout,
            shallow: shallow == "true",
        })
    }

    async fn default_base(&self, git: &Git) -> Result<String, RepoError> {
        let format = "--format=%(symref:lstrip=3)";
        let heads =
            git.at(&self.path, &["for-each-ref", format, "refs/remotes/origin/HEAD", "refs/remotes/*/HEAD"]);
        let remote = heads.run().await?.text().lines().find(|line| !line.is_empty()).map(str::to_owned);
        if let Some(base) = remote {
            return Ok(base);
        }
        let head = git.at(&self.path, &["symbolic-ref", "--quiet", "HEAD"]).answer().await?;
        let text = head.text();
        let branch = text.trim_end().strip_prefix("refs/heads/").filter(|_| head.exit.is_success());
        branch.map(str::to_owned).ok_or_else(|| RepoError::NoBranch { path: self.path.clone() })
    }

    async fn base_commit(&self, git: &Git, base: &str) -> Result<String, RepoError> {
        let refs = git.at(
            &self.path,
            &["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/remotes"],
        );
        let text = refs.run().await?.text();
        let refs: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once(' ')).collect();
        if let Some((commit, _)) =
            refs.iter().find(|(_, name)| name.strip_prefix("refs/heads/") == Some(base))
        {
            return Ok((*commit).to_owned());
        }
        if refs.is_empty() {
            return Err(RepoError::NoCommit { path: self.path.clone() });
        }
        Err(self.missing_base(base, &refs))
    }

    fn missing_base(&self, base: &str, refs: &[(&str, &str)]) -> RepoError {
        let remotes = refs.iter().filter_map(|(_, name)| name.strip_prefix("refs/remotes/"));
        for remote_branch in remotes {
            if remote_branch.split_once('/').is_some_and(|(_, name)| name == base) {
                return RepoError::BaseOnlyOnRemote {
                    base: base.to_owned(),
                    remote_branch: remote_branch.to_owned(),
                };
            }
        }
        let branches = refs.iter().filter_map(|(_, name)| name.strip_prefix("refs/heads/"));
        let branches = branches.take(10).map(str::to_owned).collect();
        RepoError::NoBase { base: base.to_owned(), path: self.path.clone(), branches }
    }

    async fn author(&self, git: &Git, configured: Option<&str>) -> Result<Identity, RepoError> {
        if let Some(author) = configured {
            return Ok(author.parse()?);
        }
        let (name, email) = (self.setting(git, "user.name").await?, self.setting(git, "user.email").await?);
        match (name, email) {
            (Some(name), Some(email)) => Ok(Identity::new(&name, &email)?),
            _ => Err(RepoError::NoIdentity { path: self.path.clone() }),
        }
    }

    async fn setting(&self, git: &Git, key: &str) -> Result<Option<String>, GitError> {
        let answer = git.at(&self.path, &["config", "--get", key]).answer().await?;
        Ok(answer
            .exit
            .is_success()
            .then(|| answer.text().trim().to_owned())
            .filter(|value| !value.is_empty()))
    }

    async fn dirty_files(&self, git: &Git) -> Result<usize, GitError> {
        let Some(checkout) = &self.checkout else { return Ok(0) };
        let status = git.at(checkout, &["status", "--porcelain", "-z", "--no-renames"]).run().await?;
        Ok(status.stdout.split(|&byte| byte == 0).filter(|entry| !entry.is_empty()).count())
    }
}

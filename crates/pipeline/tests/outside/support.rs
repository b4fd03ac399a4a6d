//! A repository of its own for each test, and a way to wait for what other processes do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use glitchlab_pipeline::forge::Merge;
use glitchlab_pipeline::forge::local::LocalForge;
use glitchlab_pipeline::git::{GitRepo, RepoError, RepoOptions};
use glitchlab_pipeline::process::Environment;
use glitchlab_pipeline::workspace::git::{GitWorkspace, WorkspaceOptions};
use glitchlab_pipeline::workspace::{CommitMessage, Workspace, Worktree, WorktreeSpec, name};
use tempfile::TempDir;

/// How long another process may take for what a test waits for; never reached when all is well.
const DEADLINE: Duration = Duration::from_secs(30);

/// A directory with a repository, an empty home, and room for worktrees.
pub(crate) struct World {
    pub(crate) repo: PathBuf,
    _dir: Option<TempDir>,
}

impl World {
    /// A repository with one commit on `main`, whose user is set in it alone.
    pub(crate) fn new() -> Self {
        let world = Self::empty();
        world.write("README.md", "one\ntwo\nthree\n");
        world.write(".gitignore", "/ignored/\n");
        world.commit_all("Start");
        world
    }

    /// A repository without a commit.
    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        let world = Self { repo: top.join("repo"), _dir: Some(dir) };
        fs::create_dir_all(top.join("home")).unwrap();
        fs::create_dir_all(&world.repo).unwrap();
        world.git(&["init", "--quiet", "--initial-branch=main"]);
        world.git(&["config", "user.name", "Ada"]);
        world.git(&["config", "user.email", "ada@example.org"]);
        world
    }

    /// The world that another process made in this directory.
    pub(crate) fn at(top: &Path) -> Self {
        Self { repo: top.join("repo"), _dir: None }
    }

    pub(crate) fn top(&self) -> PathBuf {
        self.repo.parent().unwrap().to_owned()
    }

    /// The variables of this process with a home where nobody has an identity.
    pub(crate) fn environment(&self) -> Environment {
        environment(&self.top())
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        self.git_in(&self.repo, arguments)
    }

    pub(crate) fn git_in(&self, directory: &Path, arguments: &[&str]) -> String {
        let (ok, said) = self.try_git(directory, arguments);
        assert!(ok, "git {arguments:?}: {said}");
        said
    }

    pub(crate) fn try_git(&self, directory: &Path, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(directory).env("HOME", self.top().join("home"));
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        let output = command.output().unwrap();
        let said = if output.status.success() { output.stdout } else { output.stderr };
        (output.status.success(), String::from_utf8_lossy(&said).trim_end().to_owned())
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        write(&self.repo.join(path), content);
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.repo.join(path)).unwrap()
    }

    pub(crate) fn commit_all(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub(crate) fn main(&self) -> String {
        self.git(&["rev-parse", "main"])
    }

    pub(crate) fn branches(&self) -> Vec<String> {
        self.git(&["for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads"])
            .lines()
            .map(str::to_owned)
            .collect()
    }

    pub(crate) async fn try_open(&self) -> Result<GitRepo, RepoError> {
        GitRepo::open(&self.repo, &RepoOptions::new(self.environment())).await
    }

    pub(crate) async fn open(&self) -> GitRepo {
        self.try_open().await.unwrap()
    }

    pub(crate) async fn forge(&self) -> LocalForge {
        LocalForge::new(self.open().await)
    }

    pub(crate) async fn workspace(&self) -> GitWorkspace {
        self.workspace_with(|_| {}).await
    }

    pub(crate) async fn workspace_with(&self, change: impl FnOnce(&mut WorkspaceOptions)) -> GitWorkspace {
        let mut options = WorkspaceOptions::new(self.environment());
        options.grace = Duration::from_millis(300);
        change(&mut options);
        GitWorkspace::new(self.open().await, &self.top().join("worktrees"), options).unwrap()
    }

    /// A branch from `main` with one more file, made without touching the checkout.
    pub(crate) async fn branch_with(&self, attempt: &str, path: &str, content: &str) -> String {
        let workspace = self.workspace().await;
        let at = workspace.open(&spec(attempt)).await.unwrap();
        write(&at.path.join(path), content);
        workspace.commit(&at, &message(attempt)).await.unwrap().unwrap();
        at.branch
    }
}

/// The variables of this process with a home in `top` where nobody has an identity.
pub(crate) fn environment(top: &Path) -> Environment {
    Environment::new(std::env::vars_os())
        .with("HOME", top.join("home"))
        .with("GIT_CONFIG_GLOBAL", "/dev/null")
        .with("GIT_CONFIG_NOSYSTEM", "1")
}

pub(crate) fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Makes a file that can be run.
pub(crate) fn script(path: &Path, content: &str) {
    use std::os::unix::fs::PermissionsExt;
    write(path, &format!("#!/bin/sh\n{content}\n"));
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

pub(crate) fn spec(attempt: &str) -> WorktreeSpec {
    WorktreeSpec {
        attempt_id: attempt.to_owned(),
        bead_id: "gl-1".to_owned(),
        branch: name::branch_name("gl-1", attempt),
        base: "main".to_owned(),
        setup: None,
    }
}

pub(crate) fn message(task: &str) -> CommitMessage {
    CommitMessage {
        subject: format!("Do {task}"),
        body: String::new(),
        trailers: vec![("Glitchlab-Attempt".to_owned(), task.to_owned())],
    }
}

pub(crate) fn merge_of(task: &str, branch: &str) -> Merge {
    Merge {
        task_id: task.to_owned(),
        branch: branch.to_owned(),
        base: "main".to_owned(),
        expected_base: None,
        message: format!("Merge {task}"),
        author: "Ada <ada@example.org>".parse().unwrap(),
    }
}

pub(crate) fn file_in(at: &Worktree, path: &str) -> String {
    fs::read_to_string(at.path.join(path)).unwrap()
}

/// Waits for what another process does.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Reads the numbers that processes wrote, one a line.
pub(crate) fn pids(path: &Path) -> Vec<u32> {
    fs::read_to_string(path).unwrap_or_default().lines().filter_map(|line| line.trim().parse().ok()).collect()
}

/// Says whether a process runs; one that only waits to be noticed does not.
pub(crate) fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, fields)| !fields.trim_start().starts_with(['Z', 'X']))
}

/// When a process started, in clock ticks.
pub(crate) fn start_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap()
}

//! The workspace that is a git worktree.
//!
//! Worktrees live under a directory of the engine, never inside the user's checkout, and that directory belongs to one
//! repository. Commits are made with the repository's hooks: they are checks that a person's commit would pass too, so
//! they run, bounded by a time. No other call runs hooks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use super::files::{self, ShrinkBound};
use super::protect::Protected;
use super::{
    CommitMessage, DiffSummary, Hit, Refreshed, Snapshot, TestRun, Workspace, WorkspaceError, Worktree,
    WorktreeSpec, contain,
};
use crate::git::GitRepo;
use crate::process::contained::{self, Cause, Finished};
use crate::process::redact::Redactor;
use crate::process::{ChildWatch, Command, Environment, RunLimits};

/// Bounds and rules of a workspace.
#[derive(Clone, Debug)]
pub struct WorkspaceOptions {
    /// The engine's environment, of which tests get a part.
    pub environment: Environment,
    /// Variables that tests get beside the usual ones.
    pub pass_env: Vec<String>,
    /// Variables that agents get beside the usual ones.
    pub pass_to_agents: Vec<String>,
    /// Paths that no attempt may change.
    pub protected: Protected,
    /// When a whole-file write is taken for a loss.
    pub shrink: ShrinkBound,
    /// How many files a list names.
    pub max_listed: usize,
    /// How large a file may be to be read.
    pub max_read_bytes: u64,
    /// How many lines a search finds.
    pub max_hits: usize,
    /// When a checkout or a commit with its hooks is ended.
    pub commit_timeout: Duration,
    /// When the setup command is ended.
    pub setup_timeout: Duration,
    /// How long processes may take to end by themselves when they are asked to.
    pub grace: Duration,
}

impl WorkspaceOptions {
    /// Takes the usual bounds.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        Self {
            environment,
            pass_env: Vec::new(),
            pass_to_agents: Vec::new(),
            protected: Protected::default(),
            shrink: ShrinkBound { from_bytes: 1024, keep_percent: 50 },
            max_listed: 5_000,
            max_read_bytes: 256 * 1024,
            max_hits: 200,
            commit_timeout: Duration::from_secs(10 * 60),
            setup_timeout: Duration::from_secs(15 * 60),
            grace: Duration::from_secs(5),
        }
    }
}

/// Git worktrees of one repository.
#[derive(Debug)]
pub struct GitWorkspace {
    pub(super) repo: GitRepo,
    pub(super) root: PathBuf,
    pub(super) options: WorkspaceOptions,
    /// Held while worktrees come and go, so that a prune never takes one that is just being made for an orphan.
    pub(super) changing: Mutex<()>,
}

impl GitWorkspace {
    /// Keeps worktrees of `repo` under `root`, which belongs to this repository alone and is made when it is missing.
    ///
    /// # Errors
    ///
    /// Fails when `root` cannot be made, or lies inside the user's checkout.
    pub fn new(repo: GitRepo, root: &Path, options: WorkspaceOptions) -> Result<Self, WorkspaceError> {
        std::fs::create_dir_all(root).map_err(|source| contain::failed("make", root, source))?;
        let root = root.canonicalize().map_err(|source| contain::failed("find", root, source))?;
        if repo.checkout.as_ref().is_some_and(|checkout| root.starts_with(checkout)) {
            return Err(WorkspaceError::InsideCheckout { path: root });
        }
        Ok(Self { repo, root, options, changing: Mutex::default() })
    }

    /// Where files are written before they take their place; on the same file system as the worktrees.
    pub(super) fn scratch(&self) -> PathBuf {
        self.root.join(".scratch")
    }

    /// Checks a path that is to be changed.
    fn changeable(&self, inside: &contain::Inside) -> Result<(), WorkspaceError> {
        // Both names: a link must be no way around a rule, and neither must its target be.
        let pattern = [&inside.given, &inside.relative]
            .into_iter()
            .find_map(|path| self.options.protected.pattern_of(path));
        match pattern {
            Some(pattern) => {
                Err(WorkspaceError::Protected { path: inside.given.clone(), pattern: pattern.to_owned() })
            }
            None => Ok(()),
        }
    }
}

/// Runs file work where it may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, WorkspaceError> + Send + 'static,
) -> Result<T, WorkspaceError> {
    let lost =
        |error: tokio::task::JoinError| contain::failed("finish work on", Path::new("a file"), error.into());
    spawn_blocking(work).await.map_err(lost)?
}

#[async_trait]
impl Workspace for GitWorkspace {
    async fn open(&self, spec: &WorktreeSpec) -> Result<Worktree, WorkspaceError> {
        self.open_worktree(spec).await
    }

    async fn find(&self, attempt_id: &str, bead_id: &str) -> Result<Option<Worktree>, WorkspaceError> {
        self.find_worktree(attempt_id, bead_id).await
    }

    async fn list(&self, at: &Worktree) -> Result<Vec<String>, WorkspaceError> {
        self.check(at)?;
        self.list_files(at).await
    }

    async fn read(&self, at: &Worktree, path: &str) -> Result<String, WorkspaceError> {
        self.check(at)?;
        let file = contain::resolve(&at.path, path)?;
        let limit_bytes = self.options.max_read_bytes;
        blocking(move || files::read_text(&file, limit_bytes)).await
    }

    async fn search(&self, at: &Worktree, pattern: &str) -> Result<Vec<Hit>, WorkspaceError> {
        self.check(at)?;
        self.search_files(at, pattern).await
    }

    async fn check_change(
        &self,
        at: &Worktree,
        path: &str,
        content: Option<&str>,
    ) -> Result<(), WorkspaceError> {
        self.check(at)?;
        let file = contain::resolve(&at.path, path)?;
        self.changeable(&file)?;
        let (bytes, bound) = (content.map(|content| content.len() as u64), self.options.shrink);
        blocking(move || bytes.map_or(Ok(()), |bytes| files::check_write(&file, bytes, bound))).await
    }

    async fn write(&self, at: &Worktree, path: &str, content: &str) -> Result<(), WorkspaceError> {
        self.check(at)?;
        let file = contain::resolve(&at.path, path)?;
        self.changeable(&file)?;
        let (content, bound, scratch) = (content.to_owned(), self.options.shrink, self.scratch());
        blocking(move || files::write_text(&file, &content, Some(bound), &scratch)).await
    }

    async fn remove_file(&self, at: &Worktree, path: &str) -> Result<(), WorkspaceError> {
        self.check(at)?;
        let entry = contain::resolve_entry(&at.path, path)?;
        self.changeable(&entry)?;
        blocking(move || files::remove(&entry)).await
    }

    async fn replace(&self, at: &Worktree, path: &str, old: &str, new: &str) -> Result<(), WorkspaceError> {
        self.check(at)?;
        let file = contain::resolve(&at.path, path)?;
        self.changeable(&file)?;
        let (old, new) = (old.to_owned(), new.to_owned());
        let (limit_bytes, scratch) = (self.options.max_read_bytes, self.scratch());
        blocking(move || {
            let text = files::read_text(&file, limit_bytes)?;
            // Whoever names what goes loses nothing by accident, so there is no bound here.
            files::write_text(&file, &files::replace_once(&file, &text, &old, &new)?, None, &scratch)
        })
        .await
    }

    async fn diff(&self, at: &Worktree) -> Result<DiffSummary, WorkspaceError> {
        self.check(at)?;
        self.summarise(at).await
    }

    async fn commit(&self, at: &Worktree, message: &CommitMessage) -> Result<Option<String>, WorkspaceError> {
        self.check(at)?;
        self.commit_all(at, message).await
    }

    async fn run_tests(
        &self,
        at: &Worktree,
        command: &str,
        limits: &RunLimits,
        watch: &dyn ChildWatch,
    ) -> Result<TestRun, WorkspaceError> {
        self.check(at)?;
        let environment = self.options.environment.for_tests(&self.options.pass_env);
        let command = Command::shell(command, &at.path, environment);
        let run = contained::run(&command, limits, self.options.grace, watch).await?;
        Ok(TestRun {
            passed: run.exit.is_success() && run.cause == Cause::Itself,
            exit: run.exit,
            duration_ms: u64::try_from(run.took.as_millis()).unwrap_or(u64::MAX),
            output: run.output,
            timed_out: run.cause == Cause::Timeout,
        })
    }

    async fn mark(&self, at: &Worktree, attempt_id: &str, n: u32) -> Result<(), WorkspaceError> {
        self.check_connected(at)?;
        self.mark_step(at, attempt_id, n).await
    }

    async fn run_agent(
        &self,
        at: &Worktree,
        command: &[String],
        traceparent: Option<&str>,
        limits: &RunLimits,
        watch: &dyn ChildWatch,
    ) -> Result<Finished, WorkspaceError> {
        self.check(at)?;
        let environment = self.options.environment.for_tests(&self.options.pass_to_agents);
        let environment = match traceparent {
            Some(traceparent) => environment.with("TRACEPARENT", traceparent),
            None => environment,
        };
        let (program, arguments) =
            command.split_first().map_or(("", command), |(program, rest)| (program.as_str(), rest));
        let command = Command::new(program, &at.path, environment).args(arguments);
        Ok(contained::run(&command, limits, self.options.grace, watch).await?)
    }

    async fn fingerprint(&self, at: &Worktree) -> Result<String, WorkspaceError> {
        self.check_connected(at)?;
        self.tree(at).await
    }

    async fn take(
        &self,
        at: &Worktree,
        attempt_id: &str,
        n: u32,
        secrets: &Redactor,
    ) -> Result<Snapshot, WorkspaceError> {
        self.check_connected(at)?;
        self.take_step(at, attempt_id, n, secrets).await
    }

    async fn restore(&self, at: &Worktree, tree: &str) -> Result<(), WorkspaceError> {
        self.check(at)?;
        self.restore_tree(at, tree).await
    }

    async fn checkpoint(&self, at: &Worktree, attempt_id: &str) -> Result<(), WorkspaceError> {
        self.check(at)?;
        self.save_work_in_progress(at, attempt_id).await
    }

    async fn refresh(&self, at: &Worktree, base: &str) -> Result<Refreshed, WorkspaceError> {
        self.check(at)?;
        self.take_in(at, base).await
    }

    async fn close(&self, at: &Worktree, keep: bool) -> Result<(), WorkspaceError> {
        self.close_worktree(at, keep).await
    }
}

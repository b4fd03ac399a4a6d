//! Worktrees of a [`FakeRepo`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::fuse::Fuse;
use super::repo::{Branch, FakeRepo, State, name};
use super::tree::{Files, Tree, check, replace_once};
use crate::process::contained::{Cause, Finished};
use crate::process::redact::Redactor;
use crate::process::{ChildWatch, Exit, RunLimits, Stream};
use crate::run::Changes;
use crate::workspace::{
    CommitMessage, DiffSummary, Hit, Refreshed, Snapshot, TestRun, Workspace, WorkspaceError, Worktree,
    WorktreeSpec,
};

/// What a program of a test does to the files, and how it goes.
type Program = Arc<dyn Fn(&mut Files) -> FakeRun + Send + Sync>;

/// How a program of a test goes.
#[derive(Clone, Debug, Default)]
pub struct FakeRun {
    /// What it prints, at its start.
    pub says: String,
    /// How long it takes.
    pub takes: Duration,
    /// Its exit code.
    pub code: i32,
}

type Verdict = Arc<dyn Fn(&Files) -> bool + Send + Sync>;

/// Worktrees in memory. Clones share them.
#[derive(Clone)]
pub struct FakeWorkspace {
    repo: FakeRepo,
    trees: Arc<Mutex<BTreeMap<PathBuf, Tree>>>,
    fuse: Fuse,
    tests: Verdict,
    tests_take: Duration,
    agent: Program,
    /// How worktrees stood before steps; like refs, these outlive the worktrees.
    marks: Arc<Mutex<BTreeMap<(String, u32), Changes>>>,
}

impl FakeWorkspace {
    /// Makes worktrees of a repository whose tests always pass.
    #[must_use]
    pub fn new(repo: FakeRepo) -> Self {
        let tests: Verdict = Arc::new(|_| true);
        let (fuse, tests_take) = (Fuse::never(), Duration::ZERO);
        let agent: Program = Arc::new(|_| FakeRun::default());
        Self { repo, trees: Arc::default(), fuse, tests, tests_take, agent, marks: Arc::default() }
    }

    /// Lets agents do this.
    #[must_use]
    pub fn with_agent(mut self, does: impl Fn(&mut Files) -> FakeRun + Send + Sync + 'static) -> Self {
        self.agent = Arc::new(does);
        self
    }

    /// Interrupts at the points of `fuse`.
    #[must_use]
    pub fn with_fuse(mut self, fuse: Fuse) -> Self {
        self.fuse = fuse;
        self
    }

    /// Lets the tests take their time, and pass when `verdict` says so of the files.
    #[must_use]
    pub fn with_tests(
        mut self,
        take: Duration,
        verdict: impl Fn(&Files) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.tests = Arc::new(verdict);
        self.tests_take = take;
        self
    }

    /// Names the worktrees that are there.
    #[must_use]
    pub fn worktrees(&self) -> Vec<PathBuf> {
        self.trees.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Loses every worktree, as a person with a broom would.
    pub fn lose_worktrees(&self) {
        self.trees.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Works on a worktree and the repository.
    fn with<T>(
        &self,
        at: &Worktree,
        work: impl FnOnce(&mut Tree, &mut State) -> Result<T, WorkspaceError>,
    ) -> Result<T, WorkspaceError> {
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = || WorkspaceError::NotOurs { path: at.path.clone(), why: "it is gone".to_owned() };
        work(trees.get_mut(&at.path).ok_or_else(gone)?, &mut self.repo.lock())
    }

    async fn passing<T>(
        &self,
        work: impl FnOnce() -> Result<T, WorkspaceError>,
    ) -> Result<T, WorkspaceError> {
        self.fuse.pass().await;
        let result = work();
        self.fuse.pass().await;
        result
    }

    fn open_now(&self, spec: &WorktreeSpec) -> Worktree {
        let path = PathBuf::from("/fake").join(&spec.attempt_id);
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        let created = !trees.contains_key(&path);
        let tree = trees.entry(path.clone()).or_insert_with(|| {
            let state = self.repo.lock();
            let branch = state.branches.get(&spec.branch).cloned();
            let (base, changes) =
                branch.map_or_else(|| (state.commit, BTreeMap::new()), |at| (at.base, at.changes));
            Tree { branch: spec.branch.clone(), base, changes, kept: false }
        });
        Worktree { path, branch: tree.branch.clone(), base_commit: name(tree.base), created }
    }
}

#[async_trait]
impl Workspace for FakeWorkspace {
    async fn open(&self, spec: &WorktreeSpec) -> Result<Worktree, WorkspaceError> {
        self.passing(|| Ok(self.open_now(spec))).await
    }

    async fn find(&self, attempt_id: &str, _: &str) -> Result<Option<Worktree>, WorkspaceError> {
        let path = PathBuf::from("/fake").join(attempt_id);
        let trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(trees.get(&path).map(|tree| Worktree {
            branch: tree.branch.clone(),
            base_commit: name(tree.base),
            path: path.clone(),
            created: false,
        }))
    }

    async fn list(&self, at: &Worktree) -> Result<Vec<String>, WorkspaceError> {
        self.passing(|| self.with(at, |tree, state| Ok(tree.paths(state)))).await
    }

    async fn read(&self, at: &Worktree, path: &str) -> Result<String, WorkspaceError> {
        self.passing(|| self.with(at, |tree, state| tree.read(state, path))).await
    }

    async fn search(&self, at: &Worktree, pattern: &str) -> Result<Vec<Hit>, WorkspaceError> {
        self.with(at, |tree, state| {
            let mut hits = Vec::new();
            for (path, text) in tree.files(state) {
                let found = (1..).zip(text.lines()).filter(|(_, line)| line.contains(pattern));
                hits.extend(found.map(|(line, text)| Hit {
                    path: path.clone(),
                    line,
                    text: text.to_owned(),
                }));
            }
            Ok(hits)
        })
    }

    async fn check_change(&self, _: &Worktree, path: &str, _: Option<&str>) -> Result<(), WorkspaceError> {
        check(path)
    }

    async fn write(&self, at: &Worktree, path: &str, content: &str) -> Result<(), WorkspaceError> {
        self.passing(|| self.with(at, |tree, _| tree.set(path, Some(content)))).await
    }

    async fn remove_file(&self, at: &Worktree, path: &str) -> Result<(), WorkspaceError> {
        let remove = |tree: &mut Tree, state: &mut State| {
            tree.read(state, path)?;
            tree.set(path, None)
        };
        self.passing(|| self.with(at, remove)).await
    }

    async fn replace(&self, at: &Worktree, path: &str, old: &str, new: &str) -> Result<(), WorkspaceError> {
        let replace = |tree: &mut Tree, state: &mut State| {
            let text = replace_once(path, &tree.read(state, path)?, old, new)?;
            tree.set(path, Some(&text))
        };
        self.passing(|| self.with(at, replace)).await
    }

    async fn diff(&self, at: &Worktree) -> Result<DiffSummary, WorkspaceError> {
        self.passing(|| self.with(at, |tree, state| Ok(tree.diff(state)))).await
    }

    async fn commit(&self, at: &Worktree, message: &CommitMessage) -> Result<Option<String>, WorkspaceError> {
        let text = format!("{message:?}");
        self.passing(|| self.with(at, |tree, state| Ok(tree.commit(state, &text)))).await
    }

    async fn run_tests(
        &self,
        at: &Worktree,
        _: &str,
        _: &RunLimits,
        watch: &dyn ChildWatch,
    ) -> Result<TestRun, WorkspaceError> {
        self.fuse.pass().await;
        let stopped = tokio::time::timeout(self.tests_take, watch.stop_requested()).await.is_ok();
        let files = self.with(at, |tree, state| Ok(tree.files(state)))?;
        // The verdict may change the repository itself, as somebody else does while tests run.
        let passed = !stopped && (self.tests)(&files);
        watch.progress();
        self.fuse.pass().await;
        let exit = Exit::Code(i32::from(!passed));
        let duration_ms = u64::try_from(self.tests_take.as_millis()).unwrap_or(u64::MAX);
        let output = if passed { "all is well" } else { "test failed" };
        Ok(TestRun { passed, exit, duration_ms, output: output.to_owned(), timed_out: false })
    }

    async fn mark(&self, at: &Worktree, attempt_id: &str, n: u32) -> Result<(), WorkspaceError> {
        let key = (attempt_id.to_owned(), n);
        let mark = |tree: &mut Tree, _: &mut State| {
            let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
            tree.changes = marks.entry(key).or_insert_with(|| tree.changes.clone()).clone();
            Ok(())
        };
        self.passing(|| self.with(at, mark)).await
    }

    async fn run_agent(
        &self,
        at: &Worktree,
        _: &[String],
        _: Option<&str>,
        limits: &RunLimits,
        watch: &dyn ChildWatch,
    ) -> Result<Finished, WorkspaceError> {
        self.fuse.pass().await;
        let run = self.with(at, |tree, state| {
            let mut files = tree.files(state);
            let run = (self.agent)(&mut files);
            tree.become_like(state, &files);
            Ok(run)
        })?;
        watch.heard(Stream::Out, run.says.as_bytes());
        let cause = tokio::select! {
            () = watch.stop_requested() => Cause::Stopped,
            () = tokio::time::sleep(run.takes) => Cause::Itself,
            () = tokio::time::sleep(limits.timeout) => Cause::Timeout,
        };
        self.fuse.pass().await;
        let exit = if cause == Cause::Itself { Exit::Code(run.code) } else { Exit::Signal(15) };
        Ok(Finished { exit, cause, took: run.takes, output: run.says, survivors: Vec::new() })
    }

    async fn fingerprint(&self, at: &Worktree) -> Result<String, WorkspaceError> {
        self.with(at, |tree, state| Ok(tree.diff(state).tree))
    }

    async fn take(
        &self,
        at: &Worktree,
        attempt_id: &str,
        n: u32,
        secrets: &Redactor,
    ) -> Result<Snapshot, WorkspaceError> {
        let key = (attempt_id.to_owned(), n);
        let take = |tree: &mut Tree, state: &mut State| {
            let marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
            let before = Tree { changes: marks.get(&key).cloned().unwrap_or_default(), ..tree.clone() };
            let (before, after) = (before.files(state), tree.files(state));
            if let Some((path, _)) = after.iter().find(|(_, text)| secrets.finds(text.as_bytes())) {
                return Err(WorkspaceError::Secret { path: path.clone() });
            }
            let paths =
                before.keys().chain(after.keys()).filter(|path| before.get(*path) != after.get(*path));
            let touched = paths.map(|path| (path.clone(), !after.contains_key(path))).collect();
            Ok(Snapshot { tree: serde_json::to_string(&tree.changes).unwrap_or_default(), touched })
        };
        self.passing(|| self.with(at, take)).await
    }

    async fn restore(&self, at: &Worktree, tree: &str) -> Result<(), WorkspaceError> {
        let changes: Changes = serde_json::from_str(tree).unwrap_or_default();
        let restore = |tree: &mut Tree, _: &mut State| {
            tree.changes = changes;
            Ok(())
        };
        self.passing(|| self.with(at, restore)).await
    }

    async fn checkpoint(&self, at: &Worktree, _: &str) -> Result<(), WorkspaceError> {
        self.with(at, |_, _| Ok(()))
    }

    async fn refresh(&self, at: &Worktree, _: &str) -> Result<Refreshed, WorkspaceError> {
        self.passing(|| self.with(at, |tree, state| tree.refresh(state, at))).await
    }

    async fn close(&self, at: &Worktree, keep: bool) -> Result<(), WorkspaceError> {
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        if keep {
            trees.get_mut(&at.path).iter_mut().for_each(|tree| tree.kept = true);
            return Ok(());
        }
        trees.remove(&at.path);
        let mut state = self.repo.lock();
        let has_all = |branch: &Branch| branch.changes.keys().all(|path| state.has(&branch.changes, path));
        if state.branches.get(&at.branch).is_some_and(has_all) {
            state.branches.remove(&at.branch);
        }
        Ok(())
    }
}

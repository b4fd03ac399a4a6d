//! Worktrees of a [`FakeRepo`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::fuse::Fuse;
use super::repo::{Branch, FakeRepo, State, name};
use crate::process::{ChildWatch, Exit, RunLimits};
use crate::run::Changes;
use crate::step::hex;
use crate::workspace::{
    CommitMessage, DiffSummary, FileChange, Hit, Refreshed, TestRun, Workspace, WorkspaceError, Worktree,
    WorktreeSpec,
};

/// The files of a worktree, for [`FakeWorkspace::with_tests`].
pub type Files = BTreeMap<String, String>;

type Verdict = Arc<dyn Fn(&Files) -> bool + Send + Sync>;

/// What no attempt may change.
const PROTECTED: &[&str] = &[".git", ".github", ".glitchlab", ".beads"];

/// Worktrees in memory. Clones share them.
#[derive(Clone)]
pub struct FakeWorkspace {
    repo: FakeRepo,
    trees: Arc<Mutex<BTreeMap<PathBuf, Tree>>>,
    fuse: Fuse,
    tests: Verdict,
    tests_take: Duration,
}

/// One worktree.
#[derive(Clone)]
struct Tree {
    branch: String,
    base: u64,
    changes: Changes,
    kept: bool,
}

impl FakeWorkspace {
    /// Makes worktrees of a repository whose tests always pass.
    #[must_use]
    pub fn new(repo: FakeRepo) -> Self {
        let tests: Verdict = Arc::new(|_| true);
        Self { repo, trees: Arc::default(), fuse: Fuse::never(), tests, tests_take: Duration::ZERO }
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
            let (base, changes) = branch.map_or((state.commit, Changes::new()), |at| (at.base, at.changes));
            Tree { branch: spec.branch.clone(), base, changes, kept: false }
        });
        Worktree { path, branch: tree.branch.clone(), base_commit: name(tree.base), created }
    }
}

impl Tree {
    fn read(&self, state: &State, path: &str) -> Result<String, WorkspaceError> {
        let missing = || WorkspaceError::NotFound { path: path.to_owned() };
        match self.changes.get(path) {
            Some(text) => text.clone().ok_or_else(missing),
            None => state.at(path, self.base).map(|text| text.to_string()).ok_or_else(missing),
        }
    }

    fn files(&self, state: &State) -> Files {
        let mut paths: Vec<String> = state.paths(self.base).cloned().collect();
        paths.extend(self.changes.keys().cloned());
        paths.into_iter().filter_map(|path| Some((path.clone(), self.read(state, &path).ok()?))).collect()
    }

    fn set(&mut self, path: &str, text: Option<&str>) -> Result<(), WorkspaceError> {
        check(path)?;
        self.changes.insert(path.to_owned(), text.map(str::to_owned));
        Ok(())
    }

    /// Returns the changes that change something.
    fn real(&self, state: &State) -> Changes {
        let differs = |(path, text): &(&String, &Option<String>)| {
            state.at(path, self.base).as_deref() != text.as_deref()
        };
        self.changes.iter().filter(differs).map(|(path, text)| (path.clone(), text.clone())).collect()
    }

    fn commit(&self, state: &mut State, message: &str) -> Option<String> {
        let (changes, base) = (self.real(state), self.base);
        let known = state.branches.get(&self.branch);
        if changes.is_empty() || known.is_some_and(|at| at.changes == changes && at.message != message) {
            return None;
        }
        let branch = Branch { base, changes, message: message.to_owned() };
        let commit = format!("{}-{}", self.branch, hash(&branch.changes));
        state.branches.insert(self.branch.clone(), branch);
        Some(commit)
    }

    fn refresh(&mut self, state: &mut State, at: &Worktree) -> Result<Refreshed, WorkspaceError> {
        let changes = self.real(state);
        let committed = state.branches.get(&self.branch).is_some_and(|branch| branch.changes == changes);
        if !committed && !changes.is_empty() {
            return Err(WorkspaceError::Uncommitted { files: changes.len() });
        }
        if self.base == state.commit {
            return Ok(Refreshed::UpToDate);
        }
        let files = state.overlap(&changes, self.base);
        if !files.is_empty() {
            return Ok(Refreshed::Conflict { files });
        }
        self.base = state.commit;
        if let Some(branch) = state.branches.get_mut(&self.branch) {
            branch.base = self.base;
        }
        Ok(Refreshed::Merged(Worktree { base_commit: name(self.base), ..at.clone() }))
    }

    fn diff(&self, state: &State) -> DiffSummary {
        let changes = self.real(state);
        let change = |(path, text): (&String, &Option<String>)| {
            let lines = |text: &str| text.lines().count() as u64;
            let removed = state.at(path, self.base).map_or(0, |text| lines(&text));
            FileChange { path: path.clone(), added: text.as_deref().map_or(0, lines), removed }
        };
        let files: Vec<FileChange> = changes.iter().map(change).collect();
        let protected = files.iter().filter(|file| rule(&file.path).is_some());
        DiffSummary {
            lines: files.iter().map(|file| file.added + file.removed).sum(),
            patch_bytes: changes.values().flatten().map(|text| text.len() as u64).sum(),
            tree: hash(&changes),
            protected: protected.map(|file| file.path.clone()).collect(),
            files,
        }
    }
}

fn hash(changes: &Changes) -> String {
    hex(&Sha256::digest(format!("{changes:?}"))[..8])
}

fn rule(path: &str) -> Option<&'static str> {
    let top = path.split('/').next().unwrap_or_default();
    PROTECTED.iter().copied().find(|protected| *protected == top)
}

fn check(path: &str) -> Result<(), WorkspaceError> {
    if path.is_empty() || path.starts_with('/') || path.split('/').any(|name| name == "..") {
        return Err(WorkspaceError::Outside { path: path.to_owned() });
    }
    match rule(path) {
        Some(pattern) => {
            Err(WorkspaceError::Protected { path: path.to_owned(), pattern: pattern.to_owned() })
        }
        None => Ok(()),
    }
}

fn replace_once(path: &str, text: &str, old: &str, new: &str) -> Result<String, WorkspaceError> {
    match text.matches(old).count() {
        1 => Ok(text.replacen(old, new, 1)),
        found => Err(WorkspaceError::NotOnce { path: path.to_owned(), found }),
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
        self.passing(|| self.with(at, |tree, state| Ok(tree.files(state).into_keys().collect()))).await
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

//! One worktree of a [`FakeRepo`](super::FakeRepo).

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::repo::{Branch, State, name};
use crate::run::Changes;
use crate::step::hex;
use crate::workspace::{DiffSummary, FileChange, Refreshed, WorkspaceError, Worktree};

/// The files of a worktree, as its tests see them.
pub type Files = BTreeMap<String, String>;

/// What no attempt may change.
const PROTECTED: &[&str] = &[".git", ".github", ".glitchlab", ".beads"];

/// How many files a list names at most.
const LISTED: usize = 200;

/// One worktree.
#[derive(Clone)]
pub(super) struct Tree {
    pub(super) branch: String,
    pub(super) base: u64,
    pub(super) changes: Changes,
    pub(super) kept: bool,
}

impl Tree {
    pub(super) fn read(&self, state: &State, path: &str) -> Result<String, WorkspaceError> {
        let missing = || WorkspaceError::NotFound { path: path.to_owned() };
        match self.changes.get(path) {
            Some(text) => text.clone().ok_or_else(missing),
            None => state.at(path, self.base).map(|text| text.to_string()).ok_or_else(missing),
        }
    }

    /// Names its files in order, the first [`LISTED`] only, as a workspace may.
    pub(super) fn paths(&self, state: &State) -> Vec<String> {
        let unchanged = state.paths(self.base).filter(|path| !self.changes.contains_key(*path));
        let there = self.changes.iter().filter(|(_, text)| text.is_some()).map(|(path, _)| path);
        let mut paths: Vec<String> = unchanged.take(LISTED).chain(there).cloned().collect();
        paths.sort_unstable();
        paths.truncate(LISTED);
        paths
    }

    pub(super) fn files(&self, state: &State) -> Files {
        let mut paths: Vec<String> = state.paths(self.base).cloned().collect();
        paths.extend(self.changes.keys().cloned());
        paths.into_iter().filter_map(|path| Some((path.clone(), self.read(state, &path).ok()?))).collect()
    }

    pub(super) fn set(&mut self, path: &str, text: Option<&str>) -> Result<(), WorkspaceError> {
        check(path)?;
        self.changes.insert(path.to_owned(), text.map(str::to_owned));
        Ok(())
    }

    /// Changes it so that it has exactly these files, as a program does that asks nobody.
    pub(super) fn become_like(&mut self, state: &State, files: &Files) {
        let before = self.files(state);
        for path in before.keys().chain(files.keys()) {
            if before.get(path) != files.get(path) {
                self.changes.insert(path.clone(), files.get(path).cloned());
            }
        }
    }

    /// Returns the changes that change something.
    pub(super) fn real(&self, state: &State) -> Changes {
        let differs = |(path, text): &(&String, &Option<String>)| {
            state.at(path, self.base).as_deref() != text.as_deref()
        };
        self.changes.iter().filter(differs).map(|(path, text)| (path.clone(), text.clone())).collect()
    }

    pub(super) fn commit(&self, state: &mut State, message: &str) -> Option<String> {
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

    pub(super) fn refresh(&mut self, state: &mut State, at: &Worktree) -> Result<Refreshed, WorkspaceError> {
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

    pub(super) fn diff(&self, state: &State) -> DiffSummary {
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

pub(super) fn check(path: &str) -> Result<(), WorkspaceError> {
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

pub(super) fn replace_once(path: &str, text: &str, old: &str, new: &str) -> Result<String, WorkspaceError> {
    match text.matches(old).count() {
        1 => Ok(text.replacen(old, new, 1)),
        found => Err(WorkspaceError::NotOnce { path: path.to_owned(), found }),
    }
}

//! A repository in memory: files by commit, branches, and the trailers on the base.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::run::Changes;

/// A repository in memory. Clones share it.
#[derive(Clone, Default)]
pub struct FakeRepo {
    state: Arc<Mutex<State>>,
}

/// A file's content from a commit on; none from where it is removed.
type Version = (u64, Option<Arc<str>>);

/// The base branch and the branches beside it.
#[derive(Default)]
pub(super) struct State {
    /// The contents of each file on the base.
    files: BTreeMap<String, Vec<Version>>,
    /// The newest commit of the base.
    pub(super) commit: u64,
    /// The commits that carry a trailer.
    pub(super) trailers: BTreeMap<String, u64>,
    pub(super) branches: BTreeMap<String, Branch>,
    /// Opened requests: their branches by their effect keys.
    pub(super) requests: BTreeMap<String, String>,
    /// Every merge that was made: the trailer and the commit.
    merges: Vec<(String, u64)>,
    /// Files with changes of the user's own in the checkout of the base.
    pub(super) dirty: Vec<String>,
}

/// A branch with work.
#[derive(Clone)]
pub(super) struct Branch {
    /// The commit of the base that it has.
    pub(super) base: u64,
    /// All that it changes.
    pub(super) changes: Changes,
    /// The text of its last commit.
    pub(super) message: String,
}

impl FakeRepo {
    /// Makes a repository with these files in its first commit.
    #[must_use]
    pub fn new(files: &[(&str, &str)]) -> Self {
        let repo = Self::default();
        let changes = files.iter().map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned())));
        repo.lock().advance(&changes.collect());
        repo
    }

    /// Commits a file to the base, as somebody else would.
    pub fn push(&self, path: &str, text: &str) {
        let changes = Changes::from([(path.to_owned(), Some(text.to_owned()))]);
        self.lock().advance(&changes);
    }

    /// Gives the user changes of his own in the checkout of the base.
    pub fn make_dirty(&self, path: &str) {
        self.lock().dirty.push(path.to_owned());
    }

    /// Returns a file of the base.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<String> {
        let state = self.lock();
        state.at(path, state.commit).map(|text| text.to_string())
    }

    /// Returns every merge that was made: the trailer's value and the commit.
    #[must_use]
    pub fn merges(&self) -> Vec<(String, String)> {
        self.lock().merges.iter().map(|(task_id, commit)| (task_id.clone(), name(*commit))).collect()
    }

    /// Returns the opened requests: their branches by their effect keys.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<String, String> {
        self.lock().requests.clone()
    }

    /// Returns the branches beside the base.
    #[must_use]
    pub fn branches(&self) -> Vec<String> {
        self.lock().branches.keys().cloned().collect()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns what a commit has of a file.
fn version(versions: &[Version], commit: u64) -> Option<&Arc<str>> {
    versions.iter().rev().find(|(since, _)| *since <= commit)?.1.as_ref()
}

/// Names a commit.
pub(super) fn name(commit: u64) -> String {
    format!("commit-{commit}")
}

impl State {
    /// Returns a file of the base as a commit has it.
    pub(super) fn at(&self, path: &str, commit: u64) -> Option<Arc<str>> {
        version(self.files.get(path)?, commit).cloned()
    }

    /// Names the files of the base at a commit.
    pub(super) fn paths(&self, commit: u64) -> impl Iterator<Item = &String> {
        let is_there = move |versions: &[Version]| version(versions, commit).is_some();
        self.files.iter().filter(move |(_, versions)| is_there(versions)).map(|(path, _)| path)
    }

    /// Names what both the changes and the base since a commit touch, and leave different.
    pub(super) fn overlap(&self, changes: &Changes, since: u64) -> Vec<String> {
        let touched = |path: &&String| {
            let newest = self.files.get(*path).and_then(|versions| versions.last());
            newest.is_some_and(|(commit, _)| *commit > since)
        };
        changes.keys().filter(touched).filter(|path| !self.has(changes, path)).cloned().collect()
    }

    /// Says whether the base has this change already.
    pub(super) fn has(&self, changes: &Changes, path: &str) -> bool {
        changes.get(path).is_none_or(|wanted| self.at(path, self.commit).as_deref() == wanted.as_deref())
    }

    /// Makes the next commit of the base.
    pub(super) fn advance(&mut self, changes: &Changes) -> u64 {
        self.commit += 1;
        for (path, text) in changes {
            let version = (self.commit, text.as_deref().map(Arc::from));
            self.files.entry(path.clone()).or_default().push(version);
        }
        self.commit
    }

    pub(super) fn merge(&mut self, task_id: &str, changes: &Changes) -> u64 {
        let commit = self.advance(changes);
        self.trailers.insert(task_id.to_owned(), commit);
        self.merges.push((task_id.to_owned(), commit));
        commit
    }
}

//! Requests and merges in a [`FakeRepo`].

use async_trait::async_trait;

use super::fuse::Fuse;
use super::repo::{Branch, FakeRepo, State, name};
use crate::forge::{
    Forge, ForgeError, Merge, MergeResult, Merged, OpenRequest, Request, RequestRef, RequestState,
};

/// A forge over a [`FakeRepo`].
#[derive(Clone)]
pub struct FakeForge {
    repo: FakeRepo,
    fuse: Fuse,
}

impl FakeForge {
    /// Serves a repository.
    #[must_use]
    pub fn new(repo: FakeRepo) -> Self {
        Self { repo, fuse: Fuse::never() }
    }

    /// Interrupts at the points of `fuse`.
    #[must_use]
    pub fn with_fuse(mut self, fuse: Fuse) -> Self {
        self.fuse = fuse;
        self
    }

    fn merge_now(&self, merge: &Merge) -> Result<MergeResult, ForgeError> {
        let mut state = self.repo.lock();
        if let Some(commit) = state.trailers.get(&merge.task_id) {
            return Ok(MergeResult::AlreadyMerged { commit: name(*commit) });
        }
        let branch = branch(&state, &merge.branch)?;
        let base_commit = name(state.commit);
        if merge.expected_base.as_ref().is_some_and(|expected| *expected != base_commit) {
            return Ok(MergeResult::BaseMoved { base_commit });
        }
        if branch.changes.keys().all(|path| state.has(&branch.changes, path)) {
            return Ok(MergeResult::NothingToMerge);
        }
        let files = state.overlap(&branch.changes, branch.base);
        if !files.is_empty() {
            return Ok(MergeResult::Conflict { files });
        }
        let dirty = |path: &&String| branch.changes.contains_key(*path);
        let files: Vec<String> = state.dirty.iter().filter(dirty).cloned().collect();
        if !files.is_empty() {
            return Ok(MergeResult::BaseCheckedOutDirty { files });
        }
        let commit = name(state.merge(&merge.task_id, &branch.changes));
        Ok(MergeResult::Merged { commit })
    }
}

fn branch(state: &State, branch: &str) -> Result<Branch, ForgeError> {
    let found = state.branches.get(branch).cloned();
    found.ok_or_else(|| ForgeError::NoBranch { branch: branch.to_owned() })
}

fn state_of(state: &State, open: &OpenRequest) -> RequestState {
    match state.trailers.get(&open.task_id) {
        Some(commit) => RequestState::Merged { commit: name(*commit) },
        None if state.branches.contains_key(&open.branch) => RequestState::Open,
        None => RequestState::ClosedUnmerged,
    }
}

#[async_trait]
impl Forge for FakeForge {
    async fn open_request(&self, request: &Request) -> Result<RequestRef, ForgeError> {
        self.fuse.pass().await;
        let opened = {
            let mut state = self.repo.lock();
            let base = branch(&state, &request.branch)?.base;
            state.requests.insert(request.effect_key.clone(), request.branch.clone());
            RequestRef { reference: request.branch.clone(), commit: name(base) }
        };
        self.fuse.pass().await;
        Ok(opened)
    }

    async fn find_merge(&self, task_id: &str, _: &str) -> Result<Option<Merged>, ForgeError> {
        let state = self.repo.lock();
        Ok(state.trailers.get(task_id).map(|commit| Merged { commit: name(*commit) }))
    }

    async fn merge(&self, merge: &Merge) -> Result<MergeResult, ForgeError> {
        self.fuse.pass().await;
        let result = self.merge_now(merge);
        self.fuse.pass().await;
        result
    }

    async fn poll(&self, open: &[OpenRequest]) -> Result<Vec<RequestState>, ForgeError> {
        let state = self.repo.lock();
        Ok(open.iter().map(|request| state_of(&state, request)).collect())
    }
}

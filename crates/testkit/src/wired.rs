//! A model, a workspace and a forge with a tripwire before and after what matters.

use std::sync::Arc;

use async_trait::async_trait;
use glitchlab_domain::money::Price;

use glitchlab_models::{Model, Request, Reservation, Role, Spent};
use glitchlab_pipeline::forge::{
    self, Forge, ForgeError, MergeResult, OpenRequest, RequestRef, RequestState,
};
use glitchlab_pipeline::process::contained::Finished;
use glitchlab_pipeline::process::redact::Redactor;
use glitchlab_pipeline::process::{ChildWatch, RunLimits};
use glitchlab_pipeline::workspace::{
    CommitMessage, DiffSummary, Hit, Refreshed, Snapshot, TestRun, Workspace, WorkspaceError, Worktree,
    WorktreeSpec,
};

use crate::tripwire::{Place, Tripwire};

/// Something with a tripwire.
pub struct Wired<T: ?Sized> {
    wire: Tripwire,
    inner: Arc<T>,
}

impl<T: ?Sized> Wired<T> {
    /// Puts a tripwire before and after what `inner` does.
    pub fn new(inner: Arc<T>, wire: &Tripwire) -> Self {
        Self { wire: wire.clone(), inner }
    }
}

#[async_trait]
impl Model for Wired<dyn Model> {
    fn id(&self) -> &str {
        self.inner.id()
    }

    fn simulated(&self) -> bool {
        self.inner.simulated()
    }

    fn price(&self) -> Price {
        self.inner.price()
    }

    fn max_out(&self, role: Role) -> u64 {
        self.inner.max_out(role)
    }

    async fn call(&self, money: Reservation, request: &Request) -> Spent {
        self.wire.touch(Place::Asking).await;
        let spent = self.inner.call(money, request).await;
        self.wire.touch(Place::Answered).await;
        spent
    }
}

#[async_trait]
impl Forge for Wired<dyn Forge> {
    async fn open_request(&self, request: &forge::Request) -> Result<RequestRef, ForgeError> {
        self.wire.touch(Place::Merging).await;
        let opened = self.inner.open_request(request).await;
        self.wire.touch(Place::Merged).await;
        opened
    }

    async fn find_merge(&self, task_id: &str, base: &str) -> Result<Option<forge::Merged>, ForgeError> {
        self.inner.find_merge(task_id, base).await
    }

    async fn merge(&self, merge: &forge::Merge) -> Result<MergeResult, ForgeError> {
        self.wire.touch(Place::Merging).await;
        let merged = self.inner.merge(merge).await;
        self.wire.touch(Place::Merged).await;
        merged
    }

    async fn poll(&self, open: &[OpenRequest]) -> Result<Vec<RequestState>, ForgeError> {
        self.inner.poll(open).await
    }
}

#[async_trait]
impl Workspace for Wired<dyn Workspace> {
    async fn open(&self, spec: &WorktreeSpec) -> Result<Worktree, WorkspaceError> {
        self.wire.touch(Place::Opening).await;
        self.inner.open(spec).await
    }

    async fn find(&self, attempt_id: &str, bead_id: &str) -> Result<Option<Worktree>, WorkspaceError> {
        self.inner.find(attempt_id, bead_id).await
    }

    async fn list(&self, at: &Worktree) -> Result<Vec<String>, WorkspaceError> {
        self.inner.list(at).await
    }

    async fn read(&self, at: &Worktree, path: &str) -> Result<String, WorkspaceError> {
        self.inner.read(at, path).await
    }

    async fn search(&self, at: &Worktree, pattern: &str) -> Result<Vec<Hit>, WorkspaceError> {
        self.inner.search(at, pattern).await
    }

    async fn check_change(
        &self,
        at: &Worktree,
        path: &str,
        content: Option<&str>,
    ) -> Result<(), WorkspaceError> {
        self.inner.check_change(at, path, content).await
    }

    async fn write(&self, at: &Worktree, path: &str, content: &str) -> Result<(), WorkspaceError> {
        self.wire.touch(Place::Writing).await;
        self.inner.write(at, path, content).await
    }

    async fn remove_file(&self, at: &Worktree, path: &str) -> Result<(), WorkspaceError> {
        self.inner.remove_file(at, path).await
    }

    async fn replace(&self, at: &Worktree, path: &str, old: &str, new: &str) -> Result<(), WorkspaceError> {
        self.wire.touch(Place::Writing).await;
        self.inner.replace(at, path, old, new).await
    }

    async fn diff(&self, at: &Worktree) -> Result<DiffSummary, WorkspaceError> {
        self.inner.diff(at).await
    }

    async fn commit(&self, at: &Worktree, message: &CommitMessage) -> Result<Option<String>, WorkspaceError> {
        let commit = self.inner.commit(at, message).await;
        self.wire.touch(Place::Committed).await;
        commit
    }

    async fn run_tests(
        &self,
        at: &Worktree,
        command: &str,
        limits: &RunLimits,
        watch: &dyn ChildWatch,
    ) -> Result<TestRun, WorkspaceError> {
        self.inner.run_tests(at, command, limits, watch).await
    }

    async fn mark(&self, at: &Worktree, attempt_id: &str, n: u32) -> Result<(), WorkspaceError> {
        self.inner.mark(at, attempt_id, n).await
    }

    async fn run_agent(
        &self,
        at: &Worktree,
        command: &[String],
        traceparent: Option<&str>,
        limits: &RunLimits,
        watch: &dyn ChildWatch,
    ) -> Result<Finished, WorkspaceError> {
        self.inner.run_agent(at, command, traceparent, limits, watch).await
    }

    async fn fingerprint(&self, at: &Worktree) -> Result<String, WorkspaceError> {
        self.inner.fingerprint(at).await
    }

    async fn take(
        &self,
        at: &Worktree,
        attempt_id: &str,
        n: u32,
        secrets: &Redactor,
    ) -> Result<Snapshot, WorkspaceError> {
        self.inner.take(at, attempt_id, n, secrets).await
    }

    async fn restore(&self, at: &Worktree, tree: &str) -> Result<(), WorkspaceError> {
        self.inner.restore(at, tree).await
    }

    async fn checkpoint(&self, at: &Worktree, attempt_id: &str) -> Result<(), WorkspaceError> {
        self.inner.checkpoint(at, attempt_id).await
    }

    async fn refresh(&self, at: &Worktree, base: &str) -> Result<Refreshed, WorkspaceError> {
        self.inner.refresh(at, base).await
    }

    async fn close(&self, at: &Worktree, keep: bool) -> Result<(), WorkspaceError> {
        self.inner.close(at, keep).await
    }
}

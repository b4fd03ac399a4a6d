//! The forge that needs no server: a request is a branch, a merge is made here.
//!
//! A merge needs no checkout: git computes the tree, we make the commit, and the base moves by compare-and-set. With
//! the task's trailer looked up first, under one lock per repository, that happens once. When the user has the base
//! checked out, git fast-forwards it there, which moves his files along and leaves his changes alone.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::trailer::{TrailerIndex, check_task_id};
use super::{
    Forge, ForgeError, Merge, MergeResult, Merged, OpenRequest, Request, RequestRef, RequestState,
    TASK_TRAILER,
};
use crate::git::fast_forward::{FastForward, Moved};
use crate::git::intent::Intent;
use crate::git::lock::RepoLock;
use crate::git::merge_tree::{MergedTree, merge_trees};
use crate::git::{GitError, GitRepo, checkouts, sweep};

/// How long another engine may hold the repository.
const LOCK_WAIT: Duration = Duration::from_secs(60);

/// Requests and merges within one repository.
#[derive(Debug)]
pub struct LocalForge {
    repo: GitRepo,
    merging: Mutex<()>,
    trailers: Mutex<TrailerIndex>,
}

impl LocalForge {
    /// Serves one repository.
    #[must_use]
    pub fn new(repo: GitRepo) -> Self {
        Self { repo, merging: Mutex::default(), trailers: Mutex::default() }
    }

    async fn commit_of(&self, branch: &str) -> Result<String, ForgeError> {
        let commit = self.repo.branch_commit(branch).await?;
        commit.ok_or_else(|| ForgeError::NoBranch { branch: branch.to_owned() })
    }

    /// Returns where the base is, and the commit there that carries the task's trailer.
    async fn look(&self, base: &str, task_id: &str) -> Result<(String, Option<String>), ForgeError> {
        let mut trailers = self.trailers.lock().await;
        let seen = trailers.look(&self.repo, base).await?;
        Ok((seen.commit.clone(), seen.find(task_id).map(str::to_owned)))
    }

    /// Merges with the repository's lock held.
    async fn merge_locked(&self, merge: &Merge) -> Result<MergeResult, ForgeError> {
        let (base_commit, carrier) = self.look(&merge.base, &merge.task_id).await?;
        if let Some(commit) = carrier {
            return Ok(MergeResult::AlreadyMerged { commit });
        }
        let branch_commit = self.commit_of(&merge.branch).await?;
        if self.repo.is_ancestor(&branch_commit, &base_commit).await? {
            return Ok(MergeResult::NothingToMerge);
        }
        if merge.expected_base.as_ref().is_some_and(|expected| *expected != base_commit) {
            return Ok(MergeResult::BaseMoved { base_commit });
        }
        let tree = match merge_trees(&self.repo, &base_commit, &branch_commit).await? {
            MergedTree::Clean(tree) => tree,
            MergedTree::Conflict(files) => return Ok(MergeResult::Conflict { files }),
        };
        if tree == self.repo.call(&["rev-parse", &format!("{base_commit}^{{tree}}")]).line().await? {
            return Ok(MergeResult::NothingToMerge);
        }
        let commit = self.make_commit(merge, &tree, [&base_commit, &branch_commit]).await?;
        self.publish(merge, base_commit, commit).await
    }

    async fn make_commit(&self, merge: &Merge, tree: &str, parents: [&str; 2]) -> Result<String, GitError> {
        let [base, branch] = parents;
        let call = self.repo.call(&["commit-tree", tree, "-p", base, "-p", branch, "-F", "-"]);
        call.by(&merge.author).input(message(merge)).line().await
    }

    /// Moves the base: by its checkout when there is one, else by its ref alone.
    async fn publish(&self, merge: &Merge, old: String, new: String) -> Result<MergeResult, ForgeError> {
        let checkouts = checkouts::list(&self.repo).await?;
        if let Some(checkout) = checkouts.iter().find(|checkout| checkout.shows(&merge.base)) {
            let branch = merge.base.clone();
            let fast_forward = FastForward { checkout: checkout.path.clone(), branch, old, new: new.clone() };
            return self.fast_forward(merge, &fast_forward).await;
        }
        if checkouts::is_being_rebased(&self.repo, &merge.base) {
            let path = self.repo.common_dir.display().to_string();
            return Err(ForgeError::CheckoutBusy { path, why: format!("{} is being rebased", merge.base) });
        }
        self.move_ref(merge, &old, new).await
    }

    async fn fast_forward(&self, merge: &Merge, to: &FastForward) -> Result<MergeResult, ForgeError> {
        Ok(match to.make(&self.repo, &merge.author).await? {
            Moved::Done => MergeResult::Merged { commit: to.new.clone() },
            Moved::Overlap(files) => MergeResult::BaseCheckedOutDirty { files },
            Moved::Elsewhere(base_commit) => MergeResult::BaseMoved { base_commit },
            Moved::Busy(why) => {
                return Err(ForgeError::CheckoutBusy { path: to.checkout.display().to_string(), why });
            }
        })
    }

    async fn move_ref(&self, merge: &Merge, old: &str, new: String) -> Result<MergeResult, ForgeError> {
        let full = format!("refs/heads/{}", merge.base);
        let locks = [format!("{full}.lock"), "HEAD.lock".into(), "packed-refs.lock".into()];
        let note = Intent::locks(locks.iter().map(|lock| self.repo.common_dir.join(lock)).collect())
            .write(&self.repo)?;
        let reason = format!("glitchlab: merge {}", merge.branch);
        let call = self.repo.call(&["update-ref", "-m", &reason, &full, &new, old]).by(&merge.author);
        let answer = call.answer().await?;
        note.done();
        if answer.exit.is_success() {
            return Ok(MergeResult::Merged { commit: new });
        }
        let base_commit = self.commit_of(&merge.base).await?;
        if base_commit == old {
            Err(answer.failure().into())
        } else {
            Ok(MergeResult::BaseMoved { base_commit })
        }
    }
}

#[async_trait]
impl Forge for LocalForge {
    async fn open_request(&self, request: &Request) -> Result<RequestRef, ForgeError> {
        let commit = self.commit_of(&request.branch).await?;
        Ok(RequestRef { reference: request.branch.clone(), commit })
    }

    async fn find_merge(&self, task_id: &str, base: &str) -> Result<Option<Merged>, ForgeError> {
        let (_, carrier) = self.look(base, task_id).await?;
        Ok(carrier.map(|commit| Merged { commit }))
    }

    async fn merge(&self, merge: &Merge) -> Result<MergeResult, ForgeError> {
        check_task_id(&merge.task_id)?;
        // In turn within this engine; the file lock alone would give it to whoever asks at the right moment.
        let _turn = self.merging.lock().await;
        let _lock = RepoLock::acquire(&self.repo, LOCK_WAIT).await?;
        sweep::sweep_own_locks(&self.repo, sweep::SETTLE).await?;
        self.merge_locked(merge).await
    }

    async fn poll(&self, open: &[OpenRequest]) -> Result<Vec<RequestState>, ForgeError> {
        // Branches first: one that is deleted after its merge is then found on the base.
        let heads = self
            .repo
            .call(&["for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/"])
            .run()
            .await?
            .text();
        let mut states = Vec::with_capacity(open.len());
        for request in open {
            let (_, carrier) = self.look(&request.base, &request.task_id).await?;
            states.push(match carrier {
                Some(commit) => RequestState::Merged { commit },
                None if heads.lines().any(|head| head == request.branch) => RequestState::Open,
                None => RequestState::ClosedUnmerged,
            });
        }
        Ok(states)
    }
}

fn message(merge: &Merge) -> String {
    let task = (TASK_TRAILER.to_owned(), merge.task_id.clone());
    let trailers = [Some(task), merge.author.co_author()].into_iter().flatten();
    let lines: Vec<String> = trailers.map(|(key, value)| format!("{key}: {value}")).collect();
    format!("{}\n\n{}\n", merge.message.trim_end(), lines.join("\n"))
}

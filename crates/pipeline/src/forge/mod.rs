//! Where finished work goes: requests and merges.

pub mod local;
mod trailer;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::git::{GitError, Identity};

/// The trailer that names the task in every commit made for it.
pub const TASK_TRAILER: &str = "Glitchlab-Task";

/// A request to look at a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The effect's key, by which the request is found again.
    pub effect_key: String,
    /// The task's id in the backlog.
    pub bead_id: String,
    /// The branch with the work.
    pub branch: String,
    /// The branch it is meant for.
    pub base: String,
    /// One line.
    pub title: String,
    /// The text below it.
    pub body: String,
}

/// An open request, as a person finds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRef {
    /// A branch's name or an address.
    pub reference: String,
    /// The commit that it showed when it was opened.
    pub commit: String,
}

/// A merge that is on the base.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// The commit that carries the task's trailer.
    pub commit: String,
}

/// A merge to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// The value of the trailer [`TASK_TRAILER`]: one line of any text.
    pub task_id: String,
    /// The branch with the work.
    pub branch: String,
    /// The branch it goes to.
    pub base: String,
    /// The commit of the base that the tests ran on; `None` when it does not matter.
    pub expected_base: Option<String>,
    /// The message, to which the trailers are added.
    pub message: String,
    /// Who makes the commit.
    pub author: Identity,
}

/// What came of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MergeResult {
    /// It was made now.
    Merged {
        /// The merge commit.
        commit: String,
    },
    /// The base has the task's trailer already; nothing was done.
    AlreadyMerged {
        /// The commit that carries it.
        commit: String,
    },
    /// The base is not what the tests ran on, and they must run again.
    BaseMoved {
        /// Where it is now.
        base_commit: String,
    },
    /// Both sides changed the same places.
    Conflict {
        /// The files that need a decision.
        files: Vec<String>,
    },
    /// The base is checked out by the user, with changes of his own in files that the merge changes too.
    BaseCheckedOutDirty {
        /// Those files.
        files: Vec<String>,
    },
    /// The branch brings nothing that the base does not have.
    NothingToMerge,
}

/// A request that is thought to be open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRequest {
    /// Its branch.
    pub branch: String,
    /// The branch it is meant for.
    pub base: String,
    /// The value of its trailer.
    pub task_id: String,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestState {
    /// Nothing yet.
    Open,
    /// It is on the base.
    Merged {
        /// The commit that carries its trailer.
        commit: String,
    },
    /// It was taken away without a merge.
    ClosedUnmerged,
}

/// Why a forge did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForgeError {
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A branch is missing.
    #[error("there is no branch {branch:?}; it was deleted or renamed")]
    NoBranch {
        /// The branch.
        branch: String,
    },
    /// The id cannot be written as a trailer.
    #[error(
        "{task_id:?} cannot be the value of a trailer; it must be one line of text, without spaces around it"
    )]
    TaskId {
        /// The id as given.
        task_id: String,
    },
    /// The user is in the middle of something in the checkout that the merge would change; try again later.
    #[error("the checkout at {path} is busy: {why}")]
    CheckoutBusy {
        /// The checkout.
        path: String,
        /// With what.
        why: String,
    },
}

/// Opens requests and merges branches.
///
/// Each effect carries the task's id where it can be found again, and looks for it before it acts.
#[async_trait]
pub trait Forge: Send + Sync {
    /// Opens the request, or finds it open.
    async fn open_request(&self, request: &Request) -> Result<RequestRef, ForgeError>;

    /// Looks for the task's trailer on the base.
    async fn find_merge(&self, task_id: &str, base: &str) -> Result<Option<Merged>, ForgeError>;

    /// Merges once, however often it is asked.
    async fn merge(&self, merge: &Merge) -> Result<MergeResult, ForgeError>;

    /// Tells what became of requests, in the order given.
    async fn poll(&self, open: &[OpenRequest]) -> Result<Vec<RequestState>, ForgeError>;
}

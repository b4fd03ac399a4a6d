//! Where tasks come from and where results go back.
//!
//! [`Source`] is the port: it is polled for the whole backlog, and told what became of a task when it takes writes.
//! Each kind of source is one file beside this one. There is one today: [`JsonlSource`] reads the file that the `bd`
//! tracker exports, and never writes it.

mod error;
mod fault;
pub mod jsonl;

use async_trait::async_trait;
use glitchlab_domain::bead::{Bead, BeadId};

pub use error::SourceError;
pub use fault::{FaultKind, LineFault};
pub use jsonl::JsonlSource;

/// A backlog that can be polled, and that may take results.
///
/// Every write can be asked for twice: the second finds what the first did and does nothing. A source that takes no
/// writes says so in its [`Capabilities`] and answers [`SourceError::ReadOnly`].
#[async_trait]
pub trait Source: Send + Sync {
    /// Names the kind of source in one word, for logs and metrics.
    fn name(&self) -> &'static str;

    /// Says where the backlog is, for people.
    fn location(&self) -> String;

    /// Says what it can do.
    fn capabilities(&self) -> Capabilities;

    /// Reads the whole backlog unless it is still at the revision that the caller has seen.
    ///
    /// # Errors
    /// When it can't be read now. The caller keeps what it had and says how old that is.
    async fn poll(&self, seen: Option<&Revision>) -> Result<Polled, SourceError>;

    /// Tells people that `actor` works on an issue.
    ///
    /// # Errors
    /// When the source takes no writes or did not take this one.
    async fn claim(&self, _id: &BeadId, _actor: &str) -> Result<Claim, SourceError> {
        Err(SourceError::ReadOnly { source_name: self.name(), what: "claim an issue" })
    }

    /// Closes an issue for a reason that people will read.
    ///
    /// # Errors
    /// When the source takes no writes or did not take this one.
    async fn close(&self, _id: &BeadId, _reason: &str) -> Result<(), SourceError> {
        Err(SourceError::ReadOnly { source_name: self.name(), what: "close an issue" })
    }

    /// Adds a comment to an issue; `key` is where it is found again.
    ///
    /// # Errors
    /// When the source takes no writes or did not take this one.
    async fn comment(&self, _id: &BeadId, _key: &str, _text: &str) -> Result<(), SourceError> {
        Err(SourceError::ReadOnly { source_name: self.name(), what: "comment on an issue" })
    }

    /// Creates a sub-task, or finds the one that was created under the same key, and returns its id.
    ///
    /// # Errors
    /// When the source takes no writes or did not take this one.
    async fn create_sub_task(&self, _sub_task: &SubTask) -> Result<BeadId, SourceError> {
        Err(SourceError::ReadOnly { source_name: self.name(), what: "create a sub-task" })
    }
}

/// What a source can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// It takes claims, closings, comments and sub-tasks. Otherwise results live in our store alone.
    pub writes: bool,
}

/// The answer to a poll.
#[derive(Clone, Debug, PartialEq)]
pub enum Polled {
    /// It is at the revision the caller has seen.
    Unchanged,
    /// It is at another one.
    Changed(Poll),
}

/// A whole backlog at one revision.
#[derive(Clone, Debug, PartialEq)]
pub struct Poll {
    /// Every issue, closed ones and tombstones too, each id once.
    pub beads: Vec<Bead>,
    /// What could not be taken, in the order of lines.
    pub faults: Vec<LineFault>,
    /// Names this content.
    pub revision: Revision,
    /// What the source says of its own format, as it wrote it.
    pub schema: Option<String>,
    /// How much was read.
    pub bytes: u64,
    /// How long reading took, ms.
    pub read_ms: u64,
}

impl Poll {
    /// Says whether every issue of the source is in `beads`.
    ///
    /// When it is not, an issue that is missing is not gone: a line could not be read, or the file was being written.
    /// The caller keeps what it knew of such an issue, or else those that wait for it would start too early.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.faults.iter().any(|fault| fault.kind.hides_an_issue())
    }
}

/// Names one content of a source: equal content, equal revision, also in another life of the process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Revision(String);

impl Revision {
    /// Wraps the text as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The answer to a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is ours, now or already.
    Ours,
    /// Somebody else has it.
    Held {
        /// Who.
        by: String,
    },
}

/// A sub-task to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubTask {
    /// Where it is found again.
    pub key: String,
    /// The issue it is a part of.
    pub parent: BeadId,
    /// One line.
    pub title: String,
    /// What is wanted.
    pub description: String,
    /// Its type.
    pub issue_type: String,
    /// From 0, the most urgent, to 4.
    pub priority: i64,
    /// What must be closed before it can start.
    pub after: Vec<BeadId>,
}

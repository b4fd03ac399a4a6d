//! Long work beside an actor: what it is, what it is given, how it ends.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use crate::slot::Attached;
pub use crate::slot::{Occupied, TaskSlot};

use crate::exit::Failure;
use crate::sync::lock;

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
pub(crate) type Work<T> = Box<dyn FnOnce(TaskScope) -> BoxFuture<Result<T, Failure>> + Send>;
pub(crate) type Fence = Arc<dyn Fn() -> BoxFuture<()> + Send + Sync>;

/// Bounds how long the end of a task may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace {
    /// From cancelling its token to aborting it.
    pub cancel: Duration,
    /// From aborting it to calling it a zombie.
    pub abort: Duration,
}

impl Default for Grace {
    /// Gives ten seconds to end by itself and one second to be aborted.
    fn default() -> Self {
        Self { cancel: Duration::from_secs(10), abort: Duration::from_secs(1) }
    }
}

/// Describes a piece of long work and how it is fenced off when it cannot be ended.
pub struct Task<T> {
    pub(crate) name: Arc<str>,
    pub(crate) work: Work<T>,
    pub(crate) fence: Option<Fence>,
}

impl<T: Send + 'static> Task<T> {
    /// Describes work that has a `name` for people.
    pub fn new<F, W>(name: impl Into<Arc<str>>, work: F) -> Self
    where
        F: FnOnce(TaskScope) -> W + Send + 'static,
        W: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        Self { name: name.into(), work: Box::new(|scope| Box::pin(work(scope))), fence: None }
    }

    /// Sets what takes this work's power away when it neither ends nor can be aborted.
    ///
    /// No successor starts before the future resolves, so it resolves only when the fence holds, and tries again by
    /// itself until then. A fence that panics leaves the slot occupied until it is ended once more.
    #[must_use]
    pub fn fenced<F, W>(self, fence: F) -> Self
    where
        F: Fn() -> W + Send + Sync + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        Self { fence: Some(Arc::new(move || Box::pin(fence()))), ..self }
    }
}

/// Is what running work is given: how it learns that it must end, and where it reports that it gets on.
#[derive(Debug, Clone, Default)]
pub struct TaskScope {
    token: CancellationToken,
    progress: Arc<Progress>,
}

impl TaskScope {
    /// Returns the token that is cancelled when the work must end.
    #[must_use]
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Waits until the work must end.
    pub async fn cancelled(&self) {
        self.token.cancelled().await;
    }

    /// Returns whether the work must end.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Notes that the work got on.
    pub fn progress(&self) {
        let mut seen = lock(&self.progress.0);
        seen.total += 1;
        seen.last = Some(Instant::now());
    }

    pub(crate) fn progress_seen(&self) -> ProgressSeen {
        *lock(&self.progress.0)
    }
}

#[derive(Debug, Default)]
struct Progress(Mutex<ProgressSeen>);

/// How often work got on, and when last.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct ProgressSeen {
    pub(crate) total: u64,
    pub(crate) last: Option<Instant>,
}

/// Describes work that is running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskInfo {
    /// Name of the task.
    pub name: Arc<str>,
    /// Time since it started.
    pub running_for: Duration,
    /// How often it got on.
    pub progress_total: u64,
    /// Time since it last got on, if ever.
    pub since_progress: Option<Duration>,
    /// Whether it was told to end.
    pub ending: bool,
}

/// Says how a task ended. Every task that was spawned ends in exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskExit<T> {
    /// It finished, possibly after it was told to end.
    Done(T),
    /// It returned this error.
    Failed(String),
    /// It panicked with this message.
    Panicked(String),
    /// It was told to end and returned an error.
    Cancelled,
    /// It was told to end, did not, and was dropped at an await.
    Aborted,
    /// It was dropped without being told to end, for example because its runtime is shutting down.
    Vanished,
    /// It could not be ended. It may still run, but it is fenced off.
    Zombie,
}

/// Is a task that did not finish, as an error: an actor that returns it from a handler fails with its task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskFailure {
    /// It returned this error.
    #[error("its task failed: {0}")]
    Failed(String),
    /// It panicked with this message.
    #[error("its task panicked: {0}")]
    Panicked(String),
    /// It was told to end.
    #[error("its task was cancelled before it was done")]
    Cancelled,
    /// It was dropped at an await.
    #[error("its task was aborted because it did not end when it was cancelled")]
    Aborted,
    /// It is gone without a word.
    #[error("its task vanished without a result; its runtime may be shutting down")]
    Vanished,
    /// It could not be ended.
    #[error("its task could not be ended and is fenced off; look for a blocking call in it")]
    Zombie,
}

impl<T> TaskExit<T> {
    /// Returns what the task made, or why there is nothing.
    ///
    /// # Errors
    /// [`TaskFailure`] for every end but `Done`.
    pub fn into_result(self) -> Result<T, TaskFailure> {
        Err(match self {
            Self::Done(value) => return Ok(value),
            Self::Failed(message) => TaskFailure::Failed(message),
            Self::Panicked(message) => TaskFailure::Panicked(message),
            Self::Cancelled => TaskFailure::Cancelled,
            Self::Aborted => TaskFailure::Aborted,
            Self::Vanished => TaskFailure::Vanished,
            Self::Zombie => TaskFailure::Zombie,
        })
    }
}

//! The place where an actor's long work runs: outside the actor, so that it survives the actor's restarts.
//!
//! A slot holds at most one task, or the exit of one that nobody has taken yet. So a successor can start only after
//! its predecessor has ended, or was fenced off and called a zombie, and after its exit was looked at.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::child::KILL_GRACE;
use crate::run::{Inner, Report, run};
use crate::snapshot::TaskSnapshot;
use crate::task::{BoxFuture, Grace, Task, TaskExit, TaskInfo, TaskScope};

/// Runs one task at a time beside an actor.
///
/// Whoever builds the child spec makes the slot, clones it into every incarnation and attaches it to the spec. When
/// the task has ended, `wake` is called; it sends the owner an activation without content, and the owner takes the
/// exit out. An activation that finds the owner restarting is lost, the exit is not: a new incarnation looks into the
/// slot when it starts, and either goes on with what is running or ends it.
pub struct TaskSlot<T> {
    inner: Arc<Inner<T>>,
}

/// Reports that a slot still holds a task, or the exit of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{slot} still holds a task or its exit; settle it and take the exit before the next one")]
pub struct Occupied {
    /// Name of the slot.
    pub slot: Arc<str>,
}

impl<T: Send + 'static> TaskSlot<T> {
    /// Makes an empty slot that calls `wake` each time a task has ended.
    pub fn new(name: impl Into<Arc<str>>, grace: Grace, wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self { inner: Arc::new(Inner::new(name.into(), grace, Box::new(wake))) }
    }

    /// Starts a task on the present tokio runtime.
    ///
    /// # Errors
    /// [`Occupied`] while the slot holds another task, or an exit that was not taken.
    pub fn spawn(&self, task: Task<T>) -> Result<(), Occupied> {
        let Task { name, work, fence } = task;
        #[cfg(feature = "failpoints")]
        let work = self.inner.failing(work);
        let scope = TaskScope::default();
        let id = self.inner.occupy(name, scope.clone(), fence)?;
        let report = Report::new(Arc::clone(&self.inner), id);
        // Without the lock: a runtime that is shutting down drops the task, and with it the report, right here.
        let tokio_task = tokio::spawn(run(report, work, scope));
        self.inner.arm(id, &tokio_task.abort_handle());
        Ok(())
    }

    /// Returns what is running.
    #[must_use]
    pub fn running(&self) -> Option<TaskInfo> {
        self.inner.info(Instant::now())
    }

    /// Takes out how the last task ended; each exit is there once.
    #[must_use]
    pub fn take_exit(&self) -> Option<TaskExit<T>> {
        self.inner.take_exit()
    }

    /// Returns the number of tasks that could not be ended, were fenced off and still run.
    #[must_use]
    pub fn zombies(&self) -> u32 {
        self.inner.zombies()
    }

    /// Ends the task: its token is cancelled, after a grace it is aborted, after another it is fenced and called a
    /// zombie. Returns at once; `wake` follows. Does nothing when the task is ending already or there is none.
    pub fn end(&self) {
        if let Some((id, fence)) = self.inner.begin_end() {
            tokio::spawn(Arc::clone(&self.inner).reap(id, fence));
        }
    }

    /// Waits until no task is in the slot.
    pub async fn settled(&self) {
        self.inner.left(None).await;
    }

    /// Ends what an earlier incarnation left running and returns how it ended.
    ///
    /// This takes as long as the graces and the fence, and an actor that awaits it in its start keeps its siblings
    /// waiting; one that must not do that calls [`end`](Self::end) and goes on when it is woken.
    pub async fn settle(&self) -> Option<TaskExit<T>> {
        self.end();
        self.settled().await;
        self.take_exit()
    }

    pub(crate) fn attached(&self) -> Arc<dyn Attached> {
        Arc::new(self.clone())
    }
}

impl<T> Clone for TaskSlot<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T> std::fmt::Debug for TaskSlot<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TaskSlot").field(&self.inner.name).finish()
    }
}

/// A slot as its tree sees it, with the type of its results left behind.
pub(crate) trait Attached: Send + Sync {
    fn snapshot(&self, now: Instant) -> TaskSnapshot;
    fn end(&self);
    fn settled(&self) -> BoxFuture<()>;
    /// How long the tree waits for the slot to settle, with some time for the fence.
    fn patience(&self) -> Duration;
    /// Gives the slot the points of the tree that shows it beside the child at `path`.
    #[cfg(feature = "failpoints")]
    fn arm(&self, path: &str, failpoints: &crate::failpoint::Failpoints);
}

impl<T: Send + 'static> Attached for TaskSlot<T> {
    fn snapshot(&self, now: Instant) -> TaskSnapshot {
        TaskSnapshot {
            slot: self.inner.name.to_string(),
            running: self.inner.info(now).map(Into::into),
            zombies: self.inner.zombies(),
        }
    }

    fn end(&self) {
        Self::end(self);
    }

    fn settled(&self) -> BoxFuture<()> {
        let slot = self.clone();
        Box::pin(async move { Self::settled(&slot).await })
    }

    fn patience(&self) -> Duration {
        self.inner.grace.cancel + self.inner.grace.abort + KILL_GRACE
    }

    #[cfg(feature = "failpoints")]
    fn arm(&self, path: &str, failpoints: &crate::failpoint::Failpoints) {
        let place = format!("{path} {}", self.inner.name);
        let _armed_before = self.inner.failpoints.set((place, failpoints.clone()));
    }
}

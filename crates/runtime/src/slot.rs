//! The place where an actor's long work runs: outside the actor, so that it survives the actor's restarts.
//!
//! A slot holds at most one task, or the exit of one that nobody has taken yet. So a successor can start only after
//! its predecessor has ended, or was fenced off and called a zombie, and after its exit was looked at.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::child::KILL_GRACE;
use crate::exit::{ExitReason, caught};
use crate::node::ms;
use crate::snapshot::{RunningTask, TaskSnapshot};
use crate::sync::lock;
use crate::task::{BoxFuture, Fence, Grace, Task, TaskExit, TaskInfo, TaskScope};

/// Runs one task at a time beside an actor.
///
/// Whoever builds the child spec makes the slot, clones it into every incarnation and attaches it to the spec. When
/// the task has ended, `wake` is called; it sends the owner an activation without content, and the owner takes the
/// exit out. An activation that finds the owner restarting is lost, the exit is not: a new incarnation looks into the
/// slot when it starts, and either goes on with what is running or ends it.
pub struct TaskSlot<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    name: Arc<str>,
    grace: Grace,
    wake: Box<dyn Fn() + Send + Sync>,
    state: Mutex<SlotState<T>>,
    /// Notified whenever a task has left the slot.
    left: Notify,
}

struct SlotState<T> {
    last_id: u64,
    run: Option<Run>,
    exit: Option<TaskExit<T>>,
    zombies: u32,
}

struct Run {
    id: u64,
    name: Arc<str>,
    started_at: Instant,
    scope: TaskScope,
    fence: Option<Fence>,
    /// Missing for the moment between the place being taken and the task being spawned.
    abort: Option<AbortHandle>,
    ending: bool,
    aborted: bool,
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
        let state = SlotState { last_id: 0, run: None, exit: None, zombies: 0 };
        let (name, wake, state) = (name.into(), Box::new(wake), Mutex::new(state));
        Self { inner: Arc::new(Inner { name, grace, wake, state, left: Notify::new() }) }
    }

    /// Starts a task on the present tokio runtime.
    ///
    /// # Errors
    /// [`Occupied`] while the slot holds another task, or an exit that was not taken.
    pub fn spawn(&self, task: Task<T>) -> Result<(), Occupied> {
        let Task { name, work, fence } = task;
        let scope = TaskScope::default();
        let id = self.inner.occupy(name, scope.clone(), fence)?;
        let report = Report { slot: Arc::clone(&self.inner), id, exit: None };
        // Without the lock: a runtime that is shutting down drops the task, and with it the report, right here.
        let tokio_task = tokio::spawn(run(report, work, scope));
        self.inner.arm(id, tokio_task.abort_handle());
        Ok(())
    }

    /// Returns what is running.
    #[must_use]
    pub fn running(&self) -> Option<TaskInfo> {
        let now = Instant::now();
        lock(&self.inner.state).run.as_ref().map(|run| run.info(now))
    }

    /// Takes out how the last task ended; each exit is there once.
    #[must_use]
    pub fn take_exit(&self) -> Option<TaskExit<T>> {
        lock(&self.inner.state).exit.take()
    }

    /// Returns the number of tasks that could not be ended, were fenced off and still run.
    #[must_use]
    pub fn zombies(&self) -> u32 {
        lock(&self.inner.state).zombies
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
}

impl<T: Send + 'static> Attached for TaskSlot<T> {
    fn snapshot(&self, now: Instant) -> TaskSnapshot {
        let state = lock(&self.inner.state);
        TaskSnapshot {
            slot: self.inner.name.to_string(),
            running: state.run.as_ref().map(|run| run.info(now).into()),
            zombies: state.zombies,
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
}

impl<T: Send + 'static> Inner<T> {
    /// Takes the place for a task that is about to be spawned, and returns its number.
    fn occupy(&self, name: Arc<str>, scope: TaskScope, fence: Option<Fence>) -> Result<u64, Occupied> {
        let mut state = lock(&self.state);
        if state.run.is_some() || state.exit.is_some() {
            return Err(Occupied { slot: Arc::clone(&self.name) });
        }
        state.last_id += 1;
        let (id, started_at) = (state.last_id, Instant::now());
        state.run =
            Some(Run { id, name, started_at, scope, fence, abort: None, ending: false, aborted: false });
        Ok(id)
    }

    /// Makes a task that was spawned abortable.
    fn arm(&self, id: u64, abort: AbortHandle) {
        if let Some(run) = lock(&self.state).run.as_mut().filter(|run| run.id == id) {
            if run.aborted {
                abort.abort();
            }
            run.abort = Some(abort);
        }
    }

    /// Tells the task to end, unless that was done before.
    fn begin_end(&self) -> Option<(u64, Option<Fence>)> {
        let mut state = lock(&self.state);
        let run = state.run.as_mut().filter(|run| !run.ending)?;
        run.ending = true;
        let (told, told_token) = ((run.id, run.fence.clone()), run.scope.token().clone());
        drop(state);
        // Without the lock: a waker may run anything.
        told_token.cancel();
        Some(told)
    }

    /// Sees a task to its end, by ever harder means.
    async fn reap(self: Arc<Self>, id: u64, fence: Option<Fence>) {
        if self.left_within(id, self.grace.cancel).await {
            return;
        }
        self.abort(id);
        if self.left_within(id, self.grace.abort).await {
            return;
        }
        match fence_off(fence).await {
            Ok(()) => self.abandon(id),
            Err(cause) => self.keep(id, &cause),
        }
    }

    async fn left_within(&self, id: u64, grace: Duration) -> bool {
        tokio::time::timeout(grace, self.left(Some(id))).await.is_ok()
    }

    /// Waits until this task, or whichever is there, has left the slot.
    async fn left(&self, id: Option<u64>) {
        loop {
            let changed = self.left.notified();
            let there = lock(&self.state).run.as_ref().is_some_and(|run| id.is_none_or(|id| run.id == id));
            if !there {
                return;
            }
            changed.await;
        }
    }

    fn abort(&self, id: u64) {
        if let Some(run) = lock(&self.state).run.as_mut().filter(|run| run.id == id) {
            run.aborted = true;
            run.abort.iter().for_each(AbortHandle::abort);
        }
    }

    /// Takes note of the end of a task; one that was given up only stops being counted.
    fn finish(&self, id: u64, exit: TaskExit<T>) {
        let mut state = lock(&self.state);
        match state.run.take_if(|run| run.id == id) {
            Some(run) => state.exit = Some(run.judge(exit)),
            None => {
                state.zombies -= 1;
                return;
            }
        }
        drop(state);
        self.announce();
    }

    /// Gives a task up, once it is fenced.
    fn abandon(&self, id: u64) {
        let mut state = lock(&self.state);
        if state.run.take_if(|run| run.id == id).is_none() {
            return;
        }
        state.zombies += 1;
        state.exit = Some(TaskExit::Zombie);
        drop(state);
        tracing::warn!(slot = %self.name, "A task could not be ended; it is fenced off and no longer waited for");
        self.announce();
    }

    /// Keeps a task that could not be fenced: without a fence there is no successor.
    fn keep(&self, id: u64, cause: &ExitReason) {
        tracing::error!(slot = %self.name, %cause, "The fence of a task failed; its slot stays occupied");
        if let Some(run) = lock(&self.state).run.as_mut().filter(|run| run.id == id) {
            run.ending = false;
        }
    }

    fn announce(&self) {
        self.left.notify_waiters();
        (self.wake)();
    }
}

impl Run {
    fn info(&self, now: Instant) -> TaskInfo {
        let progress = self.scope.progress_seen();
        TaskInfo {
            name: Arc::clone(&self.name),
            running_for: now.saturating_duration_since(self.started_at),
            progress_total: progress.total,
            since_progress: progress.last.map(|at| now.saturating_duration_since(at)),
            ending: self.ending,
        }
    }

    /// Tells an end that we brought about from one that came by itself.
    fn judge<T>(&self, exit: TaskExit<T>) -> TaskExit<T> {
        match exit {
            TaskExit::Vanished if self.aborted => TaskExit::Aborted,
            TaskExit::Failed(_) if self.scope.is_cancelled() => TaskExit::Cancelled,
            other => other,
        }
    }
}

impl From<TaskInfo> for RunningTask {
    fn from(info: TaskInfo) -> Self {
        Self {
            name: info.name.to_string(),
            running_ms: ms(info.running_for),
            progress_total: info.progress_total,
            last_progress_ms: info.since_progress.map(ms),
            ending: info.ending,
        }
    }
}

async fn fence_off(fence: Option<Fence>) -> Result<(), ExitReason> {
    let Some(fence) = fence else { return Ok(()) };
    caught(async {
        fence().await;
        Ok(())
    })
    .await
}

/// Runs the work; `report` is dropped after it, so an exit is told only when nothing of the work is left.
async fn run<T: Send + 'static>(mut report: Report<T>, work: crate::task::Work<T>, scope: TaskScope) {
    report.exit = Some(match caught(async { work(scope).await }).await {
        Ok(value) => TaskExit::Done(value),
        Err(ExitReason::Panicked(message)) => TaskExit::Panicked(message),
        Err(cause) => TaskExit::Failed(message(cause)),
    });
}

fn message(cause: ExitReason) -> String {
    match cause {
        ExitReason::Failed(message) => message,
        other => other.to_string(),
    }
}

/// Tells the slot about the end of a task from its drop, so that no way to end goes unnoticed.
struct Report<T: Send + 'static> {
    slot: Arc<Inner<T>>,
    id: u64,
    exit: Option<TaskExit<T>>,
}

impl<T: Send + 'static> Drop for Report<T> {
    fn drop(&mut self) {
        self.slot.finish(self.id, self.exit.take().unwrap_or(TaskExit::Vanished));
    }
}

//! What goes on in a slot: one task, from its start to its end by ever harder means.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::exit::{ExitReason, caught};
use crate::slot::Occupied;
use crate::sync::lock;
use crate::task::{Fence, Grace, TaskExit, TaskInfo, TaskScope, Work};

/// The inside of a slot, which its tasks share with its owner.
pub(crate) struct Inner<T> {
    pub(crate) name: Arc<str>,
    pub(crate) grace: Grace,
    wake: Box<dyn Fn() + Send + Sync>,
    state: Mutex<SlotState<T>>,
    /// Notified whenever a task has left the slot.
    left: Notify,
    /// The name of this place among the points of its tree.
    #[cfg(feature = "failpoints")]
    pub(crate) failpoints: std::sync::OnceLock<(String, crate::failpoint::Failpoints)>,
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

impl<T: Send + 'static> Inner<T> {
    pub(crate) fn new(name: Arc<str>, grace: Grace, wake: Box<dyn Fn() + Send + Sync>) -> Self {
        let state = Mutex::new(SlotState { last_id: 0, run: None, exit: None, zombies: 0 });
        Self {
            name,
            grace,
            wake,
            state,
            left: Notify::new(),
            #[cfg(feature = "failpoints")]
            failpoints: std::sync::OnceLock::new(),
        }
    }

    /// Puts points into a piece of work.
    #[cfg(feature = "failpoints")]
    pub(crate) fn failing(&self, work: Work<T>) -> Work<T> {
        let Some((place, failpoints)) = self.failpoints.get().cloned() else { return work };
        Box::new(move |scope| Box::pin(async move { failpoints.through(&place, work(scope)).await }))
    }

    /// Returns what is running.
    pub(crate) fn info(&self, now: Instant) -> Option<TaskInfo> {
        lock(&self.state).run.as_ref().map(|run| run.info(now))
    }

    /// Takes out how the last task ended.
    pub(crate) fn take_exit(&self) -> Option<TaskExit<T>> {
        lock(&self.state).exit.take()
    }

    /// Returns how many tasks were given up and still run.
    pub(crate) fn zombies(&self) -> u32 {
        lock(&self.state).zombies
    }

    /// Takes the place for a task that is about to be spawned, and returns its number.
    pub(crate) fn occupy(
        &self,
        name: Arc<str>,
        scope: TaskScope,
        fence: Option<Fence>,
    ) -> Result<u64, Occupied> {
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
    pub(crate) fn arm(&self, id: u64, abort: &AbortHandle) {
        let mut state = lock(&self.state);
        let Some(run) = state.run.as_mut().filter(|run| run.id == id) else { return };
        run.abort = Some(abort.clone());
        let too_late = run.aborted;
        drop(state);
        if too_late {
            abort.abort();
        }
    }

    /// Tells the task to end, unless that was done before.
    pub(crate) fn begin_end(&self) -> Option<(u64, Option<Fence>)> {
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
    pub(crate) async fn reap(self: Arc<Self>, id: u64, fence: Option<Fence>) {
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
    pub(crate) async fn left(&self, id: Option<u64>) {
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
        let mut state = lock(&self.state);
        let Some(run) = state.run.as_mut().filter(|run| run.id == id) else { return };
        run.aborted = true;
        let abort = run.abort.clone();
        drop(state);
        abort.iter().for_each(AbortHandle::abort);
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

async fn fence_off(fence: Option<Fence>) -> Result<(), ExitReason> {
    let Some(fence) = fence else { return Ok(()) };
    caught(async {
        fence().await;
        Ok(())
    })
    .await
}

/// Runs the work; `report` is dropped after it, so an exit is told only when nothing of the work is left.
pub(crate) async fn run<T: Send + 'static>(mut report: Report<T>, work: Work<T>, scope: TaskScope) {
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
pub(crate) struct Report<T: Send + 'static> {
    slot: Arc<Inner<T>>,
    id: u64,
    exit: Option<TaskExit<T>>,
}

impl<T: Send + 'static> Report<T> {
    pub(crate) fn new(slot: Arc<Inner<T>>, id: u64) -> Self {
        Self { slot, id, exit: None }
    }
}

impl<T: Send + 'static> Drop for Report<T> {
    fn drop(&mut self) {
        self.slot.finish(self.id, self.exit.take().unwrap_or(TaskExit::Vanished));
    }
}

//! What happens in a tree, as events.

use std::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::exit::{Breach, ExitReason};
use crate::sync::lock;

/// Is one thing that happened in a tree. Paths go from the root: `root/work/worker-1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum LifecycleEvent {
    /// A child was started together with its supervisor.
    Started {
        /// Which child.
        path: String,
        /// Which life of it.
        incarnation: u32,
    },
    /// A child declined its start: it is there without a process.
    Ignored {
        /// Which child.
        path: String,
        /// Which life of it.
        incarnation: u32,
    },
    /// A child did not come up.
    StartFailed {
        /// Which child.
        path: String,
        /// Which life of it.
        incarnation: u32,
        /// Why.
        cause: ExitReason,
    },
    /// A child ended.
    Exited {
        /// Which child.
        path: String,
        /// Which life of it.
        incarnation: u32,
        /// Why.
        cause: ExitReason,
    },
    /// A failure was counted and the child will be started again, with its group.
    RestartScheduled {
        /// Which child.
        path: String,
        /// The wait before it.
        after_ms: u64,
    },
    /// A child was started again by its supervisor.
    Restarted {
        /// Which child.
        path: String,
        /// Which life of it.
        incarnation: u32,
    },
    /// A supervisor gave up.
    Breach(Breach),
    /// A child was told to end and did not; it is no longer waited for.
    Zombie {
        /// Which child.
        path: String,
        /// Which life of it.
        incarnation: u32,
    },
    /// The whole tree ended.
    Stopped {
        /// Its root.
        path: String,
        /// Why.
        cause: ExitReason,
    },
}

/// Hands every event to every subscriber, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Broadcast(Arc<Subscribers>);

#[derive(Debug, Default)]
struct Subscribers {
    /// Whether there ever was one, which can be seen without the lock.
    any: AtomicBool,
    senders: Mutex<Vec<mpsc::UnboundedSender<LifecycleEvent>>>,
}

impl Broadcast {
    pub(crate) fn subscribe(&self) -> LifecycleEvents {
        let (sender, receiver) = mpsc::unbounded_channel();
        lock(&self.0.senders).push(sender);
        self.0.any.store(true, Release);
        LifecycleEvents(receiver)
    }

    /// Hands out an event, which is only made when somebody wants it.
    pub(crate) fn emit(&self, event: impl FnOnce() -> LifecycleEvent) {
        if !self.0.any.load(Acquire) {
            return;
        }
        let mut subscribers = lock(&self.0.senders);
        if !subscribers.is_empty() {
            let event = event();
            subscribers.retain(|subscriber| subscriber.send(event.clone()).is_ok());
        }
    }
}

/// Receives every event from the moment of subscription on.
///
/// Nothing is lost, so a subscriber that does not read grows; drop it to unsubscribe.
#[derive(Debug)]
pub struct LifecycleEvents(mpsc::UnboundedReceiver<LifecycleEvent>);

impl LifecycleEvents {
    /// Waits for the next event; `None` once the tree and everything that could start it are gone.
    pub async fn next(&mut self) -> Option<LifecycleEvent> {
        self.0.recv().await
    }

    /// Returns the next event if it has already happened.
    pub fn try_next(&mut self) -> Option<LifecycleEvent> {
        self.0.try_recv().ok()
    }
}

//! What was committed, handed to those in this process who fold or follow it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use glitchlab_domain::watchdog::is_progress;
use glitchlab_store::Committed;
use tokio::sync::{mpsc, watch};

use crate::activation::Activation;

/// Publishes commits in their order. Nothing is lost between a subscription and its end.
#[derive(Clone)]
pub struct Feed {
    followers: Arc<Mutex<Vec<Follower>>>,
    settlements: watch::Sender<u64>,
    progress: Arc<AtomicU64>,
}

struct Follower {
    commits: mpsc::UnboundedSender<Arc<Committed>>,
    activation: Activation,
}

impl Default for Feed {
    fn default() -> Self {
        Self { followers: Arc::default(), settlements: watch::Sender::new(0), progress: Arc::default() }
    }
}

impl Feed {
    /// Publishes one commit.
    pub fn publish(&self, committed: Committed) {
        let settled = committed.settled;
        if committed.events.iter().any(|event| is_progress(&event.kind)) {
            self.progress.fetch_add(1, Ordering::Release);
        }
        if !(committed.events.is_empty() && committed.tasks.is_empty() && committed.gates.is_empty()) {
            self.hand_out(&Arc::new(committed));
        }
        if settled {
            self.settlements.send_modify(|count| *count += 1);
        }
    }

    fn hand_out(&self, committed: &Arc<Committed>) {
        let mut followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        followers.retain(|follower| {
            let follows = follower.commits.send(Arc::clone(committed)).is_ok();
            if follows {
                follower.activation.fire();
            }
            follows
        });
    }

    /// Follows every commit from now on; `activation` is fired after each.
    #[must_use]
    pub fn follow(&self, activation: Activation) -> mpsc::UnboundedReceiver<Arc<Committed>> {
        let (commits, receiver) = mpsc::unbounded_channel();
        let follower = Follower { commits, activation };
        self.followers.lock().unwrap_or_else(PoisonError::into_inner).push(follower);
        receiver
    }

    /// Returns how many commits have shown that work gets on.
    #[must_use]
    pub fn progress(&self) -> u64 {
        self.progress.load(Ordering::Acquire)
    }

    /// Follows settlements only: each may have brought money back.
    #[must_use]
    pub fn settlements(&self) -> watch::Receiver<u64> {
        self.settlements.subscribe()
    }
}

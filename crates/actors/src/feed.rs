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
    commits: watch::Sender<u64>,
    progress: Arc<AtomicU64>,
}

struct Follower {
    commits: mpsc::UnboundedSender<Arc<Committed>>,
    activation: Activation,
}

impl Default for Feed {
    fn default() -> Self {
        let [settlements, commits] = [(); 2].map(|()| watch::Sender::new(0));
        Self { followers: Arc::default(), settlements, commits, progress: Arc::default() }
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
            self.commits.send_modify(|count| *count += 1);
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

    /// Counts commits, for one who reads the store when it is ready to: nothing is kept for it meanwhile.
    #[must_use]
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// Follows settlements only: each may have brought money back.
    #[must_use]
    pub fn settlements(&self) -> watch::Receiver<u64> {
        self.settlements.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use glitchlab_domain::rows::GateRow;

    use super::*;

    #[test]
    fn one_who_only_counts_commits_has_nothing_kept_for_it() {
        let feed = Feed::default();
        let commits = feed.commits();
        let gates = || vec![GateRow::default()];
        for _ in 0..3 {
            feed.publish(Committed { gates: gates(), ..Committed::default() });
        }
        feed.publish(Committed::default());
        assert_eq!(*commits.borrow(), 3, "a commit that says nothing is none");
        assert!(feed.followers.lock().unwrap().is_empty());
    }
}

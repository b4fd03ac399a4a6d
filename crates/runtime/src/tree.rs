//! A running tree, and the handle that can be made before it runs.

use std::sync::{Arc, OnceLock};

use ractor::ActorCell;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::actor::stop_reason;
use crate::control::{ControlError, split};
use crate::exit::ExitReason;
use crate::group::Shared;
use crate::lifecycle::LifecycleEvents;
use crate::node::Node;
use crate::snapshot::{TreeSnapshot, ms};
use crate::supervisor::SupervisorMsg;

/// Looks at a tree and reaches into it; made before the tree, so that its own actors can hold one.
#[derive(Clone, Default)]
pub struct TreeHandle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) root: Arc<OnceLock<Root>>,
}

/// Where a tree begins.
#[derive(Clone)]
pub(crate) struct Root {
    pub(crate) node: Arc<Node>,
    pub(crate) started_at: Instant,
}

impl Root {
    fn snapshot(&self) -> TreeSnapshot {
        let now = Instant::now();
        let as_of_ms = ms(now.saturating_duration_since(self.started_at));
        TreeSnapshot { as_of_ms, root: self.node.snapshot(now) }
    }
}

impl TreeHandle {
    /// Makes a handle for a tree that is still to be started.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Subscribes to everything that happens in the tree from now on.
    #[must_use]
    pub fn events(&self) -> LifecycleEvents {
        self.shared.events.subscribe()
    }

    /// Returns the points of this tree at which a test lets something panic.
    #[cfg(feature = "failpoints")]
    #[must_use]
    pub fn failpoints(&self) -> &crate::Failpoints {
        &self.shared.failpoints
    }

    /// Returns what the tree looks like now, from any thread and without asking an actor; `None` before its start.
    #[must_use]
    pub fn snapshot(&self) -> Option<TreeSnapshot> {
        self.root.get().map(Root::snapshot)
    }

    /// Asks a worker's supervisor to kill the incarnation that is up; it is restarted as its spec says, in the end
    /// without it. An order that comes late does not touch the next incarnation.
    ///
    /// # Errors
    /// [`ControlError`] when there is no such worker or its supervisor is not running.
    pub fn kill(&self, path: &str) -> Result<(), ControlError> {
        let node = self.find(path)?;
        if node.group.is_some() {
            return Err(ControlError::Supervisor { path: path.to_owned() });
        }
        let (supervisor, child) = split(path)?;
        self.tell(supervisor, SupervisorMsg::Kill { child, incarnation: node.incarnation() })
    }

    pub(crate) fn tell(&self, supervisor: &str, msg: SupervisorMsg) -> Result<(), ControlError> {
        let node = self.find(supervisor)?;
        let Some(group) = &node.group else {
            return Err(ControlError::Worker { path: supervisor.to_owned() });
        };
        let told = group.mailbox().and_then(|mailbox| mailbox.send_message(msg).ok());
        told.ok_or_else(|| ControlError::Down { path: supervisor.to_owned() })
    }

    pub(crate) fn find(&self, path: &str) -> Result<Arc<Node>, ControlError> {
        let found = self.root.get().and_then(|root| root.node.find(path));
        found.ok_or_else(|| ControlError::Unknown { path: path.to_owned() })
    }
}

/// Is a tree that was started. It goes on when this is dropped.
#[derive(Clone)]
pub struct Tree {
    pub(crate) handle: TreeHandle,
    pub(crate) place: Root,
    pub(crate) root: ActorCell,
    pub(crate) outcome: watch::Receiver<Option<ExitReason>>,
}

impl Tree {
    /// Returns the handle that looks at the tree and reaches into it.
    #[must_use]
    pub fn handle(&self) -> &TreeHandle {
        &self.handle
    }

    /// Returns what the tree looks like now, from any thread and without asking an actor.
    #[must_use]
    pub fn snapshot(&self) -> TreeSnapshot {
        self.place.snapshot()
    }

    /// Subscribes to everything that happens in the tree from now on.
    #[must_use]
    pub fn events(&self) -> LifecycleEvents {
        self.handle.events()
    }

    /// Stops all children in reverse, each as its spec says, and returns why the tree ended.
    ///
    /// It takes no longer than the specs allow. Work in attached slots ends with its actors. Not to be awaited by an
    /// actor of the tree.
    pub async fn stop(&self) -> ExitReason {
        self.handle.shared.close();
        self.root.stop(Some(stop_reason::SHUTDOWN.to_owned()));
        self.wait().await
    }

    /// Waits for the end of the tree and returns why it ended.
    pub async fn wait(&self) -> ExitReason {
        let mut outcome = self.outcome.clone();
        let ended = outcome.wait_for(Option::is_some).await;
        ended.ok().and_then(|reason| reason.clone()).unwrap_or(ExitReason::Vanished)
    }
}

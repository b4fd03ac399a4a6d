//! A running tree, and the handle that can be made before it runs.

use std::sync::{Arc, OnceLock};

use ractor::ActorCell;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::actor::stop_reason;
use crate::exit::ExitReason;
use crate::group::{Group, Shared};
use crate::handle::ReplyPort;
use crate::lifecycle::LifecycleEvents;
use crate::node::Node;
use crate::snapshot::{TreeSnapshot, ms};
use crate::supervisor::SupervisorMsg;

/// Says why a child could not be told something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// There is no such child.
    #[error("no child at {path}; the tree's snapshot lists the paths")]
    Unknown {
        /// The path that was asked for.
        path: String,
    },
    /// The order is not for a supervisor, or not for the root.
    #[error("{path} is a supervisor; name one of its workers, or stop the tree")]
    Supervisor {
        /// The path that was asked for.
        path: String,
    },
    /// The child's supervisor is not running.
    #[error("the supervisor of {path} is not running; try again after its next start")]
    Orphan {
        /// The path that was asked for.
        path: String,
    },
}

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

    /// Returns what the tree looks like now, from any thread and without asking an actor; `None` before its start.
    #[must_use]
    pub fn snapshot(&self) -> Option<TreeSnapshot> {
        self.root.get().map(Root::snapshot)
    }

    /// Asks a worker's supervisor to kill it; it is restarted as its spec says, in the end without it.
    ///
    /// # Errors
    /// [`ControlError`] when there is no such worker or its supervisor is not running.
    pub fn kill(&self, path: &str) -> Result<(), ControlError> {
        let node = self.find(path)?;
        if node.group.is_some() {
            return Err(ControlError::Supervisor { path: path.to_owned() });
        }
        self.tell(path, SupervisorMsg::Kill { child: node.id.clone() })
    }

    /// Stops a child for good, as its spec says; a restart that is pending is called off.
    ///
    /// # Errors
    /// [`ControlError`] when there is no such child, it is the root, or its supervisor is not running.
    pub async fn terminate(&self, path: &str) -> Result<(), ControlError> {
        let child = self.find(path)?.id.clone();
        let (reply, done) = ReplyPort::new();
        self.tell(path, SupervisorMsg::Terminate { child, reply })?;
        done.await.map_err(|_| ControlError::Orphan { path: path.to_owned() })
    }

    fn tell(&self, path: &str, msg: SupervisorMsg) -> Result<(), ControlError> {
        let (parent, _) =
            path.rsplit_once('/').ok_or_else(|| ControlError::Supervisor { path: path.to_owned() })?;
        let supervisor = self.find(parent)?.group.as_ref().and_then(Group::mailbox);
        supervisor
            .and_then(|supervisor| supervisor.send_message(msg).ok())
            .ok_or_else(|| ControlError::Orphan { path: path.to_owned() })
    }

    fn find(&self, path: &str) -> Result<Arc<Node>, ControlError> {
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

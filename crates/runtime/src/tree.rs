//! A running tree, and the handle that can be made before it runs.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use ractor::{Actor, ActorCell, SpawnErr};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::actor::stop_reason;
use crate::child::{ChildId, StartFn};
use crate::exit::{ExitReason, ExitRecord, describe};
use crate::group::{Group, Shared};
use crate::handle::ReplyPort;
use crate::lifecycle::{LifecycleEvent, LifecycleEvents};
use crate::node::{Node, State};
use crate::snapshot::{TreeSnapshot, ms};
use crate::supervisor::{Boot, Supervisor, SupervisorMsg, SupervisorSpec};

/// Says why a tree did not start. Whatever had been started was stopped again, in reverse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A child did not come up.
    #[error("{path} did not start: {cause}")]
    Child {
        /// Which child.
        path: String,
        /// Why.
        cause: ExitReason,
    },
    /// Two siblings have one id.
    #[error("{path} is there twice; give each child of a supervisor an id of its own")]
    DuplicateChild {
        /// The path that two children would share.
        path: String,
    },
    /// An id cannot be part of a path.
    #[error("`{id}` under {parent} cannot be an id; it must not be empty or contain a slash")]
    BadId {
        /// The id.
        id: String,
        /// Path of its supervisor.
        parent: String,
    },
    /// The handle belongs to another tree.
    #[error("the handle already belongs to a tree; make one for each tree")]
    HandleInUse,
    /// The root supervisor did not come up.
    #[error("the root supervisor did not start: {cause}")]
    Root {
        /// Why.
        cause: String,
    },
}

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
    shared: Arc<Shared>,
    root: Arc<OnceLock<Root>>,
}

#[derive(Clone)]
struct Root {
    node: Arc<Node>,
    started_at: Instant,
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
    handle: TreeHandle,
    place: Root,
    root: ActorCell,
    outcome: watch::Receiver<Option<ExitReason>>,
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

/// Starts a tree and returns when all its children are up.
///
/// # Errors
/// [`StartError`] when the spec is not sound or a child does not come up.
pub async fn start_tree(root: impl Into<ChildId>, spec: SupervisorSpec) -> Result<Tree, StartError> {
    start_tree_with(root, spec, &TreeHandle::new()).await
}

/// Starts a tree for a handle that was made before it.
///
/// # Errors
/// [`StartError`] when the spec is not sound, a child does not come up, or the handle has a tree already.
pub async fn start_tree_with(
    root: impl Into<ChildId>,
    spec: SupervisorSpec,
    handle: &TreeHandle,
) -> Result<Tree, StartError> {
    let id = root.into();
    check_id(&id, "the root")?;
    check(id.as_str(), &spec)?;
    let place = Root { node: Node::root(id, &spec), started_at: Instant::now() };
    handle.root.set(place.clone()).map_err(|_| StartError::HandleInUse)?;

    let (node, shared, exit) = (Arc::clone(&place.node), Arc::clone(&handle.shared), ExitRecord::default());
    node.begin();
    let boot = Boot { spec: Arc::new(spec), node: Arc::clone(&node), shared, exit: exit.clone() };
    let started = Supervisor::spawn(None, Supervisor, boot).await;
    let (root, tokio_task) = started.map_err(why).inspect_err(|_| conclude(&node))?;
    node.running(false);

    let (report, outcome) = watch::channel(None);
    let events = handle.shared.events.clone();
    tokio::spawn(async move {
        let _ractor_catches_panics = tokio_task.await;
        let cause = exit.get().unwrap_or(ExitReason::Vanished);
        conclude(&node);
        events.emit(&LifecycleEvent::Stopped { path: node.path.to_string(), cause: cause.clone() });
        report.send_replace(Some(cause));
    });
    Ok(Tree { handle: handle.clone(), place, root: root.get_cell(), outcome })
}

/// Leaves nothing behind: what still runs beside an actor that never came up, or was killed, is told to end.
fn conclude(root: &Node) {
    root.ended(State::Stopped);
    root.end_tasks();
}

/// Checks the ids of a supervisor's children and of all below.
fn check(path: &str, spec: &SupervisorSpec) -> Result<(), StartError> {
    let mut seen = HashSet::new();
    for child in &spec.children {
        check_id(child.id(), path)?;
        let child_path = format!("{path}/{}", child.id());
        if !seen.insert(child.id()) {
            return Err(StartError::DuplicateChild { path: child_path });
        }
        if let StartFn::Supervisor(spec) = &child.start {
            check(&child_path, spec)?;
        }
    }
    Ok(())
}

fn check_id(id: &ChildId, parent: &str) -> Result<(), StartError> {
    if id.as_str().is_empty() || id.as_str().contains('/') {
        return Err(StartError::BadId { id: id.to_string(), parent: parent.to_owned() });
    }
    Ok(())
}

fn why(error: SpawnErr) -> StartError {
    let failure = match error {
        SpawnErr::StartupFailed(failure) => failure,
        other => other.into(),
    };
    match failure.downcast::<StartError>() {
        Ok(error) => *error,
        Err(failure) => StartError::Root { cause: describe(failure.as_ref()) },
    }
}

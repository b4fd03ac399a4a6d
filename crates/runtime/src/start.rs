//! Starts a tree.

use std::sync::Arc;

use ractor::{Actor, SpawnErr};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::check::{check, check_id};
use crate::child::ChildId;
use crate::exit::{ExitReason, ExitRecord, describe};
use crate::lifecycle::LifecycleEvent;
use crate::node::{Node, State};
use crate::supervisor::{Boot, Supervisor, SupervisorSpec};
use crate::tree::{Root, Tree, TreeHandle};

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
    /// A child cannot be significant.
    #[error(
        "{path} cannot be significant: make it transient or temporary, and have its supervisor shut down by itself"
    )]
    Significant {
        /// Which child.
        path: String,
    },
    /// A supervisor has a template and another strategy or children of its own, or the one without the other.
    #[error(
        "{path} is not sound: a template and the strategy simple_one_for_one go together, without other children"
    )]
    Template {
        /// Which supervisor.
        path: String,
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
        let cause = exit.take().unwrap_or(ExitReason::Vanished);
        conclude(&node);
        events.emit(|| LifecycleEvent::Stopped { path: node.path.to_string(), cause: cause.clone() });
        report.send_replace(Some(cause));
    });
    Ok(Tree { handle: handle.clone(), place, root: root.get_cell(), outcome })
}

/// Leaves nothing behind: what still runs beside an actor that never came up, or was killed, is told to end.
fn conclude(root: &Node) {
    root.ended(State::Stopped);
    root.end_tasks();
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

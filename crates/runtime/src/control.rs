//! Orders to the supervisors of a running tree, by path, and what they say about their children.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::child::{ChildId, ChildKind, ChildSpec, Restart};
use crate::group::Group;
use crate::handle::ReplyPort;
use crate::snapshot::NodeState;
use crate::start::StartError;
use crate::supervisor::{Order, SupervisorMsg};
use crate::tree::TreeHandle;

/// Says why an order was not carried out.
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
    /// The order is for a supervisor.
    #[error("{path} is a worker; name the supervisor that is to carry this out")]
    Worker {
        /// The path that was asked for.
        path: String,
    },
    /// The supervisor is not running.
    #[error("{path} is not running, so nobody can carry this out; try again after its next start")]
    Down {
        /// Path of the supervisor.
        path: String,
    },
    /// The child is up.
    #[error("{path} is running; terminate it first, or take another id")]
    Running {
        /// The path that was asked for.
        path: String,
    },
    /// The child failed and its supervisor is about to start it again.
    #[error("{path} is being restarted by its supervisor; wait for it, or terminate it first")]
    Restarting {
        /// The path that was asked for.
        path: String,
    },
    /// There is a child with this id that is not running.
    #[error("{path} is there already, but does not run; restart it, or delete it first")]
    Present {
        /// The path that was asked for.
        path: String,
    },
    /// The supervisor makes its children from a template.
    #[error(
        "{path} makes its children from a template; start them with arguments, and terminate them for good"
    )]
    Dynamic {
        /// Path of the supervisor.
        path: String,
    },
    /// The supervisor has no template.
    #[error("{path} has no template; start its children with specs of their own")]
    NoTemplate {
        /// Path of the supervisor.
        path: String,
    },
    /// The template makes its children from something else.
    #[error("{path} makes its children from a {expected}; start them with one")]
    Arguments {
        /// Path of the supervisor.
        path: String,
        /// Name of the type.
        expected: &'static str,
    },
    /// The spec is not sound, or the child did not come up.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Says what became of a start that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// The child is up.
    Running,
    /// It [declined](crate::Ignore): it has no process.
    Ignored,
}

/// Is what a supervisor says of one child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildInfo {
    /// Name among its siblings.
    pub id: ChildId,
    /// Whether it works or supervises.
    pub kind: ChildKind,
    /// When it is restarted.
    pub restart: Restart,
    /// Whether its end can be that of its supervisor.
    pub significant: bool,
    /// What it is doing with its life.
    pub state: NodeState,
}

/// Counts the children of a supervisor, as OTP does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChildCounts {
    /// Specs, whether their child runs or not; one where a template makes the children.
    pub specs: usize,
    /// Children that are up.
    pub active: usize,
    /// Children that supervise, whether they run or not.
    pub supervisors: usize,
    /// Children that work, whether they run or not.
    pub workers: usize,
}

/// Orders. An actor that gives one to its own supervisor must not wait for it to end that actor.
impl TreeHandle {
    /// Starts a child behind the others of a supervisor, and returns when it is up. It stays until the supervisor
    /// itself is restarted, which begins with the children of its spec.
    ///
    /// # Errors
    /// [`ControlError`] when there is no such supervisor, it has a template, the id is taken, the spec is not sound,
    /// or the child does not come up; then nothing of it is kept.
    pub async fn start_child(&self, supervisor: &str, child: ChildSpec) -> Result<Started, ControlError> {
        if self.supervisor(supervisor, |group| group.template.is_some())? {
            return Err(ControlError::Dynamic { path: supervisor.to_owned() });
        }
        self.ask(supervisor, |reply| Order::Start { child, reply }).await?
    }

    /// Starts a child of a supervisor that has a [`Template`](crate::Template), from what the template makes it of.
    ///
    /// # Errors
    /// [`ControlError`] as for [`start_child`](Self::start_child), and when the template expects another type.
    pub async fn start_child_with<A: Send + 'static>(
        &self,
        supervisor: &str,
        id: impl Into<ChildId>,
        arguments: A,
    ) -> Result<Started, ControlError> {
        let path = || supervisor.to_owned();
        let template = self.supervisor(supervisor, |group| group.template.clone())?;
        let template = template.ok_or_else(|| ControlError::NoTemplate { path: path() })?;
        let child = template
            .describe(id.into(), arguments)
            .map_err(|expected| ControlError::Arguments { path: path(), expected })?;
        self.ask(supervisor, |reply| Order::Start { child, reply }).await?
    }

    /// Stops a child for good, as its spec says; a restart that is pending is called off. A temporary child, and one
    /// that a template made, is forgotten; others can be started again by [`restart_child`](Self::restart_child).
    ///
    /// # Errors
    /// [`ControlError`] when there is no such child, it is the root, or its supervisor is not running.
    pub async fn terminate_child(&self, path: &str) -> Result<(), ControlError> {
        let (supervisor, child) = split(path)?;
        self.ask(supervisor, |reply| Order::Terminate { child, reply }).await?
    }

    /// Starts a child that was terminated, ended for good or declined its start, and returns when it is up.
    ///
    /// # Errors
    /// [`ControlError`] when there is no such child, it runs or will, a template made it, or it does not come up.
    pub async fn restart_child(&self, path: &str) -> Result<Started, ControlError> {
        let (supervisor, child) = split(path)?;
        self.ask(supervisor, |reply| Order::Restart { child, reply }).await?
    }

    /// Forgets a child that does not run.
    ///
    /// # Errors
    /// [`ControlError`] when there is no such child, it runs or will, or a template made it.
    pub async fn delete_child(&self, path: &str) -> Result<(), ControlError> {
        let (supervisor, child) = split(path)?;
        self.ask(supervisor, |reply| Order::Delete { child, reply }).await?
    }

    /// Returns once a supervisor has worked off what it was told before: the sign that it is alive.
    ///
    /// It says nothing while it waits for a child to start or to stop, so an absence is judged with patience.
    ///
    /// # Errors
    /// [`ControlError`] when there is no such supervisor, or it is not running.
    pub async fn beat(&self, supervisor: &str) -> Result<(), ControlError> {
        self.ask(supervisor, |reply| Order::Beat { reply }).await
    }

    /// Returns the children of a supervisor in start order, from any thread and without asking it.
    ///
    /// # Errors
    /// [`ControlError`] when there is no such supervisor.
    pub fn which_children(&self, supervisor: &str) -> Result<Vec<ChildInfo>, ControlError> {
        let now = Instant::now();
        self.supervisor(supervisor, |group| group.children().iter().map(|child| child.info(now)).collect())
    }

    /// Counts the children of a supervisor, from any thread and without asking it.
    ///
    /// # Errors
    /// [`ControlError`] when there is no such supervisor.
    pub fn count_children(&self, supervisor: &str) -> Result<ChildCounts, ControlError> {
        let children = self.which_children(supervisor)?;
        let count = |wanted: fn(&ChildInfo) -> bool| children.iter().filter(|child| wanted(child)).count();
        let from_template = self.supervisor(supervisor, |group| group.template.is_some())?;
        Ok(ChildCounts {
            specs: if from_template { 1 } else { children.len() },
            active: count(|child| child.state == NodeState::Running),
            supervisors: count(|child| child.kind == ChildKind::Supervisor),
            workers: count(|child| child.kind == ChildKind::Worker),
        })
    }

    /// Looks at the children of a supervisor.
    fn supervisor<T>(&self, path: &str, look: impl FnOnce(&Group) -> T) -> Result<T, ControlError> {
        let node = self.find(path)?;
        node.group.as_ref().map(look).ok_or_else(|| ControlError::Worker { path: path.to_owned() })
    }

    async fn ask<R>(
        &self,
        supervisor: &str,
        order: impl FnOnce(ReplyPort<R>) -> Order,
    ) -> Result<R, ControlError> {
        let (reply, answer) = ReplyPort::new();
        self.tell(supervisor, SupervisorMsg::Order(order(reply)))?;
        answer.await.map_err(|_| ControlError::Down { path: supervisor.to_owned() })
    }
}

/// Splits the path of a child into that of its supervisor and its id.
pub(crate) fn split(path: &str) -> Result<(&str, ChildId), ControlError> {
    let (supervisor, id) =
        path.rsplit_once('/').ok_or_else(|| ControlError::Supervisor { path: path.to_owned() })?;
    Ok((supervisor, id.into()))
}

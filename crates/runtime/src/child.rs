//! What a supervisor knows of a child before it starts it.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::actor::Actor;
use crate::backoff::Backoff;
use crate::exit::{ExitReason, Failure};
use crate::gauges::Gauges;
use crate::handle::Handle;
use crate::runner;
use crate::supervisor::SupervisorSpec;
use crate::task::{Attached, Task, TaskSlot};
use crate::worker::{StartFn, Worker};

/// How long a killed child may take to be gone before it is declared a zombie, unless its spec says otherwise.
pub const KILL_GRACE: Duration = Duration::from_secs(1);

/// Names a child among its siblings.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChildId(Arc<str>);

impl ChildId {
    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<Arc<str>>> From<T> for ChildId {
    fn from(id: T) -> Self {
        Self(id.into())
    }
}

impl Borrow<str> for ChildId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says when a child that ended is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// Always.
    #[default]
    Permanent,
    /// When it ended abnormally.
    Transient,
    /// Never; once ended it is forgotten.
    Temporary,
}

impl Restart {
    /// Returns whether a child that ended for this reason is started again.
    #[must_use]
    pub fn wants_restart(self, reason: &ExitReason) -> bool {
        match self {
            Self::Permanent => true,
            Self::Transient => !reason.is_normal(),
            Self::Temporary => false,
        }
    }
}

/// Says how a child is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Killed without being asked.
    BrutalKill,
    /// Asked, and killed when it is not gone in time.
    Timeout(Duration),
    /// Asked, and waited for as long as it takes.
    Infinity,
}

/// Says whether a child is itself a supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChildKind {
    /// It works.
    Worker,
    /// It supervises.
    Supervisor,
}

/// Is what one incarnation of a child is told about itself.
#[derive(Debug, Clone)]
pub struct ChildContext {
    /// Place in the tree, from the root: `root/work/worker-1`.
    pub path: Arc<str>,
    /// Which life of the child this is, from 0; it goes on counting when the child's supervisor is restarted.
    pub incarnation: u32,
    /// What can be seen of the child from outside.
    pub gauges: Arc<Gauges>,
    /// Cancelled when this incarnation has ended, for what must not outlive it.
    pub ended: CancellationToken,
    #[cfg(feature = "failpoints")]
    pub(crate) failpoints: crate::failpoint::Failpoints,
}

/// Describes a child: how it is started, when it is restarted, how it is stopped.
#[derive(Clone)]
pub struct ChildSpec {
    pub(crate) id: ChildId,
    pub(crate) start: StartFn,
    pub(crate) restart: Restart,
    pub(crate) significant: bool,
    pub(crate) shutdown: Shutdown,
    pub(crate) kill_grace: Duration,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) tasks: Vec<Arc<dyn Attached>>,
}

impl ChildSpec {
    /// Describes a worker whose actor is built anew by `make` for each incarnation and answers at `handle`.
    ///
    /// It is permanent and has five seconds to stop. A handle belongs to one child.
    pub fn worker<A: Actor>(
        id: impl Into<ChildId>,
        handle: &Handle<A::Msg>,
        make: impl Fn(ChildContext) -> (A, A::Arguments) + Send + Sync + 'static,
    ) -> Self {
        let worker = Worker { handle: handle.clone(), make };
        Self::new(id.into(), StartFn::Worker(Arc::new(worker)), Shutdown::Timeout(Duration::from_secs(5)))
    }

    /// Describes a worker whose whole duty is one task, built anew by `make` for each incarnation.
    ///
    /// The child ends as its task does: one that is done ends normally, so that only a permanent child is restarted;
    /// one that failed or panicked ends abnormally. The task of an incarnation has ended, or was fenced off, before
    /// the next one starts. It is permanent and has five seconds to stop.
    pub fn task(
        id: impl Into<ChildId>,
        make: impl Fn() -> Result<Task<()>, Failure> + Send + Sync + 'static,
    ) -> Self {
        runner::spec(id.into(), make)
    }

    /// Describes a supervisor. It is permanent and has all the time it needs to stop, since its own children are
    /// bounded.
    pub fn supervisor(id: impl Into<ChildId>, spec: SupervisorSpec) -> Self {
        Self::new(id.into(), StartFn::Supervisor(Arc::new(spec)), Shutdown::Infinity)
    }

    fn new(id: ChildId, start: StartFn, shutdown: Shutdown) -> Self {
        Self {
            id,
            start,
            restart: Restart::default(),
            significant: false,
            shutdown,
            kill_grace: KILL_GRACE,
            backoff: None,
            tasks: Vec::new(),
        }
    }

    /// Sets when the child is restarted.
    #[must_use]
    pub fn restart(self, restart: Restart) -> Self {
        Self { restart, ..self }
    }

    /// Makes the child one whose end can be that of its supervisor, as [`AutoShutdown`](crate::AutoShutdown) says.
    ///
    /// A permanent child never ends for good, and so cannot be significant.
    #[must_use]
    pub fn significant(self) -> Self {
        Self { significant: true, ..self }
    }

    /// Sets how the child is stopped.
    #[must_use]
    pub fn shutdown(self, shutdown: Shutdown) -> Self {
        Self { shutdown, ..self }
    }

    /// Sets how long the child may take to be gone after a kill before it is declared a zombie.
    #[must_use]
    pub fn kill_grace(self, kill_grace: Duration) -> Self {
        Self { kill_grace, ..self }
    }

    /// Spreads the child's restarts; without it a child is restarted at once.
    #[must_use]
    pub fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff: Some(backoff), ..self }
    }

    /// Shows the work of this slot beside the child, and ends it with the tree.
    #[must_use]
    pub fn attach<T: Send + 'static>(mut self, slot: &TaskSlot<T>) -> Self {
        self.tasks.push(slot.attached());
        self
    }

    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> &ChildId {
        &self.id
    }

    /// Returns whether the child works or supervises.
    #[must_use]
    pub fn kind(&self) -> ChildKind {
        match self.start {
            StartFn::Worker(_) => ChildKind::Worker,
            StartFn::Supervisor(_) => ChildKind::Supervisor,
        }
    }
}

impl fmt::Debug for ChildSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildSpec")
            .field("id", &self.id)
            .field("kind", &self.kind())
            .field("restart", &self.restart)
            .field("significant", &self.significant)
            .field("shutdown", &self.shutdown)
            .field("backoff", &self.backoff)
            .finish_non_exhaustive()
    }
}

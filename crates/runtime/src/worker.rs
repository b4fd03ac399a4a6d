//! What starts a child, with the types of its actor left behind.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use ractor::{ActorCell, ActorId, SpawnErr};
use tokio::sync::oneshot;

use crate::actor::Actor;
use crate::child::ChildContext;
use crate::door::{AnyDoor, Vacant};
use crate::exit::ExitRecord;
use crate::gauges::Gauges;
use crate::handle::Handle;
use crate::host;
use crate::life::Incarnation;
use crate::shutdown::Spawned;
use crate::supervisor::SupervisorSpec;

/// Knows how to start a child.
#[derive(Clone)]
pub(crate) enum StartFn {
    Worker(Arc<dyn StartWorker>),
    Supervisor(Arc<SupervisorSpec>),
}

impl StartFn {
    /// Asks the incarnation that is up to leave its host, if it has one that can be left.
    pub(crate) fn ask_to_leave(&self) -> Option<oneshot::Receiver<AnyDoor>> {
        match self {
            Self::Worker(worker) => worker.ask_to_leave(),
            Self::Supervisor(_) => None,
        }
    }

    /// Lets the child's handle go of an incarnation.
    pub(crate) fn retire(&self, id: ActorId) {
        if let Self::Worker(worker) = self {
            worker.retire(id);
        }
    }
}

pub(crate) type Starting = Pin<Box<dyn Future<Output = Result<Spawned, SpawnErr>> + Send>>;

/// Starts workers of one kind.
pub(crate) trait StartWorker: Send + Sync {
    /// Starts an incarnation, in a host that the one before has left, if there is one.
    fn start(
        &self,
        child: Arc<ChildContext>,
        exit: ExitRecord,
        supervisor: ActorCell,
        vacant: Option<Vacant>,
    ) -> Starting;
    /// Asks the incarnation that is up to leave its host.
    fn ask_to_leave(&self) -> Option<oneshot::Receiver<AnyDoor>>;
    fn retire(&self, id: ActorId);
    fn gauges(&self) -> &Arc<Gauges>;
}

/// A worker's handle and what builds its actor anew for each incarnation.
pub(crate) struct Worker<A: Actor, F> {
    pub(crate) handle: Handle<A::Msg>,
    pub(crate) make: F,
}

impl<A, F> StartWorker for Worker<A, F>
where
    A: Actor,
    F: Fn(ChildContext) -> (A, A::Arguments) + Send + Sync + 'static,
{
    fn start(
        &self,
        child: Arc<ChildContext>,
        exit: ExitRecord,
        supervisor: ActorCell,
        vacant: Option<Vacant>,
    ) -> Starting {
        let (actor, arguments) = (self.make)(ChildContext::clone(&child));
        let incarnation = Incarnation { actor, child, handle: self.handle.clone(), exit };
        Box::pin(host::start(incarnation, arguments, supervisor, vacant))
    }

    fn ask_to_leave(&self) -> Option<oneshot::Receiver<AnyDoor>> {
        self.handle.ask_to_leave()
    }

    fn retire(&self, id: ActorId) {
        self.handle.retire(id);
    }

    fn gauges(&self) -> &Arc<Gauges> {
        self.handle.gauges()
    }
}

//! One child of a supervisor: how an incarnation is started, and what is left of it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorCell, SpawnErr};

use crate::actor::Ignore;
use crate::child::{ChildContext, ChildSpec, Shutdown};
use crate::door::{AnyDoor, Vacant};
use crate::exit::{ExitReason, ExitRecord, Failure, Remains, caught};
use crate::group::Shared;
use crate::node::{Node, State};
use crate::shutdown::Spawned;
use crate::supervisor::{Boot, Supervisor};
use crate::worker::{StartFn, Starting};

/// One child. Temporary children leave the list when they end.
pub(crate) struct Child {
    pub(crate) spec: ChildSpec,
    pub(crate) node: Arc<Node>,
    pub(crate) running: Option<Running>,
    /// What is left of the incarnation before.
    pub(crate) remains: Remains,
    /// Where the incarnation before lived and the next one can.
    pub(crate) vacant: Option<Vacant>,
    /// Failures in a row, for the back-off.
    failures: u32,
}

/// The incarnation that is up.
pub(crate) struct Running {
    pub(crate) spawned: Spawned,
    pub(crate) incarnation: u32,
    pub(crate) exit: ExitRecord,
    /// It is being killed, and its host with it.
    pub(crate) is_doomed: bool,
    _held: Held,
}

impl Running {
    /// Lets go of the incarnation, and returns where it lived.
    pub(crate) fn let_go(self) -> Spawned {
        self.spawned
    }
}

/// Holds on to an incarnation.
struct Held(Arc<ChildContext>);

impl Drop for Held {
    fn drop(&mut self) {
        // Whatever becomes of the supervisor, those who asked learn that the incarnation is over.
        self.0.ended.cancel();
    }
}

impl Child {
    pub(crate) fn new(spec: &ChildSpec, node: &Arc<Node>) -> Self {
        Self {
            spec: spec.clone(),
            node: Arc::clone(node),
            running: None,
            remains: Remains::default(),
            vacant: None,
            failures: 0,
        }
    }

    /// Starts an incarnation, unless it declines; a panic on the way is a failure of the child and not of its
    /// supervisor.
    pub(crate) async fn launch(
        &mut self,
        context: ChildContext,
        shared: &Arc<Shared>,
        supervisor: ActorCell,
    ) -> Result<Option<Running>, ExitReason> {
        let exit = ExitRecord::default();
        #[cfg(feature = "failpoints")]
        let context = self.armed(context, shared);
        let child = Arc::new(context);
        let vacant = self.vacant.take();
        let starting = async {
            let started = match &self.spec.start {
                StartFn::Worker(worker) => {
                    worker.start(Arc::clone(&child), exit.clone(), supervisor, vacant).await
                }
                StartFn::Supervisor(spec) => {
                    let (spec, node, shared) = (Arc::clone(spec), Arc::clone(&self.node), Arc::clone(shared));
                    start_supervisor(Boot { spec, node, shared, exit: exit.clone() }, supervisor).await
                }
            }
            .map_err(why);
            match started {
                Err(failure) if failure.is::<Ignore>() => Ok(None),
                started => started.map(Some),
            }
        };
        match caught(starting).await {
            Ok(None) => Ok(None),
            Ok(Some(spawned)) => {
                let incarnation = child.incarnation;
                Ok(Some(Running { spawned, incarnation, exit, is_doomed: false, _held: Held(child) }))
            }
            Err(cause) => Err(exit.take().unwrap_or(cause)),
        }
    }

    /// Gives the child and the work beside it the points of its tree.
    #[cfg(feature = "failpoints")]
    fn armed(&self, context: ChildContext, shared: &Shared) -> ChildContext {
        self.spec.tasks.iter().for_each(|task| task.arm(&context.path, &shared.failpoints));
        ChildContext { failpoints: shared.failpoints.clone(), ..context }
    }

    /// Stops the incarnation that is up as its spec says, and returns what is left of it and why it ended.
    pub(crate) async fn halt(&mut self) -> Option<(Running, ExitReason)> {
        let mut running = self.running.take()?;
        self.node.set(State::Stopping);
        let ending = running.spawned.stop(self.spec.shutdown, self.spec.kill_grace).await;
        let cause = ending.reason(&running.exit);
        Some((running, cause))
    }

    /// Has the incarnation that is up make room for the next one, as its spec says, and returns what is left of it, why it
    /// ended and, where its host stays, the door of that.
    pub(crate) async fn clear(&mut self) -> Option<(Running, ExitReason, Option<AnyDoor>)> {
        let is_asked = |spec: &ChildSpec| match spec.shutdown {
            Shutdown::BrutalKill => None,
            Shutdown::Timeout(_) | Shutdown::Infinity => spec.start.ask_to_leave(),
        };
        let Some(is_gone) = self.running.as_ref().and_then(|_| is_asked(&self.spec)) else {
            return self.halt().await.map(|(running, cause)| (running, cause, None));
        };
        let mut running = self.running.take()?;
        self.node.set(State::Stopping);
        let ChildSpec { shutdown, kill_grace, .. } = self.spec;
        let (ending, door) = running.spawned.left(is_gone, shutdown, kill_grace).await;
        let cause = ending.reason(&running.exit);
        Some((running, cause, door))
    }

    /// Returns the wait before the next restart, and counts the failure that led to it.
    pub(crate) fn next_delay(&mut self, seed: u64) -> Duration {
        let Some(backoff) = self.spec.backoff else { return Duration::ZERO };
        let mut hasher = DefaultHasher::new();
        (seed, &self.node.path, self.node.incarnation()).hash(&mut hasher);
        let delay = backoff.delay(self.failures, hasher.finish());
        self.failures = self.failures.saturating_add(1);
        delay
    }

    /// Forgets earlier failures when the incarnation that ends ran long enough to be called healthy.
    pub(crate) fn forgive(&mut self) {
        if self.spec.backoff.is_some_and(|backoff| self.node.uptime() >= backoff.reset_after) {
            self.failures = 0;
        }
    }
}

/// Boxed with its type spelt out, because the start of a supervisor contains the start of supervisors.
fn start_supervisor(boot: Boot, supervisor: ActorCell) -> Starting {
    Box::pin(async move {
        let (started, tokio_task) = Supervisor::spawn_linked(None, Supervisor, boot, supervisor).await?;
        Ok(Spawned { cell: started.get_cell(), tokio_task })
    })
}

/// Returns what a failed start failed of.
fn why(error: SpawnErr) -> Failure {
    match error {
        SpawnErr::StartupFailed(failure) => failure,
        other => other.into(),
    }
}

/// Ends the work beside an actor that is gone, in the bounds the work has itself.
pub(crate) async fn end_tasks(spec: &ChildSpec) {
    for task in &spec.tasks {
        task.end();
        let _fence_takes_too_long = tokio::time::timeout(task.patience(), task.settled()).await;
    }
}

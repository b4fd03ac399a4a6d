//! The children of one supervisor: start, stop, and what happens when one ends.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorCell, ActorId, ActorRef, SpawnErr};
use tokio::time::Instant;

use crate::child::{ChildContext, ChildId, ChildSpec, Restart, StartFn, Starting};
use crate::exit::{Breach, ExitReason, ExitRecord, Failure, caught};
use crate::lifecycle::LifecycleEvent;
use crate::node::{Group, Node, Shared, State, ms};
use crate::pending::Pending;
use crate::shutdown::Spawned;
use crate::supervisor::{Boot, Supervisor, SupervisorMsg, SupervisorSpec};
use crate::tree::StartError;

/// The state of a supervisor.
pub(crate) struct Children {
    pub(crate) spec: Arc<SupervisorSpec>,
    node: Arc<Node>,
    shared: Arc<Shared>,
    exit: ExitRecord,
    pub(crate) myself: ActorRef<SupervisorMsg>,
    pub(crate) members: Vec<Child>,
    pub(crate) pending: Pending,
}

/// One child. Temporary children leave the list when they end.
pub(crate) struct Child {
    pub(crate) spec: ChildSpec,
    pub(crate) node: Arc<Node>,
    pub(crate) running: Option<Running>,
    /// Failures in a row, for the back-off.
    pub(crate) failures: u32,
}

/// The incarnation that is up.
pub(crate) struct Running {
    spawned: Spawned,
    context: ChildContext,
    exit: ExitRecord,
}

impl Children {
    pub(crate) fn new(boot: Boot, myself: ActorRef<SupervisorMsg>) -> Self {
        let Boot { spec, node, shared, exit } = boot;
        let mut members = Vec::new();
        if let Some(group) = &node.group {
            group.open(myself.clone());
            members = spec.children.iter().zip(&group.children).map(Child::new).collect();
        }
        Self { spec, node, shared, exit, myself, members, pending: Pending::default() }
    }

    /// Starts all children in order; when one fails, those before it are stopped in reverse.
    pub(crate) async fn start_all(&mut self) -> Result<(), StartError> {
        for index in 0..self.members.len() {
            if let Err(cause) = self.start(index, false).await {
                let path = self.members[index].node.path.to_string();
                self.stop_all().await;
                return Err(StartError::Child { path, cause });
            }
        }
        Ok(())
    }

    /// Stops all children in reverse, after an order to stop.
    pub(crate) async fn shut_down(&mut self) {
        self.stop_all().await;
        self.exit.set(ExitReason::Shutdown);
    }

    /// Reacts to the end of an actor. One that is no current child was stopped by us, and is swallowed.
    pub(crate) async fn exited(&mut self, id: ActorId, seen: ExitReason) -> Result<(), Breach> {
        let Some(index) = self.members.iter().position(|child| child.is(id)) else { return Ok(()) };
        let Some(mut running) = self.members[index].running.take() else { return Ok(()) };
        let cause = running.exit.get().unwrap_or(seen);
        if !running.spawned.gone_within(self.members[index].spec.kill_grace).await {
            tracing::warn!(path = %running.context.path, "An actor ended, but its state is still being dropped");
        }
        self.bury(index, &running, &cause);
        self.decide(index, cause).await
    }

    /// Kills a child, and looks after it once the grace is over.
    pub(crate) fn kill(&self, id: &ChildId) {
        let Some(child) = self.find(id).map(|index| &self.members[index]) else { return };
        let Some(running) = &child.running else { return };
        running.spawned.cell.kill();
        let expired =
            SupervisorMsg::KillExpired { child: id.clone(), incarnation: running.context.incarnation };
        let _timer = self.myself.send_after(child.spec.kill_grace, || expired);
    }

    /// Goes on without a child that a kill did not end.
    pub(crate) async fn kill_expired(&mut self, id: &ChildId, incarnation: u32) -> Result<(), Breach> {
        let Some(index) = self.find(id) else { return Ok(()) };
        let killed = |running: &mut Running| running.context.incarnation == incarnation;
        let Some(running) = self.members[index].running.take_if(killed) else { return Ok(()) };
        self.bury(index, &running, &ExitReason::Zombie);
        self.decide(index, ExitReason::Zombie).await
    }

    /// Stops a child for good, also one that was about to be restarted.
    pub(crate) async fn terminate(&mut self, id: &ChildId) {
        let Some(index) = self.find(id) else { return };
        self.pending.withdraw(id);
        self.stop(index).await;
        self.forget_temporary(std::slice::from_ref(id));
    }

    /// Starts the children whose restart is due.
    pub(crate) async fn restart(&mut self, pending: u64) -> Result<(), Breach> {
        for id in self.pending.take(pending).unwrap_or_default() {
            let Some(index) = self.find(&id) else { continue };
            if let Err(cause) = self.start(index, true).await {
                return self.fail(index, cause).await;
            }
        }
        Ok(())
    }

    /// Starts a child that is not running; `again` says that this is a restart.
    async fn start(&mut self, index: usize, again: bool) -> Result<(), ExitReason> {
        let child = &mut self.members[index];
        let context = child.node.begin();
        let (path, incarnation) = (child.node.path.to_string(), context.incarnation);
        match child.launch(context, &self.shared, self.myself.get_cell()).await {
            Ok(running) => {
                child.running = Some(running);
                child.node.running(again);
                self.emit(&match again {
                    true => LifecycleEvent::Restarted { path, incarnation },
                    false => LifecycleEvent::Started { path, incarnation },
                });
                Ok(())
            }
            Err(cause) => {
                child.node.ended(State::Stopped);
                self.emit(&LifecycleEvent::StartFailed { path, incarnation, cause: cause.clone() });
                Err(cause)
            }
        }
    }

    async fn stop_all(&mut self) {
        self.pending.clear();
        for index in (0..self.members.len()).rev() {
            self.stop(index).await;
        }
    }

    /// Stops a child as its spec says, or lets it rest when it was waiting for its restart.
    async fn stop(&mut self, index: usize) {
        let child = &mut self.members[index];
        if let Some(mut running) = child.running.take() {
            child.node.set(State::Stopping);
            let ending = running.spawned.stop(child.spec.shutdown, child.spec.kill_grace).await;
            self.bury(index, &running, &ending.reason(&running.exit));
        }
        let child = &self.members[index];
        child.node.rest();
        if self.shared.is_closing() {
            end_tasks(&child.spec).await;
        }
    }

    /// Decides what follows on the end of a child.
    async fn decide(&mut self, index: usize, cause: ExitReason) -> Result<(), Breach> {
        let child = &self.members[index];
        if child.spec.restart.wants_restart(&cause) {
            return self.fail(index, cause).await;
        }
        child.spec.tasks.iter().for_each(|task| task.end());
        let id = child.spec.id.clone();
        self.forget_temporary(&[id]);
        Ok(())
    }

    /// Counts a failure, and then gives up or stops the group and promises its restart.
    async fn fail(&mut self, index: usize, cause: ExitReason) -> Result<(), Breach> {
        if let Some(reasons) = self.group().and_then(|group| group.count_restart(cause)) {
            return Err(self.breach(index, reasons).await);
        }
        let after = self.members[index].next_delay(self.spec.jitter_seed);
        let path = self.members[index].node.path.to_string();
        let group = self.stop_group(index).await;
        let due = Instant::now() + after;
        for index in group.iter().filter_map(|id| self.find(id)) {
            self.members[index].node.set(State::Restarting { until: due });
        }
        self.emit(&LifecycleEvent::RestartScheduled { path, after_ms: ms(after) });
        self.pending.add(group, due, &self.myself);
        Ok(())
    }

    /// Stops in reverse those who share the fate of the child at `index`, and returns in order who comes back.
    async fn stop_group(&mut self, index: usize) -> Vec<ChildId> {
        let group = self.spec.strategy.group(index, self.members.len());
        let mut ids: Vec<ChildId> =
            self.members[group.clone()].iter().map(|child| child.spec.id.clone()).collect();
        for index in group.rev() {
            self.stop(index).await;
        }
        ids.iter().for_each(|id| self.pending.withdraw(id));
        self.forget_temporary(&ids);
        ids.retain(|id| self.find(id).is_some());
        ids
    }

    /// Gives up: everything is stopped, and the reason is an abnormal one that the parent can tell from others.
    async fn breach(&mut self, index: usize, reasons: Vec<ExitReason>) -> Breach {
        let breach = Breach {
            supervisor: self.node.path.to_string(),
            child: self.members[index].node.path.to_string(),
            reasons,
            window_ms: ms(self.spec.intensity.within),
            max: self.spec.intensity.max,
        };
        self.exit.set(ExitReason::Breach(Box::new(breach.clone())));
        if self.node.is_root() {
            self.shared.close();
        }
        self.emit(&LifecycleEvent::Breach(breach.clone()));
        self.stop_all().await;
        breach
    }

    /// Does what is due once an incarnation is gone, or given up for gone.
    fn bury(&mut self, index: usize, running: &Running, cause: &ExitReason) {
        let child = &mut self.members[index];
        running.context.ended.cancel();
        child.spec.start.retire(running.spawned.cell.get_id());
        child.forgive();
        let (path, incarnation) = (child.node.path.to_string(), running.context.incarnation);
        if *cause == ExitReason::Zombie {
            child.node.ended(State::Zombie);
            running.spawned.cell.unlink(self.myself.get_cell());
            self.emit(&LifecycleEvent::Zombie { path: path.clone(), incarnation });
        } else {
            child.node.ended(State::Stopped);
        }
        self.emit(&LifecycleEvent::Exited { path, incarnation, cause: cause.clone() });
    }

    fn forget_temporary(&mut self, ids: &[ChildId]) {
        self.members.retain(|child| {
            let goes = child.spec.restart == Restart::Temporary && ids.contains(&child.spec.id);
            if goes {
                child.node.forget();
            }
            !goes
        });
    }

    fn find(&self, id: &ChildId) -> Option<usize> {
        self.members.iter().position(|child| child.spec.id == *id)
    }

    fn group(&self) -> Option<&Group> {
        self.node.group.as_ref()
    }

    fn emit(&self, event: &LifecycleEvent) {
        self.shared.events.emit(event);
    }
}

impl Child {
    fn new((spec, node): (&ChildSpec, &Arc<Node>)) -> Self {
        Self { spec: spec.clone(), node: Arc::clone(node), running: None, failures: 0 }
    }

    fn is(&self, id: ActorId) -> bool {
        self.running.as_ref().is_some_and(|running| running.spawned.cell.get_id() == id)
    }

    /// Starts an incarnation; a panic on the way is a failure of the child and not of its supervisor.
    async fn launch(
        &self,
        context: ChildContext,
        shared: &Arc<Shared>,
        supervisor: ActorCell,
    ) -> Result<Running, ExitReason> {
        let exit = ExitRecord::default();
        let starting = async {
            match &self.spec.start {
                StartFn::Worker(worker) => worker.start(context.clone(), exit.clone(), supervisor).await,
                StartFn::Supervisor(spec) => {
                    let (spec, node, shared) = (Arc::clone(spec), Arc::clone(&self.node), Arc::clone(shared));
                    start_supervisor(Boot { spec, node, shared, exit: exit.clone() }, supervisor).await
                }
            }
            .map_err(why)
        };
        match caught(starting).await {
            Ok(spawned) => Ok(Running { spawned, context, exit }),
            Err(cause) => Err(exit.get().unwrap_or(cause)),
        }
    }

    /// Returns the wait before the next restart, and counts the failure that led to it.
    fn next_delay(&mut self, seed: u64) -> Duration {
        let Some(backoff) = self.spec.backoff else { return Duration::ZERO };
        let mut hasher = DefaultHasher::new();
        (seed, &self.node.path, self.node.incarnation()).hash(&mut hasher);
        let delay = backoff.delay(self.failures, hasher.finish());
        self.failures = self.failures.saturating_add(1);
        delay
    }

    /// Forgets earlier failures when the incarnation that ends ran long enough to be called healthy.
    fn forgive(&mut self) {
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
async fn end_tasks(spec: &ChildSpec) {
    for task in &spec.tasks {
        task.end();
        let _fence_takes_too_long = tokio::time::timeout(task.patience(), task.settled()).await;
    }
}

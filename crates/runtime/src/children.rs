//! The children of one supervisor: start, stop, and what happens when one ends.

use std::sync::Arc;

use ractor::{ActorId, ActorRef};
use tokio::time::Instant;

use crate::child::{ChildId, Restart};
use crate::exit::{Breach, ExitReason, ExitRecord};
use crate::group::{Group, Shared};
use crate::lifecycle::LifecycleEvent;
use crate::member::{Child, Running, end_tasks};
use crate::node::{Node, State};
use crate::pending::Pending;
use crate::snapshot::ms;
use crate::start::StartError;
use crate::supervisor::{Boot, SupervisorMsg, SupervisorSpec};

/// The state of a supervisor.
pub(crate) struct Children {
    spec: Arc<SupervisorSpec>,
    node: Arc<Node>,
    shared: Arc<Shared>,
    exit: ExitRecord,
    myself: ActorRef<SupervisorMsg>,
    members: Vec<Child>,
    pending: Pending,
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
            tracing::warn!(path = %self.members[index].node.path, "An actor ended, but its state is still being dropped");
        }
        self.bury(index, running, &cause);
        self.decide(index, cause).await
    }

    /// Kills a child, and looks after it once the grace is over.
    pub(crate) fn kill(&self, id: &ChildId) {
        let Some(child) = self.find(id).map(|index| &self.members[index]) else { return };
        let Some(running) = &child.running else { return };
        running.spawned.cell.kill();
        let expired = SupervisorMsg::KillExpired { child: id.clone(), incarnation: running.incarnation };
        let _timer = self.myself.send_after(child.spec.kill_grace, || expired);
    }

    /// Goes on without a child that a kill did not end.
    pub(crate) async fn kill_expired(&mut self, id: &ChildId, incarnation: u32) -> Result<(), Breach> {
        let Some(index) = self.find(id) else { return Ok(()) };
        let killed = |running: &mut Running| running.incarnation == incarnation;
        let Some(running) = self.members[index].running.take_if(killed) else { return Ok(()) };
        self.bury(index, running, &ExitReason::Zombie);
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
            let cause = ending.reason(&running.exit);
            self.bury(index, running, &cause);
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
    fn bury(&mut self, index: usize, running: Running, cause: &ExitReason) {
        let child = &mut self.members[index];
        child.spec.start.retire(running.spawned.cell.get_id());
        child.forgive();
        let (path, incarnation) = (child.node.path.to_string(), running.incarnation);
        if *cause == ExitReason::Zombie {
            child.node.ended(State::Zombie);
            running.spawned.cell.unlink(self.myself.get_cell());
            self.emit(&LifecycleEvent::Zombie { path: path.clone(), incarnation });
        } else {
            child.node.ended(State::Stopped);
        }
        drop(running);
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

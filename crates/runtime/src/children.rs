//! The children of one supervisor: how they start and stop. What follows on an end is in `endings`, what others ask
//! for in `orders`.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use ractor::{ActorId, ActorRef};

use crate::child::{ChildId, ChildSpec, Restart};
use crate::control::Started;
use crate::door::Vacant;
use crate::exit::{ExitReason, ExitRecord};
use crate::group::{Group, Shared};
use crate::lifecycle::LifecycleEvent;
use crate::member::{Child, Running, end_tasks};
use crate::node::{Node, State};
use crate::ordered::{Ordered, Place};
use crate::pending::Pending;
use crate::shutdown::Spawned;
use crate::start::StartError;
use crate::strategy::Strategy;
use crate::supervisor::{Boot, SupervisorMsg, SupervisorSpec};

/// The state of a supervisor.
pub(crate) struct Children {
    pub(crate) spec: Arc<SupervisorSpec>,
    pub(crate) node: Arc<Node>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) exit: ExitRecord,
    pub(crate) myself: ActorRef<SupervisorMsg>,
    pub(crate) members: Ordered<Child>,
    /// Which child an actor is an incarnation of, while it is up.
    pub(crate) actors: BTreeMap<ActorId, Place>,
    pub(crate) pending: Pending,
}

impl Children {
    pub(crate) fn new(boot: Boot, myself: ActorRef<SupervisorMsg>) -> Self {
        let Boot { spec, node, shared, exit } = boot;
        let fixed = node.group.iter().flat_map(|group| &group.fixed);
        let members = spec
            .children
            .iter()
            .zip(fixed)
            .map(|(spec, node)| (spec.id.clone(), Child::new(spec, node)))
            .collect();
        if let Some(group) = &node.group {
            group.open(myself.clone());
        }
        let (actors, pending) = (BTreeMap::new(), Pending::default());
        Self { spec, node, shared, exit, myself, members, actors, pending }
    }

    /// Starts all children in order; when one fails, those before it are stopped in reverse.
    pub(crate) async fn start_all(&mut self) -> Result<(), StartError> {
        for at in self.members.places(..) {
            let path = self.members[at].node.path.to_string();
            if let Err(cause) = self.start(at, false).await {
                self.stop_all().await;
                return Err(StartError::Child { path, cause });
            }
        }
        Ok(())
    }

    /// Stops all children, after an order to stop.
    pub(crate) async fn shut_down(&mut self) {
        self.stop_all().await;
        self.exit.set(ExitReason::Shutdown);
    }

    /// Starts a child that is not running; `again` says that this is a restart. One that declines for good is forgotten.
    pub(crate) async fn start(&mut self, at: Place, again: bool) -> Result<Started, ExitReason> {
        let child = &mut self.members[at];
        let context = child.node.begin();
        let incarnation = context.incarnation;
        match child.launch(context, &self.shared, self.myself.get_cell()).await {
            Ok(Some(running)) => {
                self.actors.insert(running.spawned.cell.get_id(), at);
                child.running = Some(running);
                child.node.running(again);
                self.emit(at, |path| match again {
                    true => LifecycleEvent::Restarted { path, incarnation },
                    false => LifecycleEvent::Started { path, incarnation },
                });
                Ok(Started::Running)
            }
            Ok(None) => {
                child.node.ended(State::Stopped);
                self.emit(at, |path| LifecycleEvent::Ignored { path, incarnation });
                self.forget_if_over(at);
                Ok(Started::Ignored)
            }
            Err(cause) => {
                child.node.ended(State::Stopped);
                self.emit(at, |path| LifecycleEvent::StartFailed { path, incarnation, cause: cause.clone() });
                Err(cause)
            }
        }
    }

    /// Stops all children: in reverse, or all at once where there is no order among them.
    pub(crate) async fn stop_all(&mut self) {
        self.pending.clear();
        if self.is_dynamic() {
            return self.stop_together().await;
        }
        for at in self.members.places(..).into_iter().rev() {
            self.stop(at).await;
        }
    }

    /// Stops a child as its spec says, or lets it rest when it was waiting for its restart.
    pub(crate) async fn stop(&mut self, at: Place) {
        let ended = self.members[at].halt().await;
        self.stopped(at, ended);
        if self.shared.is_closing() {
            end_tasks(&self.members[at].spec).await;
        }
    }

    /// Stops a child that will be started again, and keeps its host for that.
    pub(crate) async fn clear(&mut self, at: Place) {
        match self.members[at].clear().await {
            Some((running, cause, door)) => {
                let host = self.bury(at, running, &cause);
                self.members[at].vacant = door.map(|door| Vacant::new(host, door));
            }
            None => self.members[at].node.rest(),
        }
        if self.shared.is_closing() {
            end_tasks(&self.members[at].spec).await;
        }
    }

    /// Stops all children at the same time, so that many take no longer than the slowest.
    async fn stop_together(&mut self) {
        let halts = self.members.iter_mut().map(|(at, child)| async move { (at, child.halt().await) });
        for (at, ended) in join_all(halts).await {
            self.stopped(at, ended);
        }
        if self.shared.is_closing() {
            join_all(self.members.iter().map(|child| end_tasks(&child.spec))).await;
        }
        for at in self.members.places(..) {
            self.forget(at);
        }
    }

    fn stopped(&mut self, at: Place, ended: Option<(Running, ExitReason)>) {
        match ended {
            Some((running, cause)) => drop(self.bury(at, running, &cause)),
            None => self.members[at].node.rest(),
        }
    }

    /// Does what is due once an incarnation is gone, or given up for gone, and returns where it lived.
    pub(crate) fn bury(&mut self, at: Place, running: Running, cause: &ExitReason) -> Spawned {
        let child = &mut self.members[at];
        let actor = running.spawned.cell.get_id();
        self.actors.remove(&actor);
        child.spec.start.retire(actor);
        child.forgive();
        child.remains = running.exit.remains();
        let incarnation = running.incarnation;
        if *cause == ExitReason::Zombie {
            child.node.ended(State::Zombie);
            running.spawned.cell.unlink(self.myself.get_cell());
            self.emit(at, |path| LifecycleEvent::Zombie { path, incarnation });
        } else {
            child.node.ended(State::Stopped);
        }
        let spawned = running.let_go();
        self.emit(at, |path| LifecycleEvent::Exited { path, incarnation, cause: cause.clone() });
        spawned
    }

    /// Makes room for a child that was not in the spec.
    pub(crate) fn adopt(&mut self, spec: &ChildSpec) -> Place {
        let node = Node::child(&self.node.path, spec);
        if let Some(group) = self.group() {
            group.add(Arc::clone(&node));
        }
        self.members.push(spec.id.clone(), Child::new(spec, &node))
    }

    /// Forgets a child that ended and is not started again, unless it is one that can be started by an order.
    pub(crate) fn forget_if_over(&mut self, at: Place) {
        if self.is_dynamic() || self.members[at].spec.restart == Restart::Temporary {
            self.forget(at);
        }
    }

    /// Takes a child that is not running out of the tree; one that did not quite end can still be seen.
    pub(crate) fn forget(&mut self, at: Place) {
        let id = self.members[at].spec.id.clone();
        let Some(child) = self.members.remove(id.as_str()) else { return };
        child.spec.tasks.iter().for_each(|task| task.end());
        if let Some(group) = self.group().filter(|_| !child.node.is_zombie()) {
            group.remove(&id);
        }
    }

    /// Returns whether the children are made from a template.
    pub(crate) fn is_dynamic(&self) -> bool {
        self.spec.strategy == Strategy::SimpleOneForOne
    }

    pub(crate) fn find(&self, id: &ChildId) -> Option<Place> {
        self.members.place(id.as_str())
    }

    pub(crate) fn group(&self) -> Option<&Group> {
        self.node.group.as_ref()
    }

    /// Is a point of this supervisor.
    #[cfg(feature = "failpoints")]
    pub(crate) fn reach(&self, kind: &'static str) {
        self.shared.failpoints.reach(&self.node.path, crate::failpoint::Moment::Handling(kind));
    }

    /// Tells what happened to a child.
    pub(crate) fn emit(&self, at: Place, event: impl FnOnce(String) -> LifecycleEvent) {
        self.shared.events.emit(|| event(self.members[at].node.path.to_string()));
    }
}

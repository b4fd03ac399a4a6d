//! What follows when a child of a supervisor has ended.

use ractor::ActorId;
use tokio::time::Instant;

use crate::actor::stop_reason;
use crate::child::{ChildId, Restart};
use crate::children::Children;
use crate::door::{AnyDoor, Vacant};
use crate::exit::{Breach, ExitReason};
use crate::lifecycle::LifecycleEvent;
use crate::member::{Child, Running};
use crate::node::State;
use crate::ordered::Place;
use crate::snapshot::ms;
use crate::supervisor::SupervisorMsg;

/// A group that was stopped to be started again.
struct Down {
    /// Who comes back, in order.
    group: Vec<Place>,
    /// When.
    due: Instant,
    /// No back-off makes it wait, and nothing is left of those who were stopped.
    at_once: bool,
}

impl Children {
    /// Reacts to the end of an actor. One that is no current child was stopped by us, and is swallowed.
    pub(crate) async fn exited(
        &mut self,
        id: ActorId,
        seen: impl FnOnce() -> ExitReason,
    ) -> Result<(), Breach> {
        let Some(at) = self.actors.get(&id).copied() else { return Ok(()) };
        let Some(mut running) = self.members[at].running.take() else { return Ok(()) };
        let cause = running.exit.take().unwrap_or_else(seen);
        self.wait_for_end(at, &mut running).await;
        self.bury(at, running, &cause);
        self.decide(at, cause).await
    }

    /// Reacts to the failure of an incarnation that has left its host to the next one.
    pub(crate) async fn vacated(
        &mut self,
        host: ActorId,
        incarnation: u32,
        door: AnyDoor,
    ) -> Result<(), Breach> {
        let Some(at) = self.actors.get(&host).copied() else { return Ok(()) };
        let meant = |running: &mut Running| running.incarnation == incarnation;
        let Some(mut running) = self.members[at].running.take_if(meant) else { return Ok(()) };
        let cause = running.exit.take().unwrap_or(ExitReason::Vanished);
        if running.is_doomed || !running.exit.is_last() {
            running.spawned.cell.stop(None);
            self.wait_for_end(at, &mut running).await;
            self.bury(at, running, &cause);
        } else {
            let host = self.bury(at, running, &cause);
            self.members[at].vacant = Some(Vacant::new(host, door));
        }
        self.decide(at, cause).await
    }

    /// Waits until nothing is left of an incarnation that has ended.
    async fn wait_for_end(&self, at: Place, running: &mut Running) {
        let Child { spec, node, .. } = &self.members[at];
        if !running.spawned.gone_within(spec.kill_grace).await {
            tracing::warn!(path = %node.path, "An actor ended, but its state is still being dropped");
        }
    }

    /// Kills an incarnation, if it is still there, and looks after it once the grace is over.
    pub(crate) fn kill(&mut self, id: &ChildId, incarnation: u32) {
        let Some(at) = self.find(id) else { return };
        let child = &mut self.members[at];
        let meant = |running: &&mut Running| running.incarnation == incarnation;
        let Some(running) = child.running.as_mut().filter(meant) else { return };
        running.is_doomed = true;
        // It may not have joined yet, and then nobody would hear of its end.
        running.spawned.cell.link(self.myself.get_cell());
        running.spawned.cell.kill();
        let expired = SupervisorMsg::KillExpired { actor: running.spawned.cell.get_id() };
        let _timer = self.myself.send_after(child.spec.kill_grace, || expired);
    }

    /// Goes on without a child that a kill did not end.
    pub(crate) async fn kill_expired(&mut self, actor: ActorId) -> Result<(), Breach> {
        let Some(at) = self.actors.get(&actor).copied() else { return Ok(()) };
        let Some(running) = self.members[at].running.take() else { return Ok(()) };
        self.bury(at, running, &ExitReason::Zombie);
        self.decide(at, ExitReason::Zombie).await
    }

    /// Starts the children whose restart is due.
    pub(crate) async fn restart(&mut self, pending: u64) -> Result<(), Breach> {
        let due = self.pending.take(pending).unwrap_or_default();
        let places = due.iter().filter_map(|id| self.find(id)).collect();
        self.start_again(places).await
    }

    /// Starts these children in order. Where one does not come up, the restart is tried again by a message, so that a
    /// supervisor whose children do not come up can still be stopped.
    async fn start_again(&mut self, places: Vec<Place>) -> Result<(), Breach> {
        for at in places {
            if let Err(cause) = self.start(at, true).await {
                let Down { group, due, .. } = self.put_down(at, cause).await?;
                self.promise(&group, due);
                break;
            }
        }
        Ok(())
    }

    /// Decides what follows on the end of a child.
    async fn decide(&mut self, at: Place, cause: ExitReason) -> Result<(), Breach> {
        let child = &self.members[at];
        if child.spec.restart.wants_restart(&cause) {
            return self.fail(at, cause).await;
        }
        child.spec.tasks.iter().for_each(|task| task.end());
        let significant = child.spec.significant;
        self.forget_if_over(at);
        if self.spec.auto_shutdown.follows(significant, self.has_significant()) {
            self.retire();
        }
        Ok(())
    }

    /// Returns whether a significant child is up, or will be.
    fn has_significant(&self) -> bool {
        self.members.iter().any(|child| {
            child.spec.significant && (child.running.is_some() || self.pending.holds(&child.spec.id))
        })
    }

    /// Ends this supervisor as if it had been asked to.
    fn retire(&self) {
        if self.node.is_root() {
            self.shared.close();
        }
        self.myself.stop(Some(stop_reason::SHUTDOWN.to_owned()));
    }

    /// Counts a failure, and then gives up or starts the group again, when nothing makes it wait.
    async fn fail(&mut self, at: Place, cause: ExitReason) -> Result<(), Breach> {
        let Down { group, due, at_once } = self.put_down(at, cause).await?;
        if at_once {
            return self.start_again(group).await;
        }
        self.promise(&group, due);
        Ok(())
    }

    fn promise(&mut self, group: &[Place], due: Instant) {
        let ids = group.iter().map(|&at| self.members[at].spec.id.clone()).collect();
        self.pending.add(ids, due, &self.myself);
    }

    /// Counts a failure, and then gives up or stops the group.
    async fn put_down(&mut self, at: Place, cause: ExitReason) -> Result<Down, Breach> {
        let now = Instant::now();
        if let Some(reasons) = self.group().and_then(|group| group.count_restart(now, cause)) {
            return Err(self.breach(at, reasons).await);
        }
        let after = self.members[at].next_delay(self.spec.jitter_seed);
        let group = self.stop_group(at).await;
        let are_gone = group.iter().all(|&at| self.members[at].remains.are_gone());
        let due = if after.is_zero() { now } else { Instant::now() + after };
        for &at in &group {
            self.members[at].node.set(State::Restarting { until: due });
        }
        self.emit(at, |path| LifecycleEvent::RestartScheduled { path, after_ms: ms(after) });
        Ok(Down { group, due, at_once: after.is_zero() && are_gone })
    }

    /// Stops in reverse those who share the fate of the child at this place, which is down already, and returns in order
    /// who comes back.
    async fn stop_group(&mut self, at: Place) -> Vec<Place> {
        let mut group = self.members.places(self.spec.strategy.group(at));
        for &other in group.iter().rev() {
            match self.members[other].spec.restart {
                _ if other == at => {}
                Restart::Temporary => self.stop(other).await,
                Restart::Permanent | Restart::Transient => self.clear(other).await,
            }
            self.pending.withdraw(&self.members[other].spec.id);
        }
        group.retain(|&at| match self.members[at].spec.restart {
            Restart::Temporary => {
                self.forget(at);
                false
            }
            Restart::Permanent | Restart::Transient => true,
        });
        group
    }

    /// Gives up: everything is stopped, and the reason is an abnormal one that the parent can tell from others.
    async fn breach(&mut self, at: Place, reasons: Vec<ExitReason>) -> Breach {
        let breach = Breach {
            supervisor: self.node.path.to_string(),
            child: self.members[at].node.path.to_string(),
            reasons,
            window_ms: ms(self.spec.intensity.within),
            max: self.spec.intensity.max,
        };
        self.exit.set(ExitReason::Breach(Box::new(breach.clone())));
        if self.node.is_root() {
            self.shared.close();
        }
        self.shared.events.emit(|| LifecycleEvent::Breach(breach.clone()));
        self.stop_all().await;
        breach
    }
}

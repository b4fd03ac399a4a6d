//! What a supervisor does with its children because somebody asked for it.

use crate::check::check_child;
use crate::child::{ChildId, ChildSpec};
use crate::children::Children;
use crate::control::{ControlError, Started};
use crate::ordered::Place;
use crate::start::StartError;
use crate::supervisor::Order;

impl Children {
    /// Carries out an order and replies to it.
    pub(crate) async fn carry_out(&mut self, order: Order) {
        match order {
            Order::Start { child, reply } => reply.send(self.start_child(child).await),
            Order::Terminate { child, reply } => reply.send(self.terminate_child(&child).await),
            Order::Restart { child, reply } => reply.send(self.restart_child(&child).await),
            Order::Delete { child, reply } => reply.send(self.delete_child(&child)),
            Order::Beat { reply } => reply.send(()),
        }
    }

    /// Starts a child that was not in the spec; one that does not come up leaves nothing behind.
    async fn start_child(&mut self, spec: ChildSpec) -> Result<Started, ControlError> {
        let path = self.path_of(spec.id());
        if let Some(at) = self.find(spec.id()) {
            return Err(match self.members[at].running {
                Some(_) => ControlError::Running { path },
                None => ControlError::Present { path },
            });
        }
        check_child(&self.node.path, self.spec.auto_shutdown, &spec)?;
        let at = self.adopt(&spec);
        match self.start(at, false).await {
            Ok(started) => Ok(started),
            Err(cause) => {
                self.forget(at);
                Err(StartError::Child { path, cause }.into())
            }
        }
    }

    /// Stops a child for good, also one that was about to be restarted. Its spec stays, unless it is temporary or made
    /// from a template.
    async fn terminate_child(&mut self, id: &ChildId) -> Result<(), ControlError> {
        let at = self.known(id)?;
        self.pending.withdraw(id);
        self.stop(at).await;
        self.members[at].vacant = None;
        self.members[at].spec.tasks.iter().for_each(|task| task.end());
        self.forget_if_over(at);
        Ok(())
    }

    /// Starts a child that was terminated, ended for good, or declined its start.
    async fn restart_child(&mut self, id: &ChildId) -> Result<Started, ControlError> {
        let at = self.resting(id)?;
        let path = self.path_of(id);
        self.start(at, false).await.map_err(|cause| StartError::Child { path, cause }.into())
    }

    /// Forgets a child that is not running.
    fn delete_child(&mut self, id: &ChildId) -> Result<(), ControlError> {
        let at = self.resting(id)?;
        self.forget(at);
        Ok(())
    }

    /// Finds a child that neither runs nor is about to.
    fn resting(&self, id: &ChildId) -> Result<Place, ControlError> {
        let path = self.path_of(id);
        if self.is_dynamic() {
            return Err(ControlError::Dynamic { path: self.node.path.to_string() });
        }
        let at = self.known(id)?;
        match self.members[at].running {
            Some(_) => Err(ControlError::Running { path }),
            None if self.pending.holds(id) => Err(ControlError::Restarting { path }),
            None => Ok(at),
        }
    }

    fn known(&self, id: &ChildId) -> Result<Place, ControlError> {
        self.find(id).ok_or_else(|| ControlError::Unknown { path: self.path_of(id) })
    }

    fn path_of(&self, id: &ChildId) -> String {
        format!("{}/{id}", self.node.path)
    }
}

//! Restarts that are due later, and how they are called off.

use ractor::ActorRef;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::child::ChildId;
use crate::supervisor::SupervisorMsg;

/// The restarts a supervisor has promised itself. Each has a number, so that a timer which fires late means nothing.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    last: u64,
    groups: Vec<PendingGroup>,
}

#[derive(Debug)]
struct PendingGroup {
    number: u64,
    members: Vec<ChildId>,
    /// Ends with the promise.
    _timer: Option<AbortOnDropHandle<()>>,
}

impl Pending {
    /// Promises to start these children, in this order, at `due`, by a message to `supervisor`.
    pub(crate) fn add(&mut self, members: Vec<ChildId>, due: Instant, supervisor: &ActorRef<SupervisorMsg>) {
        self.last += 1;
        let number = self.last;
        let supervisor = supervisor.clone();
        let remind = move || {
            let _supervisor_ended = supervisor.send_message(SupervisorMsg::Restart { pending: number });
        };
        let timer = if due <= Instant::now() {
            remind();
            None
        } else {
            let timer = async move {
                tokio::time::sleep_until(due).await;
                remind();
            };
            Some(AbortOnDropHandle::new(tokio::spawn(timer)))
        };
        self.groups.push(PendingGroup { number, members, _timer: timer });
    }

    /// Returns the children of a promise that is due, if it still holds.
    pub(crate) fn take(&mut self, number: u64) -> Option<Vec<ChildId>> {
        let place = self.groups.iter().position(|group| group.number == number)?;
        Some(self.groups.swap_remove(place).members)
    }

    /// Takes a child out of what was promised; the rest of its group still comes.
    pub(crate) fn withdraw(&mut self, child: &ChildId) {
        for group in &mut self.groups {
            group.members.retain(|member| member != child);
        }
        self.groups.retain(|group| !group.members.is_empty());
    }

    /// Returns whether the start of this child was promised.
    pub(crate) fn holds(&self, child: &ChildId) -> bool {
        self.groups.iter().any(|group| group.members.contains(child))
    }

    /// Calls off everything.
    pub(crate) fn clear(&mut self) {
        self.groups.clear();
    }
}

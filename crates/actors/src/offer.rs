//! What the scheduler offers to the pacer: the newest offer alone. A pacer that waited for the store goes on with what
//! wants a slot now, and never works off what wanted one before.

use std::sync::{Arc, Mutex, PoisonError};

use glitchlab_domain::bead::BeadId;
use glitchlab_domain::id::{AttemptId, TaskKey};
use glitchlab_domain::rows::ClaimRow;

use crate::activation::Activation;

/// What wants a slot.
#[derive(Clone, Debug)]
pub enum Candidate {
    /// A claim that its slot or its boot has lost: goes on without new admission.
    Resume(ClaimRow),
    /// A task that is ready.
    Start {
        /// The task.
        key: TaskKey,
        /// Its id in the backlog, for the branch.
        bead_id: BeadId,
        /// The attempt that goes on, when a person has answered what it asked; none begins a new one.
        goes_on: Option<AttemptId>,
    },
}

impl Candidate {
    /// Returns the task.
    #[must_use]
    pub const fn key(&self) -> &TaskKey {
        match self {
            Self::Resume(claim) => &claim.task_key,
            Self::Start { key, .. } => key,
        }
    }
}

/// The newest offer. Cheap to clone.
#[derive(Clone)]
pub struct Offer {
    newest: Arc<Mutex<Option<Vec<Candidate>>>>,
    look: Activation,
}

impl Offer {
    /// Makes an empty offer; `look` wakes the pacer.
    #[must_use]
    pub fn new(look: Activation) -> Self {
        Self { newest: Arc::default(), look }
    }

    /// Replaces what was offered before and wakes the pacer.
    pub fn put(&self, candidates: Vec<Candidate>) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(candidates);
        self.look.fire();
    }

    /// Takes the offer, if there is a new one.
    #[must_use]
    pub fn take(&self) -> Option<Vec<Candidate>> {
        self.look.taken();
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn start(id: &str) -> Candidate {
        Candidate::Start { key: TaskKey::new(id), bead_id: BeadId::from(id), goes_on: None }
    }

    #[test]
    fn only_the_newest_of_many_offers_is_taken_and_they_wake_the_pacer_once() {
        let woken = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&woken);
        let offer = Offer::new(Activation::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
            true
        }));
        offer.put(vec![start("a")]);
        offer.put(vec![start("b"), start("c")]);
        let taken = offer.take().unwrap_or_default();
        let keys: Vec<&str> = taken.iter().map(|candidate| candidate.key().as_str()).collect();
        assert_eq!((keys, woken.load(Ordering::SeqCst)), (vec!["b", "c"], 1));
        assert!(offer.take().is_none());
        offer.put(vec![start("d")]);
        assert_eq!(woken.load(Ordering::SeqCst), 2);
    }
}

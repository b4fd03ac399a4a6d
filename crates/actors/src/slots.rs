//! The worker slots: who runs what. It outlives every incarnation, so that paid work survives its shell.

use std::sync::{Arc, Mutex, PoisonError};

use glitchlab_domain::command::{Bearer, Claimed};
use glitchlab_domain::id::{AttemptId, TaskKey};
use glitchlab_runtime::{Grace, Handle, TaskSlot};

use crate::watchdog::Vitals;
use crate::worker::WorkerMsg;

/// One slot.
pub struct Slot {
    /// `worker-1` and so on.
    pub name: String,
    /// The worker actor of this slot.
    pub worker: Handle<WorkerMsg>,
    /// Where the attempt runs.
    pub task: TaskSlot<()>,
    place: Mutex<Place>,
    vitals: Mutex<Arc<Vitals>>,
}

#[derive(Default)]
enum Place {
    #[default]
    Free,
    /// A claim for it is under way.
    Booked,
    Taken(Assignment),
}

/// What a slot was given to run.
#[derive(Clone)]
pub struct Assignment {
    /// The claim.
    pub claimed: Arc<Claimed>,
    /// Why it must end before its time, when it must.
    pub ending: Option<Ending>,
}

/// Why an attempt must end before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The engine goes down, or a person has paused it: the attempt goes on in the next boot, or when that is over.
    Suspend,
    /// Its issue was closed, reassigned or relabelled elsewhere.
    Withdrawn(String),
    /// A person has put its task away, and its claim with it.
    Dropped,
    /// It did not get on: it begins again at its last durable point.
    Stalled(String),
}

impl Assignment {
    /// Returns what proves its right to write.
    #[must_use]
    pub fn bearer(&self) -> Bearer {
        Bearer {
            task_key: self.claimed.task.key.clone(),
            attempt_id: self.claimed.attempt.attempt_id.clone(),
            fence: self.claimed.fence.clone(),
        }
    }
}

impl Slot {
    /// Makes a free slot whose attempt may take `grace` to end when it is told to.
    #[must_use]
    pub fn new(name: String, grace: Grace) -> Self {
        let worker: Handle<WorkerMsg> = Handle::new(name.as_str());
        let woken = worker.clone();
        let task = TaskSlot::new(name.as_str(), grace, move || {
            // One that is restarting looks into its slot when it starts.
            let _ = woken.send(WorkerMsg::Look);
        });
        Self { name, worker, task, place: Mutex::default(), vitals: Mutex::default() }
    }

    /// Returns what it was given.
    #[must_use]
    pub fn assignment(&self) -> Option<Assignment> {
        match &*self.lock() {
            Place::Taken(assignment) => Some(assignment.clone()),
            Place::Free | Place::Booked => None,
        }
    }

    /// Returns its worker's place in the tree.
    #[must_use]
    pub fn path(&self) -> String {
        format!("glitchlab/work/workers/{}", self.name)
    }

    /// Returns the signs of life of the attempt that it was given last.
    #[must_use]
    pub fn vitals(&self) -> Arc<Vitals> {
        Arc::clone(&self.vitals.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins the signs of life of the next attempt; one before it that cannot be ended keeps its own.
    #[must_use]
    pub fn renew_vitals(&self) -> Arc<Vitals> {
        let vitals = Arc::new(Vitals::default());
        *self.vitals.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&vitals);
        vitals
    }

    /// Frees the slot.
    pub fn clear(&self) {
        *self.lock() = Place::Free;
    }

    /// Ends its attempt for a reason, unless it has one already. Returns whether it had an attempt.
    pub fn end(&self, ending: Ending) -> bool {
        let mut place = self.lock();
        let Place::Taken(assignment) = &mut *place else { return false };
        assignment.ending.get_or_insert(ending);
        drop(place);
        self.task.end();
        true
    }

    fn has(&self, key: &TaskKey) -> bool {
        matches!(&*self.lock(), Place::Taken(given) if given.claimed.task.key == *key)
    }

    fn is_free(&self) -> bool {
        matches!(*self.lock(), Place::Free)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All slots, in order. Cheap to clone.
#[derive(Clone)]
pub struct Slots(Arc<Vec<Arc<Slot>>>);

impl Slots {
    /// Makes `count` free slots.
    #[must_use]
    pub fn new(count: usize, grace: Grace) -> Self {
        let slot = |n: usize| Arc::new(Slot::new(format!("worker-{n}"), grace));
        Self(Arc::new((1..=count).map(slot).collect()))
    }

    /// Returns them in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Slot>> {
        self.0.iter()
    }

    /// Counts those that are free.
    #[must_use]
    pub fn free(&self) -> usize {
        self.iter().filter(|slot| slot.is_free()).count()
    }

    /// Tells whether none has or is about to get an attempt.
    #[must_use]
    pub fn are_all_free(&self) -> bool {
        self.free() == self.0.len()
    }

    /// Tells whether one is being put down.
    #[must_use]
    pub fn have_suspended(&self) -> bool {
        let is_put_down =
            |slot: &Arc<Slot>| slot.assignment().is_some_and(|given| given.ending == Some(Ending::Suspend));
        self.iter().any(is_put_down)
    }

    /// Finds the slot of an attempt.
    #[must_use]
    pub fn find(&self, attempt_id: &AttemptId) -> Option<&Arc<Slot>> {
        let runs = |slot: &&Arc<Slot>| {
            slot.assignment().is_some_and(|given| given.claimed.attempt.attempt_id == *attempt_id)
        };
        self.iter().find(runs)
    }

    /// Tells whether one was given an attempt at this task.
    #[must_use]
    pub fn have(&self, key: &TaskKey) -> bool {
        self.iter().any(|slot| slot.has(key))
    }

    /// Books the first free slot for a claim that is under way.
    #[must_use]
    pub fn book(&self) -> Option<Booking> {
        self.iter().find_map(|slot| {
            let mut place = slot.lock();
            matches!(*place, Place::Free).then(|| {
                *place = Place::Booked;
                Booking { slot: Arc::clone(slot), kept: false }
            })
        })
    }
}

/// A booked slot; free again when this is dropped without a claim.
pub struct Booking {
    slot: Arc<Slot>,
    kept: bool,
}

impl Booking {
    /// Returns the slot's name.
    #[must_use]
    pub fn slot(&self) -> &str {
        &self.slot.name
    }

    /// Hands the claimed attempt to the slot's worker.
    pub fn give(mut self, claimed: Claimed) {
        self.kept = true;
        *self.slot.lock() = Place::Taken(Assignment { claimed: Arc::new(claimed), ending: None });
        // One that is restarting looks into its slot when it starts.
        let _ = self.slot.worker.send(WorkerMsg::Look);
    }
}

impl Drop for Booking {
    fn drop(&mut self) {
        if !self.kept {
            self.slot.clear();
        }
    }
}

//! Points at which the outside world is touched, and what a scenario lets happen exactly there.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// A point at which the outside world is touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A model is about to be asked: the money is set aside, nothing is billed.
    Asking,
    /// A model has answered: it has billed, nobody has written that down.
    Answered,
    /// A worktree is about to be opened.
    Opening,
    /// A file is about to be written.
    Writing,
    /// A commit was made and is not known yet.
    Committed,
    /// A merge is about to be made: its intent is durable.
    Merging,
    /// A merge was made and is not known yet.
    Merged,
    /// A message is about to be sent to a receiver of alerts: it is durable.
    Telling,
    /// A receiver has taken a message, and nobody has written that down.
    Told,
    /// Spans are about to be sent.
    Exporting,
    /// A receiver has spans, and nobody has written that down.
    Exported,
    /// The store's writer is about to decide a batch.
    Batch,
}

/// What happens at a point.
#[derive(Clone, Debug)]
pub enum Trip {
    /// The process dies there and then.
    Kill,
    /// Whoever is there panics.
    Panic,
    /// The thread blocks until it is released, whatever it is told meanwhile.
    Block(Hold),
    /// Whoever is there waits for ever.
    Hang,
}

/// Holds a thread until it is released, at most a minute, so that a scenario that fails comes to an end. Clones share
/// it.
#[derive(Clone, Debug, Default)]
pub struct Hold(Arc<(Mutex<Held>, Condvar)>);

const A_MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct Held {
    waits: bool,
    released: bool,
}

impl Hold {
    /// Lets the thread go on.
    pub fn release(&self) {
        self.lock().released = true;
        self.0.1.notify_all();
    }

    /// Tells whether a thread has come and waits.
    #[must_use]
    pub fn holds(&self) -> bool {
        let held = self.lock();
        held.waits && !held.released
    }

    /// Holds the thread that calls it.
    pub fn block(&self) {
        let mut held = self.lock();
        held.waits = true;
        let waiting = self.0.1.wait_timeout_while(held, A_MINUTE, |held| !held.released);
        waiting.unwrap_or_else(PoisonError::into_inner).0.released = true;
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts touches and trips at those that were planned. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Tripwire(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    count: Mutex<Count>,
    killed: Notify,
    gave_up: Mutex<Option<String>>,
}

#[derive(Debug, Default)]
struct Count {
    all: u64,
    by_place: BTreeMap<Place, u64>,
    planned: BTreeMap<u64, Trip>,
    planned_at: BTreeMap<(Place, u64), Trip>,
}

impl Tripwire {
    /// Plans what happens at the `nth` touch of any place, counted from 1 over all processes.
    pub fn plan(&self, nth: u64, trip: Trip) {
        self.lock().planned.insert(nth, trip);
    }

    /// Plans what happens at the `nth` touch of one place, counted from 1 over all processes.
    pub fn plan_at(&self, place: Place, nth: u64, trip: Trip) {
        self.lock().planned_at.insert((place, nth), trip);
    }

    /// Returns how often the outside world was touched.
    #[must_use]
    pub fn touches(&self) -> u64 {
        self.lock().all
    }

    /// Returns whether something that was planned has not come yet.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        let count = self.lock();
        !(count.planned.is_empty() && count.planned_at.is_empty())
    }

    /// Waits until a touch, or the process itself, kills it; returns why there is to be no next one.
    pub(crate) async fn killed(&self) -> Option<String> {
        self.0.killed.notified().await;
        self.0.gave_up.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Kills the process, for good when it gives a reason.
    pub(crate) fn kill(&self, gave_up: Option<String>) {
        *self.0.gave_up.lock().unwrap_or_else(PoisonError::into_inner) = gave_up;
        self.0.killed.notify_one();
    }

    /// Is where the outside world is touched.
    pub(crate) async fn touch(&self, place: Place) {
        let due = self.lock().next(place);
        match due {
            None => {}
            Some(Trip::Panic) => panic!("a touch ({place:?}) that was told to panic"),
            Some(Trip::Block(hold)) => hold.block(),
            Some(Trip::Hang) => std::future::pending().await,
            Some(Trip::Kill) => {
                self.0.killed.notify_one();
                std::future::pending::<()>().await;
            }
        }
    }

    /// Is where the outside world is touched by somebody who cannot wait: a process that is killed there still ends
    /// what it is doing.
    pub(crate) fn strike(&self, place: Place) {
        let due = self.lock().next(place);
        match due {
            None => {}
            Some(Trip::Panic) => panic!("a touch ({place:?}) that was told to panic"),
            Some(Trip::Block(hold)) => hold.block(),
            // It cannot wait: what would hang is blocked, as long as a thread is held at most.
            Some(Trip::Hang) => Hold::default().block(),
            Some(Trip::Kill) => self.0.killed.notify_one(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Count> {
        self.0.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    fn next(&mut self, place: Place) -> Option<Trip> {
        self.all += 1;
        let here = self.by_place.entry(place).or_default();
        *here += 1;
        let at_place = self.planned_at.remove(&(place, *here));
        self.planned.remove(&self.all).or(at_place)
    }
}

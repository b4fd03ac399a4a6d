//! Where actors, tasks and stages panic because a scenario says so, and which points there were.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use glitchlab_runtime::{Failpoints, Moment};

use crate::clock::WorldClock;

/// A point at which something can panic: a place, which is an actor, an actor and its task, or a stage, and a moment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// A path of the tree, a path and the name of a slot, or a stage's name.
    pub place: String,
    /// Where in its work.
    pub moment: Moment,
}

impl Point {
    /// Names a point.
    pub fn new(place: impl Into<String>, moment: Moment) -> Self {
        Self { place: place.into(), moment }
    }
}

/// How often something panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Often {
    /// So many times, in whichever process.
    Times(u32),
    /// Each time, in one process; the next one is well.
    AsLongAsItLives,
}

/// Plans panics and notes the points that were reached. Clones share it, and it survives processes.
#[derive(Clone, Debug, Default)]
pub struct Failures(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    planned: Vec<Planned>,
    /// When each point was reached last.
    reached: BTreeMap<Point, Duration>,
    panics: u32,
    /// The process that lives is about to end in order.
    goes_down: bool,
    /// The last panic came on the way down.
    came_last: bool,
}

#[derive(Debug)]
struct Planned {
    point: Point,
    from: Duration,
    often: Often,
}

impl Failures {
    /// Plans that whoever reaches a point panics, from some time of the world on.
    #[must_use]
    pub fn at(self, point: Point, from: Duration, often: Often) -> Self {
        self.lock().planned.push(Planned { point, from, often });
        self
    }

    /// Returns how often something panicked.
    #[must_use]
    pub fn panics(&self) -> u32 {
        self.lock().panics
    }

    /// Returns whether the last panic came while its process went down in order.
    #[must_use]
    pub fn came_last(&self) -> bool {
        self.lock().came_last
    }

    /// Returns every point that was reached, and when it was last.
    #[must_use]
    pub fn reached(&self) -> BTreeMap<Point, Duration> {
        self.lock().reached.clone()
    }

    /// Has the points of a process's tree look here.
    pub(crate) fn install(&self, failpoints: &Failpoints, clock: &WorldClock) {
        let (failures, clock) = (self.clone(), clock.clone());
        failpoints.install(move |place, moment| {
            let point = Point::new(place, moment);
            let is_due = failures.lock().reach(&point, clock.passed());
            assert!(!is_due, "a failpoint: {place}, {moment:?}");
        });
    }

    /// The process begins to end in order.
    pub(crate) fn go_down(&self) {
        self.lock().goes_down = true;
    }

    /// A process is gone; what failed each time in it does not in the next.
    pub(crate) fn end_process(&self) {
        let mut inner = self.lock();
        inner.goes_down = false;
        inner.planned.retain(|planned| planned.often != Often::AsLongAsItLives);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn reach(&mut self, point: &Point, now: Duration) -> bool {
        self.reached.insert(point.clone(), now);
        let is_meant = |planned: &&mut Planned| planned.point == *point && planned.from <= now;
        let is_due = self.planned.iter_mut().find(is_meant).is_some_and(|planned| planned.often.strikes());
        if is_due {
            self.panics += 1;
            self.came_last = self.goes_down;
        }
        is_due
    }
}

impl Often {
    fn strikes(&mut self) -> bool {
        match self {
            Self::AsLongAsItLives => true,
            Self::Times(left) => {
                let is_due = *left > 0;
                *left = left.saturating_sub(1);
                is_due
            }
        }
    }
}

//! The scheduler's view of all tasks: what may start next, what rests until when, what is done and can be closed.
//!
//! It is fed with what the backlog says ([`Board::take_bead`]) and with our own rows ([`Board::take_task`]), keeps
//! readiness up to date edit by edit, and answers without looking at everything again.

mod explain;
mod known;
mod parts;
mod reading;
mod standing;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::bead::{Bead, BeadId, Status};
use crate::dispatch::{Place, Queue, skip};
use crate::id::TaskKey;
use crate::policy::WorkFilter;
use crate::readiness::{Cycle, Index, Node, Overlay, Readiness};
use crate::reason::Reason;
use crate::snapshot;
use crate::task::{TaskRow, TaskState};

pub use standing::{Circles, Stand};

/// Where a task stands, as the queue counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Pending,
    Running,
    InReview,
    Completed,
    NeedsYou,
    Blocked,
    Skipped,
    /// Closed by its source, or an epic: neither waits nor counts.
    Out,
}

/// All tasks of one repository.
#[derive(Debug)]
pub struct Board {
    filter: WorkFilter,
    index: Index,
    tasks: HashMap<TaskKey, TaskRow>,
    keys: HashMap<BeadId, TaskKey>,
    /// May start now, in order.
    queue: Queue,
    /// Ready, but resting until an instant.
    resting: BTreeSet<(i64, TaskKey)>,
    standing: HashMap<TaskKey, Standing>,
    counts: BTreeMap<Standing, u64>,
    /// Sub-tasks that we made, at any depth, by each task above them.
    below: HashMap<TaskKey, Vec<TaskKey>>,
    /// Parked tasks.
    parked: BTreeSet<TaskKey>,
    /// Tasks with an attempt that asks a person, or has its answer.
    asking: BTreeSet<TaskKey>,
    /// Issues that the last reading lacked and that count as they last were.
    kept: HashSet<BeadId>,
    /// Decomposed tasks whose parts are all done.
    assembled: BTreeSet<TaskKey>,
}

impl Board {
    /// Makes an empty board at an instant, ms UTC.
    #[must_use]
    pub fn new(filter: WorkFilter, now_ms: i64) -> Self {
        Self {
            filter,
            index: Index::new(now_ms),
            tasks: HashMap::new(),
            keys: HashMap::new(),
            queue: Queue::new(),
            resting: BTreeSet::new(),
            standing: HashMap::new(),
            counts: BTreeMap::new(),
            below: HashMap::new(),
            parked: BTreeSet::new(),
            asking: BTreeSet::new(),
            kept: HashSet::new(),
            assembled: BTreeSet::new(),
        }
    }

    /// Takes what the backlog says of an issue. One with the id of a sub-task of ours is not taken.
    pub fn take_bead(&mut self, bead: &Bead) {
        let task = self.keys.get(&bead.id).and_then(|key| self.tasks.get(key));
        if task.is_some_and(TaskRow::is_part) {
            return;
        }
        let overlay = task.map_or(Overlay::None, overlay);
        self.kept.remove(&bead.id);
        self.index.upsert(Node::new(bead, overlay));
        self.review_bead(&bead.id);
        self.settle();
    }

    /// Takes away an issue that the backlog no longer has. A running task of it goes on: see [`Board::withdrawn`].
    pub fn drop_bead(&mut self, id: &BeadId) {
        if self.keys.get(id).and_then(|key| self.tasks.get(key)).is_some_and(TaskRow::is_part) {
            return;
        }
        self.kept.remove(id);
        self.index.remove(id);
        self.review_bead(id);
        self.settle();
    }

    /// Takes the present form of one of our rows.
    pub fn take_task(&mut self, task: TaskRow) {
        let key = task.key.clone();
        self.leave_queue(&key);
        if task.is_part() && !self.tasks.contains_key(&key) {
            self.add_part(&task);
        }
        self.keys.insert(task.bead_id.clone(), key.clone());
        self.index.set_overlay(&task.bead_id, self.overlay(&task));
        self.tasks.insert(key.clone(), task);
        self.review_family(&key);
        self.settle();
    }

    /// Moves to another instant, ms UTC.
    pub fn tick(&mut self, now_ms: i64) {
        self.index.tick(now_ms);
        while let Some((until_ms, key)) = self.resting.first().cloned() {
            if until_ms > now_ms {
                break;
            }
            self.resting.remove(&(until_ms, key.clone()));
            self.review(&key);
        }
        self.settle();
    }

    /// Returns the next instant at which time alone lets a task start: of our own rests, and of dates in the backlog.
    #[must_use]
    pub fn next_change_ms(&self) -> Option<i64> {
        let rest = self.resting.first().map(|(until_ms, _)| *until_ms);
        rest.into_iter().chain(self.index.next_change_ms()).min()
    }

    /// Returns the tasks that may start now, first come first.
    pub fn startable(&self) -> impl Iterator<Item = &TaskRow> {
        self.queue.iter().filter_map(|place| self.tasks.get(&place.key))
    }

    /// Returns a task.
    #[must_use]
    pub fn task(&self, key: &TaskKey) -> Option<&TaskRow> {
        self.tasks.get(key)
    }

    /// Returns all tasks, in no particular order.
    pub fn tasks(&self) -> impl Iterator<Item = &TaskRow> {
        self.tasks.values()
    }

    /// Returns the tasks that wait for nothing but to be closed: epics whose children are all closed, when asked for,
    /// and decomposed tasks whose parts are all done.
    #[must_use]
    pub fn closable(&self, epics: bool) -> Vec<(TaskKey, &'static str)> {
        let parents = self.assembled.iter().map(|key| (key.clone(), "all its sub-tasks are done"));
        let epic = |id| Some((self.keys.get(id)?.clone(), "all its children are closed"));
        let open = |key: &TaskKey| self.tasks.get(key).is_some_and(|task| task.state == TaskState::Open);
        let epics = self.index.closable_epics().filter_map(epic).filter(|(key, _)| epics && open(key));
        parents.chain(epics).collect()
    }

    /// Returns parked tasks whose blocker is closed, by its source or by us. One that the backlog does not have is not
    /// known to be resolved.
    #[must_use]
    pub fn unblocked(&self) -> Vec<TaskKey> {
        let is_closed = |id: &BeadId| {
            matches!(self.index.explain(id), Readiness::NotOpen(Status::Closed | Status::Tombstone))
        };
        let is_free = |key: &&TaskKey| match self.tasks.get(*key).map(|task| &task.reason) {
            Some(Some(Reason::BlockedBy { on })) => on.iter().all(is_closed),
            _ => false,
        };
        self.parked.iter().filter(is_free).cloned().collect()
    }

    /// Returns the tasks with an attempt that asks a person although it may no longer run, and why: see
    /// [`Board::withdrawn`].
    #[must_use]
    pub fn asking_in_vain(&self) -> Vec<(TaskKey, String)> {
        self.asking.iter().filter_map(|key| Some((key.clone(), self.withdrawn(key)?))).collect()
    }

    /// Returns the circles of waiting that only a person can break.
    #[must_use]
    pub fn cycles(&self) -> Vec<Cycle> {
        self.index.cycles()
    }

    /// Tells whether the engine itself has nothing left to do or to wait for: nothing may start, runs or rests, and
    /// nothing waits to be closed.
    #[must_use]
    pub fn is_quiet(&self, close_epics: bool) -> bool {
        self.is_quiet_but(close_epics, |_| true)
    }

    /// The same of a run that starts only what `may` says; what else may start or rests is left to the next one.
    #[must_use]
    pub fn is_quiet_but(&self, close_epics: bool, may: impl Fn(&TaskRow) -> bool) -> bool {
        let counts = |key: &TaskKey| self.tasks.get(key).is_some_and(&may);
        !self.queue.iter().any(|place| counts(&place.key))
            && !self.resting.iter().any(|(_, key)| counts(key))
            && self.count(Standing::Running) == 0
            && self.closable(close_epics).is_empty()
    }

    /// Returns how many branches or requests wait for a merge.
    #[must_use]
    pub fn in_review(&self) -> u64 {
        self.count(Standing::InReview)
    }

    /// Returns the counts of the queue.
    #[must_use]
    pub fn queue(&self) -> snapshot::Queue {
        snapshot::Queue {
            pending: self.count(Standing::Pending),
            in_progress: self.count(Standing::Running),
            in_review: self.count(Standing::InReview),
            completed: self.count(Standing::Completed),
            failed: self.count(Standing::NeedsYou),
            blocked: self.count(Standing::Blocked),
            skipped: self.count(Standing::Skipped),
            needs_you: self.count(Standing::NeedsYou),
            read_ms: None,
        }
    }

    /// Looks again at every task whose readiness has changed.
    fn settle(&mut self) {
        let changes = self.index.drain();
        for id in changes.ready.iter().chain(&changes.unready) {
            self.review_bead(id);
        }
    }

    fn review_bead(&mut self, id: &BeadId) {
        if let Some(key) = self.keys.get(id).cloned() {
            self.review(&key);
        }
    }

    fn review(&mut self, key: &TaskKey) {
        self.leave_queue(key);
        let Some(task) = self.tasks.get(key) else { return };
        let standing = self.stand(task);
        if task.state == TaskState::Blocked {
            self.parked.insert(key.clone());
        } else {
            self.parked.remove(key);
        }
        if task.asks_a_person() || task.goes_on.is_some() {
            self.asking.insert(key.clone());
        } else {
            self.asking.remove(key);
        }
        if standing == Standing::Pending {
            match task.rests_until() {
                Some(until_ms) if until_ms > self.index.now_ms() => {
                    self.resting.insert((until_ms, key.clone()));
                }
                _ => drop(self.queue.insert(Place::of(task))),
            }
        }
        if let Some(before) = self.standing.insert(key.clone(), standing) {
            self.counts.entry(before).and_modify(|count| *count -= 1);
        }
        *self.counts.entry(standing).or_default() += 1;
    }

    fn leave_queue(&mut self, key: &TaskKey) {
        let Some(task) = self.tasks.get(key) else { return };
        self.queue.remove(&Place::of(task));
        if let Some(until_ms) = task.rests_until() {
            self.resting.remove(&(until_ms, key.clone()));
        }
    }

    fn stand(&self, task: &TaskRow) -> Standing {
        match task.state {
            TaskState::Running => Standing::Running,
            TaskState::InReview => Standing::InReview,
            TaskState::Completed if self.filter.types.contains(&task.kind) => Standing::Completed,
            _ if self.is_superseded(task) => Standing::Out,
            TaskState::NeedsHuman | TaskState::Failed => Standing::NeedsYou,
            TaskState::Decomposed | TaskState::Blocked => Standing::Blocked,
            TaskState::Completed | TaskState::Dropped => Standing::Out,
            TaskState::Open => self.stand_open(task),
        }
    }

    fn stand_open(&self, task: &TaskRow) -> Standing {
        let root = self.root(task);
        match root.source_state.as_str() {
            "closed" | "tombstone" => return Standing::Out,
            "open" => {}
            _ => return Standing::Skipped,
        }
        if skip(root, &self.filter).is_some() {
            return Standing::Skipped;
        }
        match self.index.explain(&task.bead_id) {
            Readiness::Ready => Standing::Pending,
            Readiness::BlockedBy(_) | Readiness::ParentBlocked { .. } => Standing::Blocked,
            _ => Standing::Skipped,
        }
    }

    fn count(&self, standing: Standing) -> u64 {
        self.counts.get(&standing).copied().unwrap_or(0)
    }
}

pub use crate::task::SUBTASK;

/// Our own state, laid over a source that says `open` for as long as nobody changes it.
fn overlay(task: &TaskRow) -> Overlay {
    match task.state {
        TaskState::Open => Overlay::None,
        TaskState::Completed => Overlay::Closed,
        TaskState::Running
        | TaskState::InReview
        | TaskState::Decomposed
        | TaskState::Blocked
        | TaskState::NeedsHuman
        | TaskState::Failed
        | TaskState::Dropped => Overlay::Held,
    }
}

#[cfg(test)]
mod tests;

//! The scheduler's view of all tasks: what may start next, what rests until when, what is done and can be closed.
//!
//! It is fed with what the backlog says ([`Board::take_bead`]) and with our own rows ([`Board::take_task`]), keeps
//! readiness up to date edit by edit, and answers without looking at everything again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::bead::{Bead, BeadId, Dependency, DependencyKind, Status};
use crate::dispatch::{Place, Queue, skip};
use crate::id::TaskKey;
use crate::policy::WorkFilter;
use crate::readiness::{Cycle, Facts, Index, Node, Overlay, Readiness};
use crate::reason::Reason;
use crate::snapshot;
use crate::task::{TaskRow, TaskState};

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
    /// Sub-tasks that we made, by their parent.
    parts: HashMap<BeadId, Vec<TaskKey>>,
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
            parts: HashMap::new(),
            assembled: BTreeSet::new(),
        }
    }

    /// Takes what the backlog says of an issue.
    pub fn take_bead(&mut self, bead: &Bead) {
        let key = self.keys.get(&bead.id);
        let overlay = key.and_then(|key| self.tasks.get(key)).map_or(Overlay::None, overlay);
        self.index.upsert(Node::new(bead, overlay));
        self.review_bead(&bead.id);
        self.settle();
    }

    /// Takes away an issue that the backlog no longer has. A running task of it goes on: see [`Board::withdrawn`].
    pub fn drop_bead(&mut self, id: &BeadId) {
        self.index.remove(id);
        self.review_bead(id);
        self.settle();
    }

    /// Takes the present form of one of our rows.
    pub fn take_task(&mut self, task: TaskRow) {
        let key = task.key.clone();
        self.leave_queue(&key);
        if task.source == SUBTASK && !self.tasks.contains_key(&key) {
            self.add_part(&task);
        }
        self.keys.insert(task.bead_id.clone(), key.clone());
        self.index.set_overlay(&task.bead_id, overlay(&task));
        let parent = task.parent.clone();
        self.tasks.insert(key.clone(), task);
        self.review(&key);
        self.review_assembly(&key);
        if let Some(parent) = parent.and_then(|parent| self.keys.get(&parent).cloned()) {
            self.review_assembly(&parent);
        }
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

    /// Returns running tasks whose issue was closed, reassigned or relabelled elsewhere, with what changed.
    #[must_use]
    pub fn withdrawn(&self, key: &TaskKey) -> Option<String> {
        let task = self.tasks.get(key)?;
        if task.source == SUBTASK {
            return None;
        }
        if let Some(reason) = skip(task, &self.filter) {
            return Some(reason.to_string());
        }
        (task.source_state != Status::Open.as_str())
            .then(|| format!("its status in the backlog is now `{}`", task.source_state))
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
        self.queue.is_empty()
            && self.resting.is_empty()
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

    /// Says why a task is not running, or `None` when nothing but a free slot is missing.
    #[must_use]
    pub fn why(&self, key: &TaskKey) -> Option<Reason> {
        let task = self.tasks.get(key)?;
        if task.state != TaskState::Open {
            return task.reason.clone();
        }
        let obstacle = match self.index.explain(&task.bead_id) {
            Readiness::Ready => None,
            Readiness::Unknown => Some(Reason::NotOffered { mark: "gone".to_owned() }),
            Readiness::NotOpen(status) => Some(Reason::SourceStatus { status: status.to_string() }),
            Readiness::Held => task.reason.clone(),
            Readiness::Pinned => Some(Reason::NotOffered { mark: "pinned".to_owned() }),
            Readiness::Ephemeral => Some(Reason::NotOffered { mark: "ephemeral".to_owned() }),
            Readiness::Type(kind) => Some(Reason::NotWork { kind }),
            Readiness::DeferredUntil(_) | Readiness::ParentDeferredUntil { .. } => {
                Some(Reason::DeferredUntil)
            }
            Readiness::BlockedBy(on) | Readiness::ParentBlocked { by: on, .. } => {
                Some(Reason::BlockedBy { on })
            }
        };
        obstacle
            .or_else(|| self.open_children(task))
            .or_else(|| skip(task, &self.filter))
            .or_else(|| task.reason.clone())
    }

    /// An epic is no work of its own: it waits for its children.
    fn open_children(&self, task: &TaskRow) -> Option<Reason> {
        let is_open = |id: &BeadId| !matches!(self.index.explain(id), Readiness::NotOpen(Status::Closed));
        let waits = task.kind == "epic" && self.index.children(&task.bead_id).any(is_open);
        waits.then_some(Reason::ChildrenOpen)
    }

    fn add_part(&mut self, task: &TaskRow) {
        self.index.upsert(part_node(task));
        if let Some(parent) = task.parent.clone() {
            self.parts.entry(parent).or_default().push(task.key.clone());
        }
    }

    fn review_assembly(&mut self, key: &TaskKey) {
        let Some(task) = self.tasks.get(key) else { return };
        let done =
            |part: &TaskKey| self.tasks.get(part).is_some_and(|part| part.state == TaskState::Completed);
        let parts = self.parts.get(&task.bead_id);
        let assembled =
            task.state == TaskState::Decomposed && parts.is_some_and(|parts| parts.iter().all(done));
        if assembled {
            self.assembled.insert(key.clone());
        } else {
            self.assembled.remove(key);
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
            TaskState::NeedsHuman | TaskState::Failed => Standing::NeedsYou,
            TaskState::Decomposed | TaskState::Blocked => Standing::Blocked,
            TaskState::Completed | TaskState::Dropped => Standing::Out,
            TaskState::Open => self.stand_open(task),
        }
    }

    fn stand_open(&self, task: &TaskRow) -> Standing {
        if task.source != SUBTASK && matches!(task.source_state.as_str(), "closed" | "tombstone") {
            return Standing::Out;
        }
        if skip(task, &self.filter).is_some() {
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

fn part_node(task: &TaskRow) -> Node {
    let depends = |on: &BeadId, kind| Dependency { on: on.clone(), kind };
    let blocks = task.after.iter().map(|on| depends(on, DependencyKind::Blocks));
    let parent = task.parent.iter().map(|on| depends(on, DependencyKind::ParentChild));
    Node {
        id: task.bead_id.clone(),
        facts: Facts {
            status: Status::Open,
            issue_type: task.kind.clone(),
            pinned: false,
            ephemeral: false,
            defer_until_ms: None,
            overlay: overlay(task),
        },
        dependencies: parent.chain(blocks).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::SourceTask;

    fn row(id: &str, priority: i64) -> TaskRow {
        let source = SourceTask {
            key: TaskKey::new(id),
            repo_id: "r".to_owned(),
            bead_id: BeadId::new(id),
            source: "jsonl".to_owned(),
            parent: None,
            title: id.to_owned(),
            body: String::new(),
            priority,
            kind: "task".to_owned(),
            labels: Vec::new(),
            created_ms: 0,
            state: "open".to_owned(),
            rev: String::new(),
        };
        source.into_row(0)
    }

    fn board(rows: &[TaskRow]) -> Board {
        let mut board = Board::new(WorkFilter::default(), 0);
        for row in rows {
            board.take_task(row.clone());
            board.take_bead(&Bead::new(row.bead_id.clone(), "t"));
        }
        board
    }

    fn startable(board: &Board) -> Vec<&str> {
        board.startable().map(|task| task.bead_id.as_str()).collect()
    }

    #[test]
    fn the_queue_is_in_order_of_priority_then_age_then_id() {
        let old = TaskRow { created_ms: -5, ..row("z", 1) };
        let board = board(&[row("b", 1), row("a", 1), row("c", 0), old]);
        assert_eq!(startable(&board), ["c", "z", "a", "b"]);
    }

    #[test]
    fn a_resting_task_starts_when_its_instant_has_come_and_not_before() {
        let mut resting = row("a", 1);
        resting.rest(TaskState::Open, Some(Reason::CoolDown { why: "x".into(), deferrals: 1 }), Some(100));
        let mut board = board(&[resting]);
        assert_eq!((startable(&board).len(), board.next_change_ms()), (0, Some(100)));
        assert!(!board.is_quiet(true));
        board.tick(99);
        assert!(startable(&board).is_empty());
        board.tick(100);
        assert_eq!(startable(&board), ["a"]);
    }

    #[test]
    fn a_wait_for_money_leaves_the_task_startable() {
        let mut waiting = row("a", 1);
        let reason = Reason::CapReached { window: crate::reason::Window::Hour };
        waiting.rest(TaskState::Open, Some(reason), Some(1_000));
        assert_eq!(startable(&board(&[waiting])), ["a"]);
    }

    #[test]
    fn a_decomposed_parent_is_closable_only_when_all_its_parts_are_done() {
        let mut parent = row("a", 1);
        parent.rest(TaskState::Decomposed, Some(Reason::ChildrenOpen), None);
        let part = |n: u32| TaskRow {
            source: SUBTASK.to_owned(),
            parent: Some(BeadId::new("a")),
            ..row(&format!("a.s{n}"), 1)
        };
        let mut second = part(2);
        second.after = vec![BeadId::new("a.s1")];
        let mut board = board(&[parent]);
        board.take_task(part(1));
        board.take_task(second.clone());
        assert_eq!(startable(&board), ["a.s1"], "the second waits for the first");
        let mut done = part(1);
        done.rest(TaskState::Completed, None, None);
        board.take_task(done);
        assert_eq!(startable(&board), ["a.s2"]);
        assert!(board.closable(true).is_empty());
        second.rest(TaskState::Completed, None, None);
        board.take_task(second);
        assert_eq!(board.closable(true), [(TaskKey::new("a"), "all its sub-tasks are done")]);
    }

    #[test]
    fn counts_follow_each_state_and_a_running_task_of_a_closed_issue_is_withdrawn() {
        let mut running = row("a", 1);
        running.rest(TaskState::Running, None, None);
        let mut board = board(&[running.clone(), row("b", 1)]);
        assert_eq!((board.queue().in_progress, board.queue().pending), (1, 1));
        assert_eq!(board.withdrawn(&running.key), None);
        running.source_state = "closed".to_owned();
        board.take_task(running.clone());
        assert!(board.withdrawn(&running.key).is_some());
    }

    #[test]
    fn every_task_that_does_not_start_has_a_reason() {
        let human = TaskRow { labels: vec!["human".to_owned()], ..row("h", 1) };
        let epic = TaskRow { kind: "epic".to_owned(), ..row("e", 1) };
        let board = board(&[human.clone(), epic.clone(), row("a", 1)]);
        assert_eq!(board.why(&human.key), Some(Reason::Label { label: "human".to_owned() }));
        assert_eq!(board.why(&epic.key), Some(Reason::NotWork { kind: "epic".to_owned() }));
        assert_eq!(board.why(&TaskKey::new("a")), None);
    }
}

//! Looks at everything without asking an actor, and asks the supervisors for a sign of life without waiting for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use glitchlab_domain::watchdog::{self as rules, Attempt, Handler, Look, Rest, SCHEDULER, Standing, Task};
use glitchlab_runtime::{Budgets, ChildKind, NodeSnapshot, NodeState, TreeSnapshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::engine::Engine;
use crate::scheduler::FINITE;
use crate::slots::Slot;

/// Reading every task again takes so many times as long as anything else may.
const REBUILD: u32 = 5;
/// The watchdog's own place.
const OWN: &str = "glitchlab/watchdog";

/// What the watchdog sees with.
pub(super) struct Eyes {
    engine: Arc<Engine>,
    budgets: Budgets,
    since: Instant,
    answers: Arc<AtomicU64>,
    asked: HashMap<String, JoinHandle<()>>,
    /// How long the work in a slot had run at the last look, ms, and which run of it that was.
    runs: HashMap<String, (u64, u64)>,
}

impl Eyes {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        let budget = Duration::from_millis(engine.settings.watchdog.handler_ms);
        let budgets = Budgets::new(budget).kind_at(SCHEDULER, "rebuild", budget * REBUILD);
        Self {
            engine,
            budgets,
            since: Instant::now(),
            answers: Arc::default(),
            asked: HashMap::new(),
            runs: HashMap::new(),
        }
    }

    /// Looks once; nothing before there is a tree.
    pub(super) fn look(&mut self) -> Option<(Look, TreeSnapshot)> {
        let tree = self.engine.tree.snapshot()?;
        let mut nodes = Vec::new();
        flatten(&tree.root, &mut nodes);
        self.ask(&nodes);
        let look = Look {
            mono_ms: u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX),
            wall_ms: self.engine.now_ms(),
            beats: self.answers.load(Ordering::Acquire),
            handlers: nodes.iter().filter_map(|node| self.handler(node)).collect(),
            tasks: nodes.iter().flat_map(|node| self.tasks(node)).collect(),
            attempts: self.engine.slots.iter().filter_map(|slot| attempt(slot)).collect(),
            engine: rules::Engine {
                progress: self.engine.feed.progress(),
                looks: looks(&nodes),
                rest: self.rest(),
            },
        };
        Some((look, tree))
    }

    /// Asks every supervisor that does not owe an answer.
    fn ask(&mut self, nodes: &[&NodeSnapshot]) {
        self.asked.retain(|_, question| !question.is_finished());
        for node in nodes.iter().filter(|node| node.kind == ChildKind::Supervisor) {
            if !self.asked.contains_key(&node.path) {
                self.asked.insert(node.path.clone(), self.question(node.path.clone()));
            }
        }
    }

    fn question(&self, path: String) -> JoinHandle<()> {
        let (tree, answers) = (self.engine.tree.clone(), Arc::clone(&self.answers));
        tokio::spawn(async move {
            if tree.beat(&path).await.is_ok() {
                answers.fetch_add(1, Ordering::Release);
            }
        })
    }

    fn handler(&self, node: &NodeSnapshot) -> Option<Handler> {
        let current = node.activity.as_ref()?.current.as_ref()?;
        let is_judged = node.state == NodeState::Running && node.path != OWN;
        is_judged.then(|| Handler {
            path: node.path.clone(),
            incarnation: node.incarnation,
            kind: current.kind.clone(),
            seq: current.seq,
            budget_ms: u64::try_from(self.budgets.of(&node.path, &current.kind).as_millis())
                .unwrap_or(u64::MAX),
        })
    }

    fn tasks(&mut self, node: &NodeSnapshot) -> Vec<Task> {
        let finite = node.tasks.iter().filter(|task| FINITE.contains(&task.slot.as_str()));
        let running = finite.filter_map(|task| Some((task.slot.as_str(), task.running.as_ref()?)));
        let looked_at = running.map(|(slot, task)| Task {
            path: node.path.clone(),
            slot: slot.to_owned(),
            run: run(self.runs.entry(slot.to_owned()).or_default(), task.running_ms),
            progress: task.progress_total,
        });
        looked_at.collect()
    }

    fn rest(&self) -> Option<Rest> {
        let (board, closed) = (self.engine.board.borrow().clone(), self.engine.gate.closed());
        let obstacle = board.chosen.as_ref().and_then(|chosen| chosen.obstacle.as_ref());
        Rest::of(&Standing {
            has_read: board.has_read,
            could_start: board.could_start,
            held: board.held.as_ref().or(obstacle),
            closed: closed.as_ref(),
            is_draining: self.engine.gate.is_draining(),
            now_ms: self.engine.now_ms(),
        })
    }
}

/// Counts the runs of a slot: work that has run for no longer than at the last look is another.
fn run(last: &mut (u64, u64), running_ms: u64) -> u64 {
    let (last_ms, n) = *last;
    let n = if running_ms > last_ms { n } else { n + 1 };
    *last = (running_ms, n);
    n
}

fn flatten<'a>(node: &'a NodeSnapshot, into: &mut Vec<&'a NodeSnapshot>) {
    into.push(node);
    node.children.iter().for_each(|child| flatten(child, into));
}

/// Counts the scheduler's messages; one that was restarted counts on.
fn looks(nodes: &[&NodeSnapshot]) -> u64 {
    let scheduler = nodes.iter().find(|node| node.path == SCHEDULER);
    scheduler.and_then(|node| node.activity.as_ref()).map_or(0, |activity| activity.messages_total)
}

fn attempt(slot: &Slot) -> Option<Attempt> {
    let (given, running) = (slot.assignment()?, slot.task.running()?);
    let mut attempt = Attempt {
        path: slot.path(),
        task: given.claimed.task.bead_id.to_string(),
        run: format!("{}/{}", given.claimed.attempt.attempt_id, given.claimed.fence),
        progress: running.progress_total,
        stage: None,
        waits: None,
        has_process: false,
        agent: None,
    };
    slot.vitals().fill(&mut attempt);
    Some(attempt)
}

//! The live tree: what supervisors write about their children and anyone may read.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::child::{ChildContext, ChildId, ChildKind, ChildSpec, Restart};
use crate::control::ChildInfo;
use crate::gauges::Gauges;
use crate::group::Group;
use crate::snapshot::{Activity, NodeSnapshot, NodeState, ms};
use crate::supervisor::SupervisorSpec;
use crate::sync::lock;
use crate::task::Attached;
use crate::worker::StartFn;

/// One place in the tree. It outlives the incarnations of what lives there, and of its supervisor.
pub(crate) struct Node {
    pub(crate) id: ChildId,
    pub(crate) path: Arc<str>,
    restart: Restart,
    significant: bool,
    pub(crate) gauges: Arc<Gauges>,
    pub(crate) tasks: Vec<Arc<dyn Attached>>,
    /// What only a supervisor has.
    pub(crate) group: Option<Group>,
    life: Mutex<Life>,
}

struct Life {
    state: State,
    incarnation: u32,
    started_once: bool,
    restarts_total: u64,
    started_at: Option<Instant>,
    zombies: u32,
}

/// Like [`NodeState`], with instants.
#[derive(Clone, Copy)]
pub(crate) enum State {
    Starting,
    Running,
    Restarting { until: Instant },
    Stopping,
    Stopped,
    Zombie,
}

impl Node {
    /// Builds the place of a root supervisor and of everything under it.
    pub(crate) fn root(id: ChildId, spec: &SupervisorSpec) -> Arc<Self> {
        let path = Arc::from(id.as_str());
        let group = Some(Group::new(&path, spec));
        Arc::new(Self {
            id,
            path,
            restart: Restart::Temporary,
            significant: false,
            gauges: Arc::default(),
            tasks: Vec::new(),
            group,
            life: Mutex::new(Life::new()),
        })
    }

    /// Builds the place of a child and of everything under it.
    pub(crate) fn child(parent: &str, spec: &ChildSpec) -> Arc<Self> {
        let path: Arc<str> = Arc::from(format!("{parent}/{}", spec.id));
        let (gauges, group) = match &spec.start {
            StartFn::Worker(worker) => (Arc::clone(worker.gauges()), None),
            StartFn::Supervisor(spec) => (Arc::default(), Some(Group::new(&path, spec))),
        };
        Arc::new(Self {
            id: spec.id.clone(),
            path,
            restart: spec.restart,
            significant: spec.significant,
            gauges,
            tasks: spec.tasks.clone(),
            group,
            life: Mutex::new(Life::new()),
        })
    }

    /// Goes on counting where a node of the same path, whose child was forgotten, left off.
    pub(crate) fn succeed(&self, before: &Self) {
        let (incarnation, zombies) = {
            let before = lock(&before.life);
            (before.incarnation, before.zombies)
        };
        let mut life = lock(&self.life);
        (life.started_once, life.incarnation, life.zombies) = (true, incarnation, zombies);
    }

    /// Begins the next incarnation.
    pub(crate) fn begin(&self) -> ChildContext {
        let mut life = lock(&self.life);
        if life.started_once {
            life.incarnation += 1;
        }
        life.started_once = true;
        life.state = State::Starting;
        ChildContext {
            path: Arc::clone(&self.path),
            incarnation: life.incarnation,
            gauges: Arc::clone(&self.gauges),
            ended: CancellationToken::new(),
            #[cfg(feature = "failpoints")]
            failpoints: crate::failpoint::Failpoints::default(),
        }
    }

    /// Notes that an incarnation is up; `again` when its supervisor restarted it.
    pub(crate) fn running(&self, again: bool) {
        let mut life = lock(&self.life);
        life.state = State::Running;
        life.started_at = Some(Instant::now());
        life.restarts_total += u64::from(again);
    }

    /// Notes what the node does with its life.
    pub(crate) fn set(&self, state: State) {
        lock(&self.life).state = state;
    }

    /// Notes that an incarnation ended, and with it everything that still ran under it.
    pub(crate) fn ended(&self, state: State) {
        let mut life = lock(&self.life);
        life.state = state;
        life.started_at = None;
        life.zombies += u32::from(matches!(state, State::Zombie));
        drop(life);
        if let Some(group) = &self.group {
            group.close();
            group
                .children()
                .iter()
                .filter(|child| child.is_live())
                .for_each(|child| child.ended(State::Stopped));
        }
    }

    /// Notes that a child which waited for its restart will not get it.
    pub(crate) fn rest(&self) {
        let mut life = lock(&self.life);
        if matches!(life.state, State::Restarting { .. }) {
            life.state = State::Stopped;
        }
    }

    /// Returns whether there is more to show of it than that it ended.
    pub(crate) fn is_zombie(&self) -> bool {
        matches!(lock(&self.life).state, State::Zombie)
    }

    /// Ends all work that still runs beside this node or under it.
    pub(crate) fn end_tasks(&self) {
        self.tasks.iter().for_each(|task| task.end());
        self.group.iter().flat_map(Group::children).for_each(|child| child.end_tasks());
    }

    /// Returns whether nobody supervises this node.
    pub(crate) fn is_root(&self) -> bool {
        *self.path == *self.id.as_str()
    }

    /// Returns which life it is, from 0.
    pub(crate) fn incarnation(&self) -> u32 {
        lock(&self.life).incarnation
    }

    /// Returns how long the present incarnation has been up.
    pub(crate) fn uptime(&self) -> Duration {
        lock(&self.life).started_at.map_or(Duration::ZERO, |at| at.elapsed())
    }

    fn is_live(&self) -> bool {
        !matches!(lock(&self.life).state, State::Stopped | State::Zombie)
    }

    /// Finds the node at a path that starts with this node's own.
    pub(crate) fn find(self: &Arc<Self>, path: &str) -> Option<Arc<Self>> {
        let mut ids = path.strip_prefix(&*self.path)?.split('/');
        ids.next().filter(|rest_of_own| rest_of_own.is_empty())?;
        ids.try_fold(Arc::clone(self), |node, id| node.group.as_ref()?.child(id))
    }

    /// Describes this node as its supervisor does.
    pub(crate) fn info(&self, now: Instant) -> ChildInfo {
        ChildInfo {
            id: self.id.clone(),
            kind: self.kind(),
            restart: self.restart,
            significant: self.significant,
            state: lock(&self.life).state.at(now),
        }
    }

    fn kind(&self) -> ChildKind {
        if self.group.is_some() { ChildKind::Supervisor } else { ChildKind::Worker }
    }

    pub(crate) fn snapshot(&self, now: Instant) -> NodeSnapshot {
        let life = lock(&self.life);
        let (state, started_at) = (life.state, life.started_at);
        let (incarnation, restarts_total, zombies) = (life.incarnation, life.restarts_total, life.zombies);
        drop(life);
        NodeSnapshot {
            id: self.id.to_string(),
            path: self.path.to_string(),
            kind: self.kind(),
            restart: self.restart,
            state: state.at(now),
            incarnation,
            restarts_total,
            uptime_ms: started_at.map(|at| ms(now.saturating_duration_since(at))),
            zombies,
            supervision: self.group.as_ref().map(|group| group.supervision(now)),
            activity: self.group.is_none().then(|| Activity::new(&self.gauges.read(now), now)),
            tasks: self.tasks.iter().map(|task| task.snapshot(now)).collect(),
            children: self.group.as_ref().map(|group| group.snapshots(now)).unwrap_or_default(),
        }
    }
}

impl Life {
    fn new() -> Self {
        Self {
            state: State::Stopped,
            incarnation: 0,
            started_once: false,
            restarts_total: 0,
            started_at: None,
            zombies: 0,
        }
    }
}

impl State {
    fn at(self, now: Instant) -> NodeState {
        match self {
            Self::Starting => NodeState::Starting,
            Self::Running => NodeState::Running,
            Self::Restarting { until } => {
                NodeState::Restarting { in_ms: ms(until.saturating_duration_since(now)) }
            }
            Self::Stopping => NodeState::Stopping,
            Self::Stopped => NodeState::Stopped,
            Self::Zombie => NodeState::Zombie,
        }
    }
}

//! What a supervisor shares with those who look at it: its children, its record, its mailbox.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ractor::ActorRef;
use tokio::time::Instant;

use crate::child::ChildId;
use crate::exit::ExitReason;
use crate::intensity::RestartLog;
use crate::lifecycle::Broadcast;
use crate::node::Node;
use crate::ordered::Ordered;
use crate::snapshot::{NodeSnapshot, Supervision, ms};
use crate::strategy::Strategy;
use crate::supervisor::{SupervisorMsg, SupervisorSpec};
use crate::sync::lock;
use crate::template::Template;

/// What all supervisors of one tree share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) events: Broadcast,
    /// The whole tree is ending, so attached tasks end with their actors.
    pub(crate) closing: AtomicBool,
    #[cfg(feature = "failpoints")]
    pub(crate) failpoints: crate::failpoint::Failpoints,
}

impl Shared {
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Relaxed)
    }

    pub(crate) fn close(&self) {
        self.closing.store(true, Relaxed);
    }
}

/// The children of a supervisor and how it is doing with them.
pub(crate) struct Group {
    strategy: Strategy,
    pub(crate) template: Option<Template>,
    /// The children of the spec, which each incarnation of the supervisor begins with.
    pub(crate) fixed: Vec<Arc<Node>>,
    children: RwLock<Ordered<Arc<Node>>>,
    log: Mutex<RestartLog<ExitReason>>,
    mailbox: Mutex<Option<ActorRef<SupervisorMsg>>>,
}

impl Group {
    pub(crate) fn new(path: &str, spec: &SupervisorSpec) -> Self {
        let fixed: Vec<_> = spec.children.iter().map(|child| Node::child(path, child)).collect();
        Self {
            strategy: spec.strategy,
            template: spec.template.clone(),
            children: RwLock::new(in_order(&fixed)),
            fixed,
            log: Mutex::new(RestartLog::new(spec.intensity)),
            mailbox: Mutex::new(None),
        }
    }

    /// A new incarnation of the supervisor starts with a clean record and the children of its spec.
    pub(crate) fn open(&self, mailbox: ActorRef<SupervisorMsg>) {
        *self.children.write().unwrap_or_else(PoisonError::into_inner) = in_order(&self.fixed);
        let mut log = lock(&self.log);
        *log = RestartLog::new(log.intensity());
        *lock(&self.mailbox) = Some(mailbox);
    }

    /// Adds a child; what is left of an earlier one with its id hands on its count.
    pub(crate) fn add(&self, child: Arc<Node>) {
        let mut children = self.children.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = children.remove(child.id.as_str()) {
            child.succeed(&before);
        }
        children.push(child.id.clone(), child);
    }

    /// Takes a child out of the picture.
    pub(crate) fn remove(&self, id: &ChildId) {
        self.children.write().unwrap_or_else(PoisonError::into_inner).remove(id.as_str());
    }

    /// Finds a child.
    pub(crate) fn child(&self, id: &str) -> Option<Arc<Node>> {
        self.children.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Returns the children in start order.
    pub(crate) fn children(&self) -> Vec<Arc<Node>> {
        self.children.read().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Nobody answers any more.
    pub(crate) fn close(&self) {
        *lock(&self.mailbox) = None;
    }

    /// Returns where the supervisor that is up can be told something.
    pub(crate) fn mailbox(&self) -> Option<ActorRef<SupervisorMsg>> {
        lock(&self.mailbox).clone()
    }

    /// Counts a restart that is about to be made; returns the reasons when it is one too many.
    pub(crate) fn count_restart(&self, now: Instant, cause: ExitReason) -> Option<Vec<ExitReason>> {
        let mut log = lock(&self.log);
        log.record(now, cause).then(|| log.causes().cloned().collect())
    }

    pub(crate) fn supervision(&self, now: Instant) -> Supervision {
        let log = lock(&self.log);
        Supervision {
            strategy: self.strategy,
            restarts_in_window: log.in_window(now),
            max: log.intensity().max,
            window_ms: ms(log.intensity().within),
        }
    }

    pub(crate) fn snapshots(&self, now: Instant) -> Vec<NodeSnapshot> {
        self.children().iter().map(|child| child.snapshot(now)).collect()
    }
}

fn in_order(nodes: &[Arc<Node>]) -> Ordered<Arc<Node>> {
    nodes.iter().map(|node| (node.id.clone(), Arc::clone(node))).collect()
}

//! What a supervisor shares with those who look at it: its children, its record, its mailbox.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use ractor::ActorRef;
use tokio::time::Instant;

use crate::exit::ExitReason;
use crate::intensity::RestartLog;
use crate::lifecycle::Broadcast;
use crate::node::Node;
use crate::snapshot::{NodeSnapshot, Supervision, ms};
use crate::strategy::Strategy;
use crate::supervisor::{SupervisorMsg, SupervisorSpec};
use crate::sync::lock;

/// What all supervisors of one tree share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) events: Broadcast,
    /// The whole tree is ending, so attached tasks end with their actors.
    pub(crate) closing: AtomicBool,
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
    pub(crate) children: Vec<Arc<Node>>,
    log: Mutex<RestartLog<ExitReason>>,
    mailbox: Mutex<Option<ActorRef<SupervisorMsg>>>,
}

impl Group {
    pub(crate) fn new(path: &str, spec: &SupervisorSpec) -> Self {
        Self {
            strategy: spec.strategy,
            children: spec.children.iter().map(|child| Node::child(path, child)).collect(),
            log: Mutex::new(RestartLog::new(spec.intensity)),
            mailbox: Mutex::new(None),
        }
    }

    /// A new incarnation of the supervisor starts with a clean record.
    pub(crate) fn open(&self, mailbox: ActorRef<SupervisorMsg>) {
        let mut log = lock(&self.log);
        *log = RestartLog::new(log.intensity());
        *lock(&self.mailbox) = Some(mailbox);
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
    pub(crate) fn count_restart(&self, cause: ExitReason) -> Option<Vec<ExitReason>> {
        let mut log = lock(&self.log);
        log.record(Instant::now(), cause).then(|| log.causes().cloned().collect())
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
        self.children.iter().filter(|child| !child.is_forgotten()).map(|child| child.snapshot(now)).collect()
    }
}

//! A durable log in memory, over the same decisions as every store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use glitchlab_domain::bead::BeadId;
use glitchlab_domain::command::{
    Bearer, BootBearer, Claim, Claimed, Command, Finish, Refusal, Reply, Stamp, TakeOver, TaskCaps,
};
use glitchlab_domain::decide::decide;
use glitchlab_domain::event::EventKind;
use glitchlab_domain::gate::GateRules;
use glitchlab_domain::id::{AttemptId, BootId, Fence, TaskKey};
use glitchlab_domain::ledger::{Departures, Terms};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::policy::RetryRules;
use glitchlab_domain::reason::Window;
use glitchlab_domain::rows::{ProcessRow, Rows, Write};
use glitchlab_domain::task::{SourceTask, TaskRow};
use glitchlab_models::account::Clock;
use tokio::sync::Notify;

use super::durable::MemoryDurable;
use super::fuse::Fuse;
use crate::attempt::Ended;
use crate::durable::Room;

pub(super) const SCOPE: &str = "simulated:fake";
const REPO: &str = "fake";

/// The log of all attempts of one boot. Clones share it.
#[derive(Clone)]
pub struct MemoryLog {
    contents: Arc<Mutex<Contents>>,
    pub(super) settled: Arc<Notify>,
    pub(super) clock: Clock,
    boot: BootBearer,
    task_caps: TaskCaps,
}

#[derive(Default)]
struct Contents {
    rows: Rows,
    settlements: Vec<(i64, MicroUsd)>,
    events: Vec<EventKind>,
    commands: u64,
}

impl MemoryLog {
    /// Opens an empty log with a ledger of these caps.
    ///
    /// # Panics
    ///
    /// Never: a first boot is always admitted.
    #[must_use]
    pub fn new(clock: Clock, cap_hour: MicroUsd, cap_day: MicroUsd) -> Self {
        let boot = BootBearer { boot_id: BootId::new("boot"), fence: Fence::new("boot-fence") };
        let log = Self {
            contents: Arc::default(),
            settled: Arc::default(),
            clock,
            boot,
            task_caps: TaskCaps::default(),
        };
        let process = ProcessRow {
            boot_id: log.boot.boot_id.clone(),
            fence: log.boot.fence.clone(),
            host: "fake".to_owned(),
            pid: 0,
            start_ticks: 0,
            repo_id: REPO.to_owned(),
            scope: SCOPE.to_owned(),
            listen: String::new(),
            started_ms: (log.clock)(),
            lease_until_ms: i64::MAX,
            alive: true,
            rules: None,
            backlog: String::new(),
            begun: Vec::new(),
        };
        let start = Command::StartBoot {
            process,
            scope: SCOPE.to_owned(),
            cap_hour,
            cap_day,
            terms: Terms::default(),
            dead: Vec::new(),
        };
        log.submit(&start).expect("a first boot is always admitted");
        log
    }

    /// Sets what a task may cost in all; this handle of the log alone asks for so much.
    #[must_use]
    pub const fn with_task_caps(mut self, task_caps: TaskCaps) -> Self {
        self.task_caps = task_caps;
        self
    }

    pub(super) const fn task_caps(&self) -> TaskCaps {
        self.task_caps
    }

    pub(super) fn room(&self, root_key: &TaskKey) -> Room {
        let contents = self.lock();
        let purse = contents.rows.purses.get(root_key).cloned().unwrap_or_default();
        let cap_day = contents.rows.heads.get(SCOPE).map(|head| head.cap_day).unwrap_or_default();
        Room { task: self.task_caps.money.map(|cap| cap + purse.granted - purse.settled), cap_day }
    }

    /// Decides a command and applies it.
    ///
    /// # Errors
    ///
    /// Returns the refusal.
    pub fn submit(&self, command: &Command) -> Result<Reply, Refusal> {
        let reply = self.lock().decide(command, (self.clock)());
        if matches!(command, Command::Settle(_)) {
            self.settled.notify_waiters();
        }
        reply
    }

    /// Adds a task and claims it for an attempt with the id `attempt`.
    ///
    /// # Panics
    ///
    /// When it cannot be claimed now.
    #[must_use]
    pub fn claim(&self, bead_id: &str, title: &str, attempt: &str) -> Claimed {
        let bead_id = BeadId::from(bead_id);
        let key = TaskKey::of(REPO, &bead_id);
        if !self.lock().rows.tasks.contains_key(&key) {
            let sync = Command::Sync { beads: vec![source(&key, &bead_id, title)] };
            self.submit(&sync).expect("a sync is never refused");
        }
        let claim = Claim {
            by: self.boot.clone(),
            task_key: key,
            attempt_id: AttemptId::new(attempt),
            fence: Fence::new(format!("{attempt}-0")),
            slot: "worker-1".to_owned(),
            repo_id: REPO.to_owned(),
            scope: SCOPE.to_owned(),
            hold: MicroUsd::new(1),
            hold_tokens: 0,
            ahead: None,
            model: "fake".to_owned(),
            simulated: true,
            max_attempts: 3,
            trace_id: String::new(),
            branch: format!("glitchlab/{bead_id}-{attempt}"),
        };
        claimed(self.submit(&Command::Claim(claim)))
    }

    /// Takes an interrupted attempt over under a new fence.
    ///
    /// # Panics
    ///
    /// When the claim was taken over before, or has ended.
    #[must_use]
    pub fn take_over(&self, old: &Claimed) -> Claimed {
        let fence = Fence::new(format!("{}+", old.fence));
        let take = TakeOver {
            by: self.boot.clone(),
            task_key: old.task.key.clone(),
            attempt_id: old.attempt.attempt_id.clone(),
            old_fence: old.fence.clone(),
            old_boot: self.boot.boot_id.clone(),
            fence,
            slot: "worker-1".to_owned(),
            max_attempts: 3,
        };
        claimed(self.submit(&Command::TakeOver(take)))
    }

    /// Makes the outcome of an attempt durable and returns its task.
    ///
    /// # Panics
    ///
    /// When the claim is held under another fence.
    #[must_use]
    pub fn finish(&self, of: &Claimed, ended: &Ended) -> TaskRow {
        let finish = Finish {
            by: bearer(of),
            outcome: ended.outcome.clone(),
            detail: ended.detail.clone(),
            learned: ended.learned.clone(),
            files_changed: ended.files_changed,
            rules: RetryRules::default(),
            scope: SCOPE.to_owned(),
            repo_id: REPO.to_owned(),
            gate: GateRules::NEVER,
        };
        self.submit(&Command::Finish(finish)).expect("the attempt holds its claim");
        self.lock().rows.tasks[&of.task.key].clone()
    }

    /// Makes the port of an attempt.
    #[must_use]
    pub fn durable(&self, of: &Claimed, fuse: Fuse) -> MemoryDurable {
        MemoryDurable::new(self.clone(), bearer(of), of.task.root_key.clone(), fuse)
    }

    /// Returns all rows.
    #[must_use]
    pub fn rows(&self) -> Rows {
        self.lock().rows.clone()
    }

    /// Returns what happened, in order.
    #[must_use]
    pub fn events(&self) -> Vec<EventKind> {
        self.lock().events.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn claimed(reply: Result<Reply, Refusal>) -> Claimed {
    match reply {
        Ok(Reply::Claimed(claimed)) => *claimed,
        other => panic!("the task cannot be claimed: {other:?}"),
    }
}

fn bearer(of: &Claimed) -> Bearer {
    Bearer {
        task_key: of.task.key.clone(),
        attempt_id: of.attempt.attempt_id.clone(),
        fence: of.fence.clone(),
    }
}

fn source(key: &TaskKey, bead_id: &BeadId, title: &str) -> SourceTask {
    SourceTask {
        key: key.clone(),
        repo_id: REPO.to_owned(),
        bead_id: bead_id.clone(),
        source: "fake".to_owned(),
        parent: None,
        title: title.to_owned(),
        body: String::new(),
        priority: 0,
        kind: "task".to_owned(),
        labels: Vec::new(),
        created_ms: 0,
        state: "open".to_owned(),
        rev: String::new(),
    }
}

impl Contents {
    fn decide(&mut self, command: &Command, clock_ms: i64) -> Result<Reply, Refusal> {
        let now_ms = self.advance(clock_ms);
        self.commands += 1;
        let stamp = Stamp { now_ms, nonce: self.commands.to_string(), entropy: self.commands };
        let writes = decide(&self.rows, command, &stamp)?;
        for write in writes.rows {
            if let Write::Call(row) = &write
                && let (Some(at), Some(actual)) = (row.settled_ms, row.actual)
            {
                self.settlements.push((at, actual));
            }
            self.rows.apply(write);
        }
        self.events.extend(writes.events.into_iter().map(|(_, kind)| kind));
        Ok(writes.reply)
    }

    /// Moves the tails of the ledger to now and returns that now.
    fn advance(&mut self, clock_ms: i64) -> i64 {
        let Some(mut head) = self.rows.heads.remove(SCOPE) else { return clock_ms };
        let now_ms = head.now(clock_ms);
        let left = |window| {
            let (after, up_to) = head.leaving(window, now_ms);
            let gone = self.settlements.iter().filter(|(at, _)| *at > after && *at <= up_to);
            gone.map(|(_, amount)| *amount).sum()
        };
        let (hour, day) = (left(Window::Hour), left(Window::Day));
        head.advance(now_ms, hour, day);
        let inside = |tail| self.settlements.iter().filter(|(at, _)| *at > tail).copied().collect();
        let departures = Departures { hour: inside(head.tail_hour_ms), day: inside(head.tail_day_ms) };
        self.rows.departures.insert(SCOPE.to_owned(), departures);
        self.rows.heads.insert(SCOPE.to_owned(), head);
        now_ms
    }
}

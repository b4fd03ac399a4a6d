//! The rows that a day's decisions look at: the smallest store that keeps up with a hundred thousand calls. Attempts are
//! named as their tasks, and what has ended is forgotten.

use glitchlab_domain::bead::BeadId;
use glitchlab_domain::command::{
    Bearer, BootBearer, Claim, Command, Finish, Paid, Reply, Reserve, Settle, Stamp, TaskCaps,
};
use glitchlab_domain::decide::decide;
use glitchlab_domain::gate::GateRules;
use glitchlab_domain::id::{AttemptId, BootId, Fence, TaskKey, TryKey};
use glitchlab_domain::ledger::{Bounds, DEPARTURES, Departures};
use glitchlab_domain::money::{MicroUsd, Price};
use glitchlab_domain::outcome::{Outcome, Reference};
use glitchlab_domain::pacing::Costs;
use glitchlab_domain::policy::RetryRules;
use glitchlab_domain::reason::{Wait, Window};
use glitchlab_domain::rows::{ProcessRow, Rows, Write};
use glitchlab_domain::stage::Stage;
use glitchlab_domain::task::SourceTask;

use super::Day;

const SCOPE: &str = "simulated:day";
const REPO: &str = "day";
/// When the ledger's time begins: far from 0, so that windows have a past.
const BEGIN_MS: i64 = 1_772_366_400_000;
/// The first hold, until five attempts have ended: 30 cents.
const FIRST_HOLD: MicroUsd = MicroUsd::new(300_000);

pub(super) struct Ledger {
    rows: Rows,
    /// Settlements in order, each with the sum of all up to it.
    settled: Vec<(i64, i64, i64)>,
    /// What attempts really cost, beside the means that a test may have made wrong.
    costs: Costs,
    stamps: u64,
}

impl Ledger {
    pub(super) fn new(day: &Day) -> Self {
        let mut ledger =
            Self { rows: Rows::default(), settled: Vec::new(), costs: Costs::default(), stamps: 0 };
        let start = Command::StartBoot {
            process: process(),
            scope: SCOPE.to_owned(),
            cap_hour: day.per_hour,
            cap_day: day.per_day,
            terms: day.terms,
            dead: Vec::new(),
        };
        ledger.ask(&start, 0);
        ledger
    }

    /// Returns a day's time for one of the ledger's.
    pub(super) const fn of_ledger(&self, at_ms: i64) -> i64 {
        at_ms - BEGIN_MS
    }

    pub(super) fn is_anything_open(&self) -> bool {
        self.rows.heads.values().any(|head| head.reserved > MicroUsd::ZERO)
    }

    pub(super) fn add_task(&mut self, task: &str, now_ms: i64) {
        self.ask(&Command::Sync { beads: vec![source(task)] }, now_ms);
    }

    /// Returns the hold of a task that may start.
    pub(super) fn claim(&mut self, task: &str, ahead: Option<&str>, now_ms: i64) -> Result<i64, Wait> {
        let claim = Claim {
            by: boot(),
            task_key: TaskKey::new(task),
            attempt_id: AttemptId::new(task),
            fence: Fence::new(task),
            slot: "worker-1".to_owned(),
            repo_id: REPO.to_owned(),
            scope: SCOPE.to_owned(),
            hold: FIRST_HOLD,
            hold_tokens: 0,
            ahead: ahead.map(TaskKey::new),
            model: "m".to_owned(),
            simulated: true,
            max_attempts: 3,
            trace_id: String::new(),
            branch: String::new(),
        };
        match self.ask(&Command::Claim(claim), now_ms) {
            Reply::Claimed(claimed) => Ok(claimed.attempt.hold.micro()),
            Reply::Wait(wait) => Err(wait),
            other => panic!("{task} was answered {other:?}"),
        }
    }

    /// Sets money aside, or says how long to wait.
    pub(super) fn reserve(&mut self, task: &str, call_no: usize, micro: i64, now_ms: i64) -> Option<Wait> {
        let bounds = Bounds {
            prompt_tokens: u64::try_from(micro).unwrap_or(0),
            max_out: 0,
            floor_out: 0,
            price: Price { input_per_mtok_micro: 1_000_000, output_per_mtok_micro: 0 },
        };
        let reserve = Reserve {
            by: bearer(task),
            key: key(task, call_no),
            scope: SCOPE.to_owned(),
            stage: Stage::Implement,
            model: "m".to_owned(),
            input_hash: String::new(),
            bounds,
            root_key: TaskKey::new(task),
            task_caps: TaskCaps::default(),
        };
        match self.ask(&Command::Reserve(reserve), now_ms) {
            Reply::Granted(_) => None,
            Reply::Wait(wait) => Some(wait),
            other => panic!("a call of {task} was answered {other:?}"),
        }
    }

    pub(super) fn settle(&mut self, task: &str, call_no: usize, micro: i64, now_ms: i64) {
        let settle = Settle {
            by: Some(bearer(task)),
            key: key(task, call_no),
            task_key: TaskKey::new(task),
            root_key: TaskKey::new(task),
            scope: SCOPE.to_owned(),
            paid: Some(Paid { cost: MicroUsd::new(micro), input_tokens: 1, output_tokens: 0 }),
            reply: None,
            error: None,
            latency_ms: 0,
            response: None,
            prompt: Vec::new(),
        };
        self.ask(&Command::Settle(settle), now_ms);
        let total = self.settled.last().map_or(0, |(_, _, total)| *total) + micro;
        self.settled.push((BEGIN_MS + now_ms, micro, total));
        self.rows.calls.remove(&key(task, call_no));
    }

    /// Ends an attempt; what was learned of its cost is then made wrong by `hold_percent`.
    pub(super) fn finish(&mut self, task: &str, now_ms: i64, hold_percent: i64) {
        let cost = self.rows.attempts[&AttemptId::new(task)].cost;
        let finish = Finish {
            by: bearer(task),
            outcome: Outcome::Completed { reference: Reference::ChildrenClosed },
            detail: String::new(),
            learned: None,
            files_changed: 0,
            rules: RetryRules::default(),
            repo_id: REPO.to_owned(),
            gate: GateRules::NEVER,
            scope: SCOPE.to_owned(),
        };
        self.ask(&Command::Finish(finish), now_ms);
        self.costs.learn(REPO, None, MicroUsd::new(cost.micro() * hold_percent / 100));
        for head in self.rows.heads.values_mut() {
            head.costs = self.costs.clone();
        }
        self.rows.tasks.remove(&TaskKey::new(task));
        self.rows.attempts.remove(&AttemptId::new(task));
        self.rows.purses.remove(&TaskKey::new(task));
    }

    fn ask(&mut self, command: &Command, now_ms: i64) -> Reply {
        self.advance(BEGIN_MS + now_ms);
        self.stamps += 1;
        let stamp = Stamp { now_ms: BEGIN_MS + now_ms, nonce: self.stamps.to_string(), entropy: self.stamps };
        let writes = decide(&self.rows, command, &stamp).expect("nobody here loses a right to write");
        for write in writes.rows {
            // Settlements are listed here, and not by the rows of their calls.
            if let Write::Call(call) = &write
                && call.settled_ms.is_some()
            {
                continue;
            }
            self.rows.apply(write);
        }
        writes.reply
    }

    /// Moves the tails of the ledger, and lists what leaves next.
    fn advance(&mut self, now_ms: i64) {
        let Some(mut head) = self.rows.heads.remove(SCOPE) else { return };
        let left = |window| MicroUsd::new(self.sum(head.leaving(window, now_ms)));
        let (hour, day) = (left(Window::Hour), left(Window::Day));
        head.advance(now_ms, hour, day);
        let is_scarce = head.headroom() < MicroUsd::new(head.cap_hour.micro() / 5);
        let first = |after| if is_scarce { self.first(after) } else { Vec::new() };
        let departures = Departures { hour: first(head.tail_hour_ms), day: first(head.tail_day_ms) };
        self.rows.departures.insert(SCOPE.to_owned(), departures);
        self.rows.heads.insert(SCOPE.to_owned(), head);
    }

    fn sum(&self, (after, up_to): (i64, i64)) -> i64 {
        let total = |at: i64| {
            let place = self.settled.partition_point(|(settled, _, _)| *settled <= at);
            place.checked_sub(1).map_or(0, |place| self.settled[place].2)
        };
        total(up_to) - total(after)
    }

    fn first(&self, after: i64) -> Vec<(i64, MicroUsd)> {
        let place = self.settled.partition_point(|(settled, _, _)| *settled <= after);
        let inside = self.settled[place..].iter().take(DEPARTURES);
        inside.map(|(at, micro, _)| (*at, MicroUsd::new(*micro))).collect()
    }
}

fn boot() -> BootBearer {
    BootBearer { boot_id: BootId::from("boot"), fence: Fence::from("boot") }
}

fn bearer(task: &str) -> Bearer {
    Bearer { task_key: TaskKey::new(task), attempt_id: AttemptId::new(task), fence: Fence::new(task) }
}

fn key(task: &str, call_no: usize) -> TryKey {
    let call_no = u32::try_from(call_no).unwrap_or(u32::MAX);
    TryKey { attempt_id: AttemptId::new(task), step_n: 0, call_no, try_no: 0 }
}

fn process() -> ProcessRow {
    let BootBearer { boot_id, fence } = boot();
    ProcessRow {
        boot_id,
        fence,
        host: "here".to_owned(),
        pid: 1,
        start_ticks: 1,
        repo_id: REPO.to_owned(),
        scope: SCOPE.to_owned(),
        listen: String::new(),
        started_ms: BEGIN_MS,
        lease_until_ms: i64::MAX,
        alive: true,
        rules: None,
        backlog: String::new(),
        begun: Vec::new(),
    }
}

fn source(task: &str) -> SourceTask {
    SourceTask {
        key: TaskKey::new(task),
        repo_id: REPO.to_owned(),
        bead_id: BeadId::from(task),
        source: "day".to_owned(),
        parent: None,
        title: String::new(),
        body: String::new(),
        priority: 0,
        kind: "task".to_owned(),
        labels: Vec::new(),
        created_ms: 0,
        state: "open".to_owned(),
        rev: String::new(),
    }
}

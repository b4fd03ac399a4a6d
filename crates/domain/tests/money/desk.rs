//! A world with one boot and as many workers as a test asks for, for what is told step by step.

use glitchlab_domain::bead::BeadId;
use glitchlab_domain::command::{
    Bearer, BootBearer, Carry, Claim, Command, Finish, Paid, Refusal, Reply, Reserve, Settle, TakeOver,
    TaskCaps,
};
use glitchlab_domain::gate::GateRules;
use glitchlab_domain::id::{AttemptId, BootId, Fence, TaskKey, TryKey};
use glitchlab_domain::ledger::{Bounds, Terms};
use glitchlab_domain::money::{MicroUsd, Price};
use glitchlab_domain::outcome::Outcome;
use glitchlab_domain::policy::RetryRules;
use glitchlab_domain::rows::{ControlRow, ProcessRow, Verb};
use glitchlab_domain::stage::Stage;
use glitchlab_domain::task::SourceTask;

use crate::world::{SCOPE, World};

pub(crate) type Answer = Result<Reply, Refusal>;

pub(crate) struct Desk {
    pub(crate) world: World,
    pub(crate) boot: BootBearer,
    /// What a task may cost in all.
    pub(crate) task_caps: TaskCaps,
    /// What starts ask of the ledger beside its caps.
    pub(crate) terms: Terms,
    said: u32,
}

impl Desk {
    /// Opens with caps in micro-dollars, and one task.
    pub(crate) fn open(cap_hour: i64, cap_day: i64) -> Self {
        let boot = boot("b1");
        let mut desk = Self {
            world: World::new(false, false),
            boot: boot.clone(),
            task_caps: TaskCaps::default(),
            terms: Terms::default(),
            said: 0,
        };
        desk.start(&boot, cap_hour, cap_day, &[]);
        desk.ask(&Command::Sync { beads: vec![bead("t1")] }).expect("a task");
        desk
    }

    pub(crate) fn ask(&mut self, command: &Command) -> Answer {
        let writes = self.world.decide(command)?;
        self.world.apply(&writes.rows);
        Ok(writes.reply)
    }

    pub(crate) fn start(&mut self, by: &BootBearer, cap_hour: i64, cap_day: i64, dead: &[BootId]) {
        let process = process(by, "here", self.world.clock_ms);
        self.start_as(process, (cap_hour, cap_day), dead);
    }

    pub(crate) fn start_on(&mut self, host: &str, by: &BootBearer, cap_hour: i64, cap_day: i64) {
        let process = process(by, host, self.world.clock_ms);
        self.start_as(process, (cap_hour, cap_day), &[]);
    }

    /// Says until when a process lives that does not beat any more.
    pub(crate) fn let_lease_end(&mut self, boot: &str, lease_until_ms: i64) {
        let process = self.world.rows.processes.get_mut(&BootId::from(boot)).expect("a process");
        process.lease_until_ms = lease_until_ms;
    }

    fn start_as(&mut self, process: ProcessRow, (cap_hour, cap_day): (i64, i64), dead: &[BootId]) {
        let (cap_hour, cap_day) = (MicroUsd::new(cap_hour), MicroUsd::new(cap_day));
        let (scope, dead) = (SCOPE.to_owned(), dead.to_vec());
        let start = Command::StartBoot { process, scope, cap_hour, cap_day, terms: self.terms, dead };
        self.ask(&start).expect("a start is never refused");
    }

    pub(crate) fn claim(&mut self, attempt: &str, hold: i64) -> Answer {
        let command = claim(&self.boot, attempt, hold);
        self.ask(&command)
    }

    /// Claims the task and returns the attempt's right to write.
    pub(crate) fn work(&mut self, attempt: &str) -> Bearer {
        self.work_for(attempt, 1)
    }

    /// The same with a hold.
    pub(crate) fn work_for(&mut self, attempt: &str, hold: i64) -> Bearer {
        match self.claim(attempt, hold) {
            Ok(Reply::Claimed(claimed)) => bearer(attempt, &claimed.fence),
            other => panic!("not claimed: {other:?}"),
        }
    }

    pub(crate) fn take_over(&mut self, from: &Bearer, fence: &str) -> Answer {
        let old_boot = self.world.rows.claims[&from.task_key].boot_id.clone();
        let take = TakeOver {
            by: self.boot.clone(),
            task_key: from.task_key.clone(),
            attempt_id: from.attempt_id.clone(),
            old_fence: from.fence.clone(),
            old_boot,
            fence: Fence::from(fence),
            slot: "worker-2".to_owned(),
            max_attempts: 3,
        };
        self.ask(&Command::TakeOver(take))
    }

    /// Asks for exactly `micro` for one try of call `call_no`.
    pub(crate) fn reserve(&mut self, by: &Bearer, call_no: u32, micro: u64) -> Answer {
        let bounds = Bounds { prompt_tokens: micro, max_out: 0, floor_out: 0, price: PRICE };
        self.reserve_try(by, (call_no, 0), bounds)
    }

    pub(crate) fn reserve_try(
        &mut self,
        by: &Bearer,
        (call_no, try_no): (u32, u32),
        bounds: Bounds,
    ) -> Answer {
        self.ask(&Command::Reserve(Reserve {
            by: by.clone(),
            key: key(by, call_no, try_no),
            scope: SCOPE.to_owned(),
            root_key: self.root_of(&by.task_key),
            task_caps: self.task_caps,
            stage: Stage::Implement,
            model: "m".to_owned(),
            input_hash: format!("h{call_no}"),
            bounds,
        }))
    }

    /// Settles a try that was answered; `paid` is none when the answer came without a bill.
    pub(crate) fn settle(&mut self, by: &Bearer, call_no: u32, paid: Option<i64>) -> Answer {
        let reply = Some("reply".to_owned());
        self.settle_with(by, call_no, paid, reply)
    }

    /// Settles a try of which nothing was heard.
    pub(crate) fn settle_unheard(&mut self, by: &Bearer, call_no: u32) -> Answer {
        self.settle_with(by, call_no, None, None)
    }

    fn settle_with(&mut self, by: &Bearer, call_no: u32, paid: Option<i64>, reply: Option<String>) -> Answer {
        self.ask(&Command::Settle(Settle {
            by: Some(by.clone()),
            key: key(by, call_no, 0),
            task_key: by.task_key.clone(),
            root_key: self.root_of(&by.task_key),
            scope: SCOPE.to_owned(),
            paid: paid.map(|micro| Paid { cost: MicroUsd::new(micro), input_tokens: 1, output_tokens: 1 }),
            reply,
            error: None,
            latency_ms: 0,
            response: None,
            prompt: Vec::new(),
        }))
    }

    /// Spends `micro` now, from reservation to settlement.
    pub(crate) fn spend(&mut self, by: &Bearer, call_no: u32, micro: u64) {
        assert!(
            matches!(self.reserve(by, call_no, micro), Ok(Reply::Granted(_))),
            "no money for call {call_no}"
        );
        self.settle(by, call_no, Some(i64::try_from(micro).expect("small"))).expect("a settlement");
    }

    pub(crate) fn finish(&mut self, by: &Bearer, outcome: Outcome) -> Answer {
        let (detail, rules) = ("done".to_owned(), RetryRules::default());
        let finish = Finish {
            by: by.clone(),
            outcome,
            detail,
            learned: None,
            files_changed: 0,
            rules,
            scope: SCOPE.to_owned(),
            repo_id: "repo".to_owned(),
            gate: GateRules::NEVER,
        };
        self.ask(&Command::Finish(finish))
    }

    /// Does what a person says: the model may be used again.
    pub(crate) fn trust(&mut self, model: &str) -> Answer {
        let verb = Verb::Approve { bead_id: BeadId::from(model) };
        self.said += 1;
        let row = ControlRow {
            id: format!("word-{}", self.said),
            repo_id: "repo".to_owned(),
            verb,
            by: "ana".to_owned(),
            at_ms: self.world.clock_ms,
            done_ms: None,
            ok: false,
            result: None,
        };
        let scope = Some(SCOPE.to_owned());
        let carry = Carry {
            by: Some(self.boot.clone()),
            row,
            root_key: None,
            nearest: Vec::new(),
            scope,
            ending: None,
        };
        self.ask(&Command::Carry(Box::new(carry)))
    }

    fn root_of(&self, key: &TaskKey) -> TaskKey {
        self.world.rows.tasks.get(key).map_or_else(|| key.clone(), |task| task.root_key.clone())
    }

    /// Returns what the hour and the day hold, open bounds included, in micro-dollars.
    pub(crate) fn counted(&self) -> (i64, i64) {
        let head = self.world.head().expect("a ledger");
        ((head.reserved + head.sum_hour).micro(), (head.reserved + head.sum_day).micro())
    }
}

/// One micro-dollar a token.
pub(crate) const PRICE: Price = Price { input_per_mtok_micro: 1_000_000, output_per_mtok_micro: 1_000_000 };

pub(crate) fn boot(id: &str) -> BootBearer {
    BootBearer { boot_id: BootId::from(id), fence: Fence::new(format!("fence-of-{id}")) }
}

fn process(by: &BootBearer, host: &str, now_ms: i64) -> ProcessRow {
    ProcessRow {
        boot_id: by.boot_id.clone(),
        fence: by.fence.clone(),
        host: host.to_owned(),
        pid: 1,
        start_ticks: 1,
        repo_id: "repo".to_owned(),
        scope: SCOPE.to_owned(),
        listen: String::new(),
        started_ms: now_ms,
        lease_until_ms: i64::MAX,
        alive: true,
        rules: None,
        backlog: String::new(),
        begun: Vec::new(),
    }
}

pub(crate) fn bearer(attempt: &str, fence: &Fence) -> Bearer {
    Bearer { task_key: TaskKey::from("t1"), attempt_id: AttemptId::from(attempt), fence: fence.clone() }
}

pub(crate) fn bearer_of(task: &str, attempt: &str, fence: &Fence) -> Bearer {
    Bearer { task_key: TaskKey::from(task), ..bearer(attempt, fence) }
}

pub(crate) fn claim(by: &BootBearer, attempt: &str, hold: i64) -> Command {
    Command::Claim(Claim {
        by: by.clone(),
        task_key: TaskKey::from("t1"),
        attempt_id: AttemptId::from(attempt),
        fence: Fence::new(format!("fence-of-{attempt}")),
        slot: "worker-1".to_owned(),
        repo_id: "repo".to_owned(),
        scope: SCOPE.to_owned(),
        hold: MicroUsd::new(hold),
        hold_tokens: 0,
        ahead: None,
        model: "m".to_owned(),
        simulated: false,
        max_attempts: 3,
        trace_id: "0".repeat(32),
        branch: "branch".to_owned(),
    })
}

pub(crate) fn key(by: &Bearer, call_no: u32, try_no: u32) -> TryKey {
    TryKey { attempt_id: by.attempt_id.clone(), step_n: 0, call_no, try_no }
}

pub(crate) fn bead(key: &str) -> SourceTask {
    SourceTask {
        key: TaskKey::from(key),
        repo_id: "repo".to_owned(),
        bead_id: format!("bead-{key}").as_str().into(),
        source: "file".to_owned(),
        parent: None,
        title: "a task".to_owned(),
        body: String::new(),
        priority: 1,
        kind: "task".to_owned(),
        labels: Vec::new(),
        created_ms: 0,
        state: "open".to_owned(),
        rev: "r".to_owned(),
    }
}

//! Random commands in waves. A client only looks at the answers it got, so that two stores that answer alike are asked
//! alike.

use futures_util::future::join_all;
use glitchlab_domain::alert::delivery::{Answer, Endpoint, OutboxRow};
use glitchlab_domain::alert::evaluate::Notice;
use glitchlab_domain::alert::format::{Format, Origin};
use glitchlab_domain::alert::rows::{AlertRow, Evidence, Told};
use glitchlab_domain::alert::rules::{self, Condition};
use glitchlab_domain::bead::BeadId;
use glitchlab_domain::breaker::BreakerRules;
use glitchlab_domain::command::{
    Authority, Bearer, BootBearer, Breached, Command, Deliver, Evaluate, Finish, FinishStep, Refusal, Reply,
    TakeOver,
};
use glitchlab_domain::event::{About, Event, EventId, EventKind};
use glitchlab_domain::gate::GateRules;
use glitchlab_domain::id::{BootId, EffectKey, Fence, TaskKey, TryKey};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::{FailureKind, HumanReason, Learned, Outcome, Reference, Size, SubTask};
use glitchlab_domain::pacing::Spread;
use glitchlab_domain::policy::RetryRules;
use glitchlab_domain::reason::{Reason, Wait};
use glitchlab_domain::rows::ChildRow;
use glitchlab_domain::stage::Stage;
use glitchlab_domain::why::Rules;

use crate::commands::{self, bead, bearer, bounds, claim, reserve, settle, start};
use crate::open::{Open, START_MS};

const ENDPOINTS: [&str; 2] = ["HOOK", "OTHER_HOOK"];
const SCOPES: [&str; 2] = ["real", "simulated:repo"];
/// No spreading by chance, which two stores would not share.
const RULES: RetryRules = RetryRules {
    attempts: 2,
    backoff_ms: 1,
    backoff_max_ms: 1,
    deferrals: 1,
    cool_down_ms: 60_000,
    cool_down_max_ms: 60_000,
    crashes: 3,
};

pub(crate) struct Client {
    seed: u64,
    boots: Vec<BootBearer>,
    bearers: Vec<Bearer>,
    granted: Vec<(Bearer, TryKey, i64)>,
    made: u32,
    /// The last event that was made up for the alerts.
    seq: u64,
}

impl Client {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, boots: Vec::new(), bearers: Vec::new(), granted: Vec::new(), made: 0, seq: 0 }
    }

    /// Sends `waves` waves of commands, each wave at once, and returns every answer.
    pub(crate) async fn play(&mut self, store: &Open, waves: u32) -> Vec<String> {
        let mut answers = Vec::new();
        for wave in 0..waves {
            let size = 1 + self.chance(12);
            let commands: Vec<Command> = if self.boots.is_empty() {
                self.first()
            } else {
                (0..size).map(|_| self.command()).collect()
            };
            let turn = [0, 1, 60_000, 1_000_000, 3_600_000, 30_000_000, -90_000][self.chance(7)];
            let given = join_all(commands.iter().map(|command| store.ask(command.clone()))).await;
            for (command, answer) in commands.iter().zip(&given) {
                self.hear(command, answer);
                answers.push(format!("wave {wave}: {command:?}\n    {answer:?}"));
            }
            store.hands.turn(turn);
        }
        answers
    }

    fn first(&mut self) -> Vec<Command> {
        let by = commands::boot("b1");
        self.boots.push(by.clone());
        let beads = (0..6).map(|n| bead(&format!("t{n}"), "a task")).collect();
        let starts = SCOPES.map(|scope| start(&by, scope, (1_000, 4_000), &[]));
        starts.into_iter().chain([Command::Sync { beads }]).collect()
    }

    fn hear(&mut self, command: &Command, answer: &Result<Reply, Refusal>) {
        match (command, answer) {
            (_, Ok(Reply::Claimed(claimed))) => self.bearers.push(Bearer {
                task_key: claimed.task.key.clone(),
                attempt_id: claimed.attempt.attempt_id.clone(),
                fence: claimed.fence.clone(),
            }),
            (Command::Reserve(ask), Ok(Reply::Granted(grant))) => {
                self.granted.push((ask.by.clone(), grant.key().clone(), grant.bound().micro()));
            }
            _ => {}
        }
    }

    fn command(&mut self) -> Command {
        match self.chance(31) {
            0..=3 => self.claim(),
            4..=10 => self.reserve(),
            11..=14 => self.settle(),
            15 => self.take_over(),
            16 | 17 => self.finish(),
            18..=20 => self.step(),
            21 | 22 => self.effect(),
            23 => self.child(),
            24 => self.start(),
            25 => self.source(),
            26 => self.lower_caps(),
            27 => self.evaluate(),
            28 => self.deliver(),
            29 => self.breach(),
            _ => self.rest(),
        }
    }

    fn claim(&mut self) -> Command {
        let attempt = self.fresh("a");
        let task = format!("t{}", self.chance(6));
        let hold = i64::try_from(self.chance(600)).expect("small");
        let mut command = claim(&self.boot(), &task, &attempt, self.scope(), hold);
        if let Command::Claim(claim) = &mut command {
            claim.hold_tokens = self.chance(400) as u64;
            let front = TaskKey::new(format!("t{}", self.chance(6)));
            claim.ahead = Some(front).filter(|_| self.chance(4) == 0);
        }
        command
    }

    fn reserve(&mut self) -> Command {
        let by = self.bearer();
        let prompt = if self.chance(12) == 0 { 5_000 } else { self.chance(200) };
        let (max_out, floor) = (self.chance(900), self.chance(200));
        let call_no = u32::try_from(self.chance(8)).expect("small");
        let scope = scope_of(&by, call_no);
        reserve(&by, call_no, scope, bounds(prompt as u64, max_out as u64, floor as u64))
    }

    fn settle(&mut self) -> Command {
        if self.granted.is_empty() {
            return self.reserve();
        }
        let at = self.chance(self.granted.len());
        let (by, key, bound) = self.granted[at].clone();
        let paid = [None, Some(0), Some(bound / 2), Some(bound), Some(bound + 9)][self.chance(5)];
        let mut command = settle(&by, key.call_no, scope_of(&by, key.call_no), paid);
        if let Command::Settle(settle) = &mut command {
            settle.key = key;
            settle.by = settle.by.take().filter(|_| self.chance(4) > 0);
        }
        command
    }

    fn take_over(&mut self) -> Command {
        let Bearer { task_key, attempt_id, fence } = self.bearer();
        let old_boot = self.boot().boot_id;
        let (by, new) = (self.boot(), Fence::new(self.fresh("f")));
        let (slot, max_attempts) = ("worker-2".to_owned(), 3);
        let take =
            TakeOver { by, task_key, attempt_id, old_fence: fence, old_boot, fence: new, slot, max_attempts };
        Command::TakeOver(take)
    }

    fn finish(&mut self) -> Command {
        let (by, outcome) = (self.bearer(), self.outcome());
        let learned = Some(Learned { approach: "this way".to_owned(), ..Learned::default() });
        let learned = learned.filter(|_| self.chance(2) == 0);
        Command::Finish(Finish {
            by,
            outcome,
            detail: "detail".to_owned(),
            learned,
            files_changed: 3,
            rules: RULES,
            scope: "real".to_owned(),
            repo_id: "repo".to_owned(),
            gate: GateRules::default(),
        })
    }

    fn outcome(&mut self) -> Outcome {
        let (failure, message) = (FailureKind::TestsFailed, "red".to_owned());
        let part = |after| SubTask { title: "part".to_owned(), description: "'\"\n".to_owned(), after };
        match self.chance(9) {
            0 => Outcome::InReview { request: "branch".to_owned(), held: None },
            1 => Outcome::Completed { reference: Reference::Merge { commit: "c".to_owned() } },
            2 => Outcome::Decomposed { subtasks: vec![part(vec![]), part(vec![0])] },
            3 => Outcome::Deferred { why: "later".to_owned() },
            4 => Outcome::Blocked { on: BeadId::from("other") },
            5 | 6 => Outcome::Retryable { failure, message },
            7 => Outcome::NeedsHuman { reason: HumanReason::TooDeep },
            _ => Outcome::Cancelled { why: "closed".to_owned() },
        }
    }

    fn step(&mut self) -> Command {
        let (by, n) = (self.bearer(), u32::try_from(self.chance(2)).expect("small"));
        if self.chance(2) == 0 {
            let input_hash = "i".to_owned();
            return Command::BeginStep { by, n, stage: Stage::ArchitectTriage, input_hash };
        }
        let (output, summary) = ("{\"a\": \"ü\"}".to_owned(), "one line".to_owned());
        Command::FinishStep(FinishStep {
            by,
            n,
            output,
            ok: true,
            summary,
            size: Some(Size::M),
            decision: None,
        })
    }

    fn effect(&mut self) -> Command {
        let task_key = self.bearer().task_key;
        let by = if self.chance(2) == 0 {
            Authority::Boot(self.boot())
        } else {
            Authority::Attempt(self.bearer())
        };
        let key = EffectKey::new(format!("merge/{task_key}"));
        if self.chance(2) == 0 {
            let (kind, target) = ("merge".to_owned(), "main".to_owned());
            return Command::BeginEffect { by, key, task_key, kind, target };
        }
        Command::FinishEffect { by, key, task_key, result: self.fresh("commit") }
    }

    fn child(&mut self) -> Command {
        let (by, n) = (self.bearer(), u32::try_from(self.chance(2)).expect("small"));
        let attempt_id = by.attempt_id.clone();
        if self.chance(2) == 0 {
            return Command::EndChild { attempt_id, n };
        }
        let (boot_id, host) = (self.boot().boot_id, "here".to_owned());
        let row = ChildRow { attempt_id, n, boot_id, host, pid: 1, pgid: 1, start_ticks: 9, ended_ms: None };
        Command::StartChild { by, row }
    }

    fn start(&mut self) -> Command {
        let by = commands::boot(&self.fresh("b"));
        let caps = [(1_000, 4_000), (500, 8_000), (2_000, 2_000)][self.chance(3)];
        let dead = if self.chance(2) == 0 { vec![self.boot().boot_id] } else { Vec::new() };
        self.boots.push(by.clone());
        let mut command = start(&by, self.scope(), caps, &dead);
        if let Command::StartBoot { terms, .. } = &mut command {
            terms.tokens_per_day = [None, Some(2_000), Some(600), Some(150)][self.chance(4)];
            terms.spread = [Spread::Hour, Spread::Hour, Spread::Day][self.chance(3)];
        }
        command
    }

    fn lower_caps(&mut self) -> Command {
        let (by, scope) = (self.boot(), self.scope().to_owned());
        let cap = |most: usize| MicroUsd::new(i64::try_from(most).expect("small"));
        Command::LowerCaps {
            by,
            scope,
            cap_hour: cap(500 + self.chance(1_500)),
            cap_day: cap(2_000 + self.chance(6_000)),
        }
    }

    fn source(&mut self) -> Command {
        let title = self.fresh("title ");
        let n = self.chance(8);
        Command::Sync { beads: vec![bead(&format!("t{n}"), &title), bead("t0", "a task")] }
    }

    fn rest(&mut self) -> Command {
        let (by, why) = (self.boot(), "because".to_owned());
        let task_key = TaskKey::new(format!("t{}", self.chance(6)));
        let wait = Wait { reason: Reason::NoFreeWorker, until_ms: Some(5) };
        match self.chance(6) {
            0 => Command::Close { by, task_key, reference: Reference::ChildrenClosed, why },
            1 => Command::Reopen { by, task_key, why, anew: true },
            2 => Command::Suspend { by: self.bearer() },
            3 => Command::NoteWait { by: self.bearer(), wait },
            4 => {
                let rules = Rules { workers: 1, max_open: 2, merges_here: false, max_tasks: 0 };
                Command::Beat { by, lease_until_ms: i64::MAX - 1, rules }
            }
            _ => Command::EndBoot { by, why },
        }
    }

    fn evaluate(&mut self) -> Command {
        let event = |client: &mut Self| {
            client.seq += 1;
            let kind = match client.chance(3) {
                0 => EventKind::TaskReopened { why: "yes".to_owned() },
                1 => EventKind::BreakerClosed { failure: FailureKind::Crashed },
                _ => EventKind::HumanNeeded { why: "no".to_owned() },
            };
            let bead_id = Some(BeadId::new(format!("t{}", client.chance(4))));
            let id = EventId { boot_id: BootId::from("b1"), seq: client.seq };
            let at_ms = START_MS + i64::try_from(client.seq).expect("small");
            Event { id, at_ms, about: About { bead_id, ..About::default() }, kind }
        };
        let events: Vec<Event> = (0..self.chance(4)).map(|_| event(self)).collect();
        Command::Evaluate(Box::new(Evaluate {
            by: self.boot(),
            repo_id: "repo".to_owned(),
            repository: "repo".to_owned(),
            of: BootId::from("b1"),
            through: self.seq,
            events,
            facts: None,
            endpoints: ENDPOINTS.map(|name| Endpoint::new(name, name, Format::Json)).to_vec(),
        }))
    }

    /// Answers one of the first messages, if it is there.
    fn deliver(&mut self) -> Command {
        let n = self.chance(4);
        let about = About { bead_id: Some(BeadId::new(format!("t{n}"))), ..About::default() };
        let labels = [("task".to_owned(), about.bead_id.expect("a task").to_string())].into();
        let (seq, name) = (1 + self.chance(8) as u64, ENDPOINTS[self.chance(2)]);
        let at_ms = START_MS + i64::try_from(seq).expect("small");
        let condition = Condition { labels, summary: String::new(), evidence: Evidence::default() };
        let rule = rules::find(rules::RULES, "HumanNeeded").expect("it is a rule");
        let alert = AlertRow::begin(rule, "repo", condition, (at_ms, seq));
        let endpoint = Endpoint::new(name, name, Format::Json);
        let notice = Notice { alert, told: Told::Firing };
        let row = OutboxRow::new(&notice, &endpoint, &Origin::default(), at_ms);
        let code = [200, 400, 410, 500, 500][self.chance(5)];
        Command::Deliver(Box::new(Deliver {
            by: self.boot(),
            repo_id: "repo".to_owned(),
            webhook_id: row.webhook_id,
            n: 1 + u32::try_from(self.chance(2)).expect("small"),
            endpoint,
            // So long that the wait is the same whatever is added to it by chance.
            answer: Answer::Status { code, retry_after_ms: Some(80_000_000) },
        }))
    }

    fn breach(&mut self) -> Command {
        Command::Breach(Box::new(Breached {
            repo_id: self.fresh("other repo"),
            rules: BreakerRules::default(),
            supervisor: "work".to_owned(),
            child: "scheduler".to_owned(),
            reasons: vec!["panicked".to_owned()],
            within_ms: 60_000,
        }))
    }

    fn boot(&mut self) -> BootBearer {
        let at = self.chance(self.boots.len());
        self.boots[at].clone()
    }

    /// Mostly one of the last few, which are likely to hold their claims.
    fn bearer(&mut self) -> Bearer {
        let known = self.bearers.len();
        let back = self.chance(known.clamp(1, 5));
        match known {
            0 => bearer("t0", "nobody"),
            known => self.bearers[known - 1 - back].clone(),
        }
    }

    fn scope(&mut self) -> &'static str {
        SCOPES[usize::from(self.chance(4) == 0)]
    }

    fn fresh(&mut self, what: &str) -> String {
        self.made += 1;
        format!("{what}{}", self.made)
    }

    /// SplitMix64.
    fn chance(&mut self, below: usize) -> usize {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let upper = u32::try_from((z ^ (z >> 31)) >> 32).expect("32 bits");
        upper as usize % below
    }
}

/// A try belongs to one ledger, whoever names it.
fn scope_of(by: &Bearer, call_no: u32) -> &'static str {
    let odd = by.attempt_id.as_str().ends_with(['1', '4', '7']);
    SCOPES[usize::from(odd && call_no.is_multiple_of(2))]
}

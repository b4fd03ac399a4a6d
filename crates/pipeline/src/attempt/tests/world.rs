//! A small world to run attempts in: a repository, a log, a script, and a clock that follows tokio's.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use glitchlab_domain::command::Claimed;
use glitchlab_domain::consent::Approval;
use glitchlab_domain::money::{MicroUsd, Price};
use glitchlab_domain::policy::Limits;
use glitchlab_models::account::{Account, Clock};
use glitchlab_models::scripted::{Recorded, Script, Scripted};
use glitchlab_models::{Model, Request, Reservation, Role, Spent};
use serde_json::{Value, json};

use super::super::*;
use crate::fakes::{self, FakeForge, FakeRepo, FakeWorkspace, Fuse, MemoryLog};

/// The source of the repository: its tests want `sum` to add.
pub(super) const SOURCE: &str = "fn sum(a: i32, b: i32) -> i32 {\n    a - b\n}\n";

pub(super) fn dollars(amount: &str) -> MicroUsd {
    amount.parse().unwrap()
}

pub(super) struct World {
    pub(super) repo: FakeRepo,
    pub(super) workspace: FakeWorkspace,
    pub(super) log: MemoryLog,
    pub(super) account: Account,
    pub(super) clock: Clock,
    pub(super) settings: Settings,
    pub(super) script: Script,
    /// The questions that were asked.
    pub(super) asked: Arc<Mutex<Vec<Request>>>,
}

/// The replies of an undisturbed attempt.
pub(super) fn replies() -> Value {
    json!({
        "architect_triage": {"reply": {"already_done": false, "size": "S", "notes": "a sign is wrong"}},
        "planner": {"reply": {"approach": "mend the sign", "steps": ["mend it"], "files": ["sum.rs"], "estimated_tokens": 5_000}},
        "decompose": {"reply": {"subtasks": [
            {"title": "one", "description": "first", "after": []},
            {"title": "two", "description": "second", "after": [0]},
        ]}},
        "implement": {"reply": edit("a - b", "a + b")},
        "debug": {"reply": edit("a * b", "a + b")},
        "review": {"reply": {"verdict": "approve", "comments": []}},
    })
}

/// One round that replaces a text and is the last one.
pub(super) fn edit(old: &str, new: &str) -> Value {
    json!({"actions": [{"tool": "replace", "path": "sum.rs", "old": old, "new": new}], "done": true, "summary": "mended"})
}

impl World {
    pub(super) fn new() -> Self {
        Self::with_caps(dollars("100"), dollars("800"))
    }

    pub(super) fn with_caps(cap_hour: MicroUsd, cap_day: MicroUsd) -> Self {
        let clock = fakes::clock();
        let repo = FakeRepo::new(&[("sum.rs", SOURCE), ("README.md", "Sums.\n"), (".github/ci.yml", "ci\n")]);
        let green = |files: &fakes::Files| files.get("sum.rs").is_some_and(|text| text.contains("a + b"));
        Self {
            workspace: FakeWorkspace::new(repo.clone()).with_tests(Duration::from_secs(3), green),
            repo,
            log: MemoryLog::new(Arc::clone(&clock), cap_hour, cap_day),
            account: Account::memory(Arc::clone(&clock)),
            clock,
            settings: settings(),
            script: Script::parse(&json!({"defaults": replies()}).to_string()).unwrap(),
            asked: Arc::default(),
        }
    }

    /// Replaces the reply of a stage for every task.
    pub(super) fn reply(mut self, stage: &str, reply: Value) -> Self {
        let stage = serde_json::from_value(stage.into()).unwrap();
        let recorded = Recorded { reply, input_tokens: 1_000, output_tokens: 200, latency_ms: 0 };
        self.script.defaults.insert(stage, recorded);
        self
    }

    /// Adds replies to single questions of the task `gl-1`: the stage, the step or none, the call or none.
    pub(super) fn replies(mut self, replies: &[(&str, Option<u32>, Option<u32>, Value)]) -> Self {
        let entry = |(stage, step, call, reply): &(&str, Option<u32>, Option<u32>, Value)| json!({"bead": "gl-1", "stage": stage, "step": step, "call": call, "reply": reply});
        let more = json!({"replies": replies.iter().map(entry).collect::<Vec<_>>()});
        self.script.replies.extend(Script::parse(&more.to_string()).unwrap().replies);
        self
    }

    pub(super) fn job(&self, claimed: &Claimed, fuse: &Fuse) -> Job {
        let model = Scripted::new("scripted/test", self.script.clone(), self.account.clone());
        self.job_with(claimed, fuse, Arc::new(model))
    }

    pub(super) fn job_with(&self, claimed: &Claimed, fuse: &Fuse, model: Arc<dyn Model>) -> Job {
        Job {
            task: claimed.task.clone(),
            attempt: claimed.attempt.clone(),
            settings: Arc::new(self.settings.clone()),
            durable: Arc::new(self.log.durable(claimed, fuse.clone())),
            workspace: Arc::new(self.workspace.clone().with_fuse(fuse.clone())),
            forge: Arc::new(FakeForge::new(self.repo.clone()).with_fuse(fuse.clone())),
            model: Arc::new(Watched { model, fuse: fuse.clone(), asked: Arc::clone(&self.asked) }),
            clock: Arc::clone(&self.clock),
            prompts: glitchlab_models::Prompts::default(),
        }
    }

    pub(super) fn claim(&self) -> Claimed {
        self.log.claim("gl-1", "Mend the sum", "attempt-1")
    }

    /// Runs the first attempt at `gl-1` to its end.
    pub(super) async fn run(&self) -> Ended {
        run(&self.job(&self.claim(), &Fuse::never())).await.unwrap()
    }

    /// Names the stages of the steps of the attempt that were written, in order, with whether they went well.
    pub(super) fn steps(&self) -> Vec<(String, bool)> {
        let rows = self.log.rows();
        rows.steps.values().map(|step| (step.stage.word().to_owned(), step.ok)).collect()
    }

    pub(super) fn stages(&self) -> Vec<String> {
        self.steps().into_iter().map(|(stage, _)| stage).collect()
    }

    /// Returns the text of the last turn of the question of this number.
    pub(super) fn last_turn(&self, question: usize) -> String {
        self.asked.lock().unwrap()[question].turns.last().unwrap().text.clone()
    }

    pub(super) fn ledger_total(&self) -> i64 {
        let heads = self.log.rows().heads;
        heads.values().map(|head| head.settled_total.micro()).sum()
    }

    pub(super) fn account_total(&self) -> i64 {
        self.account.spent().iter().map(|(_, micro)| micro).sum()
    }

    pub(super) fn reserved(&self) -> i64 {
        self.log.rows().heads.values().map(|head| head.reserved.micro()).sum()
    }
}

pub(super) fn settings() -> Settings {
    Settings {
        limits: Limits::default(),
        implementer: Implementer::Builtin,
        bound_by_difference: true,
        keep_prompts: None,
        merge: Merge::WhenGreen,
        base: "main".to_owned(),
        test: Some("make test".to_owned()),
        allow_untested: false,
        approve: Approval::None,
        test_limits: RunLimits { timeout: Duration::from_secs(60), max_output_bytes: 4_096 },
        setup: None,
        author: "Ada <ada@example.org>".parse().unwrap(),
        merge_turn: MergeTurn::default(),
    }
}

/// A model that can be interrupted before a call and between its account and its reply.
struct Watched {
    model: Arc<dyn Model>,
    fuse: Fuse,
    asked: Arc<Mutex<Vec<Request>>>,
}

#[async_trait]
impl Model for Watched {
    fn id(&self) -> &str {
        self.model.id()
    }

    fn simulated(&self) -> bool {
        self.model.simulated()
    }

    fn price(&self) -> Price {
        self.model.price()
    }

    fn max_out(&self, role: Role) -> u64 {
        self.model.max_out(role)
    }

    async fn call(&self, money: Reservation, request: &Request) -> Spent {
        self.fuse.pass().await;
        self.asked.lock().unwrap().push(request.clone());
        let spent = self.model.call(money, request).await;
        self.fuse.pass().await;
        spent
    }
}

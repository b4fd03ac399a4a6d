//! Made-up records: a list of three tasks, and the story of one that was split, failed once and is in review.

use std::collections::BTreeMap;

use async_trait::async_trait;
use glitchlab_domain::alert::Labels;
use glitchlab_domain::alert::overview::Overview;
use glitchlab_domain::alert::rows::{AlertRow, Evidence};
use glitchlab_domain::alert::rules::{Condition, RULES, find};
use glitchlab_domain::bead::BeadId;
use glitchlab_domain::history::{Place, Tally, TaskLine, TaskPage, TaskQuestion};
use glitchlab_domain::id::{AttemptId, TaskKey};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::{FailureKind, Learned, Size, Status};
use glitchlab_domain::response::{CacheUse, LENGTH, Response};
use glitchlab_domain::rows::CallState;
use glitchlab_domain::stage::Stage;
use glitchlab_domain::story::{
    AttemptStory, Branch, CallStory, FileDelta, Output, Plan, StepStory, Story, Tests,
};
use glitchlab_domain::task::TaskState;
use glitchlab_web::{Records, Unavailable};

/// Knows the task `gl-li2.1`; every text from outside is `text`.
pub(crate) struct Made {
    pub(crate) now_ms: i64,
    pub(crate) text: &'static str,
    /// The store does not answer.
    pub(crate) fails: bool,
}

#[async_trait]
impl Records for Made {
    async fn tasks(&self, question: &TaskQuestion) -> Result<TaskPage, Unavailable> {
        if self.fails {
            return Err(Unavailable("the disk is gone".to_owned()));
        }
        if question.filter.words == "nothing" {
            return Ok(TaskPage::default());
        }
        Ok(self.page())
    }

    async fn story(&self, bead_id: &BeadId) -> Result<Option<Story>, Unavailable> {
        if self.fails {
            return Err(Unavailable("the disk is gone".to_owned()));
        }
        Ok((bead_id.as_str() != "unknown").then(|| self.told(bead_id)))
    }

    async fn alerts(&self) -> Result<Overview, Unavailable> {
        if self.fails {
            return Err(Unavailable("the disk is gone".to_owned()));
        }
        Ok(Overview::new(vec![self.alert()], Vec::new(), self.now_ms))
    }
}

impl Made {
    /// Makes records of ordinary texts.
    pub(crate) const fn new(now_ms: i64) -> Self {
        Self { now_ms, text: "Say which keys are unknown", fails: false }
    }

    fn alert(&self) -> AlertRow {
        let rule = find(RULES, "HumanNeeded").expect("it is a rule");
        let evidence = Evidence { tasks: vec![self.text.into()], ..Evidence::default() };
        let evidence = evidence.fact("Reason", self.text).page(self.text);
        let condition = Condition { labels: Labels::default(), summary: self.text.to_owned(), evidence };
        AlertRow::begin(rule, "repo", condition, (self.now_ms - 60_000, 1))
    }

    fn page(&self) -> TaskPage {
        let states =
            BTreeMap::from([(TaskState::Completed, 41), (TaskState::Failed, 9), (TaskState::Running, 1)]);
        TaskPage {
            lines: vec![
                self.line("gl-li2.1", TaskState::Running, 1_090_000),
                self.line("gl-m4p/x", TaskState::Completed, 310_000),
                self.line(self.text, TaskState::Failed, 2_870_000),
            ],
            next: Some(Place { value: 12, task_key: TaskKey::from("k") }),
            tally: Tally { states, cost: MicroUsd::new(35_900_000), is_cut: false },
            models: vec!["simulated/fast".to_owned(), self.text.to_owned()],
        }
    }

    fn line(&self, id: &str, state: TaskState, micro: i64) -> TaskLine {
        TaskLine {
            task_key: TaskKey::from(id),
            bead_id: BeadId::from(id),
            title: self.text.to_owned(),
            state,
            waits: None,
            model: self.text.to_owned(),
            size: Some(Size::M),
            attempts: 2,
            tokens: 64_800,
            cost: MicroUsd::new(micro),
            took_ms: 416_000,
            started_ms: self.now_ms - 900_000,
            claimed_ms: self.now_ms - 700_000,
            ended_ms: (state != TaskState::Running).then_some(self.now_ms - 120_000),
            request: Some(self.text.to_owned()),
            merged: None,
        }
    }

    /// Tells the story.
    pub(crate) fn told(&self, bead_id: &BeadId) -> Story {
        let text = || self.text.to_owned();
        Story {
            bead_id: bead_id.clone(),
            title: text(),
            body: text(),
            state: TaskState::InReview,
            waits: None,
            kind: "task".to_owned(),
            priority: 1,
            labels: vec![text()],
            parent: Some(BeadId::from("gl-li2")),
            is_part: true,
            request: Some(text()),
            merged: None,
            trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
            runs: 2,
            failures: 1,
            tokens: 91_200,
            cost: MicroUsd::new(1_160_000),
            whole_cost: MicroUsd::new(1_240_000),
            attempts: vec![
                self.attempt(1, Status::Retried, -1_676_000),
                self.attempt(2, Status::PrCreated, -800_000),
            ],
            earlier_attempts: 0,
            learned: vec![Learned {
                approach: text(),
                obstacle: text(),
                discoveries: vec![text()],
                recommendation: text(),
            }],
            tree: vec![
                self.branch("gl-li2", 0, true, false),
                self.branch(bead_id.as_str(), 1, false, true),
                self.branch("gl-li2.1.s1", 2, true, false),
                self.branch("gl-li2.s2", 1, true, false),
            ],
            tree_is_cut: false,
        }
    }

    fn branch(&self, id: &str, depth: u32, is_last: bool, is_me: bool) -> Branch {
        Branch {
            bead_id: BeadId::from(id),
            title: self.text.to_owned(),
            state: TaskState::Completed,
            depth,
            is_last,
            is_me,
            attempts: u32::from(depth < 2),
            cost: MicroUsd::new(120_000),
            whole_cost: MicroUsd::new(1_240_000),
            took_ms: Some(61_000),
        }
    }

    fn attempt(&self, n: u32, status: Status, from: i64) -> AttemptStory {
        let at = |ms: i64| self.now_ms + from + ms;
        let plan = Plan {
            approach: self.text.to_owned(),
            steps: vec![self.text.to_owned(), "Cover it with tests".to_owned()],
            files: vec![self.text.to_owned()],
            estimated_tokens: 60_000,
        };
        let tests = Tests {
            passed: n == 2,
            skipped: false,
            verdict: "failed with exit code 101 after 38 s".to_owned(),
            output: self.text.to_owned(),
            changes: vec![
                FileDelta { path: self.text.to_owned(), added: 184, removed: 0 },
                FileDelta { path: "src/origin.rs".to_owned(), added: 71, removed: 12 },
            ],
        };
        let steps = vec![
            self.step(0, Stage::Planner, Output::Plan(plan), (at(0), at(20_800)), true),
            self.step(1, Stage::Implement, Output::Other, (at(20_900), at(450_000)), true),
            self.step(2, Stage::Test, Output::Tests(tests), (at(450_100), at(488_500)), n == 2),
        ];
        AttemptStory {
            attempt_id: AttemptId::new(format!("attempt-{n}")),
            n,
            status: Some(status),
            failure: (n == 1).then_some(FailureKind::TestsFailed),
            detail: self.text.to_owned(),
            model: self.text.to_owned(),
            simulated: true,
            size: Some(Size::M),
            branch: self.text.to_owned(),
            slot: "worker-1".to_owned(),
            tokens: 45_600,
            cost: MicroUsd::new(580_000),
            files_changed: 2,
            crashes: 0,
            waits: None,
            started_ms: at(0),
            ended_ms: Some(at(490_000)),
            steps,
        }
    }

    fn step(&self, n: u32, stage: Stage, output: Output, (from, to): (i64, i64), ok: bool) -> StepStory {
        let call = |call_no: u32, from: i64, to: i64| CallStory {
            call_no,
            try_no: 0,
            model: self.text.to_owned(),
            state: CallState::Settled,
            input_tokens: 12_000,
            output_tokens: 431,
            response: Some(Box::new(Response {
                id: "r-1".to_owned(),
                model: self.text.to_owned(),
                finish_reasons: vec![LENGTH.to_owned()],
                cache: Some(CacheUse { read_tokens: 9_000, written_tokens: 3_000 }),
            })),
            cost: Some(MicroUsd::new(90_000)),
            latency_ms: to - from,
            created_ms: from,
            settled_ms: Some(to),
            ok: true,
            error: None,
            reply: Some(self.text.to_owned()),
            reply_is_cut: true,
        };
        let third = (to - from) / 3;
        let calls = match stage {
            Stage::Test => Vec::new(),
            _ => vec![call(0, from, from + third), call(1, to - third, to)],
        };
        StepStory {
            n,
            stage,
            ok,
            summary: self.text.to_owned(),
            started_ms: from,
            ended_ms: Some(to),
            output,
            calls,
        }
    }
}

//! All that is known of one task, as its page tells it: plain data, read from the rows by a pure function.

mod outputs;
mod tell;

use serde::Serialize;

use crate::bead::BeadId;
use crate::id::AttemptId;
use crate::money::MicroUsd;
use crate::outcome::{FailureKind, Learned, Size, Status};
use crate::reason::Wait;
use crate::response::Response;
use crate::rows::CallState;
use crate::stage::Stage;
use crate::task::TaskState;

pub use outputs::{Edits, FileDelta, Output, Plan, Review, Tests, decision, parts};
pub use tell::{Kin, Material, tell};

/// Attempts that are told with their steps; of earlier ones only the number is.
pub const ATTEMPTS: usize = 8;
/// Tasks of one decomposition tree that are told.
pub const TREE: usize = 200;
/// How much of one model reply is told, bytes.
pub const REPLY_BYTES: usize = 4_096;
/// How many replies of an attempt are told.
pub const REPLIES: usize = 40;

/// One task and everything that was done about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Story {
    /// Its id in the backlog.
    #[serde(rename = "task")]
    pub bead_id: BeadId,
    /// One line: hostile text, as all texts here.
    pub title: String,
    /// What is to be done.
    pub body: String,
    /// Where it stands.
    pub state: TaskState,
    /// What it waits for, when that is known.
    pub waits: Option<Wait>,
    /// The issue type.
    pub kind: String,
    /// 0 is highest.
    pub priority: i64,
    /// The labels.
    pub labels: Vec<String>,
    /// The bead above it.
    pub parent: Option<BeadId>,
    /// We made it by splitting that one.
    pub is_part: bool,
    /// The open or last request or branch.
    pub request: Option<String>,
    /// The merge commit.
    pub merged: Option<String>,
    /// The trace of the root task, 32 hex digits.
    pub trace_id: Option<String>,
    /// Attempts ever started.
    pub runs: u32,
    /// Attempts that failed since it was last opened.
    pub failures: u32,
    /// Billed tokens of its own attempts.
    pub tokens: u64,
    /// What its own attempts cost.
    #[serde(rename = "cost_micro")]
    pub cost: MicroUsd,
    /// What it cost with all its sub-tasks.
    #[serde(rename = "whole_cost_micro")]
    pub whole_cost: MicroUsd,
    /// Its last attempts, oldest first.
    pub attempts: Vec<AttemptStory>,
    /// Attempts before them.
    pub earlier_attempts: u32,
    /// What the last attempts learned, oldest first.
    pub learned: Vec<Learned>,
    /// The decomposition that it is part of, depth first, the root first; empty when nothing was split.
    pub tree: Vec<Branch>,
    /// The tree has more tasks than are told.
    pub tree_is_cut: bool,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttemptStory {
    /// Its id.
    pub attempt_id: AttemptId,
    /// Which attempt of the task, counted from 1.
    pub n: u32,
    /// How it ended; none while it runs or rests.
    pub status: Option<Status>,
    /// The class of a failure.
    pub failure: Option<FailureKind>,
    /// What happened.
    pub detail: String,
    /// The model that implements.
    pub model: String,
    /// Money and work are pretended.
    pub simulated: bool,
    /// The size that triage judged.
    pub size: Option<Size>,
    /// The branch.
    pub branch: String,
    /// The slot.
    pub slot: String,
    /// Billed tokens.
    pub tokens: u64,
    /// Settled so far.
    #[serde(rename = "cost_micro")]
    pub cost: MicroUsd,
    /// Files in its diff.
    pub files_changed: u32,
    /// How often its slot lost it.
    pub crashes: u32,
    /// What it waits for now.
    pub waits: Option<Wait>,
    /// When it was claimed, ms UTC.
    pub started_ms: i64,
    /// When it ended, ms UTC.
    pub ended_ms: Option<i64>,
    /// Its steps, in order.
    pub steps: Vec<StepStory>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepStory {
    /// Counted from 0 within the attempt.
    pub n: u32,
    /// The stage.
    pub stage: Stage,
    /// It went well; meaningless while it runs.
    pub ok: bool,
    /// One line for people.
    pub summary: String,
    /// When it began, ms UTC.
    pub started_ms: i64,
    /// When its output became durable, ms UTC.
    pub ended_ms: Option<i64>,
    /// What it came to, as far as pages show it.
    pub output: Output,
    /// Its questions to models, each try, in order.
    pub calls: Vec<CallStory>,
}

/// One try of one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallStory {
    /// The call, counted from 0 within the step.
    pub call_no: u32,
    /// The try, counted from 0 within the call.
    pub try_no: u32,
    /// The model.
    pub model: String,
    /// Where the money is.
    pub state: CallState,
    /// Billed prompt tokens.
    pub input_tokens: u64,
    /// Billed output tokens.
    pub output_tokens: u64,
    /// What the provider said of the reply beside its text.
    pub response: Option<Box<Response>>,
    /// What was paid; none while open.
    #[serde(rename = "cost_micro")]
    pub cost: Option<MicroUsd>,
    /// How long the provider took, ms.
    pub latency_ms: i64,
    /// When the money was set aside, ms UTC.
    pub created_ms: i64,
    /// When it was settled, ms UTC.
    pub settled_ms: Option<i64>,
    /// The provider answered.
    pub ok: bool,
    /// What went wrong.
    pub error: Option<String>,
    /// The reply's beginning, at most [`REPLY_BYTES`]; none when it is not kept.
    pub reply: Option<String>,
    /// The reply goes on.
    pub reply_is_cut: bool,
}

/// One task of a decomposition tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Branch {
    /// Its id in the backlog.
    #[serde(rename = "task")]
    pub bead_id: BeadId,
    /// One line.
    pub title: String,
    /// Where it stands.
    pub state: TaskState,
    /// Levels below the root.
    pub depth: u32,
    /// It is the last of its siblings.
    pub is_last: bool,
    /// It is the task of the page.
    pub is_me: bool,
    /// Its own attempts.
    pub attempts: u32,
    /// What they cost.
    #[serde(rename = "cost_micro")]
    pub cost: MicroUsd,
    /// The same with all below it.
    #[serde(rename = "whole_cost_micro")]
    pub whole_cost: MicroUsd,
    /// How long its own attempts took, ms; none before one ended.
    pub took_ms: Option<i64>,
}

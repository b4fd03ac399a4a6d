//! The durable log of one attempt: what is written there is never done again.
//!
//! Each method is one command to the store under the attempt's fence, which is inside the adapter. An attempt that is
//! interrupted at any point and run again finds its finished steps, its paid replies and its finished effects here.

use async_trait::async_trait;
use glitchlab_domain::id::EffectKey;
use glitchlab_domain::ledger::Bounds;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::{HumanReason, Size};
use glitchlab_domain::reason::Wait;
use glitchlab_domain::stage::{Decision, Stage};
use glitchlab_models::{Reservation, Settlement};

use crate::process::ChildWatch;

/// The attempt has lost its right to work (a stale fence, a cancellation, a store that is gone): it stops without an
/// outcome, for somebody else decides it now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the attempt stops: {why}")]
pub struct Lost {
    /// What took the right away.
    pub why: String,
}

impl Lost {
    /// Says why.
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into() }
    }
}

/// What to do with a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It was finished before.
    Done {
        /// Its output, as JSON.
        output: String,
        /// It went well.
        ok: bool,
    },
    /// It is new, or was interrupted: do it.
    Run,
}

/// What a step came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepDone {
    /// The output, as JSON.
    pub output: String,
    /// It went well.
    pub ok: bool,
    /// One line for people.
    pub summary: String,
    /// The size, when the step judged it.
    pub size: Option<Size>,
    /// What the step decided, when it was the budget gate.
    pub decision: Option<Decision>,
}

/// A question for money: one try of one call of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The step, counted from 0 within the attempt.
    pub step_n: u32,
    /// The call, counted from 0 within the step.
    pub call_no: u32,
    /// The try, counted from 0 within the call.
    pub try_no: u32,
    /// The stage that asks.
    pub stage: Stage,
    /// The model.
    pub model: String,
    /// A hash of the request.
    pub input_hash: String,
    /// What may be spent.
    pub bounds: Bounds,
}

/// What the ledger says to an [`Ask`].
#[derive(Debug)]
pub enum Reserved {
    /// The same request was answered before.
    Memo {
        /// The reply's text.
        text: String,
        /// The prompt tokens that were billed for it; none when nobody knows.
        input_tokens: Option<u64>,
    },
    /// The money is set aside.
    Granted(Reservation),
    /// Not now: ask again after [`Durable::pause`].
    Wait(Wait),
    /// Even the useful minimum is above a cap, so that waiting cannot help.
    ExceedsCap {
        /// What the useful minimum costs.
        bound: MicroUsd,
        /// The smaller cap.
        cap: MicroUsd,
    },
    /// Waiting cannot help: a person must decide.
    Human(HumanReason),
    /// The try's number was used before an interruption: ask with the next one.
    TryTaken,
}

/// What a plan may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// What is left of what the task may cost in all; none when it has no cap.
    pub task: Option<MicroUsd>,
    /// The cap of a rolling day, the most that can be waited for.
    pub cap_day: MicroUsd,
}

/// What to do with an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EffectState {
    /// It was done before.
    Done(String),
    /// Its intent is durable: look for its key outside, then act.
    Act,
}

/// What an agent that works for an attempt shows of itself; a built-in implementer has no agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vital {
    /// It was started: from now on its silence and its idleness are measured.
    AgentStarted,
    /// It said something.
    AgentSpoke,
    /// Its diff or its commits have changed.
    WorkProduct,
    /// It has ended.
    AgentEnded,
}

/// The durable log of one attempt.
#[async_trait]
pub trait Durable: Send + Sync {
    /// Begins a step, or returns what it came to before.
    async fn begin(&self, n: u32, stage: Stage, input_hash: &str) -> Result<Begun, Lost>;

    /// Makes the output of a step durable.
    async fn finish_step(&self, n: u32, done: StepDone) -> Result<(), Lost>;

    /// Sets money aside for one try, or returns the reply that was paid before.
    async fn reserve(&self, ask: Ask) -> Result<Reserved, Lost>;

    /// Returns what the task and its caps leave for a plan.
    async fn room(&self) -> Result<Room, Lost>;

    /// Writes reply and price together, and then calls [`Settlement::settled`].
    async fn settle(&self, settlement: Settlement) -> Result<(), Lost>;

    /// Records that the attempt waits, and returns at the instant or after the next settlement.
    async fn pause(&self, wait: &Wait) -> Result<(), Lost>;

    /// Writes the intent of something outside the store, or returns its result.
    async fn begin_effect(&self, key: EffectKey, kind: &str, target: &str) -> Result<EffectState, Lost>;

    /// Makes the result of an effect durable.
    async fn finish_effect(&self, key: &EffectKey, result: &str) -> Result<(), Lost>;

    /// Returns who records the long processes of the attempt.
    fn child_watch(&self) -> &dyn ChildWatch;

    /// Tells that the attempt gets on.
    fn progress(&self);

    /// Tells what an agent of the attempt shows of itself.
    fn vital(&self, _vital: Vital) {}
}

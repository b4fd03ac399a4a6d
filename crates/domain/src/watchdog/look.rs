//! How everything stands at one instant, and what of it should get on.

use serde::Serialize;

use crate::reason::Reason;
use crate::stage::Stage;

use super::Subject;
use super::clock::Clock;
use super::limits::Limits;
use super::rest::Rest;

/// How everything stands at one instant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Look {
    /// The watchdog's monotonic clock, ms.
    pub mono_ms: u64,
    /// The wall clock, ms UTC.
    pub wall_ms: i64,
    /// How many answers supervisors have given.
    pub beats: u64,
    /// The actors that are at a message.
    pub handlers: Vec<Handler>,
    /// The work beside actors that should come to an end.
    pub tasks: Vec<Task>,
    /// The attempts that run.
    pub attempts: Vec<Attempt>,
    /// The engine as a whole.
    pub engine: Engine,
}

/// An actor that is at a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Handler {
    /// Its place in the tree.
    pub path: String,
    /// Which life of it.
    pub incarnation: u32,
    /// The kind of the message.
    pub kind: String,
    /// Which message.
    pub seq: u64,
    /// How long it may take, ms.
    pub budget_ms: u64,
}

/// Work beside an actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Task {
    /// The actor's place in the tree.
    pub path: String,
    /// The name of its slot.
    pub slot: String,
    /// Tells one run from the next.
    pub run: u64,
    /// How often it got on.
    pub progress: u64,
}

/// An attempt that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// The place of its worker in the tree.
    pub path: String,
    /// The task's id in the backlog.
    pub task: String,
    /// Tells one run of an attempt from every other.
    pub run: String,
    /// How often it got on.
    pub progress: u64,
    /// The step it is at, and its stage.
    pub stage: Option<(u32, Stage)>,
    /// What it waits for on purpose.
    pub waits: Option<Reason>,
    /// A process that has a time limit of its own runs for it.
    pub has_process: bool,
    /// Its agent, while one runs.
    pub agent: Option<Agent>,
}

/// What an agent has shown of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Agent {
    /// How often it said something.
    pub words: u64,
    /// How often it changed something.
    pub products: u64,
}

/// The engine as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Engine {
    /// How often something durable was reached.
    pub progress: u64,
    /// How often the scheduler has looked.
    pub looks: u64,
    /// Why nothing starts, when that is right.
    pub rest: Option<Rest>,
}

/// What the engine is called among subjects.
pub(super) const ENGINE: &str = "engine";

impl Look {
    /// Lists what should get on.
    pub(super) fn subjects(&self, limits: &Limits) -> Vec<Subject> {
        let is_down = self.engine.rest.as_ref().is_some_and(Rest::is_outage);
        let handlers = self.handlers.iter().map(|handler| handler.subject(is_down));
        let tasks = self.tasks.iter().map(|task| task.subject(limits, is_down));
        let attempts = self.attempts.iter().flat_map(|attempt| attempt.subjects(limits, is_down));
        std::iter::once(self.beat(limits))
            .chain(handlers)
            .chain(tasks)
            .chain(attempts)
            .chain(self.engine(limits))
            .collect()
    }

    fn beat(&self, limits: &Limits) -> Subject {
        Subject {
            clock: Clock::Beat,
            place: ENGINE.to_owned(),
            detail: "all threads are blocked".to_owned(),
            mark: self.beats.to_string(),
            limit_ms: limits.beat_ms,
            rests: false,
        }
    }

    /// Attempts have clocks of their own, so the engine's is for what does not run. What the scheduler says of waits
    /// counts only while it looks.
    fn engine(&self, limits: &Limits) -> [Subject; 2] {
        let of = |detail: &str, mark: u64, limit_ms: u64, rests: bool| Subject {
            clock: Clock::Loop,
            place: format!("{ENGINE}: {detail}"),
            detail: detail.to_owned(),
            mark: mark.to_string(),
            limit_ms,
            rests,
        };
        let rest = self.engine.rest.as_ref();
        let is_busy = !self.attempts.is_empty();
        [
            of("nothing starts", self.engine.progress, limits.no_progress_ms, is_busy || rest.is_some()),
            of(
                "the scheduler does not look",
                self.engine.looks,
                limits.look_ms,
                rest == Some(&Rest::Draining),
            ),
        ]
    }
}

impl Handler {
    fn subject(&self, is_down: bool) -> Subject {
        Subject {
            clock: Clock::Handler,
            place: self.path.clone(),
            detail: self.kind.clone(),
            mark: format!("{}/{}", self.incarnation, self.seq),
            limit_ms: self.budget_ms,
            rests: is_down,
        }
    }
}

impl Task {
    fn subject(&self, limits: &Limits, is_down: bool) -> Subject {
        Subject {
            clock: Clock::Task,
            place: self.path.clone(),
            detail: self.slot.clone(),
            mark: format!("{}/{}", self.run, self.progress),
            limit_ms: limits.no_progress_ms,
            rests: is_down,
        }
    }
}

impl Attempt {
    fn subjects(&self, limits: &Limits, is_down: bool) -> Vec<Subject> {
        let rests = is_down || self.waits.is_some();
        let stage = self.stage.map_or(String::new(), |(_, stage)| format!(", {}", stage.name()));
        let of = |clock: Clock, mark: String, limit_ms: u64| Subject {
            clock,
            place: self.path.clone(),
            detail: format!("{}{stage}", self.task),
            mark: format!("{}/{mark}", self.run),
            limit_ms,
            rests,
        };
        let mut subjects = vec![of(Clock::Progress, self.progress.to_string(), self.patience(limits))];
        subjects.extend(self.stage.map(|(n, _)| of(Clock::Stage, n.to_string(), limits.stage_ms)));
        if let Some(agent) = self.agent {
            subjects.push(of(Clock::Silence, agent.words.to_string(), limits.silence_ms));
            subjects.push(of(Clock::WorkProduct, agent.products.to_string(), limits.work_product_ms));
        }
        subjects
    }

    /// A process with a time limit of its own may use it up.
    fn patience(&self, limits: &Limits) -> u64 {
        if self.has_process { limits.no_progress_ms.max(limits.process_ms) } else { limits.no_progress_ms }
    }
}

//! The tasks in flight, one lane each, and the free workers.

use askama::Template;
use glitchlab_domain::outcome::Size;
use glitchlab_domain::snapshot::{Activity, Lane, LaneTask, Snapshot};
use glitchlab_domain::stage::Stage;

use super::Moment;
use super::glyph::Glyph;
use super::meter::Meter;
use super::reason::Until;
use super::text::{self, Clock, UNKNOWN};

/// How many lanes are drawn; more are only counted.
const LANES: usize = 16;

/// Everything in flight.
#[derive(Clone, Debug, Template)]
#[template(path = "fragments/now.html")]
pub(crate) struct Now {
    pub(crate) as_of: Clock,
    pub(crate) lanes: Vec<TaskLane>,
    /// How many run that are not drawn.
    pub(crate) hidden: usize,
    pub(crate) free: Option<FreeLane>,
    pub(crate) empty: Option<Empty>,
}

/// A task in flight.
#[derive(Clone, Debug)]
pub(crate) struct TaskLane {
    pub(crate) slot: String,
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) attempt: String,
    pub(crate) elapsed: String,
    pub(crate) stages: Vec<StagePart>,
    pub(crate) agent: String,
    pub(crate) model: String,
    pub(crate) tokens: String,
    pub(crate) meter: Meter,
    pub(crate) cost: String,
    pub(crate) wait: Option<LaneWait>,
}

/// What a running task waits for.
#[derive(Clone, Debug)]
pub(crate) struct LaneWait {
    pub(crate) text: String,
    pub(crate) chip: String,
    pub(crate) until: Option<Until>,
}

/// One of the seven parts of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StagePart {
    pub(crate) glyph: Glyph,
    pub(crate) word: &'static str,
    /// What a screen reader adds.
    pub(crate) says: &'static str,
    pub(crate) current: bool,
}

/// The free workers in one line.
#[derive(Clone, Debug)]
pub(crate) struct FreeLane {
    pub(crate) who: String,
    pub(crate) why: String,
    pub(crate) until: Option<Until>,
}

/// What is said when nothing is in flight.
#[derive(Clone, Debug)]
pub(crate) struct Empty {
    pub(crate) title: &'static str,
    pub(crate) text: String,
}

impl Now {
    pub(crate) fn new(moment: &Moment) -> Self {
        let snapshot = &*moment.snapshot;
        let running: Vec<_> =
            snapshot.lanes.iter().filter_map(|lane| Some((lane, lane.task.as_ref()?))).collect();
        let lanes =
            running.iter().take(LANES).map(|(lane, task)| task_lane(snapshot, lane, task, moment.now_ms));
        Self {
            as_of: text::clock(snapshot.as_of_ms),
            lanes: lanes.collect(),
            hidden: running.len().saturating_sub(LANES),
            free: if running.is_empty() { None } else { free_lane(snapshot, moment.now_ms) },
            empty: if running.is_empty() { Some(empty(snapshot)) } else { None },
        }
    }
}

fn task_lane(snapshot: &Snapshot, lane: &Lane, task: &LaneTask, now_ms: i64) -> TaskLane {
    let budget = task.size.and_then(|size| budget(snapshot, size));
    let label = format!("Token budget of {}", task.bead_id);
    TaskLane {
        slot: lane.slot.clone(),
        id: task.bead_id.to_string(),
        title: task.title.clone(),
        attempt: format!("attempt {} of {}", task.n, task.max_attempts),
        elapsed: text::elapsed(now_ms - task.claimed_ms),
        stages: stages(task),
        agent: agent(task, now_ms),
        model: task.model.clone(),
        tokens: format!(
            "{} of {}",
            text::tokens(task.tokens),
            budget.map_or(UNKNOWN.to_owned(), text::token_budget)
        ),
        meter: match budget {
            Some(budget) => Meter::tokens(label, task.tokens, budget),
            None => Meter::unknown(&label, true),
        },
        cost: cost(snapshot, task),
        wait: lane_wait(task, now_ms),
    }
}

/// Returns the token budget of a size; what is too large for one attempt has none.
fn budget(snapshot: &Snapshot, size: Size) -> Option<u64> {
    let [small, medium, large] = snapshot.engine.size_tokens;
    match size {
        Size::S => Some(small),
        Size::M => Some(medium),
        Size::L => Some(large),
        Size::Xl => None,
    }
}

fn agent(task: &LaneTask, now_ms: i64) -> String {
    match (task.stage, task.last_stage) {
        (Some(stage), _) => format!("{}, {}", stage.word(), text::elapsed(now_ms - task.stage_since_ms)),
        (None, Some((last, _))) => format!("after {}", last.word()),
        (None, None) => UNKNOWN.to_owned(),
    }
}

fn cost(snapshot: &Snapshot, task: &LaneTask) -> String {
    match snapshot.engine.task_cap {
        Some(cap) => format!("{} of {cap}", task.cost),
        None => task.cost.to_string(),
    }
}

fn lane_wait(task: &LaneTask, now_ms: i64) -> Option<LaneWait> {
    let wait = task.waiting.as_ref()?;
    let chip = wait.reason.chip();
    Some(LaneWait { text: wait.reason.to_string(), chip, until: Until::of(wait, now_ms) })
}

/// Draws the main line: what is done, where it stands, and what went red on the way back.
fn stages(task: &LaneTask) -> Vec<StagePart> {
    let at = task.stage.map(Stage::main_line_place);
    let done = match (at, task.last_stage) {
        (Some(at), _) => at,
        (None, Some((last, ok))) => last.main_line_place() + usize::from(ok),
        (None, None) => 0,
    };
    let failed = task.last_stage.filter(|(_, ok)| !ok).map(|(last, _)| last.main_line_place());
    let part = |(place, stage): (usize, Stage)| match task.stage.filter(|_| at == Some(place)) {
        Some(current) => current_part(current, task.waiting.is_some()),
        None if failed == Some(place) => past_part(stage, Glyph::Fail, ", failed"),
        None if place < done => past_part(stage, Glyph::Ok, ", done"),
        None => past_part(stage, Glyph::Todo, ", to come"),
    };
    Stage::MAIN_LINE.into_iter().enumerate().map(part).collect()
}

fn current_part(stage: Stage, waits: bool) -> StagePart {
    let (glyph, says) = if waits { (Glyph::Wait, ", waiting") } else { (Glyph::Run, ", running") };
    StagePart { glyph, word: stage.word(), says, current: true }
}

fn past_part(stage: Stage, glyph: Glyph, says: &'static str) -> StagePart {
    StagePart { glyph, word: stage.word(), says, current: false }
}

fn free_lane(snapshot: &Snapshot, now_ms: i64) -> Option<FreeLane> {
    let mut free = snapshot.lanes.iter().filter(|lane| lane.task.is_none());
    let first = free.next()?;
    let who = match free.count() {
        0 => format!("{} is free", first.slot),
        more => format!("{} workers are free", more + 1),
    };
    let wait = snapshot.admission.as_ref();
    let why = match (wait, snapshot.activity) {
        (_, Activity::Draining) => "nothing new starts".to_owned(),
        (Some(wait), _) => wait.reason.to_string(),
        (None, _) if snapshot.queue.pending == 0 => "nothing else is ready".to_owned(),
        (None, _) => String::new(),
    };
    Some(FreeLane { who, why, until: wait.and_then(|wait| Until::of(wait, now_ms)) })
}

fn empty(snapshot: &Snapshot) -> Empty {
    let ready = || format!("{} ready.", text::count(snapshot.queue.pending, "task"));
    match snapshot.activity {
        Activity::Starting => {
            Empty { title: "No task yet", text: "Tasks appear here the moment they are claimed.".to_owned() }
        }
        Activity::Idle => Empty {
            title: "No task is ready",
            text: "The next one appears here the moment the backlog offers it.".to_owned(),
        },
        Activity::Running | Activity::Waiting => Empty { title: "Nothing is in flight", text: ready() },
        Activity::Draining | Activity::Stopped => {
            Empty { title: "Nothing is in flight", text: "No task starts any more.".to_owned() }
        }
    }
}

#[cfg(test)]
#[path = "now_tests.rs"]
mod tests;

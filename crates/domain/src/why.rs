//! Why nothing is happening: the headline, the gates that a task passes on its way to a worker, and every wait and every
//! skip with since, until and what unblocks it.
//!
//! One pure function, [`explain`], says it for the page, for its JSON and for `glitchlab why`, so that they use the same
//! words. [`explain_task`] says it of one task.

mod blockers;
mod entries;
mod gates;
mod headline;
mod nearest;
mod survey;
mod task;

use serde::{Deserialize, Serialize};

use crate::bead::BeadId;
use crate::board::Board;
use crate::control::Said;
use crate::id::TaskKey;
use crate::ledger::Head;
use crate::reason::{Group, Reason, Wait};
use crate::rows::{AttemptRow, GateRow};
use crate::task::TaskRow;

pub use nearest::{nearest, no_such_task};
pub use task::{Blocker, TaskWhy, explain_task};

use survey::Survey;

/// How many lines of a group a page shows.
pub const LINES: usize = 50;

/// What an engine is set to, as far as it decides what may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Worker slots.
    pub workers: u32,
    /// Admission stops at this many open requests; 0 is no limit.
    pub max_open: u32,
    /// Finished work is merged here, so that what runs will not wait for a merge.
    pub merges_here: bool,
    /// An engine begins at most so many root tasks; 0 is no limit.
    #[serde(default)]
    pub max_tasks: u32,
}

/// Something that keeps every task from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// What, and until when.
    pub wait: Wait,
    /// Since when, ms UTC.
    pub since_ms: Option<i64>,
}

impl Obstacle {
    /// Returns what the gate of a repository has against every task.
    #[must_use]
    pub fn of_gate(gate: &GateRow, now_ms: i64) -> Option<Self> {
        let wait = gate.wait(now_ms)?;
        let breaker = || gate.breaker.open.as_ref().map(|open| open.since_ms);
        let since_ms = gate.pause_at(now_ms).map(|pause| pause.since_ms).or_else(breaker);
        Some(Self { wait, since_ms })
    }
}

impl Facts<'_> {
    /// Tells whether what would run is put down by a pause.
    fn puts_down(&self) -> bool {
        self.gate.is_some_and(|gate| gate.puts_down(self.now_ms))
    }

    /// Returns everything that keeps every task from starting.
    fn in_the_way(&self) -> impl Iterator<Item = Obstacle> + '_ {
        let gate = self.gate.and_then(|gate| Obstacle::of_gate(gate, self.now_ms));
        self.obstacles.iter().cloned().chain(gate)
    }
}

/// What [`explain`] looks at.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// All tasks.
    pub board: &'a Board,
    /// The gate of the repository: a pause, the breaker.
    pub gate: Option<&'a GateRow>,
    /// What else keeps every task from starting: a shutdown, the store, the disk.
    pub obstacles: Vec<Obstacle>,
    /// The head of the ledger, when there is one.
    pub ledger: Option<&'a Head>,
    /// The attempts that hold a slot, and what they wait for.
    pub attempts: &'a [AttemptRow],
    /// What the engine is set to.
    pub rules: Rules,
    /// The root tasks that it has begun, as far as their number is limited.
    pub begun: &'a [TaskKey],
    /// What people have said and nobody has done yet, in order.
    pub said: &'a [Said],
    /// An engine runs.
    pub is_running: bool,
    /// When the backlog was last read, ms UTC; none when it was not yet.
    pub read_ms: Option<i64>,
    /// Now, ms UTC.
    pub now_ms: i64,
}

/// Why nothing is happening, or what is. Its JSON is stable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// When this was so, ms UTC.
    pub as_of_ms: i64,
    /// An engine runs.
    pub running: bool,
    /// The answer in one sentence.
    pub headline: Headline,
    /// The gates, in the order in which a task passes them.
    pub gates: Vec<Gate>,
    /// The waits and skips, by whose turn it is.
    pub groups: Vec<Lines>,
    /// What people have said and nobody has done yet, in order.
    #[serde(default)]
    pub said: Vec<Said>,
}

/// The answer in one sentence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headline {
    /// What kind of answer it is.
    pub mark: Mark,
    /// The sentence, without a full stop.
    pub text: String,
    /// What stands around it, whole sentences; commands are in backticks.
    pub detail: String,
    /// When that changes by itself, ms UTC.
    pub until_ms: Option<i64>,
    /// Why nothing new starts, when that has a reason.
    pub reason: Option<Reason>,
}

/// What kind of answer a headline is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Work goes on or starts.
    #[default]
    Run,
    /// Something that ends by itself.
    Wait,
    /// Somebody paused it.
    Pause,
    /// Nothing is ready.
    Idle,
    /// A person must act.
    You,
    /// Something is wrong.
    Crit,
    /// It does not run, or ends.
    Stop,
}

/// One gate on the way of a task to a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Its name.
    pub name: String,
    /// What it does.
    pub state: GateState,
    /// How many tasks got as far as its other side; for one that is held, as far as this one.
    pub passing: u64,
    /// How many there are at all.
    pub all: u64,
    /// The count in words.
    pub count: String,
    /// What stands behind it, without a full stop; empty for one that is not reached.
    pub note: String,
    /// When it opens by itself, ms UTC.
    pub until_ms: Option<i64>,
}

/// What a gate does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateState {
    /// Lets tasks pass.
    Passed,
    /// Lets none pass.
    Held,
    /// None has come so far.
    NotReached,
}

/// The waits and skips of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// Whose turn it is.
    pub group: Group,
    /// The same for people.
    pub title: String,
    /// How many there are in all; `entries` may be fewer.
    pub total: u64,
    /// The first of them.
    pub entries: Vec<Entry>,
}

/// One wait or skip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The task, when it is of one.
    pub task: Option<BeadId>,
    /// The task's title, hostile text; or of whom it is, such as `The engine`.
    pub what: String,
    /// How many tasks it stands for.
    pub count: u64,
    /// Why.
    pub reason: Reason,
    /// The reason's name with what tells it from its likes.
    pub chip: String,
    /// The reason in one sentence, without a full stop.
    pub says: String,
    /// Since when, ms UTC, as far as that is known.
    pub since_ms: Option<i64>,
    /// When it ends by itself, ms UTC.
    pub until_ms: Option<i64>,
    /// What ends it when no instant does, in a few words.
    pub ends: String,
    /// What unblocks it, one sentence without a full stop; commands and settings are in backticks.
    pub unblocks: String,
    /// Its place in the queue, from 1.
    pub place: Option<u64>,
}

impl Entry {
    /// Says what unblocks it, with what the chip leaves out before it.
    #[must_use]
    pub fn remedy(&self) -> String {
        if self.reason.kind().is_said_by_its_chip() {
            return self.unblocks.clone();
        }
        format!("{}. {}", capital(&self.says), self.unblocks)
    }
}

impl Why {
    /// Returns the waits and skips of a group.
    #[must_use]
    pub fn lines(&self, group: Group) -> Option<&Lines> {
        self.groups.iter().find(|lines| lines.group == group)
    }

    /// Returns how much waits for a person.
    #[must_use]
    pub fn needs_you(&self) -> u64 {
        self.lines(Group::You).map_or(0, |lines| lines.total)
    }

    /// Returns the gate that lets nothing pass.
    #[must_use]
    pub fn held(&self) -> Option<&Gate> {
        self.gates.iter().find(|gate| gate.state == GateState::Held)
    }
}

/// Says why nothing is happening, or what is; each group with at most `lines` lines.
#[must_use]
pub fn explain(facts: &Facts<'_>, lines: usize) -> Why {
    let survey = Survey::of(facts);
    let (gates, held) = gates::gates(facts, &survey);
    Why {
        as_of_ms: facts.now_ms,
        running: facts.is_running,
        headline: headline::headline(facts, &survey, held.as_ref()),
        groups: entries::groups(facts, &survey, held.as_ref(), lines),
        gates,
        said: facts.said.to_vec(),
    }
}

/// Says of a task that an attempt works on it, or will go on with it.
fn runs(facts: &Facts<'_>, task: &TaskRow) -> String {
    let (id, n) = (&task.bead_id, task.runs);
    if facts.is_running && facts.puts_down() {
        format!("{id} is put down and goes on with attempt {n} when the pause is over")
    } else if facts.is_running {
        format!("{id} runs now, attempt {n}")
    } else {
        format!("{id} goes on with attempt {n} at the next start")
    }
}

/// Begins a clause with a capital.
fn capital(clause: &str) -> String {
    let mut letters = clause.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// Lets a sentence go on after another.
fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect()
}

/// Writes a count with its noun.
fn count(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests;

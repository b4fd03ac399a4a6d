//! Puts a story together from rows.

use std::collections::HashMap;

use crate::bead::BeadId;
use crate::id::{AttemptId, TaskKey};
use crate::money::MicroUsd;
use crate::reason::Wait;
use crate::rows::{AttemptRow, CallRow, StepRow};
use crate::task::TaskRow;

use super::outputs::Output;
use super::{ATTEMPTS, AttemptStory, Branch, CallStory, REPLIES, REPLY_BYTES, StepStory, Story, TREE};

/// The rows that a story is told from.
#[derive(Clone, Debug)]
pub struct Material {
    /// The task.
    pub task: TaskRow,
    /// Its last attempts, oldest first, at most [`ATTEMPTS`].
    pub attempts: Vec<AttemptRow>,
    /// The steps of these attempts.
    pub steps: Vec<StepRow>,
    /// The tries of these attempts.
    pub calls: Vec<CallRow>,
    /// The tasks of its decomposition, itself included, at most [`TREE`] and one more.
    pub kin: Vec<Kin>,
}

/// One task of a decomposition with what its own attempts came to.
#[derive(Clone, Debug)]
pub struct Kin {
    /// The task.
    pub task: TaskRow,
    /// Its own attempts.
    pub attempts: u32,
    /// Their billed tokens.
    pub tokens: u64,
    /// What they cost.
    pub cost: MicroUsd,
    /// How long those that ended took, ms.
    pub took_ms: Option<i64>,
}

/// Tells the story of a task.
#[must_use]
pub fn tell(material: Material) -> Story {
    let Material { task, attempts, steps, calls, kin } = material;
    let me = kin.iter().find(|kin| kin.task.key == task.key);
    let (tokens, cost) = me.map_or((0, MicroUsd::ZERO), |me| (me.tokens, me.cost));
    let tree_is_cut = kin.len() > TREE;
    let tree = Tree::of(&task.key, &kin).branches();
    let whole = tree.iter().find(|branch| branch.is_me).map_or(cost, |branch| branch.whole_cost);
    let told = u32::try_from(attempts.len()).unwrap_or(u32::MAX);
    Story {
        waits: task.reason.clone().map(|reason| Wait { reason, until_ms: task.until_ms }),
        is_part: task.is_part(),
        attempts: tell_attempts(attempts, steps, calls),
        earlier_attempts: task.runs.saturating_sub(told),
        tree: if tree.len() > 1 { tree } else { Vec::new() },
        tree_is_cut,
        tokens,
        cost,
        whole_cost: whole,
        bead_id: task.bead_id,
        title: task.title,
        body: task.body,
        state: task.state,
        kind: task.kind,
        priority: task.priority,
        labels: task.labels,
        parent: task.parent,
        request: task.request,
        merged: task.merged,
        trace_id: task.trace_id,
        runs: task.runs,
        failures: task.failures,
        learned: task.learned,
    }
}

fn tell_attempts(attempts: Vec<AttemptRow>, steps: Vec<StepRow>, calls: Vec<CallRow>) -> Vec<AttemptStory> {
    let mut calls_of = HashMap::<(AttemptId, u32), Vec<CallRow>>::new();
    for call in calls {
        calls_of.entry((call.key.attempt_id.clone(), call.key.step_n)).or_default().push(call);
    }
    let mut steps_of = HashMap::<AttemptId, Vec<StepRow>>::new();
    for step in steps {
        steps_of.entry(step.attempt_id.clone()).or_default().push(step);
    }
    let skipped = attempts.len().saturating_sub(ATTEMPTS);
    let tell = |attempt: AttemptRow| {
        let steps = steps_of.remove(&attempt.attempt_id).unwrap_or_default();
        let mut replies = REPLIES;
        let steps = steps.into_iter().map(|step| {
            let calls = calls_of.remove(&(step.attempt_id.clone(), step.n)).unwrap_or_default();
            tell_step(step, calls, &mut replies)
        });
        let mut steps: Vec<StepStory> = steps.collect();
        steps.sort_by_key(|step| step.n);
        tell_attempt(attempt, steps)
    };
    attempts.into_iter().skip(skipped).map(tell).collect()
}

fn tell_attempt(row: AttemptRow, steps: Vec<StepStory>) -> AttemptStory {
    AttemptStory {
        attempt_id: row.attempt_id,
        n: row.n,
        status: row.status,
        failure: row.failure,
        detail: row.detail,
        model: row.model,
        simulated: row.simulated,
        size: row.size,
        branch: row.branch,
        slot: row.slot,
        tokens: row.tokens,
        cost: row.cost,
        files_changed: row.files_changed,
        crashes: row.crashes,
        waits: row.waiting,
        started_ms: row.started_ms,
        ended_ms: row.ended_ms,
        steps,
    }
}

fn tell_step(row: StepRow, mut calls: Vec<CallRow>, replies: &mut usize) -> StepStory {
    calls.sort_by(|a, b| a.key.cmp(&b.key));
    StepStory {
        n: row.n,
        stage: row.stage,
        ok: row.ok,
        output: Output::read(row.stage, row.output.as_deref()),
        summary: row.summary,
        started_ms: row.started_ms,
        ended_ms: row.ended_ms,
        calls: calls.into_iter().map(|call| tell_call(call, replies)).collect(),
    }
}

fn tell_call(row: CallRow, replies: &mut usize) -> CallStory {
    let mut reply = row.reply.filter(|_| *replies > 0);
    *replies = replies.saturating_sub(usize::from(reply.is_some()));
    let reply_is_cut = reply.as_ref().is_some_and(|reply| reply.len() > REPLY_BYTES);
    if let Some(reply) = &mut reply {
        reply.truncate(reply.floor_char_boundary(REPLY_BYTES));
    }
    CallStory {
        call_no: row.key.call_no,
        try_no: row.key.try_no,
        model: row.model,
        state: row.state,
        input_tokens: row.input_tokens,
        output_tokens: row.output_tokens,
        response: row.response,
        cost: row.actual,
        latency_ms: row.latency_ms,
        created_ms: row.created_ms,
        settled_ms: row.settled_ms,
        ok: row.ok,
        error: row.error,
        reply,
        reply_is_cut,
    }
}

/// A decomposition by who is above whom.
struct Tree<'a> {
    me: &'a TaskKey,
    kin: &'a [Kin],
    /// The places of the parts of each task, in the order of their ids.
    below: HashMap<&'a BeadId, Vec<usize>>,
    roots: Vec<usize>,
}

impl<'a> Tree<'a> {
    fn of(me: &'a TaskKey, kin: &'a [Kin]) -> Self {
        let mut tree = Self { me, kin, below: HashMap::new(), roots: Vec::new() };
        let mut places: Vec<usize> = (0..kin.len().min(TREE)).collect();
        places.sort_by_key(|place| natural(kin[*place].task.bead_id.as_str()));
        for place in places {
            let task = &kin[place].task;
            match task.parent.as_ref().filter(|_| task.is_part()) {
                Some(parent) => tree.below.entry(parent).or_default().push(place),
                None => tree.roots.push(place),
            }
        }
        tree
    }

    fn branches(&self) -> Vec<Branch> {
        let mut branches = Vec::new();
        self.add(&self.roots, 0, &mut branches);
        branches
    }

    /// Adds tasks with all below them, and returns what they cost together. No task is deeper than there are tasks.
    fn add(&self, places: &[usize], depth: u32, into: &mut Vec<Branch>) -> MicroUsd {
        let mut sum = MicroUsd::ZERO;
        for (nth, place) in places.iter().enumerate() {
            let Kin { task, attempts, cost, took_ms, .. } = &self.kin[*place];
            let at = into.len();
            into.push(Branch {
                bead_id: task.bead_id.clone(),
                title: task.title.clone(),
                state: task.state,
                depth,
                is_last: nth + 1 == places.len(),
                is_me: task.key == *self.me,
                attempts: *attempts,
                cost: *cost,
                whole_cost: *cost,
                took_ms: *took_ms,
            });
            let below = self.below.get(&task.bead_id).map_or(&[][..], Vec::as_slice);
            let whole = *cost + self.add(below, depth + 1, into);
            into[at].whole_cost = whole;
            sum += whole;
        }
        sum
    }
}

/// Orders `x.s2` before `x.s10`.
fn natural(id: &str) -> (usize, &str) {
    (id.len(), id)
}

#[cfg(test)]
#[path = "tell_tests.rs"]
mod tests;

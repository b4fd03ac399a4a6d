//! The supervision tree as a table, one row an actor, and what went wrong as a row below it.

use std::collections::HashMap;

use askama::Template;
use glitchlab_runtime::{Activity, ChildKind, NodeSnapshot, NodeState, Restart, Strategy, Supervision};

use super::Moment;
use super::glyph::Glyph;
use super::text::{self, Clock, UNKNOWN};

mod lead;
mod rates;

pub(crate) use lead::lead;
pub(crate) use rates::{Rates, rates};

/// The table; without rows when there is no tree to show.
#[derive(Clone, Debug, Template)]
#[template(path = "fragments/tree.html")]
pub(crate) struct Tree {
    pub(crate) as_of: Clock,
    pub(crate) rows: Vec<ActorRow>,
}

/// One actor. What does not apply to it is empty.
#[derive(Clone, Debug)]
pub(crate) struct ActorRow {
    pub(crate) id: String,
    pub(crate) path: String,
    pub(crate) depth: usize,
    pub(crate) guides: Vec<char>,
    pub(crate) supervisor: bool,
    pub(crate) glyph: Glyph,
    pub(crate) state: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) restart: &'static str,
    pub(crate) incarnation: u32,
    pub(crate) window: String,
    pub(crate) pips: Vec<Pip>,
    pub(crate) restarts: u64,
    pub(crate) up: String,
    pub(crate) mailbox: String,
    pub(crate) rate: String,
    pub(crate) busy: Option<String>,
    pub(crate) handler: String,
    pub(crate) progress: String,
    pub(crate) note: Option<Note>,
}

/// One tick of the restarts that a supervisor tolerates.
#[derive(Clone, Debug)]
pub(crate) struct Pip {
    pub(crate) x: u32,
    pub(crate) used: bool,
}

/// What went wrong, below the row.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) guides: Vec<char>,
    pub(crate) parts: Vec<String>,
}

/// More pips than this are only written as a number.
const PIPS: u32 = 12;

/// How the walk gets from the root to a row.
struct Walk<'a> {
    before: HashMap<&'a str, &'a Activity>,
    /// Time since `before`, ms; 0 when there is none.
    passed_ms: u64,
    now_ms: i64,
    rows: Vec<ActorRow>,
}

impl Tree {
    pub(crate) fn new(moment: &Moment) -> Self {
        let as_of = text::clock(moment.now_ms);
        let Some(tree) = &moment.tree else { return Self { as_of, rows: Vec::new() } };
        let mut walk = Walk { before: HashMap::new(), passed_ms: 0, now_ms: moment.now_ms, rows: Vec::new() };
        if let Some(earlier) = &moment.earlier_tree {
            collect(&earlier.root, &mut walk.before);
            walk.passed_ms = tree.as_of_ms.saturating_sub(earlier.as_of_ms);
        }
        walk.visit(&tree.root, &[], 0, true);
        Self { as_of, rows: walk.rows }
    }
}

fn collect<'a>(node: &'a NodeSnapshot, into: &mut HashMap<&'a str, &'a Activity>) {
    if let Some(activity) = &node.activity {
        into.insert(&node.path, activity);
    }
    for child in &node.children {
        collect(child, into);
    }
}

impl Walk<'_> {
    /// Adds a node and all below. `lines` has a guide for each ancestor below the root: `v` where its line goes on.
    fn visit(&mut self, node: &NodeSnapshot, lines: &[char], depth: usize, last: bool) {
        let with = |own: char| if depth == 0 { Vec::new() } else { [lines, &[own]].concat() };
        let (elbow, line) = if last { ('l', 'o') } else { ('t', 'v') };
        let below = with(line);
        let mut row = self.row(node, depth, with(elbow));
        row.note = note(node, self.now_ms).map(|parts| Note { guides: below.clone(), parts });
        self.rows.push(row);
        for (place, child) in node.children.iter().enumerate() {
            self.visit(child, &below, depth + 1, place + 1 == node.children.len());
        }
    }

    fn row(&self, node: &NodeSnapshot, depth: usize, guides: Vec<char>) -> ActorRow {
        let (glyph, state) = state(node);
        let activity = node.activity.as_ref();
        ActorRow {
            id: node.id.clone(),
            path: node.path.clone(),
            depth,
            guides,
            supervisor: node.kind == ChildKind::Supervisor,
            glyph,
            state,
            kind: kind(node),
            // Nobody restarts the root.
            restart: if depth == 0 { "" } else { restart(node.restart) },
            incarnation: node.incarnation,
            window: node
                .supervision
                .map_or(String::new(), |it| format!("{} of {}", it.restarts_in_window, it.max)),
            pips: node.supervision.map_or(Vec::new(), pips),
            restarts: node.restarts_total,
            up: node.uptime_ms.map_or(String::new(), span),
            mailbox: activity.map_or(String::new(), |it| it.mailbox.to_string()),
            rate: activity.map_or(String::new(), |it| self.rate(node, it)),
            busy: activity.and_then(|it| self.busy(node, it)),
            handler: handler(node),
            progress: progress(node),
            note: None,
        }
    }

    /// Writes the messages a second since the look before.
    fn rate(&self, node: &NodeSnapshot, activity: &Activity) -> String {
        let before = self.before.get(node.path.as_str());
        before.and_then(|before| Rates::of(before, activity, self.passed_ms)).map_or_else(
            || UNKNOWN.to_owned(),
            |Rates { decimessages_per_second: tenths, .. }| format!("{}.{}", tenths / 10, tenths % 10),
        )
    }

    /// Returns the share of the time since the look before that was spent in handlers.
    fn busy(&self, node: &NodeSnapshot, activity: &Activity) -> Option<String> {
        let rates = Rates::of(self.before.get(node.path.as_str())?, activity, self.passed_ms)?;
        Some(text::percent(i64::try_from(rates.busy_permyriad).unwrap_or(10_000)))
    }
}

fn span(ms: u64) -> String {
    text::span(signed(ms))
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

const fn state(node: &NodeSnapshot) -> (Glyph, &'static str) {
    match node.state {
        NodeState::Starting => (Glyph::Run, "Starting"),
        NodeState::Running => (Glyph::Up, "Running"),
        NodeState::Restarting { .. } => (Glyph::Again, "Restarting"),
        NodeState::Stopping => (Glyph::Pause, "Stopping"),
        NodeState::Stopped => (Glyph::Stop, "Stopped"),
        NodeState::Zombie => (Glyph::Dead, "Zombie"),
    }
}

fn kind(node: &NodeSnapshot) -> &'static str {
    match node.supervision.map(|supervision| supervision.strategy) {
        Some(Strategy::OneForOne) => "one_for_one",
        Some(Strategy::OneForAll) => "one_for_all",
        Some(Strategy::RestForOne) => "rest_for_one",
        Some(Strategy::SimpleOneForOne) => "simple_one_for_one",
        None => "worker",
    }
}

const fn restart(restart: Restart) -> &'static str {
    match restart {
        Restart::Permanent => "permanent",
        Restart::Transient => "transient",
        Restart::Temporary => "temporary",
    }
}

fn pips(supervision: Supervision) -> Vec<Pip> {
    if supervision.max > PIPS {
        return Vec::new();
    }
    let used = |n: u32| usize::try_from(n).is_ok_and(|n| n < supervision.restarts_in_window);
    (0..supervision.max).map(|n| Pip { x: n * 7, used: used(n) }).collect()
}

/// Names what it is at: the message in its handler, and the work beside it.
fn handler(node: &NodeSnapshot) -> String {
    let current = node.activity.as_ref().and_then(|activity| activity.current.as_ref());
    let message = current.map(|current| format!("{} {} ms", current.kind, current.elapsed_ms));
    let tasks = node.tasks.iter().filter_map(|task| task.running.as_ref());
    let work = tasks.map(|task| format!("{} {}", task.name, text::elapsed(signed(task.running_ms))));
    message.into_iter().chain(work).collect::<Vec<_>>().join(", ")
}

/// Writes how long ago the actor or the work beside it last got on.
fn progress(node: &NodeSnapshot) -> String {
    let own = node.activity.as_ref().and_then(|activity| activity.last_progress_ms);
    let work = node.tasks.iter().filter_map(|task| task.running.as_ref()?.last_progress_ms);
    own.into_iter().chain(work).min().map_or(String::new(), span)
}

/// Says what a person should know beyond the row, if anything.
fn note(node: &NodeSnapshot, now_ms: i64) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    if let NodeState::Restarting { in_ms } = node.state {
        parts.push(format!("Starts again in {}.", span(in_ms)));
    }
    let zombies =
        u64::from(node.zombies) + node.tasks.iter().map(|task| u64::from(task.zombies)).sum::<u64>();
    if zombies > 0 {
        let one = zombies == 1;
        let predecessors = if one { "1 predecessor".to_owned() } else { format!("{zombies} predecessors") };
        parts.push(format!(
            "{predecessors} did not end when told to: fenced, {} can neither write nor spend.",
            if one { "it" } else { "they" }
        ));
    }
    if let Some(error) = node.activity.as_ref().and_then(|activity| activity.last_error.as_ref()) {
        let at = text::clock(now_ms - signed(error.age_ms)).text;
        let trace = error.trace_id.as_ref().map(|id| format!(" (trace {id})")).unwrap_or_default();
        parts.push(format!("Last error at {at}, {} ago: {}{trace}", span(error.age_ms), error.message));
    }
    if parts.is_empty() { None } else { Some(parts) }
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;

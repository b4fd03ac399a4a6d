//! Every wait and every skip, by whose turn it is.

use super::gates::Closed;
use super::survey::Survey;
use super::{Entry, Facts, Lines, blockers};
use crate::bead::BeadId;
use crate::reason::{Group, Reason, ReasonKind, Wait};
use crate::task::TaskRow;

/// Returns the groups that have something, each with at most `lines` entries.
pub(super) fn groups(
    facts: &Facts<'_>,
    survey: &Survey<'_>,
    held: Option<&Closed>,
    lines: usize,
) -> Vec<Lines> {
    let mut groups: Vec<Lines> = Group::ALL.map(empty).into();
    let mut put_in = |group: Group, entry: Entry| {
        if let Some(its) = groups.iter_mut().find(|its| its.group == group) {
            its.total += entry.count;
            if its.entries.len() < lines {
                its.entries.push(entry);
            }
        }
    };
    let shared = engine(facts, held).into_iter().chain(within(facts));
    shared.for_each(|entry| put_in(entry.reason.group(), entry));
    let because =
        held.and_then(|held| held.wait.as_ref()).filter(|wait| wait.reason.kind().holds_admission());
    let ready = because.into_iter().flat_map(|wait| behind(survey, wait));
    // Whoever has to act for all of them has a line of their own for it.
    ready.for_each(|entry| put_in(Group::Engine, entry));
    let own = survey.resting.iter().chain(&survey.waiting).filter(|(_, wait)| !is_skip(wait));
    let own = own.map(|(task, wait)| of_task(facts, survey, task, wait)).chain(skips(survey));
    own.for_each(|entry| put_in(entry.reason.group(), entry));
    groups.retain(|group| group.total > 0);
    groups
}

fn empty(group: Group) -> Lines {
    Lines { group, title: group.title().to_owned(), total: 0, entries: Vec::new() }
}

/// What keeps every task from starting.
fn engine(facts: &Facts<'_>, held: Option<&Closed>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = facts.in_the_way().map(|its| of_engine(&its.wait, its.since_ms)).collect();
    let people = held.and_then(|held| held.wait.as_ref()).filter(|wait| wait.reason.group() == Group::You);
    if let Some(wait) = people.filter(|wait| !entries.iter().any(|entry| entry.reason == wait.reason)) {
        entries.push(of_engine(wait, None));
    }
    entries
}

fn of_engine(wait: &Wait, since_ms: Option<i64>) -> Entry {
    let unblocks = wait.reason.unblocks("ID");
    Entry { since_ms, ..entry(None, "The engine".to_owned(), wait, unblocks) }
}

/// What attempts wait for that hold a slot.
fn within<'a>(facts: &'a Facts<'_>) -> impl Iterator<Item = Entry> + 'a {
    facts.attempts.iter().filter_map(|attempt| {
        let wait = attempt.waiting.as_ref()?;
        let id = &attempt.bead_id;
        let what = format!("inside attempt {}, in {}", attempt.n, attempt.slot);
        Some(entry(Some(id.clone()), what, wait, wait.reason.unblocks(id.as_str())))
    })
}

/// What may start and is held up by what holds up the first of them.
pub(super) fn behind<'a>(survey: &'a Survey<'_>, wait: &'a Wait) -> impl Iterator<Item = Entry> + 'a {
    (1..).zip(&survey.ready).map(move |(place, task)| {
        // Money and the breaker's trial are the first one's at that instant; a pause is over for all of them.
        let is_told = place == 1 || wait.reason.kind() == ReasonKind::Paused;
        let its = Wait { until_ms: wait.until_ms.filter(|_| is_told), ..wait.clone() };
        let unblocks = match survey.ready.first().filter(|_| place > 1) {
            None => its.reason.unblocks(task.bead_id.as_str()),
            Some(first) => format!("It is number {place} in the queue, behind {}", first.bead_id),
        };
        let is_told = task.reason.as_ref().map(Reason::kind) == Some(its.reason.kind());
        let since_ms = is_told.then(|| task.since());
        Entry {
            since_ms,
            place: Some(place),
            ..entry(Some(task.bead_id.clone()), task.title.clone(), &its, unblocks)
        }
    })
}

/// What keeps one task.
pub(super) fn of_task(facts: &Facts<'_>, survey: &Survey<'_>, task: &TaskRow, wait: &Wait) -> Entry {
    let unblocks = blockers::unblocks(facts, survey, &wait.reason, &task.bead_id);
    let since_ms = Some(task.since()).filter(|since| *since > 0 && !is_skip(wait));
    Entry { since_ms, ..entry(Some(task.bead_id.clone()), task.title.clone(), wait, unblocks) }
}

/// Puts together what is skipped for the same fact.
fn skips(survey: &Survey<'_>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (task, wait) in survey.filtered.iter().chain(&survey.waiting).filter(|(_, wait)| is_skip(wait)) {
        match entries.iter_mut().find(|entry| entry.reason == wait.reason) {
            Some(entry) => entry.count += 1,
            None => entries.push(entry(Some(task.bead_id.clone()), task.title.clone(), wait, String::new())),
        }
    }
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.count));
    entries.into_iter().map(summed).collect()
}

/// Names one task, and only counts several.
fn summed(entry: Entry) -> Entry {
    let id = entry.task.clone().filter(|_| entry.count == 1);
    let unblocks = entry.reason.unblocks(id.as_ref().map_or("ID", BeadId::as_str));
    match id {
        Some(_) => Entry { unblocks, ..entry },
        None => Entry { task: None, what: super::count(entry.count, "task"), unblocks, ..entry },
    }
}

fn is_skip(wait: &Wait) -> bool {
    wait.reason.group() == Group::Skipped && wait.reason.kind() != ReasonKind::Dropped
}

fn entry(task: Option<BeadId>, what: String, wait: &Wait, unblocks: String) -> Entry {
    let reason = wait.reason.clone();
    Entry {
        task,
        what,
        count: 1,
        chip: reason.chip(),
        says: reason.to_string(),
        since_ms: None,
        until_ms: wait.until_ms,
        ends: reason.ends_with().to_owned(),
        unblocks,
        place: None,
        reason,
    }
}

//! The gates that a task passes on its way to a worker, in order; the first closed one is where the queue stops.

use super::survey::{Survey, size};
use super::{Facts, Gate, GateState, capital, count, lower_first};
use crate::dispatch::{full_of_tasks, may_begin, request_room};
use crate::reason::{Reason, ReasonKind, Wait, Window};

/// The gate of the worker slots.
const SLOT: &str = "Worker slot";

/// A gate before it is known whether any task gets so far.
struct Draft {
    name: &'static str,
    /// What comes through, when it is open.
    passing: u64,
    count: String,
    note: String,
    /// It lets nothing pass; with the reason, when there is one beside that nothing is left.
    closed: Option<Closed>,
}

/// The first closed gate.
#[derive(Clone, Debug)]
pub(super) struct Closed {
    pub(super) name: &'static str,
    /// Why; none when nothing has come so far.
    pub(super) wait: Option<Wait>,
}

/// Returns all gates, and the first closed one.
pub(super) fn gates(facts: &Facts<'_>, survey: &Survey<'_>) -> (Vec<Gate>, Option<Closed>) {
    let (mut held, mut before): (Option<Closed>, u64) = (None, survey.all);
    let mut gates = Vec::new();
    for draft in drafts(facts, survey) {
        let state = match (&held, &draft.closed) {
            (Some(_), _) => GateState::NotReached,
            (None, Some(_)) => GateState::Held,
            (None, None) => GateState::Passed,
        };
        if state == GateState::Held {
            held.clone_from(&draft.closed);
        }
        let gate = draft.finish(state, before, survey);
        before = gate.passing;
        gates.push(gate);
    }
    (gates, held)
}

impl Draft {
    fn finish(self, state: GateState, before: u64, survey: &Survey<'_>) -> Gate {
        let ready = size(&survey.ready);
        let (passing, count, note) = match state {
            GateState::Passed => (self.passing, self.count, self.note),
            GateState::NotReached => (0, "not reached".to_owned(), String::new()),
            GateState::Held if ready == 0 => (before, self.count, self.note),
            GateState::Held => (before, format!("{ready} held here"), self.note),
        };
        let held = self.closed.filter(|_| state == GateState::Held);
        let until_ms = held.and_then(|held| held.wait?.until_ms);
        let all = survey.all;
        Gate { name: self.name.to_owned(), state, passing, all, count, note, until_ms }
    }
}

fn drafts(facts: &Facts<'_>, survey: &Survey<'_>) -> Vec<Draft> {
    let told = survey.told(facts.now_ms);
    let mut drafts = vec![
        engine(facts, survey),
        pause(facts, survey),
        ready(survey),
        filters(survey),
        rests(survey),
        breaker(facts, survey, told.as_ref()),
        requests(facts, survey),
        slots(facts, survey),
        pace(facts, survey, told.as_ref()),
        money(facts, survey, told.as_ref(), Window::Hour),
        money(facts, survey, told.as_ref(), Window::Day),
    ];
    if facts.rules.max_tasks > 0 {
        let after_requests = drafts.iter().position(|draft| draft.name == SLOT).unwrap_or(drafts.len());
        drafts.insert(after_requests, tasks(facts, survey));
    }
    drafts.extend(told.and_then(|told| rare(survey, told)));
    drafts
}

/// Only what was begun in this run goes on when as much was begun as may be.
fn tasks(facts: &Facts<'_>, survey: &Survey<'_>) -> Draft {
    let (limit, begun) = (facts.rules.max_tasks, facts.begun);
    let none_may = !survey.ready.iter().any(|task| may_begin(limit, begun, task));
    let wait = full_of_tasks(limit, begun).filter(|_| none_may).map(|reason| Wait { reason, until_ms: None });
    let note = wait
        .as_ref()
        .map_or_else(|| "Tasks that this run has begun".to_owned(), |wait| capital(&wait.reason.to_string()));
    open_or("Task limit", size(&survey.ready), format!("{} of {limit}", begun.len()), note, wait)
}

/// The engine itself: it does not end, and its store and its disk take what it writes.
fn engine(facts: &Facts<'_>, survey: &Survey<'_>) -> Draft {
    let is_its =
        |kind| matches!(kind, ReasonKind::ShuttingDown | ReasonKind::StoreUnavailable | ReasonKind::DiskLow);
    let wait = obstacle(facts, is_its);
    let note = wait
        .as_ref()
        .map_or_else(|| "Store writable, disk free".to_owned(), |wait| capital(&wait.reason.to_string()));
    open_or("Engine", survey.all, count(survey.all, "task"), note, wait)
}

fn pause(facts: &Facts<'_>, survey: &Survey<'_>) -> Draft {
    let wait = obstacle(facts, |kind| kind == ReasonKind::Paused);
    let note = wait
        .as_ref()
        .map_or_else(|| "Nobody has paused it".to_owned(), |wait| capital(&wait.reason.to_string()));
    open_or("Pause", survey.all, "not paused".to_owned(), note, wait)
}

fn ready(survey: &Survey<'_>) -> Draft {
    let passing = survey.ready_in_backlog();
    let mut parts = Survey::tally(&survey.waiting, |reason| state_word(reason).to_owned());
    parts.extend([("done".to_owned(), survey.done), ("running".to_owned(), size(&survey.running))]);
    narrowed("Ready", passing, survey.all, &parts)
}

fn filters(survey: &Survey<'_>) -> Draft {
    let parts = Survey::tally(&survey.filtered, |reason| match reason {
        Reason::NotWork { kind } => format!("of type {kind}"),
        Reason::Label { label } => format!("labelled {label}"),
        Reason::LowPriority { priority } => format!("of priority {priority}"),
        other => other.chip(),
    });
    narrowed("Filters", survey.for_us(), survey.ready_in_backlog(), &parts)
}

fn rests(survey: &Survey<'_>) -> Draft {
    let parts = Survey::tally(&survey.resting, |reason| match reason.kind() {
        ReasonKind::Backoff => "resting after a failure".to_owned(),
        ReasonKind::CoolDown => "cooling down".to_owned(),
        _ => "waiting for the provider".to_owned(),
    });
    let draft = narrowed("Rest", size(&survey.ready), survey.for_us(), &parts);
    let first = survey.resting.first().map(|(_, wait)| wait.clone());
    let closed = draft.closed.map(|closed| Closed { wait: first, ..closed });
    Draft { closed, ..draft }
}

fn breaker(facts: &Facts<'_>, survey: &Survey<'_>, told: Option<&Wait>) -> Draft {
    let is_its = |kind| kind == ReasonKind::BreakerOpen;
    let wait = obstacle(facts, is_its).or_else(|| told.filter(|told| is_its(told.reason.kind())).cloned());
    let (state, note) = match &wait {
        None => ("closed", "The last outcomes say nothing against the next".to_owned()),
        Some(wait) => ("open", capital(&wait.reason.to_string())),
    };
    open_or("Breaker", size(&survey.ready), state.to_owned(), note, wait)
}

fn requests(facts: &Facts<'_>, survey: &Survey<'_>) -> Draft {
    let (limit, in_review) = (facts.rules.max_open, facts.board.in_review());
    let to_come = if facts.rules.merges_here { 0 } else { size(&survey.running) };
    let is_full = request_room(limit, in_review, size(&survey.running), facts.rules.merges_here) == 0;
    let open = u32::try_from(in_review + to_come).unwrap_or(u32::MAX);
    let wait =
        is_full.then_some(Wait { reason: Reason::TooManyOpenRequests { open, limit }, until_ms: None });
    let shown = if limit == 0 { in_review.to_string() } else { format!("{in_review} of {limit}") };
    let note = if to_come == 0 {
        "Branches that wait for a merge".to_owned()
    } else {
        format!("Branches that wait for a merge; {to_come} to come from what runs")
    };
    open_or("Open requests", size(&survey.ready), shown, note, wait)
}

fn slots(facts: &Facts<'_>, survey: &Survey<'_>) -> Draft {
    let workers = u64::from(facts.rules.workers);
    let free = workers.saturating_sub(size(facts.attempts));
    let wait = (free == 0).then_some(Wait { reason: Reason::NoFreeWorker, until_ms: None });
    let busy: Vec<&str> = facts.attempts.iter().map(|attempt| attempt.bead_id.as_str()).take(4).collect();
    let note =
        if busy.is_empty() { "Nothing runs".to_owned() } else { format!("Busy with {}", busy.join(", ")) };
    open_or(SLOT, size(&survey.ready), format!("{free} of {workers} free"), note, wait)
}

fn pace(facts: &Facts<'_>, survey: &Survey<'_>, told: Option<&Wait>) -> Draft {
    let wait = told.filter(|told| told.reason.kind() == ReasonKind::Paced).cloned();
    let is_of_tokens = |wait: &Wait| matches!(wait.reason, Reason::Paced { in_tokens: true, .. });
    // The ledger that is known here is that of money.
    let bucket = facts.ledger.filter(|_| !wait.as_ref().is_some_and(is_of_tokens)).map(|head| {
        let (flow, bucket) = (head.flow(), head.bucket.at(head.flow(), facts.now_ms));
        format!("The bucket holds {} of {}", bucket.level, flow.depth())
    });
    let bucket = bucket.unwrap_or_else(|| "Spending is spread so that it lasts".to_owned());
    let note = match &wait {
        None => bucket,
        Some(wait) => format!("{}; {}", capital(&wait.reason.to_string()), lower_first(&bucket)),
    };
    open_or("Pace", size(&survey.ready), "open".to_owned(), note, wait)
}

fn money(facts: &Facts<'_>, survey: &Survey<'_>, told: Option<&Wait>, window: Window) -> Draft {
    let is_its = |reason: &Reason| matches!(reason, Reason::CapReached { window: its } | Reason::AfterSettlement { window: its } if *its == window);
    let wait = told.filter(|told| is_its(&told.reason)).cloned();
    let (count, note) = match facts.ledger {
        None => ("—".to_owned(), "No ledger yet".to_owned()),
        Some(head) => (
            format!("{} free", head.room(window)),
            format!("Of {} in any {}, {} set aside", head.cap(window), window.name(), head.reserved),
        ),
    };
    let note = wait.as_ref().map_or(note, |wait| format!("{}; {}", capital(&wait.reason.to_string()), count));
    let name = match window {
        Window::Hour => "Money, hour",
        Window::Day => "Money, day",
    };
    open_or(name, size(&survey.ready), count, note, wait)
}

/// A gate that is only there while it is closed.
fn rare(survey: &Survey<'_>, told: Wait) -> Option<Draft> {
    let name = match told.reason.kind() {
        ReasonKind::TokenCapReached | ReasonKind::TokensAfterSettlement => "Tokens",
        ReasonKind::ModelOverran => "Model",
        _ => return None,
    };
    let note = capital(&told.reason.to_string());
    Some(open_or(name, size(&survey.ready), String::new(), note, Some(told)))
}

fn obstacle(facts: &Facts<'_>, is_its: impl Fn(ReasonKind) -> bool) -> Option<Wait> {
    facts.in_the_way().map(|obstacle| obstacle.wait).find(|wait| is_its(wait.reason.kind()))
}

fn open_or(name: &'static str, passing: u64, count: String, note: String, wait: Option<Wait>) -> Draft {
    let closed = wait.map(|wait| Closed { name, wait: Some(wait) });
    Draft { name, passing, count, note, closed }
}

/// A gate that leaves tasks out one by one, and is closed when none is left.
fn narrowed(name: &'static str, passing: u64, of: u64, parts: &[(String, u64)]) -> Draft {
    let named = parts.iter().filter(|(_, n)| *n > 0).take(5).map(|(what, n)| format!("{n} {what}"));
    let note = named.collect::<Vec<_>>().join(", ");
    let note = if note.is_empty() { "Leaves nothing out".to_owned() } else { note };
    let closed = (passing == 0).then_some(Closed { name, wait: None });
    Draft { name, passing, count: format!("{passing} of {of}"), note, closed }
}

/// Says of a task that is not ready how it stands.
const fn state_word(reason: &Reason) -> &'static str {
    match reason.kind() {
        ReasonKind::BlockedBy | ReasonKind::ChildrenOpen | ReasonKind::Cycle => "blocked",
        ReasonKind::NeedsHuman => "waiting for you",
        ReasonKind::InReview | ReasonKind::BaseCheckedOutDirty => "in review",
        ReasonKind::DeferredUntil => "deferred",
        ReasonKind::Dropped => "dropped",
        ReasonKind::SourceStatus => "not open in the backlog",
        _ => "not offered",
    }
}

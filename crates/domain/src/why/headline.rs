//! The answer in one sentence.

use super::gates::Closed;
use super::survey::{Survey, size};
use super::{Facts, Headline, Mark, count, lower_first};
use crate::reason::{Reason, Wait};

/// Says what the first closed gate means, or that nothing stands in the way.
pub(super) fn headline(facts: &Facts<'_>, survey: &Survey<'_>, held: Option<&Closed>) -> Headline {
    let would = would(facts, survey, held);
    if facts.is_running {
        return would;
    }
    let clause = lower_first(&would.text);
    let detail = format!("`glitchlab continuous` starts one. If one ran: {clause}. {}", would.detail);
    Headline { mark: Mark::Stop, text: "No engine runs".to_owned(), detail, ..would }
}

fn would(facts: &Facts<'_>, survey: &Survey<'_>, held: Option<&Closed>) -> Headline {
    let detail = around(facts, survey);
    let says =
        |mark, text: String| Headline { mark, text, detail: detail.clone(), until_ms: None, reason: None };
    if facts.read_ms.is_none() {
        return says(Mark::Run, "The backlog is being read".to_owned());
    }
    match held {
        None => says(Mark::Run, starts(survey)),
        Some(Closed { wait: None, .. }) => nothing_ready(survey, says),
        Some(Closed { wait: Some(wait), .. }) => {
            let (mark, text) = of_wait(facts, survey, wait);
            let until_ms = wait.until_ms;
            Headline { until_ms, reason: Some(wait.reason.clone()), ..says(mark, text) }
        }
    }
}

fn starts(survey: &Survey<'_>) -> String {
    match survey.ready.first() {
        Some(first) => format!("{} starts next", first.bead_id),
        None => "Nothing is ready".to_owned(),
    }
}

fn nothing_ready(survey: &Survey<'_>, says: impl Fn(Mark, String) -> Headline) -> Headline {
    let is_all_done = survey.done == survey.all;
    let text = match size(&survey.filtered) {
        _ if survey.all == 0 => "The backlog is empty".to_owned(),
        _ if is_all_done => "Everything in the backlog is done".to_owned(),
        _ if !survey.running.is_empty() => "Nothing else is ready".to_owned(),
        0 => "Nothing is ready".to_owned(),
        skipped => format!("Nothing is ready but {} skipped on purpose", count(skipped, "task")),
    };
    let mark = if survey.running.is_empty() { Mark::Idle } else { Mark::Run };
    says(mark, text)
}

fn of_wait(facts: &Facts<'_>, survey: &Survey<'_>, wait: &Wait) -> (Mark, String) {
    let (mark, text) = match &wait.reason {
        Reason::CapReached { .. } | Reason::Paced { in_tokens: false, .. } => {
            (Mark::Wait, "The next task waits for money")
        }
        Reason::TokenCapReached { .. } | Reason::Paced { in_tokens: true, .. } => {
            (Mark::Wait, "The next task waits for tokens")
        }
        Reason::AfterSettlement { .. } | Reason::TokensAfterSettlement { .. } => {
            (Mark::Wait, "The next task waits for a settlement")
        }
        Reason::Paused { by, .. } => return (Mark::Pause, format!("Paused by {by}")),
        Reason::BreakerOpen { failure } => {
            return (
                Mark::Crit,
                format!("Dispatch is stopped after {} came again and again", failure.name()),
            );
        }
        Reason::TooManyOpenRequests { .. } => (Mark::You, "The next task waits for merges"),
        Reason::TaskLimit { .. } => (Mark::You, "This run has begun as many tasks as it may"),
        Reason::NoFreeWorker => return (Mark::Run, busy(facts, survey)),
        Reason::DiskLow { .. } => (Mark::Crit, "The disk is almost full"),
        Reason::StoreUnavailable { .. } => (Mark::Crit, "The store refuses writes"),
        Reason::ShuttingDown => (Mark::Stop, "The engine is shutting down"),
        Reason::ModelOverran { .. } => (Mark::You, "The model billed more than it may"),
        _ if wait.until_ms.is_some() => (Mark::Wait, "Everything that is ready rests"),
        other => return (Mark::Wait, format!("The next task waits: {other}")),
    };
    (mark, text.to_owned())
}

fn busy(facts: &Facts<'_>, survey: &Survey<'_>) -> String {
    match facts.rules.workers {
        1 => format!("The only worker is busy, {} to follow", count(size(&survey.ready), "task")),
        _ => format!("Every worker is busy, {} to follow", count(size(&survey.ready), "task")),
    }
}

/// Says how many tasks run, follow and wait for a person.
fn around(facts: &Facts<'_>, survey: &Survey<'_>) -> String {
    let needs_you = survey.waiting.iter().filter(|(_, wait)| wait.reason.group() == super::Group::You);
    let parts = [
        (size(&survey.running), if facts.puts_down() { "put down" } else { "running" }),
        (size(&survey.ready), "ready to start"),
        (size(&survey.resting), "resting"),
        (u64::try_from(needs_you.count()).unwrap_or(u64::MAX), "waiting for you"),
    ];
    let said = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
    let said = said.collect::<Vec<_>>().join(", ");
    match survey.all {
        0 => String::new(),
        all if said.is_empty() => format!("{} of {} done.", survey.done, count(all, "task")),
        _ => format!("{said}."),
    }
}

//! The sentence of the list: what happened, and did it pay.

use glitchlab_domain::history::{COUNTED, Tally, TaskPage};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::task::TaskState;

use super::ask::Ask;
use crate::view::glyph::Glyph;
use crate::view::lead::{Figure, Lead};
use crate::view::state;
use crate::view::text::count;

/// Says what became of the tasks of a list.
pub(crate) fn lead(ask: &Ask, page: &TaskPage) -> Lead {
    let tally = &page.tally;
    if tally.states.is_empty() {
        return nothing(ask);
    }
    let succeeded = tally.count(TaskState::Completed);
    let finished = succeeded + tally.count(TaskState::Failed) + tally.count(TaskState::Dropped);
    let heading = match finished {
        0 => format!("No task has finished, {}", going_on(tally)),
        1 if succeeded == 1 => "The only finished task succeeded".to_owned(),
        1 => "The only finished task did not succeed".to_owned(),
        _ => format!("{succeeded} of {finished} finished tasks succeeded"),
    };
    let mut lead = Lead::says(glyph(tally), heading, sentence(ask, tally));
    lead.figures = vec![figure(tally, succeeded)];
    lead
}

fn glyph(tally: &Tally) -> Glyph {
    let (ok, failed) = (tally.count(TaskState::Completed), tally.count(TaskState::Failed));
    if ok + failed == 0 {
        Glyph::Run
    } else if ok >= failed {
        Glyph::Ok
    } else {
        Glyph::Fail
    }
}

fn going_on(tally: &Tally) -> String {
    match tally.count(TaskState::Running) {
        0 => "none runs".to_owned(),
        1 => "one runs".to_owned(),
        n => format!("{n} run"),
    }
}

fn sentence(ask: &Ask, tally: &Tally) -> String {
    let parts = [
        (TaskState::Failed, "failed"),
        (TaskState::Dropped, "dropped"),
        (TaskState::Decomposed, "split into sub-tasks"),
        (TaskState::InReview, "in review"),
        (TaskState::NeedsHuman, "waiting for you"),
        (TaskState::Running, "running"),
        (TaskState::Open, "to be tried again"),
        (TaskState::Blocked, "blocked"),
    ];
    let counts = parts.map(|(state, words)| (tally.count(state), words));
    let told: Vec<_> =
        counts.iter().filter(|(n, _)| *n > 0).map(|(n, words)| format!("{n} {words}")).collect();
    let rest = if told.is_empty() { String::new() } else { format!(": {}", told.join(", ")) };
    let filter = if ask.is_filtered() { format!(", of those where {}", filter(ask)) } else { String::new() };
    let range = ask.range.words();
    let cut = if tally.is_cut { format!(" Only the newest {COUNTED} are counted.") } else { String::new() };
    format!(
        "{}{filter}{rest}.{cut} A cost includes all attempts and sub-tasks.",
        range[..1].to_uppercase() + &range[1..]
    )
}

fn figure(tally: &Tally, succeeded: u64) -> Figure {
    let each = i64::try_from(succeeded).ok().filter(|n| *n > 0).map(|n| tally.cost.micro() / n);
    let label = match each {
        Some(micro) => format!("settled, {} a success", MicroUsd::new(micro)),
        None => "settled".to_owned(),
    };
    Figure { value: tally.cost.to_string(), label }
}

fn nothing(ask: &Ask) -> Lead {
    if ask.is_filtered() {
        let text = format!("{}, {}.", filter(ask), ask.range.words());
        return Lead::says(Glyph::Idle, "No task matches", text);
    }
    Lead::says(
        Glyph::Idle,
        "No task was attempted yet",
        format!("Nothing was claimed {}.", ask.range.words()),
    )
}

/// Says the filter in words: "status is Failed, id or title contains “ledger”".
pub(crate) fn filter(ask: &Ask) -> String {
    let state = ask.state.map(|state| format!("status is {}", state::of(state, None).1));
    let words = Some(&ask.words).filter(|words| !words.is_empty());
    let words = words.map(|words| format!("id or title contains “{words}”"));
    let model = ask.model.as_ref().map(|model| format!("model is {model}"));
    let size = ask.size.map(|size| format!("size is {}", size.name()));
    [state, words, model, size].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Says how many lines are shown and whether there are more.
pub(crate) fn shown(page: &TaskPage) -> String {
    let n = u64::try_from(page.lines.len()).unwrap_or(u64::MAX);
    match page.next {
        Some(_) => format!("{n} shown, more exist"),
        None => format!("{} shown", count(n, "task")),
    }
}

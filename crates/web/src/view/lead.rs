//! The sentence that answers a page's question, and its numbers.

use askama::Template;
use glitchlab_domain::reason::Wait;
use glitchlab_domain::snapshot::{Activity, Snapshot, Trouble};

use super::engine::{beats, busy};
use super::glyph::Glyph;
use super::reason::{self, Until};
use super::text::{self, UNKNOWN, count};

/// The head of a page.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "fragments/lead.html")]
pub(crate) struct Lead {
    pub(crate) glyph: Glyph,
    pub(crate) beat: bool,
    /// The sentence.
    pub(crate) heading: String,
    /// What stands below it.
    pub(crate) text: String,
    /// When what it waits for comes.
    pub(crate) until: Option<Until>,
    /// The typed reason, verbatim.
    pub(crate) chip: Option<String>,
    pub(crate) figures: Vec<Figure>,
}

/// One number with its unit or meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    pub(crate) value: String,
    pub(crate) label: String,
}

impl Lead {
    /// Says what the engine is doing and what it costs.
    pub(crate) fn live(snapshot: &Snapshot, now_ms: i64) -> Self {
        let mut lead = match worst(snapshot) {
            Some(trouble) => troubled(snapshot, trouble),
            None => calm(snapshot, now_ms),
        };
        lead.figures = figures(snapshot);
        lead
    }

    /// Returns the document's title: the sentence and its last number.
    pub(crate) fn title(&self) -> String {
        match self.figures.last() {
            Some(figure) => format!("{}, {} {} · GLITCHLAB", self.heading, figure.value, figure.label),
            None => format!("{} · GLITCHLAB", self.heading),
        }
    }

    pub(crate) fn says(glyph: Glyph, heading: impl Into<String>, text: impl Into<String>) -> Self {
        let (heading, text) = (heading.into(), text.into());
        Self { glyph, beat: false, heading, text, until: None, chip: None, figures: Vec::new() }
    }
}

fn worst(snapshot: &Snapshot) -> Option<&Trouble> {
    let ended = snapshot.activity == Activity::Stopped;
    snapshot.troubles.iter().find(|trouble| trouble.critical && !ended)
}

fn troubled(snapshot: &Snapshot, trouble: &Trouble) -> Lead {
    let heading = match busy(snapshot) {
        0 => "In trouble, nothing runs".to_owned(),
        n => format!("In trouble, {} still run{}", tasks(n), if n == 1 { "s" } else { "" }),
    };
    Lead::says(Glyph::Crit, heading, sentence(&trouble.what))
}

fn calm(snapshot: &Snapshot, now_ms: i64) -> Lead {
    match snapshot.activity {
        Activity::Starting => starting(snapshot),
        Activity::Running => running(snapshot, now_ms),
        Activity::Waiting => waiting(snapshot, now_ms),
        Activity::Idle => Lead::says(Glyph::Idle, "No task is ready", leftovers(snapshot)),
        Activity::Draining => draining(snapshot),
        Activity::Stopped => {
            Lead::says(Glyph::Stop, "The engine is stopped", "Running attempts go on at its next start.")
        }
    }
}

fn starting(snapshot: &Snapshot) -> Lead {
    let lead = Lead::says(
        Glyph::Run,
        "Starting",
        "The backlog is read and the ledger checked before a task starts.",
    );
    Lead { beat: beats(snapshot), ..lead }
}

fn running(snapshot: &Snapshot, now_ms: i64) -> Lead {
    let busy = busy(snapshot);
    let lead = Lead::says(Glyph::Run, format!("Working on {}", tasks(busy)), "");
    let lead = Lead { beat: beats(snapshot), ..lead };
    match (&snapshot.admission, snapshot.lanes.len().saturating_sub(busy)) {
        (Some(wait), 0) => because(lead, wait, now_ms, "Nothing new starts: "),
        (Some(wait), 1) => because(lead, wait, now_ms, "1 free worker waits: "),
        (Some(wait), free) => because(lead, wait, now_ms, &format!("{free} free workers wait: ")),
        (None, free) => Lead { text: pace(free, snapshot.queue.pending), ..lead },
    }
}

fn waiting(snapshot: &Snapshot, now_ms: i64) -> Lead {
    let queue = format!("{} in the queue", are(snapshot.queue.pending));
    let Some(wait) = &snapshot.admission else {
        return Lead::says(Glyph::Wait, "Waiting to start the next task", format!("{queue}."));
    };
    let (glyph, heading) = reason::headline(&wait.reason);
    because(Lead::says(glyph, heading, ""), wait, now_ms, &format!("{queue}, and "))
}

fn draining(snapshot: &Snapshot) -> Lead {
    match busy(snapshot) {
        0 => Lead::says(Glyph::Pause, "Stopping", "No task runs any more."),
        n => Lead::says(
            Glyph::Pause,
            format!("Finishing {}, then stopping", tasks(n)),
            "Nothing new starts; what does not finish in time goes on at the next start.",
        ),
    }
}

/// Says why nothing new starts, and until when.
fn because(lead: Lead, wait: &Wait, now_ms: i64, before: &str) -> Lead {
    let text = sentence(&format!("{before}{}", wait.reason));
    Lead { text, until: Until::of(wait, now_ms), chip: Some(wait.reason.chip()), ..lead }
}

fn pace(free: usize, pending: u64) -> String {
    match (free, pending) {
        (0, 0) => "Every worker is busy and nothing else is ready.".to_owned(),
        (0, _) => format!("Every worker is busy; {} in the queue.", are(pending)),
        (_, 0) => "Nothing else is ready.".to_owned(),
        (_, _) => format!("{} in the queue.", are(pending)),
    }
}

fn leftovers(snapshot: &Snapshot) -> String {
    let queue = &snapshot.queue;
    let parts = [
        (queue.in_review, "in review"),
        (queue.blocked, "blocked"),
        (queue.needs_you, "waiting for you"),
        (queue.skipped, "skipped on purpose"),
    ];
    let left: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if left.is_empty() {
        "Everything in the backlog is done.".to_owned()
    } else {
        format!("Still open: {}.", left.join(", "))
    }
}

fn figures(snapshot: &Snapshot) -> Vec<Figure> {
    let usage = snapshot.money.usage;
    let known =
        |value: String| if snapshot.activity == Activity::Starting { UNKNOWN.to_owned() } else { value };
    vec![
        Figure { value: known(usage.total.to_string()), label: "spent in all".to_owned() },
        Figure {
            value: known((usage.hour + usage.reserved).to_string()),
            label: format!("committed of {} this hour", known(usage.cap_hour.to_string())),
        },
    ]
}

fn tasks(n: usize) -> String {
    text::count(u64::try_from(n).unwrap_or(u64::MAX), "task")
}

fn are(n: u64) -> String {
    format!("{} {}", count(n, "task"), if n == 1 { "is" } else { "are" })
}

/// Makes a clause a sentence: a capital at its start, a full stop at its end.
fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    let head: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if clause.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{head}{}{end}", letters.as_str())
}

#[cfg(test)]
#[path = "lead_tests.rs"]
mod tests;

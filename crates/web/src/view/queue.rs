//! How many tasks stand where.

use askama::Template;
use glitchlab_domain::snapshot::{Activity, Queue as Counts};

use super::Moment;
use super::glyph::Glyph;
use super::text::{self, Clock, UNKNOWN};

/// The queue panel.
#[derive(Clone, Debug, Template)]
#[template(path = "fragments/queue.html")]
pub(crate) struct Queue {
    pub(crate) as_of: Clock,
    pub(crate) read: Option<Clock>,
    pub(crate) counts: [Count; 6],
    /// What is set aside, such as `13 skipped on purpose`.
    pub(crate) aside: String,
}

/// One number of the queue.
#[derive(Clone, Debug)]
pub(crate) struct Count {
    pub(crate) glyph: Glyph,
    pub(crate) word: &'static str,
    pub(crate) n: String,
}

impl Queue {
    pub(crate) fn new(moment: &Moment) -> Self {
        let (snapshot, queue) = (&*moment.snapshot, &moment.snapshot.queue);
        let known = snapshot.activity != Activity::Starting;
        Self {
            as_of: text::clock(snapshot.as_of_ms),
            read: queue.read_ms.map(text::clock),
            counts: counts(queue, known),
            aside: if known { aside(queue) } else { String::new() },
        }
    }
}

fn counts(queue: &Counts, known: bool) -> [Count; 6] {
    let parts = [
        (Glyph::Todo, "Pending", queue.pending),
        (Glyph::Run, "In progress", queue.in_progress),
        (Glyph::Pr, "In review", queue.in_review),
        (Glyph::Ok, "Completed", queue.completed),
        (Glyph::Fail, "Failed", queue.failed),
        (Glyph::Block, "Blocked", queue.blocked),
    ];
    parts.map(|(glyph, word, n)| {
        let n = if known { n.to_string() } else { UNKNOWN.to_owned() };
        Count { glyph, word, n }
    })
}

fn aside(queue: &Counts) -> String {
    let parts = [(queue.needs_you, "wait for you"), (queue.skipped, "skipped on purpose")];
    let some = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
    some.collect::<Vec<_>>().join(", ")
}

//! Every wait and every skip.

use askama::Template;
use glitchlab_domain::reason::Group;
use glitchlab_domain::why::{Entry, Lines};

use super::gates::of_group;
use super::{Part, parts};
use crate::view::glyph::Glyph;
use crate::view::text::{self, Clock};
use crate::view::{Moment, link};

/// The waits and skips of some groups.
#[derive(Clone, Debug, Template)]
#[template(path = "fragments/waits.html")]
pub(crate) struct Waits {
    pub(crate) groups: Vec<Rows>,
    /// Only what waits for a person is shown.
    pub(crate) only_you: bool,
}

/// One group.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub(crate) glyph: Glyph,
    pub(crate) title: String,
    /// How many there are, and how many of them are shown.
    pub(crate) count: String,
    pub(crate) rows: Vec<Row>,
}

/// One wait or skip.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: Option<(String, String)>,
    pub(crate) what: String,
    pub(crate) chip: String,
    pub(crate) since: Option<Clock>,
    pub(crate) until: Option<Clock>,
    pub(crate) ends: String,
    pub(crate) remedy: Vec<Part>,
}

impl Waits {
    pub(crate) fn new(moment: &Moment) -> Self {
        let groups = moment.why.groups.iter().map(|lines| rows(lines, moment.now_ms)).collect();
        Self { groups, only_you: false }
    }

    pub(crate) fn needs_you(moment: &Moment) -> Self {
        let you = moment.why.lines(Group::You);
        Self { groups: you.map(|lines| rows(lines, moment.now_ms)).into_iter().collect(), only_you: true }
    }
}

fn rows(lines: &Lines, now_ms: i64) -> Rows {
    let shown: u64 = lines.entries.iter().map(|entry| entry.count).sum();
    let count = if shown < lines.total {
        format!("{}, the first {shown}", lines.total)
    } else {
        lines.total.to_string()
    };
    let rows = lines.entries.iter().map(|entry| row(entry, now_ms)).collect();
    Rows { glyph: of_group(lines.group), title: lines.title.clone(), count, rows }
}

fn row(entry: &Entry, now_ms: i64) -> Row {
    Row {
        id: entry.task.as_ref().map(|id| (id.to_string(), link::task(id.as_str()))),
        what: entry.what.clone(),
        chip: entry.chip.clone(),
        since: entry.since_ms.map(|since_ms| since(since_ms, now_ms)),
        until: entry.until_ms.map(text::clock),
        ends: entry.ends.clone(),
        remedy: parts(&entry.remedy()),
    }
}

/// Writes since when in one unit, so that a table does not change each second.
fn since(since_ms: i64, now_ms: i64) -> Clock {
    let minutes = (now_ms - since_ms).max(0) / 60_000;
    let text = match minutes {
        0 => "under 1 m".to_owned(),
        1..60 => format!("{minutes} m"),
        60..1_440 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1_440),
    };
    Clock { text, ..text::clock(since_ms) }
}

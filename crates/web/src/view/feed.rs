//! The last events, newest first.

use askama::Template;
use glitchlab_domain::event::{Event, EventId};
use glitchlab_domain::snapshot::Snapshot;

use super::glyph::{self, Glyph};
use super::text::{self, Clock};

/// The whole list.
#[derive(Clone, Debug, Template)]
#[template(path = "fragments/feed.html")]
pub(crate) struct Feed {
    pub(crate) rows: Vec<Row>,
}

/// One event. Two rows with the same id are the same.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "fragments/feed_row.html")]
pub(crate) struct Row {
    pub(crate) id: String,
    /// Fades in once.
    pub(crate) new: bool,
    pub(crate) at: Clock,
    pub(crate) glyph: Glyph,
    pub(crate) word: &'static str,
    pub(crate) bead: Option<String>,
    pub(crate) text: String,
}

impl Feed {
    pub(crate) fn new(snapshot: &Snapshot) -> Self {
        Self { rows: snapshot.feed.iter().filter_map(row).collect() }
    }
}

fn row(event: &Event) -> Option<Row> {
    let (glyph, word) = glyph::of_event(&event.kind);
    Some(Row {
        id: format!("e-{}", tag(&event.id)),
        new: false,
        at: text::clock(event.at_ms),
        glyph,
        word,
        bead: event.about.bead_id.as_ref().map(ToString::to_string),
        text: event.kind.sentence()?,
    })
}

/// Writes an event's place as `<boot_id>-<seq>`; it also goes into an SSE line, so nothing but word characters stay.
pub(crate) fn tag(id: &EventId) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
    let boot: String = id.boot_id.as_str().chars().map(plain).collect();
    format!("{boot}-{}", id.seq)
}

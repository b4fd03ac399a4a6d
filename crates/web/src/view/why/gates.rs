//! Where the queue stops.

use askama::Template;
use glitchlab_domain::reason::{Group, Reason, ReasonKind};
use glitchlab_domain::why::{Gate, GateState, Headline, Mark};

use crate::view::Moment;
use crate::view::glyph::Glyph;
use crate::view::text::{self, Clock};

/// The gates in order.
#[derive(Clone, Debug, Template)]
#[template(path = "fragments/gates.html")]
pub(crate) struct Gates {
    pub(crate) as_of: Clock,
    pub(crate) rows: Vec<Row>,
}

/// One gate.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) glyph: Glyph,
    pub(crate) name: String,
    pub(crate) held: bool,
    /// The class of the bar, and how much of it is filled.
    pub(crate) bar: (&'static str, String),
    pub(crate) count: String,
    pub(crate) note: String,
    pub(crate) until: Option<Clock>,
}

impl Gates {
    pub(crate) fn new(moment: &Moment) -> Self {
        let row = |gate: &Gate| row(gate, &moment.why.headline);
        Self {
            as_of: text::clock(moment.snapshot.as_of_ms),
            rows: moment.why.gates.iter().map(row).collect(),
        }
    }
}

fn row(gate: &Gate, headline: &Headline) -> Row {
    let (glyph, class) = match gate.state {
        GateState::Passed => (Glyph::Ok, "b2"),
        GateState::Held => (of_mark(headline.mark, headline.reason.as_ref()), "wt"),
        GateState::NotReached => (Glyph::Todo, "trk"),
    };
    let share = i64::try_from(gate.passing.saturating_mul(10_000) / gate.all.max(1)).unwrap_or(10_000);
    Row {
        glyph,
        name: gate.name.clone(),
        held: gate.state == GateState::Held,
        bar: (class, text::percent(share)),
        count: gate.count.clone(),
        note: gate.note.clone(),
        until: gate.until_ms.map(text::clock),
    }
}

/// Returns the glyph of an answer.
pub(super) fn of_mark(mark: Mark, reason: Option<&Reason>) -> Glyph {
    match (mark, reason.map(Reason::kind)) {
        (_, Some(ReasonKind::NoFreeWorker)) | (Mark::Wait, _) => Glyph::Wait,
        (Mark::Run, _) => Glyph::Run,
        (Mark::Pause, _) => Glyph::Pause,
        (Mark::Idle, _) => Glyph::Idle,
        (Mark::You, _) => Glyph::You,
        (Mark::Crit, _) => Glyph::Crit,
        (Mark::Stop, _) => Glyph::Stop,
    }
}

/// Returns the glyph of a group.
pub(super) const fn of_group(group: Group) -> Glyph {
    match group {
        Group::You => Glyph::You,
        Group::Engine => Glyph::Wait,
        Group::Tasks => Glyph::Block,
        Group::Skipped => Glyph::Skip,
    }
}

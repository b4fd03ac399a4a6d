//! The numbers beside the links of the navigation.

use askama::Template;

use super::Moment;
use super::glyph::Glyph;

/// How much of something wants a person; empty when it is nothing.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "fragments/badge.html")]
pub(crate) struct Badge {
    pub(crate) id: &'static str,
    pub(crate) count: u64,
    pub(crate) glyph: Glyph,
    pub(crate) words: &'static str,
}

impl Badge {
    /// Counts what waits for a person.
    pub(crate) fn you(moment: &Moment) -> Self {
        Self { id: "you", count: moment.why.needs_you(), glyph: Glyph::You, words: "wait for you" }
    }

    /// Counts the alerts that fire.
    pub(crate) fn firing(moment: &Moment) -> Self {
        let firing = moment.snapshot.firing;
        let glyph = if firing.critical > 0 { Glyph::Crit } else { Glyph::Warn };
        Self { id: "alarms", count: u64::from(firing.all()), glyph, words: "firing" }
    }
}

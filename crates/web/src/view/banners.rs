//! What a person must see at the top of every page, the worst first.

use askama::Template;
use glitchlab_domain::snapshot::Trouble;

use super::glyph::Glyph;
use super::text::{self, Clock};
use super::{Moment, text::span};
use crate::Health;

/// All banners; empty when there is nothing to say.
#[derive(Clone, Debug, Template)]
#[template(path = "fragments/banners.html")]
pub(crate) struct Banners {
    pub(crate) banners: Vec<Banner>,
    pub(crate) simulated: bool,
}

/// One banner.
#[derive(Clone, Debug)]
pub(crate) struct Banner {
    pub(crate) glyph: Glyph,
    pub(crate) word: &'static str,
    pub(crate) what: String,
    pub(crate) since: Option<Since>,
}

/// Since when something lasts.
#[derive(Clone, Debug)]
pub(crate) struct Since {
    pub(crate) at: Clock,
    pub(crate) ago: String,
}

impl Since {
    pub(crate) fn of(since_ms: i64, now_ms: i64) -> Self {
        Self { at: text::clock(since_ms), ago: span(now_ms - since_ms) }
    }
}

impl Banners {
    pub(crate) fn new(moment: &Moment) -> Self {
        let troubles = &moment.snapshot.troubles;
        let critical = troubles.iter().filter(|trouble| trouble.critical);
        let others = troubles.iter().filter(|trouble| !trouble.critical);
        let banners = critical
            .map(|trouble| of_trouble(trouble, Glyph::Crit, "Critical", moment.now_ms))
            .chain(of_health(&moment.health))
            .chain(others.map(|trouble| of_trouble(trouble, Glyph::Warn, "Warning", moment.now_ms)))
            .collect();
        Self { banners, simulated: moment.snapshot.engine.simulated }
    }
}

fn of_trouble(trouble: &Trouble, glyph: Glyph, word: &'static str, now_ms: i64) -> Banner {
    Banner { glyph, word, what: trouble.what.clone(), since: Some(Since::of(trouble.since_ms, now_ms)) }
}

fn of_health(health: &Health) -> Option<Banner> {
    let (glyph, word, why) = match health {
        Health::Ok => return None,
        Health::Degraded(why) => (Glyph::Warn, "Degraded", why),
        Health::Failing(why) => (Glyph::Fail, "Failing", why),
    };
    Some(Banner { glyph, word, what: why.clone(), since: None })
}

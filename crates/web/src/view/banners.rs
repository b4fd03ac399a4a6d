//! What a person must see at the top of every page, the worst first.

use askama::Template;
use glitchlab_domain::snapshot::{Activity, Trouble};

use super::Moment;
use super::glyph::Glyph;
use super::text::{self, Clock};
use crate::Health;

/// A snapshot older than this, ms, is said to be old.
const STALE_MS: i64 = 10_000;

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
        Self { at: text::clock(since_ms), ago: text::span(now_ms - since_ms) }
    }
}

impl Banners {
    pub(crate) fn new(moment: &Moment) -> Self {
        let troubles = &moment.snapshot.troubles;
        let critical = troubles.iter().filter(|trouble| trouble.critical);
        let others = troubles.iter().filter(|trouble| !trouble.critical);
        let is_said = |banner: &Banner| troubles.iter().any(|trouble| trouble.what == banner.what);
        let banners = critical
            .map(|trouble| of_trouble(trouble, Glyph::Crit, "Critical", moment.now_ms))
            .chain(stale(moment))
            .chain(of_health(&moment.health).filter(|banner| !is_said(banner)))
            .chain(others.map(|trouble| of_trouble(trouble, Glyph::Warn, "Warning", moment.now_ms)))
            .collect();
        Self { banners, simulated: moment.snapshot.engine.simulated }
    }
}

fn of_trouble(trouble: &Trouble, glyph: Glyph, word: &'static str, now_ms: i64) -> Banner {
    Banner { glyph, word, what: trouble.what.clone(), since: Some(Since::of(trouble.since_ms, now_ms)) }
}

/// Says that the snapshot is old; the engine publishes it once a second even when nothing happens.
fn stale(moment: &Moment) -> Option<Banner> {
    let as_of_ms = moment.snapshot.as_of_ms;
    let stopped = moment.snapshot.activity == Activity::Stopped;
    let is_old = as_of_ms > 0 && moment.now_ms - as_of_ms > STALE_MS && !stopped;
    is_old.then(|| Banner {
        glyph: Glyph::Fail,
        word: "Old numbers",
        what: "The engine may be working, but nothing was heard from it.".to_owned(),
        since: Some(Since::of(as_of_ms, moment.now_ms)),
    })
}

fn of_health(health: &Health) -> Option<Banner> {
    let (glyph, word, why) = match health {
        Health::Ok => return None,
        Health::Degraded(why) => (Glyph::Warn, "Degraded", why),
        Health::Failing(why) => (Glyph::Fail, "Failing", why),
    };
    Some(Banner { glyph, word, what: why.clone(), since: None })
}

//! Whole pages: the layout around the fragments.

use askama::Template;

use super::banners::Banners;
use super::engine::Engine;
use super::feed::Feed;
use super::lead::Lead;
use super::money::Money;
use super::now::Now;
use super::queue::Queue;
use super::text::{self, Clock};
use super::tree::{self, Tree};
use super::{Moment, glyph::Glyph};
use crate::assets::{ICON, SCRIPT, STYLE};
use glitchlab_domain::snapshot::Activity;

/// What every page has around its content.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) title: String,
    pub(crate) style: String,
    pub(crate) script: String,
    pub(crate) icon: String,
    pub(crate) views: Vec<ViewLink>,
    /// The page's own path, for its reload link.
    pub(crate) path: &'static str,
    /// The state of the stream when the page opens.
    pub(crate) stream: &'static str,
    /// Where the live updates come from; unset on a page that has none.
    pub(crate) events: Option<String>,
    pub(crate) as_of: Clock,
    pub(crate) engine: Engine,
    pub(crate) banners: Banners,
}

/// A link of the navigation.
#[derive(Clone, Debug)]
pub(crate) struct ViewLink {
    pub(crate) path: &'static str,
    pub(crate) word: &'static str,
    pub(crate) current: bool,
}

impl Layout {
    /// Frames a page; `events` is the URL of its stream.
    pub(crate) fn new(moment: &Moment, path: &'static str, title: String, events: Option<String>) -> Self {
        let stopped = moment.snapshot.activity == Activity::Stopped;
        Self {
            title,
            style: STYLE.href(),
            script: SCRIPT.href(),
            icon: ICON.href(),
            views: [("/", "Live"), ("/actors", "Actors")]
                .map(|(to, word)| ViewLink { path: to, word, current: to == path })
                .into(),
            path,
            stream: match &events {
                _ if stopped => "off",
                Some(_) => "wait",
                None => "none",
            },
            events: events.filter(|_| !stopped),
            as_of: text::clock(moment.now_ms),
            engine: Engine::new(moment),
            banners: Banners::new(moment),
        }
    }
}

/// The page that says what the engine is doing now.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/live.html")]
pub(crate) struct LivePage {
    pub(crate) layout: Layout,
    pub(crate) lead: Lead,
    pub(crate) now: Now,
    pub(crate) money: Money,
    pub(crate) queue: Queue,
    pub(crate) feed: Feed,
}

impl LivePage {
    pub(crate) fn new(moment: &Moment, events: String) -> Self {
        let lead = Lead::live(&moment.snapshot, moment.now_ms);
        Self {
            layout: Layout::new(moment, "/", lead.title(), Some(events)),
            lead,
            now: Now::new(moment),
            money: Money::new(moment),
            queue: Queue::new(moment),
            feed: Feed::new(&moment.snapshot),
        }
    }
}

/// The page that says whether the tree is whole.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/actors.html")]
pub(crate) struct ActorsPage {
    pub(crate) layout: Layout,
    pub(crate) lead: Lead,
    pub(crate) tree: Tree,
}

impl ActorsPage {
    pub(crate) fn new(moment: &Moment, events: String) -> Self {
        let lead = tree::lead(moment);
        Self {
            layout: Layout::new(moment, "/actors", lead.title(), Some(events)),
            lead,
            tree: Tree::new(moment),
        }
    }
}

/// The page for a path that leads nowhere.
#[derive(Clone, Debug, Template)]
#[template(path = "pages/missing.html")]
pub(crate) struct MissingPage {
    pub(crate) layout: Layout,
    pub(crate) lead: Lead,
}

impl MissingPage {
    pub(crate) fn new(moment: &Moment) -> Self {
        let lead = Lead::says(
            Glyph::Skip,
            "There is no such page",
            "The address leads nowhere. Live shows what the engine is doing now.",
        );
        Self { layout: Layout::new(moment, "", lead.title(), None), lead }
    }
}

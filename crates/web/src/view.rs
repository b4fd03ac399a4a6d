//! View models: plain text and numbers for the templates, each made from a [`Moment`] by pure functions.
//!
//! A fragment is a template with an id. A page includes the same fragments that the live stream sends.

use std::sync::Arc;

use askama::Template;
use glitchlab_domain::snapshot::Snapshot;
use glitchlab_domain::why::Why;
use glitchlab_runtime::TreeSnapshot;

use crate::Health;

pub(crate) mod alerts;
pub(crate) mod badge;
pub(crate) mod banners;
pub(crate) mod engine;
pub(crate) mod feed;
pub(crate) mod glyph;
pub(crate) mod lead;
pub(crate) mod link;
pub(crate) mod meter;
pub(crate) mod money;
pub(crate) mod now;
pub(crate) mod page;
pub(crate) mod queue;
pub(crate) mod reason;
pub(crate) mod state;
pub(crate) mod story;
pub(crate) mod tasks;
pub(crate) mod text;
pub(crate) mod tree;
pub(crate) mod why;

/// What the sources said at one instant.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) why: Arc<Why>,
    pub(crate) health: Health,
    /// The supervision tree, looked at once a second, and the look before it for rates.
    pub(crate) tree: Option<Arc<TreeSnapshot>>,
    pub(crate) earlier_tree: Option<Arc<TreeSnapshot>>,
    /// When it is shown, ms UTC: elapsed times count to here.
    pub(crate) now_ms: i64,
}

/// 2026-03-02T14:32:07Z.
#[cfg(test)]
pub(crate) const NOW_MS: i64 = 1_772_461_927_000;

/// Returns a snapshot as seen at the sample's instant.
#[cfg(test)]
pub(crate) fn moment(snapshot: Snapshot) -> Moment {
    let snapshot = Arc::new(snapshot);
    let why = Arc::new(crate::sample::why(NOW_MS));
    Moment { snapshot, why, health: Health::Ok, tree: None, earlier_tree: None, now_ms: NOW_MS }
}

/// Renders a template of ours.
pub(crate) fn render(template: &impl Template) -> String {
    template.render().expect("a template of ours writes into memory and calls nothing that can fail")
}

#[cfg(test)]
mod fragment_tests;

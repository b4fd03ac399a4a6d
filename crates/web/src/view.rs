//! View models: plain text and numbers for the templates, each made from a [`Moment`] by pure functions.
//!
//! A fragment is a template with an id. A page includes the same fragments that the live stream sends.

use std::sync::Arc;

use askama::Template;
use glitchlab_domain::snapshot::Snapshot;
use glitchlab_runtime::TreeSnapshot;

use crate::Health;

pub(crate) mod banners;
pub(crate) mod engine;
pub(crate) mod feed;
pub(crate) mod glyph;
pub(crate) mod lead;
pub(crate) mod meter;
pub(crate) mod money;
pub(crate) mod now;
pub(crate) mod page;
pub(crate) mod queue;
pub(crate) mod reason;
pub(crate) mod text;
pub(crate) mod tree;

/// What the sources said at one instant.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) health: Health,
    /// The supervision tree, looked at once a second, and the look before it for rates.
    pub(crate) tree: Option<Arc<TreeSnapshot>>,
    pub(crate) earlier_tree: Option<Arc<TreeSnapshot>>,
    /// When it is shown, ms UTC: elapsed times count to here.
    pub(crate) now_ms: i64,
}

/// Renders a template of ours.
pub(crate) fn render(template: &impl Template) -> String {
    template.render().expect("a template of ours writes into memory and calls nothing that can fail")
}

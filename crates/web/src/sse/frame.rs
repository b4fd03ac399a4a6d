//! One published state of a page.

use std::sync::{Arc, OnceLock};

use axum::body::Bytes;

use super::event;
use crate::pages::View;
use crate::view::Moment;
use crate::view::feed::tag;

/// A state of one page as it goes to all its subscribers.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Counts the frames of a page without a gap; whoever has the one before needs only the changes.
    pub(crate) n: u64,
    /// Whether everything that the event id stands for is unchanged since the id was new: a page that has the id then
    /// needs nothing.
    pub(crate) settled: bool,
    pub(crate) moment: Arc<Moment>,
    /// What changed since the frame before, ready to send; empty when nothing did.
    pub(crate) changes: Bytes,
    view: View,
    whole: OnceLock<Bytes>,
}

impl Frame {
    pub(crate) fn new(view: View, n: u64, settled: bool, moment: Arc<Moment>, changes: &str) -> Self {
        let changes = if changes.is_empty() { String::new() } else { event(&id(&moment), changes) };
        Self { n, settled, moment, changes: changes.into(), view, whole: OnceLock::new() }
    }

    /// Returns the event id, `<boot_id>-<seq>` of the last event.
    pub(crate) fn id(&self) -> String {
        id(&self.moment)
    }

    /// Returns all regions, ready to send; rendered when the first subscriber needs them.
    pub(crate) fn whole(&self) -> Bytes {
        let render = || event(&self.id(), &self.view.regions(&self.moment).whole()).into();
        self.whole.get_or_init(render).clone()
    }
}

/// Before the first event there is no place in the log: the boot alone names the state.
fn id(moment: &Moment) -> String {
    match &moment.snapshot.last {
        Some(last) => tag(last),
        None => "0".to_owned(),
    }
}

//! The one task that looks at the sources and renders.

use std::sync::Arc;
use std::time::Duration;

use glitchlab_domain::snapshot::Snapshot;
use glitchlab_domain::why::Why;
use glitchlab_runtime::TreeSnapshot;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::Frame;
use super::message::Regions;
use crate::Sources;
use crate::pages::View;
use crate::view::Moment;

/// How often elapsed times move.
const TICK: Duration = Duration::from_secs(1);

/// Turns published states into frames: at once when the snapshot changes, and once a second for the clocks.
pub(crate) struct Renderer {
    sources: Sources,
    trees: Trees,
    tick: Interval,
    topics: Vec<Topic>,
}

/// The frames of one page.
struct Topic {
    view: View,
    frames: watch::Sender<Arc<Frame>>,
    /// What the last frame showed; none while nobody listened.
    shown: Option<Regions>,
}

impl Renderer {
    /// Looks at the sources for the first time; the receivers are in the order of [`View::ALL`].
    pub(crate) fn new(mut sources: Sources) -> (Self, Vec<watch::Receiver<Arc<Frame>>>) {
        let mut trees = Trees::default();
        trees.look(&sources);
        let moment = Arc::new(look(&mut sources, &trees));
        let topic = |view| {
            let frames = watch::Sender::new(Arc::new(Frame::new(view, 0, false, Arc::clone(&moment), "")));
            Topic { view, frames, shown: None }
        };
        let topics: Vec<_> = View::ALL.into_iter().map(topic).collect();
        let receivers = topics.iter().map(|topic| topic.frames.subscribe()).collect();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        (Self { sources, trees, tick, topics }, receivers)
    }

    /// Renders until the token is cancelled. A publisher that is gone leaves the clocks running.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let ticked = tokio::select! {
                () = shutdown.cancelled() => return,
                () = changed(&mut self.sources.snapshot) => false,
                () = changed(&mut self.sources.why) => false,
                _ = self.tick.tick() => true,
            };
            if ticked {
                self.trees.look(&self.sources);
            }
            let moment = Arc::new(look(&mut self.sources, &self.trees));
            for topic in &mut self.topics {
                topic.publish(&moment);
            }
        }
    }
}

impl Topic {
    fn publish(&mut self, moment: &Arc<Moment>) {
        let before = Arc::clone(&self.frames.borrow());
        let changes = self.paint(moment);
        let settled = if before.moment.snapshot.last == moment.snapshot.last {
            before.settled && same(&before.moment, moment)
        } else {
            true
        };
        let frame = Frame::new(self.view, before.n + 1, settled, Arc::clone(moment), &changes);
        self.frames.send_replace(Arc::new(frame));
    }

    /// Renders the changes, or nothing while nobody listens: the first receiver is the pages' own.
    fn paint(&mut self, moment: &Moment) -> String {
        if self.frames.receiver_count() <= 1 {
            self.shown = None;
            return String::new();
        }
        let regions = self.view.regions(moment);
        let changes = match &self.shown {
            Some(shown) => regions.changes(shown),
            None => regions.whole(),
        };
        self.shown = Some(regions);
        changes
    }
}

/// Tells whether two moments differ in nothing but their clocks.
fn same(one: &Moment, other: &Moment) -> bool {
    let one_now = Snapshot { as_of_ms: other.snapshot.as_of_ms, ..Snapshot::clone(&one.snapshot) };
    let one_why = Why { as_of_ms: other.why.as_of_ms, ..Why::clone(&one.why) };
    one_now == *other.snapshot && one_why == *other.why && one.health == other.health
}

/// The last two looks at the supervision tree.
#[derive(Default)]
struct Trees {
    now: Option<Arc<TreeSnapshot>>,
    earlier: Option<Arc<TreeSnapshot>>,
}

impl Trees {
    fn look(&mut self, sources: &Sources) {
        let tree = (sources.tree)();
        let as_of_ms = |tree: &TreeSnapshot| tree.as_of_ms;
        // The same look twice, as from another process, says nothing of rates.
        let is_new = tree.as_ref().map(as_of_ms) != self.now.as_deref().map(as_of_ms);
        if is_new {
            self.earlier = std::mem::replace(&mut self.now, tree.map(Arc::new));
        }
    }
}

fn look(sources: &mut Sources, trees: &Trees) -> Moment {
    Moment {
        snapshot: Arc::clone(&sources.snapshot.borrow_and_update()),
        why: Arc::clone(&sources.why.borrow_and_update()),
        health: (sources.health)(),
        tree: trees.now.clone(),
        earlier_tree: trees.earlier.clone(),
        now_ms: (sources.clock)(),
    }
}

async fn changed<T>(source: &mut watch::Receiver<T>) {
    if source.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

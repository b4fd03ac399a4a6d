//! One open stream.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use futures_util::Stream;
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::Frame;
use crate::seats::Seat;

/// How often a stream proves that it lives: comments fire nothing in the browser, so it is a named event.
const BEAT_EVERY: Duration = Duration::from_secs(2);
const BEAT: &[u8] = b"event: beat\ndata: 1\n\n";

/// A listener and how far it has seen.
pub(crate) struct Subscriber {
    frames: watch::Receiver<Arc<Frame>>,
    /// The last frame it has; none when it needs all regions.
    seen: Option<u64>,
    beat: Interval,
    shutdown: CancellationToken,
    _seat: Seat,
}

impl Subscriber {
    /// Starts after the event `since`: when that is the present one, with the next changes, else with all regions.
    pub(crate) fn new(
        mut frames: watch::Receiver<Arc<Frame>>,
        since: Option<&str>,
        seat: Seat,
        shutdown: CancellationToken,
    ) -> Self {
        frames.mark_changed();
        let frame = Arc::clone(&frames.borrow());
        let current = frame.settled && since == Some(frame.id().as_str());
        let mut beat = interval(BEAT_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self { frames, seen: current.then_some(frame.n), beat, shutdown, _seat: seat }
    }

    /// Turns the subscriber into the body of its response; it ends with the token.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
        stream::unfold(self, |mut subscriber| async move {
            let bytes = subscriber.next().await?;
            Some((Ok(bytes), subscriber))
        })
    }

    /// Waits for what to send next; `None` ends the stream.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return None,
                changed = self.frames.changed() => changed.ok()?,
                _ = self.beat.tick() => return Some(Bytes::from_static(BEAT)),
            }
            let bytes = self.catch_up();
            if !bytes.is_empty() {
                return Some(bytes);
            }
        }
    }

    fn catch_up(&mut self) -> Bytes {
        let frame = Arc::clone(&self.frames.borrow_and_update());
        let bytes = match self.seen {
            Some(seen) if seen == frame.n => Bytes::new(),
            Some(seen) if seen + 1 == frame.n => frame.changes.clone(),
            _ => frame.whole(),
        };
        self.seen = Some(frame.n);
        bytes
    }
}

#[cfg(test)]
#[path = "subscriber_tests.rs"]
mod tests;

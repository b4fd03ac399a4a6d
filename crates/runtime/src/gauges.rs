//! What can be seen of one actor from outside, without asking it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::envelope::TraceContext;
use crate::mailbox::Mailbox;
use crate::sync::lock;

/// Measures one actor over all its incarnations; any thread may read it at any time.
#[derive(Debug, Default)]
pub struct Gauges {
    work: Mutex<Work>,
    /// Of the incarnation that is reached now.
    mailbox: Mutex<Arc<Mailbox>>,
    last_error: Mutex<Option<LastError>>,
}

/// What the actor does and has done. One lock covers all of it, so that kind, start and number belong to the same
/// message, and a message costs two turns of an idle lock.
#[derive(Debug, Default)]
struct Work {
    seq: u64,
    handler: Option<(&'static str, Instant)>,
    messages_total: u64,
    busy: Duration,
    progress: Option<Instant>,
}

/// Says what went wrong last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastError {
    /// The error or the panic as text.
    pub message: String,
    /// When it was seen.
    pub at: Instant,
    /// The trace in which it happened.
    pub trace: Option<TraceContext>,
}

/// Says what an actor is doing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handling {
    /// The kind of the message.
    pub kind: &'static str,
    /// Number of the message in the life of these gauges, from 1.
    pub seq: u64,
    /// How long it has been at it.
    pub elapsed: Duration,
}

/// Is what [`Gauges::read`] saw.
#[derive(Debug, Clone)]
pub struct GaugesReading {
    /// Messages that were sent and not yet taken out.
    pub mailbox: u64,
    /// Messages that were handled, including those that failed.
    pub messages_total: u64,
    /// Time spent in handlers, with the current one.
    pub busy: Duration,
    /// What it is doing.
    pub current: Option<Handling>,
    /// Time since it last got on, if ever.
    pub since_progress: Option<Duration>,
    /// What went wrong last.
    pub last_error: Option<LastError>,
}

impl Gauges {
    /// Reads everything as of `now`.
    #[must_use]
    pub fn read(&self, now: Instant) -> GaugesReading {
        let mailbox = self.mailbox();
        let last_error = lock(&self.last_error).clone();
        let work = lock(&self.work);
        let current = work.current(now);
        GaugesReading {
            mailbox,
            messages_total: work.messages_total,
            busy: work.busy + current.map_or(Duration::ZERO, |handling| handling.elapsed),
            current,
            since_progress: work.progress.map(|at| now.saturating_duration_since(at)),
            last_error,
        }
    }

    /// Returns the number of messages that were sent to the present incarnation and not yet taken out.
    #[must_use]
    pub fn mailbox(&self) -> u64 {
        lock(&self.mailbox).waiting()
    }

    /// Returns what the actor is doing at `now`; this is what a watchdog looks at.
    #[must_use]
    pub fn current(&self, now: Instant) -> Option<Handling> {
        lock(&self.work).current(now)
    }

    /// Notes that the actor got on with its work.
    pub fn progress(&self) {
        lock(&self.work).progress = Some(Instant::now());
    }

    /// Notes an error that did not end the actor.
    pub fn error(&self, message: impl Into<String>, trace: Option<TraceContext>) {
        let error = LastError { message: message.into(), at: Instant::now(), trace };
        *lock(&self.last_error) = Some(error);
    }

    /// Begins a message; the guard ends it, also when the handler is dropped or panics.
    pub(crate) fn begin(&self, kind: &'static str) -> HandlerGuard<'_> {
        let started_at = Instant::now();
        let mut work = lock(&self.work);
        work.seq += 1;
        work.handler = Some((kind, started_at));
        HandlerGuard { gauges: self, seq: work.seq, started_at }
    }

    /// A new incarnation handles nothing yet, whatever a zombie before it is still at.
    pub(crate) fn renew(&self) {
        lock(&self.work).handler = None;
    }

    /// Counts what waits in this mailbox from now on.
    pub(crate) fn watch(&self, mailbox: Arc<Mailbox>) {
        *lock(&self.mailbox) = mailbox;
    }
}

impl Work {
    fn current(&self, now: Instant) -> Option<Handling> {
        let (kind, started_at) = self.handler?;
        Some(Handling { kind, seq: self.seq, elapsed: now.saturating_duration_since(started_at) })
    }

    fn end(&mut self, seq: u64, started_at: Instant, now: Instant) {
        // A zombie's late end must not wipe out what its successor is doing.
        if self.seq == seq {
            self.handler = None;
        }
        self.messages_total += 1;
        self.busy += now.saturating_duration_since(started_at);
        self.progress = Some(now);
    }
}

/// Marks that a handler runs, until it is dropped.
#[derive(Debug)]
pub(crate) struct HandlerGuard<'a> {
    gauges: &'a Gauges,
    seq: u64,
    started_at: Instant,
}

impl Drop for HandlerGuard<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        lock(&self.gauges.work).end(self.seq, self.started_at, now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::Gauges;

    #[tokio::test(start_paused = true)]
    async fn a_handler_is_seen_while_it_runs_and_counted_when_it_ends() {
        let gauges = Gauges::default();
        let guard = gauges.begin("poll");
        advance(Duration::from_secs(3)).await;
        let during = gauges.read(Instant::now());
        let handling = during.current.expect("a handler runs");
        assert_eq!((handling.kind, handling.seq, handling.elapsed.as_secs()), ("poll", 1, 3));
        assert_eq!((during.busy.as_secs(), during.messages_total, during.since_progress), (3, 0, None));

        drop(guard);
        advance(Duration::from_secs(2)).await;
        let after = gauges.read(Instant::now());
        assert!(after.current.is_none());
        assert_eq!((after.busy.as_secs(), after.messages_total), (3, 1));
        assert_eq!(after.since_progress, Some(Duration::from_secs(2)));
    }

    #[test]
    fn what_a_zombie_is_still_at_is_not_shown_as_the_work_of_its_successor() {
        let gauges = Gauges::default();
        let _zombie = gauges.begin("stuck");
        gauges.renew();
        assert_eq!(gauges.current(Instant::now()), None);
    }

    #[test]
    fn the_late_end_of_a_zombie_does_not_hide_its_successor() {
        let gauges = Gauges::default();
        let zombie = gauges.begin("stuck");
        let _successor = gauges.begin("fresh");
        drop(zombie);
        assert_eq!(gauges.current(Instant::now()).expect("the successor runs").kind, "fresh");
    }
}

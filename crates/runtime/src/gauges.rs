//! What can be seen of one actor from outside, without asking it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::envelope::TraceContext;
use crate::sync::lock;

/// Measures one actor over all its incarnations; any thread may read it at any time.
#[derive(Debug)]
pub struct Gauges {
    born: Instant,
    mailbox: AtomicU64,
    messages_total: AtomicU64,
    busy_ns: AtomicU64,
    /// Nanoseconds from `born` to the last progress, plus one; 0 is none.
    progress_ns: AtomicU64,
    current: Mutex<Current>,
    last_error: Mutex<Option<LastError>>,
}

/// What the actor does now. One lock covers kind, start and number, so that they belong to the same message.
#[derive(Debug, Default)]
struct Current {
    seq: u64,
    handler: Option<(&'static str, Instant)>,
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

impl Default for Gauges {
    fn default() -> Self {
        Self {
            born: Instant::now(),
            mailbox: AtomicU64::new(0),
            messages_total: AtomicU64::new(0),
            busy_ns: AtomicU64::new(0),
            progress_ns: AtomicU64::new(0),
            current: Mutex::default(),
            last_error: Mutex::default(),
        }
    }
}

impl Gauges {
    /// Reads everything as of `now`.
    #[must_use]
    pub fn read(&self, now: Instant) -> GaugesReading {
        let current = self.current(now);
        let in_handler = current.map_or(Duration::ZERO, |handling| handling.elapsed);
        GaugesReading {
            mailbox: self.mailbox(),
            messages_total: self.messages_total.load(Relaxed),
            busy: Duration::from_nanos(self.busy_ns.load(Relaxed)) + in_handler,
            current,
            since_progress: self.since_progress(now),
            last_error: lock(&self.last_error).clone(),
        }
    }

    /// Returns the number of messages that were sent and not yet taken out.
    #[must_use]
    pub fn mailbox(&self) -> u64 {
        self.mailbox.load(Relaxed)
    }

    /// Returns what the actor is doing at `now`; this is what a watchdog looks at.
    #[must_use]
    pub fn current(&self, now: Instant) -> Option<Handling> {
        let current = lock(&self.current);
        let (kind, started_at) = current.handler?;
        Some(Handling { kind, seq: current.seq, elapsed: now.saturating_duration_since(started_at) })
    }

    /// Notes that the actor got on with its work.
    pub fn progress(&self) {
        self.progressed_at(Instant::now());
    }

    /// Notes an error that did not end the actor.
    pub fn error(&self, message: impl Into<String>, trace: Option<TraceContext>) {
        let error = LastError { message: message.into(), at: Instant::now(), trace };
        *lock(&self.last_error) = Some(error);
    }

    pub(crate) fn enqueue(self: &Arc<Self>) -> MailboxPlace {
        self.mailbox.fetch_add(1, Relaxed);
        MailboxPlace(Arc::clone(self))
    }

    /// Begins a message; the guard ends it, also when the handler is dropped or panics.
    pub(crate) fn begin(self: &Arc<Self>, kind: &'static str) -> HandlerGuard {
        let started_at = Instant::now();
        let mut current = lock(&self.current);
        current.seq += 1;
        current.handler = Some((kind, started_at));
        HandlerGuard { gauges: Arc::clone(self), seq: current.seq, started_at }
    }

    /// A new incarnation handles nothing yet, whatever a zombie before it is still at.
    pub(crate) fn renew(&self) {
        lock(&self.current).handler = None;
    }

    fn progressed_at(&self, now: Instant) {
        let since_born = nanos(now.saturating_duration_since(self.born));
        self.progress_ns.fetch_max(since_born.saturating_add(1), Relaxed);
    }

    fn since_progress(&self, now: Instant) -> Option<Duration> {
        let at_ns = self.progress_ns.load(Relaxed).checked_sub(1)?;
        Some(now.saturating_duration_since(self.born + Duration::from_nanos(at_ns)))
    }

    fn end(&self, seq: u64, started_at: Instant) {
        let now = Instant::now();
        let mut current = lock(&self.current);
        // A zombie's late end must not wipe out what its successor is doing.
        if current.seq == seq {
            current.handler = None;
        }
        drop(current);
        self.busy_ns.fetch_add(nanos(now.saturating_duration_since(started_at)), Relaxed);
        self.messages_total.fetch_add(1, Relaxed);
        self.progressed_at(now);
    }
}

/// One place in a mailbox: counted from its making until it is dropped, wherever that happens.
#[derive(Debug)]
pub(crate) struct MailboxPlace(Arc<Gauges>);

impl Drop for MailboxPlace {
    fn drop(&mut self) {
        self.0.mailbox.fetch_sub(1, Relaxed);
    }
}

/// Marks that a handler runs, until it is dropped.
#[derive(Debug)]
pub(crate) struct HandlerGuard {
    gauges: Arc<Gauges>,
    seq: u64,
    started_at: Instant,
}

impl Drop for HandlerGuard {
    fn drop(&mut self) {
        self.gauges.end(self.seq, self.started_at);
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::Gauges;

    #[tokio::test(start_paused = true)]
    async fn a_handler_is_seen_while_it_runs_and_counted_when_it_ends() {
        let gauges = Arc::new(Gauges::default());
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
        let gauges = Arc::new(Gauges::default());
        let _zombie = gauges.begin("stuck");
        gauges.renew();
        assert_eq!(gauges.current(Instant::now()), None);
    }

    #[test]
    fn the_late_end_of_a_zombie_does_not_hide_its_successor() {
        let gauges = Arc::new(Gauges::default());
        let zombie = gauges.begin("stuck");
        let _successor = gauges.begin("fresh");
        drop(zombie);
        assert_eq!(gauges.current(Instant::now()).expect("the successor runs").kind, "fresh");
    }
}

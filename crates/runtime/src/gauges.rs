//! What can be seen of one actor from outside, without asking it.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::envelope::TraceContext;
use crate::exit::ExitReason;
use crate::mailbox::Mailbox;
use crate::sync::lock;
use crate::work::Common;

/// Measures one actor over all its incarnations; any thread may read it at any time.
#[derive(Debug, Default)]
pub struct Gauges {
    common: OnceLock<Arc<Common>>,
    present: Mutex<Present>,
    last_error: Mutex<Option<Noted>>,
}

/// What went wrong last; a text only when somebody reads it.
#[derive(Debug)]
struct Noted {
    what: What,
    at: Instant,
    trace: Option<TraceContext>,
}

#[derive(Debug)]
enum What {
    Said(String),
    Ended(ExitReason),
}

/// The incarnation that was reached last, which counts without a lock, and what those before it have done.
#[derive(Debug, Default)]
struct Present {
    mailbox: Option<Arc<Mailbox>>,
    seq: u64,
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
    /// How long it has been at it. Up to 16 messages that were waiting and await nothing share one look at the clock:
    /// the time of those before it counts as well.
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
        let last_error = lock(&self.last_error).as_ref().map(Noted::read);
        let present = lock(&self.present);
        let current = present.current(now);
        let done = present.done();
        GaugesReading {
            mailbox: present.waiting(),
            messages_total: done.messages_total,
            busy: done.busy + current.map_or(Duration::ZERO, |handling| handling.elapsed),
            current,
            since_progress: done.progress.map(|at| now.saturating_duration_since(at)),
            last_error,
        }
    }

    /// Returns the number of messages that were sent to the present incarnation and not yet taken out.
    #[must_use]
    pub fn mailbox(&self) -> u64 {
        lock(&self.present).waiting()
    }

    /// Returns what the actor is doing at `now`; this is what a watchdog looks at.
    #[must_use]
    pub fn current(&self, now: Instant) -> Option<Handling> {
        lock(&self.present).current(now)
    }

    /// Notes that the actor got on with its work.
    pub fn progress(&self) {
        let mut present = lock(&self.present);
        match &present.mailbox {
            Some(mailbox) => mailbox.work().progress(),
            None => present.progress = Some(Instant::now()),
        }
    }

    /// Notes an error that did not end the actor.
    pub fn error(&self, message: impl Into<String>, trace: Option<TraceContext>) {
        self.note(Noted { what: What::Said(message.into()), at: Instant::now(), trace });
    }

    /// Notes the failure that ends an incarnation.
    pub(crate) fn failed(&self, reason: ExitReason, at: Instant, trace: Option<TraceContext>) {
        self.note(Noted { what: What::Ended(reason), at, trace });
    }

    fn note(&self, noted: Noted) {
        *lock(&self.last_error) = Some(noted);
    }

    /// Returns what all incarnations measure with.
    pub(crate) fn common(&self) -> Arc<Common> {
        // Not before the first one, so that it has the clock of its runtime.
        Arc::clone(self.common.get_or_init(Arc::default))
    }

    /// Looks at this incarnation from now on. What a zombie before it is still at is its own affair, and so is when
    /// that ends.
    pub(crate) fn watch(&self, mailbox: Arc<Mailbox>) {
        let mut present = lock(&self.present);
        let done = present.done();
        mailbox.work().go_on_from(done.seq);
        *present = Present { mailbox: Some(mailbox), ..done };
    }
}

impl Noted {
    fn read(&self) -> LastError {
        let message = match &self.what {
            What::Said(message) => message.clone(),
            What::Ended(reason) => reason.to_string(),
        };
        LastError { message, at: self.at, trace: self.trace }
    }
}

impl Present {
    fn waiting(&self) -> u64 {
        self.open().map_or(0, Mailbox::waiting)
    }

    /// Returns the mailbox, unless its incarnation is gone.
    fn open(&self) -> Option<&Mailbox> {
        self.mailbox.as_deref().filter(|mailbox| mailbox.is_open())
    }

    fn current(&self, now: Instant) -> Option<Handling> {
        let (kind, seq, began) = self.open()?.work().current()?;
        Some(Handling { kind, seq, elapsed: now.saturating_duration_since(began) })
    }

    /// Returns what all incarnations have done.
    fn done(&self) -> Self {
        let before = || Self { mailbox: None, ..*self };
        let Some(mailbox) = &self.mailbox else { return before() };
        let work = mailbox.work();
        Self {
            seq: work.seq(),
            messages_total: self.messages_total + work.messages_total(),
            busy: self.busy + work.busy(),
            progress: work.last_progress().or(self.progress),
            ..before()
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::work::Known;

    fn watched() -> (Gauges, Arc<Mailbox>) {
        let (gauges, mailbox) = (Gauges::default(), Arc::new(Mailbox::new(Arc::default())));
        gauges.watch(Arc::clone(&mailbox));
        (gauges, mailbox)
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_is_seen_while_it_runs_and_counted_when_it_ends() {
        let (gauges, mailbox) = watched();
        let mut known = Known::default();
        let guard = mailbox.begin("poll", &mut known);
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

    #[tokio::test(start_paused = true)]
    async fn what_is_counted_goes_on_in_the_next_incarnation() {
        let (gauges, mailbox) = watched();
        let mut known = Known::default();
        let guard = mailbox.begin("poll", &mut known);
        advance(Duration::from_secs(3)).await;
        drop(guard);
        mailbox.close();
        let next = Arc::new(Mailbox::new(Arc::default()));
        gauges.watch(Arc::clone(&next));
        let mut known = Known::default();
        let _running = next.begin("poll", &mut known);
        advance(Duration::from_secs(1)).await;
        let reading = gauges.read(Instant::now());
        assert_eq!((reading.messages_total, reading.busy.as_secs()), (1, 4));
        assert_eq!(reading.current.map(|handling| handling.seq), Some(2));
        assert_eq!(reading.since_progress, Some(Duration::from_secs(1)));
    }

    #[test]
    fn what_a_zombie_is_still_at_is_not_shown_as_the_work_of_its_successor() {
        let (gauges, mailbox) = watched();
        let mut known = Known::default();
        let _zombie = mailbox.begin("stuck", &mut known);
        gauges.watch(Arc::new(Mailbox::new(Arc::default())));
        assert_eq!(gauges.current(Instant::now()), None);
    }

    #[test]
    fn the_late_end_of_a_zombie_does_not_hide_its_successor() {
        let (gauges, mailbox) = watched();
        let mut known = Known::default();
        let zombie = mailbox.begin("stuck", &mut known);
        let next = Arc::new(Mailbox::new(Arc::default()));
        gauges.watch(Arc::clone(&next));
        let mut known = Known::default();
        let _successor = next.begin("fresh", &mut known);
        drop(zombie);
        assert_eq!(gauges.current(Instant::now()).expect("the successor runs").kind, "fresh");
    }
}

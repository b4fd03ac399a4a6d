//! What one incarnation of an actor does and has done: written by it alone, and read by anyone without a lock.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::time::Duration;

use tokio::time::Instant;

use crate::sync::lock;

/// What one incarnation does and has done. Times are nanoseconds since `base`.
#[derive(Debug)]
pub(crate) struct Work {
    base: Instant,
    /// The number of the last message.
    seq: AtomicU64,
    /// The number of the message that is being handled and, in the last byte, its kind; 0 is none.
    current: AtomicU64,
    /// When it began.
    began_ns: AtomicU64,
    /// When the one before ended, as far as this one was waiting then.
    follows_ns: AtomicU64,
    /// When it last got on.
    progress_ns: AtomicU64,
    messages_total: AtomicU64,
    busy_ns: AtomicU64,
    /// The kinds by their numbers, from 1.
    kinds: Mutex<Vec<&'static str>>,
}

/// No instant.
const NEVER: u64 = u64::MAX;
/// A number of a kind fits into a byte; more kinds than that are shown as the last one.
const KINDS: usize = 255;

/// The kinds that an incarnation knows the numbers of, by their addresses: without a lock and without comparing texts.
pub(crate) type Known = Vec<&'static str>;

impl Default for Work {
    fn default() -> Self {
        Self {
            base: Instant::now(),
            seq: AtomicU64::new(0),
            current: AtomicU64::new(0),
            began_ns: AtomicU64::new(0),
            follows_ns: AtomicU64::new(NEVER),
            progress_ns: AtomicU64::new(NEVER),
            messages_total: AtomicU64::new(0),
            busy_ns: AtomicU64::new(0),
            kinds: Mutex::default(),
        }
    }
}

impl Work {
    /// Goes on counting where another incarnation was.
    pub(crate) fn go_on_from(&self, seq: u64) {
        self.seq.store(seq, Relaxed);
    }

    /// Returns the number of the last message.
    pub(crate) fn seq(&self) -> u64 {
        self.seq.load(Relaxed)
    }

    /// Begins a message. One that was waiting when the one before ended began then, so that the clock is read once for
    /// each.
    pub(crate) fn begin(&self, kind: &'static str, known: &mut Known) {
        let follows_ns = self.follows_ns.load(Relaxed);
        let began_ns = if follows_ns == NEVER { self.since_base(Instant::now()) } else { follows_ns };
        let seq = self.seq.load(Relaxed) + 1;
        self.seq.store(seq, Relaxed);
        // Whoever sees this instant sees that the message before is over, and looks again.
        self.began_ns.store(began_ns, Release);
        self.current.store((seq << 8) | self.number(kind, known), Release);
    }

    /// Ends the message; `others_wait` says that another one has its turn at once.
    pub(crate) fn end(&self, others_wait: bool) {
        let ended_ns = self.since_base(Instant::now());
        self.current.store(0, Relaxed);
        self.follows_ns.store(if others_wait { ended_ns } else { NEVER }, Relaxed);
        self.progress_ns.store(ended_ns, Relaxed);
        add(&self.busy_ns, ended_ns.saturating_sub(self.began_ns.load(Relaxed)));
        add(&self.messages_total, 1);
    }

    /// Notes that it got on.
    pub(crate) fn progress(&self) {
        self.progress_ns.store(self.since_base(Instant::now()), Relaxed);
    }

    /// Returns the kind and the number of the message that is being handled, and when it began.
    pub(crate) fn current(&self) -> Option<(&'static str, u64, Instant)> {
        let (current, began_ns) = loop {
            let current = self.current.load(Acquire);
            let began_ns = self.began_ns.load(Acquire);
            if self.current.load(Relaxed) == current {
                break (current, began_ns);
            }
        };
        let place = usize::try_from(current & 0xff).ok()?.checked_sub(1)?;
        let kind = lock(&self.kinds).get(place).copied()?;
        Some((kind, current >> 8, self.base + Duration::from_nanos(began_ns)))
    }

    pub(crate) fn messages_total(&self) -> u64 {
        self.messages_total.load(Relaxed)
    }

    /// Returns the time that was spent on the messages that are over.
    pub(crate) fn busy(&self) -> Duration {
        Duration::from_nanos(self.busy_ns.load(Relaxed))
    }

    pub(crate) fn last_progress(&self) -> Option<Instant> {
        let progress_ns = self.progress_ns.load(Relaxed);
        (progress_ns != NEVER).then(|| self.base + Duration::from_nanos(progress_ns))
    }

    fn number(&self, kind: &'static str, known: &mut Known) -> u64 {
        let found = known.iter().position(|known| std::ptr::eq(*known, kind));
        let place = found.unwrap_or_else(|| {
            let mut kinds = lock(&self.kinds);
            if kinds.len() < KINDS {
                kinds.push(kind);
                known.push(kind);
            }
            kinds.len() - 1
        });
        place as u64 + 1
    }

    fn since_base(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.base).as_nanos()).unwrap_or(NEVER - 1)
    }
}

/// Adds to a number that only one writes.
fn add(number: &AtomicU64, more: u64) {
    number.store(number.load(Relaxed) + more, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_kinds_than_have_numbers_are_shown_as_the_last_one() {
        let (work, mut known) = (Work::default(), Known::new());
        let texts: Vec<&'static str> =
            (0..300).map(|n| &*Box::leak(n.to_string().into_boxed_str())).collect();
        for text in &texts {
            work.begin(text, &mut known);
        }
        assert_eq!(work.current().map(|(kind, seq, _)| (kind, seq)), Some(("254", 300)));
        work.begin(texts[7], &mut known);
        assert_eq!(work.current().map(|(kind, ..)| kind), Some("7"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_was_waiting_begins_as_the_one_before_ends() {
        let (work, mut known) = (Work::default(), Known::new());
        let second = Duration::from_secs(1);
        for others_wait in [true, false] {
            work.begin("poll", &mut known);
            tokio::time::advance(second).await;
            work.end(others_wait);
            tokio::time::advance(second).await;
        }
        assert_eq!((work.messages_total(), work.busy()), (2, 3 * second), "it counts from its turn on");
        work.begin("poll", &mut known);
        let began = work.current().map(|(.., began)| began.elapsed());
        assert_eq!(began, Some(Duration::ZERO), "nobody was waiting");
    }
}

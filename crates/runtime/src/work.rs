//! What one incarnation of an actor does and has done: written by it alone, and read by anyone without a lock.

use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::sync::lock;

/// What one incarnation does and has done. Times are nanoseconds since the base that it has in common with others.
#[derive(Debug)]
pub(crate) struct Work {
    common: Arc<Common>,
    /// The number of the last message.
    seq: AtomicU64,
    /// The number of the message that is being handled and, in the last byte, its kind; 0 is none.
    current: AtomicU64,
    /// When it began, or the row that it is in.
    began_ns: AtomicU64,
    /// When it last got on.
    progress_ns: AtomicU64,
    messages_total: AtomicU64,
    busy_ns: AtomicU64,
}

/// What all incarnations of an actor measure with.
#[derive(Debug)]
pub(crate) struct Common {
    base: Instant,
    kinds: Kinds,
}

/// The kinds of messages by their places. Most actors have few, and to find these takes no lock.
#[derive(Debug, Default)]
struct Kinds {
    few: [OnceLock<&'static str>; 16],
    more: Mutex<Vec<&'static str>>,
}

/// No instant.
const NEVER: u64 = u64::MAX;
/// A number of a kind fits into a byte; more kinds than that are shown as the last one.
const KINDS: usize = 255;
/// A look at the clock costs more than all else that is measured. So many messages that were waiting and are handled
/// without an await share one: to the last of them the time of the others is added, as long as it runs.
const ROW: u32 = 16;

/// What an incarnation knows of its work without reading what it shares with others.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The end of the message before, as far as the next one was waiting then.
    follows_ns: Option<u64>,
    /// So many messages may still end before the clock is read.
    row: u32,
    /// So many messages were sent when it last looked.
    pub(crate) sent: u64,
}

/// Says how a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Somehow, by now.
    Now,
    /// At an instant that is known already.
    At(Instant),
    /// It is through without having awaited anything.
    AtOnce,
}

impl Default for Common {
    fn default() -> Self {
        Self { base: Instant::now(), kinds: Kinds::default() }
    }
}

impl Work {
    /// Begins at nothing.
    pub(crate) fn new(common: Arc<Common>) -> Self {
        Self {
            common,
            seq: AtomicU64::new(0),
            current: AtomicU64::new(0),
            began_ns: AtomicU64::new(0),
            progress_ns: AtomicU64::new(NEVER),
            messages_total: AtomicU64::new(0),
            busy_ns: AtomicU64::new(0),
        }
    }

    /// Goes on counting where another incarnation was.
    pub(crate) fn go_on_from(&self, seq: u64) {
        self.seq.store(seq, Relaxed);
    }

    /// Returns the number of the last message.
    pub(crate) fn seq(&self) -> u64 {
        self.seq.load(Relaxed)
    }

    /// Begins a message. One that was waiting when the one before ended began then.
    pub(crate) fn begin(&self, kind: &'static str, known: &mut Known) {
        let began_ns = known.follows_ns.unwrap_or_else(|| self.since_base(Instant::now()));
        let seq = self.seq.load(Relaxed) + 1;
        self.seq.store(seq, Relaxed);
        // Whoever sees this instant sees that the message before is over, and looks again.
        self.began_ns.store(began_ns, Release);
        self.current.store((seq << 8) | (self.common.kinds.place(kind) as u64 + 1), Release);
    }

    /// Ends the message; `others_wait` says that another one has its turn at once.
    pub(crate) fn end(&self, known: &mut Known, others_wait: bool, end: End) {
        self.current.store(0, Relaxed);
        add(&self.messages_total, 1);
        let in_row = others_wait && end == End::AtOnce;
        if in_row && known.row > 0 {
            known.row -= 1;
            return;
        }
        let ended_at = if let End::At(ended_at) = end { ended_at } else { Instant::now() };
        let ended_ns = self.since_base(ended_at);
        known.row = if in_row { ROW - 1 } else { 0 };
        known.follows_ns = others_wait.then_some(ended_ns);
        self.progress_ns.store(ended_ns, Relaxed);
        add(&self.busy_ns, ended_ns.saturating_sub(self.began_ns.load(Relaxed)));
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
        let kind = self.common.kinds.get(place)?;
        Some((kind, current >> 8, self.common.base + Duration::from_nanos(began_ns)))
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
        (progress_ns != NEVER).then(|| self.common.base + Duration::from_nanos(progress_ns))
    }

    fn since_base(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.common.base).as_nanos()).unwrap_or(NEVER - 1)
    }
}

impl Kinds {
    fn get(&self, place: usize) -> Option<&'static str> {
        match self.few.get(place) {
            Some(kind) => kind.get().copied(),
            None => lock(&self.more).get(place - self.few.len()).copied(),
        }
    }

    /// Finds the place of a kind by its address, without comparing texts, or gives it one.
    fn place(&self, kind: &'static str) -> usize {
        let few = self.few.iter().position(|place| std::ptr::eq(*place.get_or_init(|| kind), kind));
        few.unwrap_or_else(|| self.few.len() + self.place_of_more(kind))
    }

    fn place_of_more(&self, kind: &'static str) -> usize {
        let mut more = lock(&self.more);
        let found = more.iter().position(|other| std::ptr::eq(*other, kind));
        found.unwrap_or_else(|| {
            if self.few.len() + more.len() < KINDS {
                more.push(kind);
            }
            more.len() - 1
        })
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
        let (work, mut known) = (Work::new(Arc::default()), Known::default());
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
        let (work, mut known) = (Work::new(Arc::default()), Known::default());
        let second = Duration::from_secs(1);
        for others_wait in [true, false] {
            work.begin("poll", &mut known);
            tokio::time::advance(second).await;
            work.end(&mut known, others_wait, End::Now);
            tokio::time::advance(second).await;
        }
        assert_eq!((work.messages_total(), work.busy()), (2, 3 * second), "it counts from its turn on");
        work.begin("poll", &mut known);
        let began = work.current().map(|(.., began)| began.elapsed());
        assert_eq!(began, Some(Duration::ZERO), "nobody was waiting");
    }

    #[tokio::test(start_paused = true)]
    async fn messages_in_a_row_share_looks_at_the_clock_and_lose_no_time() {
        let (work, mut known) = (Work::new(Arc::default()), Known::default());
        let second = Duration::from_secs(1);
        let mut began = Vec::new();
        for n in 1..=2 * ROW + 1 {
            work.begin("poll", &mut known);
            began.extend(work.current().map(|(.., began)| began.elapsed().as_secs()));
            tokio::time::advance(second).await;
            work.end(&mut known, n <= 2 * ROW, End::AtOnce);
        }
        let row: Vec<u64> = (0..u64::from(ROW)).collect();
        assert_eq!(began, [&[0], &row[..], &row[..]].concat(), "no row is longer than that");
        assert_eq!(work.busy(), (2 * ROW + 1) * second);
        assert_eq!(work.last_progress().map(|at| at.elapsed()), Some(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_awaits_ends_the_row() {
        let (work, mut known) = (Work::new(Arc::default()), Known::default());
        let second = Duration::from_secs(1);
        for end in [End::AtOnce, End::AtOnce, End::Now, End::AtOnce] {
            work.begin("poll", &mut known);
            tokio::time::advance(second).await;
            work.end(&mut known, true, end);
        }
        assert_eq!(work.busy(), 4 * second, "so is the one behind it");
    }
}

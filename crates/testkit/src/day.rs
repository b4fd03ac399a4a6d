//! A simulated day: every decision is `domain::decide`'s, and a slot is a list of calls that take their time. It plays 24
//! hours of many thousand tasks in a second; the whole tree plays some hours of the same in `tests/world/pacing.rs`.

mod ledger;
mod load;
mod slots;

use std::collections::{BTreeSet, VecDeque};

use glitchlab_domain::ledger::Terms;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::pacing::Flow;
use glitchlab_domain::reason::{Reason, Wait, Window};

use self::ledger::Ledger;
pub use self::load::Shape;
use self::load::{Chance, Work};
use self::slots::Slot;

/// An hour, in ms.
pub const HOUR_MS: i64 = 3_600_000;

/// What a day is played with.
#[derive(Clone, Debug)]
pub struct Day {
    /// What tasks, costs and times are drawn from.
    pub seed: u64,
    /// When how much work arrives.
    pub shape: Shape,
    /// The cap of a rolling hour.
    pub per_hour: MicroUsd,
    /// The cap of a rolling day.
    pub per_day: MicroUsd,
    /// How admission is spread.
    pub terms: Terms,
    /// Tasks at once.
    pub slots: usize,
    /// How long it is, in ms.
    pub length_ms: i64,
    /// Holds are so many hundredths of the mean cost that was learned: 100 is unbiased.
    pub hold_percent: i64,
}

/// What happened in a day.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// The provider's own account: when how much was billed, in ms since the begin and micro-dollars.
    pub bills: Vec<(i64, i64)>,
    /// Every admission: when, the hold, and what all admissions so far hold or have cost, in micro-dollars.
    pub admitted: Vec<(i64, i64, i64)>,
    /// Tasks that waited somewhere, at each full minute.
    pub waiting: Vec<(i64, usize)>,
    /// How many waits were told.
    pub waits: u64,
    /// Waits that had neither an instant nor an open reservation that ends them.
    pub endless: Vec<Wait>,
    /// Tasks that were done.
    pub done: u64,
    /// The largest hold.
    pub largest_hold: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// The call of a slot is answered.
    Answer(usize),
    /// New work.
    Arrive,
    /// Somebody who waited asks again.
    Look,
}

/// Plays a day.
#[must_use]
pub fn play(day: &Day) -> Played {
    let mut game = Game::new(day);
    game.at(0, What::Arrive);
    while let Some((now_ms, what)) = game.events.pop_first() {
        if now_ms >= day.length_ms {
            break;
        }
        game.now_ms = now_ms;
        match what {
            What::Answer(slot) => game.answer(slot),
            What::Arrive => game.arrive(),
            What::Look => {}
        }
        game.look();
    }
    game.played
}

struct Game<'a> {
    day: &'a Day,
    chance: Chance,
    ledger: Ledger,
    slots: Vec<Slot>,
    queue: VecDeque<(String, Work)>,
    /// A set: to look twice at the same instant shows nothing new.
    events: BTreeSet<(i64, What)>,
    now_ms: i64,
    made: u32,
    /// What running attempts hold and ended ones have cost.
    committed: i64,
    played: Played,
}

impl<'a> Game<'a> {
    fn new(day: &'a Day) -> Self {
        Self {
            day,
            chance: Chance::new(day.seed),
            ledger: Ledger::new(day),
            slots: (0..day.slots).map(|_| Slot::default()).collect(),
            queue: VecDeque::new(),
            events: BTreeSet::new(),
            now_ms: 0,
            made: 0,
            committed: 0,
            played: Played::default(),
        }
    }

    fn at(&mut self, at_ms: i64, what: What) {
        self.events.insert((at_ms, what));
    }

    /// Work arrives at each full minute.
    fn arrive(&mut self) {
        let (work, now_ms) =
            (self.day.shape.arrivals(self.now_ms, self.queue.len(), &mut self.chance), self.now_ms);
        for work in work {
            self.made += 1;
            let task = format!("t{}", self.made);
            self.ledger.add_task(&task, now_ms);
            self.queue.push_back((task, work));
        }
        self.played.waiting.push((now_ms, self.queue.len()));
        self.at(now_ms + 60_000, What::Arrive);
    }

    /// Whoever may have been waiting asks again: running attempts for their next call, then the queue in its order.
    fn look(&mut self) {
        for slot in 0..self.slots.len() {
            if self.slots[slot].wants_money() {
                self.ask(slot);
            }
        }
        self.admit();
    }

    fn ask(&mut self, slot: usize) {
        let Some((attempt, call_no, call)) = self.slots[slot].next_call() else { return };
        match self.ledger.reserve(&attempt, call_no, call.bound_micro, self.now_ms) {
            None => {
                self.slots[slot].asks();
                self.at(self.now_ms + call.takes_ms, What::Answer(slot));
            }
            Some(wait) => self.waits(&wait),
        }
    }

    fn answer(&mut self, slot: usize) {
        let now_ms = self.now_ms;
        let Some((attempt, call_no, call)) = self.slots[slot].answered() else { return };
        self.played.bills.push((now_ms, call.cost_micro));
        self.ledger.settle(&attempt, call_no, call.cost_micro, now_ms);
        if let Some(ended) = self.slots[slot].ended() {
            self.committed += ended.cost_micro - ended.hold_micro;
            self.ledger.finish(&ended.attempt, now_ms, self.day.hold_percent);
            self.played.done += 1;
        }
    }

    /// Offers as many tasks as there are free slots, in order, each with the one before it.
    fn admit(&mut self) {
        let free: Vec<usize> = (0..self.slots.len()).filter(|slot| self.slots[*slot].is_free()).collect();
        let offers: Vec<String> = self.queue.iter().take(free.len()).map(|(task, _)| task.clone()).collect();
        let (mut ahead, mut free) = (None, free.into_iter());
        for task in offers {
            match self.ledger.claim(&task, ahead.as_deref(), self.now_ms) {
                Ok(hold_micro) => {
                    let (task, work) = self.queue.pop_front().expect("it was just offered");
                    self.started(hold_micro);
                    let slot = free.next().expect("no more is offered than there are free slots");
                    self.slots[slot].start(task, work, hold_micro);
                    self.ask(slot);
                }
                Err(wait) => {
                    self.waits(&wait);
                    ahead = Some(task);
                }
            }
        }
    }

    fn started(&mut self, hold_micro: i64) {
        self.committed += hold_micro;
        self.played.largest_hold = self.played.largest_hold.max(hold_micro);
        self.played.admitted.push((self.now_ms, hold_micro, self.committed));
    }

    /// A wait ends at its instant; without one, at the next answer.
    fn waits(&mut self, wait: &Wait) {
        self.played.waits += 1;
        match wait.until_ms {
            Some(until_ms) => self.at(self.ledger.of_ledger(until_ms).max(self.now_ms + 1), What::Look),
            None if matches!(wait.reason, Reason::AfterSettlement { .. })
                && self.ledger.is_anything_open() => {}
            None => self.played.endless.push(wait.clone()),
        }
    }
}

impl Day {
    /// A day at $5 an hour, with four slots and unbiased holds, in which only the hour limits.
    #[must_use]
    pub fn ordinary(shape: Shape, seed: u64) -> Self {
        Self {
            seed,
            shape,
            per_hour: MicroUsd::new(5_000_000),
            per_day: MicroUsd::new(120_000_000),
            terms: Terms::default(),
            slots: 4,
            length_ms: 24 * HOUR_MS,
            hold_percent: 100,
        }
    }

    /// Returns how fast admission may approach the caps.
    #[must_use]
    pub fn flow(&self) -> Flow {
        Flow::of(self.terms.spread, self.per_hour, self.per_day)
    }
}

impl Played {
    /// Returns the most that was billed within any rolling window, in micro-dollars.
    #[must_use]
    pub fn most_within(&self, window: Window) -> i64 {
        let (mut first, mut sum, mut most) = (0, 0, 0);
        for (at_ms, micro) in &self.bills {
            sum += micro;
            while self.bills[first].0 <= at_ms - window.length_ms() {
                sum -= self.bills[first].1;
                first += 1;
            }
            most = most.max(sum);
        }
        most
    }

    /// Returns what was billed in each hour, in micro-dollars.
    #[must_use]
    pub fn by_hour(&self, day: &Day) -> Vec<i64> {
        let hours = usize::try_from(day.length_ms / HOUR_MS).unwrap_or(0);
        let mut sums = vec![0; hours];
        for (at_ms, micro) in &self.bills {
            if let Some(sum) = usize::try_from(at_ms / HOUR_MS).ok().and_then(|hour| sums.get_mut(hour)) {
                *sum += micro;
            }
        }
        sums
    }

    /// Returns the most that was held or spent at an admission beyond what had flowed in by then, in micro-dollars: it is at
    /// most the bucket and one hold.
    #[must_use]
    pub fn most_above_inflow(&self, day: &Day) -> i64 {
        let flow = day.flow();
        let inflow =
            |at_ms: i64| i128::from(flow.cap.micro()) * i128::from(at_ms) / i128::from(flow.window_ms);
        let above = self.admitted.iter().map(|(at_ms, _, committed)| i128::from(*committed) - inflow(*at_ms));
        above.max().and_then(|most| i64::try_from(most).ok()).unwrap_or(0)
    }
}

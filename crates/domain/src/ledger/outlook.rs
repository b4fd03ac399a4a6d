//! When tasks would be admitted one after the other, by ledgers as they are now.

use super::{Departures, Head};
use crate::money::MicroUsd;
use crate::pacing::Spread;

/// A ledger under other caps and another spread, as a start would set them.
#[derive(Clone, Debug)]
pub struct Prospect {
    head: Head,
    /// What a task is expected to cost.
    hold: MicroUsd,
    /// When the caps have room for it, ms UTC.
    free_ms: i64,
}

impl Prospect {
    /// Looks at a ledger; one that is not there yet is empty. `usual` is what a task is expected to cost until the ledger
    /// knows better of the repository.
    #[must_use]
    pub fn of(
        (mut head, departures): (Head, Departures),
        (cap_hour, cap_day): (MicroUsd, MicroUsd),
        spread: Spread,
        (repo_id, usual): (&str, MicroUsd),
        now_ms: i64,
    ) -> Self {
        head.bucket = head.bucket.spread_over(spread, head.flow(), now_ms);
        (head.cap_hour, head.cap_day) = (cap_hour, cap_day);
        let hold = head.costs.expected(repo_id, None).unwrap_or(usual);
        let free_ms = head.cap_wait(hold, &departures).and_then(|wait| wait.until_ms);
        Self { head, hold, free_ms: free_ms.unwrap_or(now_ms) }
    }

    /// Returns what a task is expected to cost.
    #[must_use]
    pub const fn hold(&self) -> MicroUsd {
        self.hold
    }

    fn next(&self, at_ms: i64) -> i64 {
        let paced_ms = self.head.bucket.wait_for(self.head.flow(), self.hold, at_ms);
        paced_ms.unwrap_or(at_ms).max(self.free_ms)
    }

    fn take(&mut self, at_ms: i64) {
        self.head.bucket = self.head.bucket.take(self.head.flow(), self.hold, at_ms);
    }
}

/// Says when one task after the other is admitted by all of these ledgers, ms UTC, if each costs what is expected and a
/// slot is free.
pub fn admissions(mut ledgers: Vec<Prospect>, now_ms: i64) -> impl Iterator<Item = i64> {
    let mut at_ms = now_ms;
    std::iter::repeat_with(move || {
        at_ms = ledgers.iter().map(|ledger| ledger.next(at_ms)).max().unwrap_or(at_ms);
        ledgers.iter_mut().for_each(|ledger| ledger.take(at_ms));
        at_ms
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tokens;

    const NOW_MS: i64 = 1_700_000_000_000;
    const HOUR_MS: i64 = 3_600_000;

    fn prospect(ledger: (Head, Departures), cap: i64, hold: i64) -> Prospect {
        let caps = (MicroUsd::new(cap), MicroUsd::new(cap * 8));
        Prospect::of(ledger, caps, Spread::Hour, ("repo", MicroUsd::new(hold)), NOW_MS)
    }

    fn first<const N: usize>(ledgers: Vec<Prospect>) -> [i64; N] {
        let mut all = admissions(ledgers, NOW_MS).map(|at| (at - NOW_MS) / 1_000);
        std::array::from_fn(|_| all.next().expect("there is no end of them"))
    }

    #[test]
    fn a_ledger_that_was_never_used_admits_at_once_what_its_bucket_holds_and_then_at_its_rate() {
        let empty = prospect(Default::default(), 1_000, 50);
        assert_eq!(first([empty].into()), [0, 0, 180, 360]);
    }

    #[test]
    fn what_is_spent_is_waited_out_and_the_tightest_ledger_decides() {
        let spent = MicroUsd::new(1_000);
        let used = Head { sum_hour: spent, sum_day: spent, ..Head::default() };
        let leaves = vec![(NOW_MS - HOUR_MS / 2, spent)];
        let departures = Departures { hour: leaves.clone(), day: leaves };
        let money = prospect((used, departures), 1_000, 50);
        assert_eq!(first([money.clone()].into()), [1_800, 1_800, 1_980]);
        let tight = prospect(Default::default(), 100, tokens(50).micro());
        let [_, second] = first([money, tight].into());
        assert!(second > 1_800, "the other one has room for one task alone: {second}");
    }
}

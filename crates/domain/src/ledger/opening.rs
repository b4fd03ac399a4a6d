//! The totals of a ledger that is opened after calls were made: what they used counts from the first moment, and what
//! they still may use is set aside.

use super::{Head, Unit, counted, tokens};
use crate::money::MicroUsd;
use crate::rows::CallRow;

impl Head {
    /// Sums up the calls that were made before a ledger is opened, as of `now_ms`.
    #[must_use]
    pub fn summed_up<'a>(scope: &str, calls: impl Iterator<Item = &'a CallRow>, now_ms: i64) -> Self {
        let mut head = Self::unopened(scope, now_ms);
        for call in calls.filter(|call| call.scope == counted(scope).0) {
            head.take_in(call, false, false);
        }
        head
    }

    /// Returns a head of no calls and without caps, whose tails are a window before `now_ms`.
    #[must_use]
    pub fn unopened(scope: &str, now_ms: i64) -> Self {
        let mut head = Self::new(scope, MicroUsd::ZERO, MicroUsd::ZERO);
        head.advance(now_ms, MicroUsd::ZERO, MicroUsd::ZERO);
        head
    }

    /// Counts a call as it is now; it is known already when it was open, and for good once it is settled.
    pub(crate) fn take_in(&mut self, call: &CallRow, was_known: bool, was_settled: bool) {
        let (bound, charged) = call.amounts(self.unit());
        if !was_known {
            self.reserved += bound;
        }
        let (Some(charged), Some(at_ms), false) = (charged, call.settled_ms, was_settled) else { return };
        self.reserved = self.reserved - bound;
        self.settled_total += charged;
        if at_ms > self.tail_hour_ms {
            self.sum_hour += charged;
        }
        if at_ms > self.tail_day_ms {
            self.sum_day += charged;
        }
    }
}

impl CallRow {
    /// Returns what it may cost at most and, once it is settled, what it is charged, as a ledger of `unit` counts it.
    #[must_use]
    pub fn amounts(&self, unit: Unit) -> (MicroUsd, Option<MicroUsd>) {
        match unit {
            Unit::Money => (self.bound, self.actual),
            Unit::Tokens => (tokens(self.bound_tokens), self.charged_tokens().map(tokens)),
        }
    }
}

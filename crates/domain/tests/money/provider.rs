//! The provider's own account: what was really spent and used, and when, kept apart from our ledger.

use glitchlab_domain::id::{TaskKey, TryKey};
use glitchlab_domain::ledger::Unit;
use glitchlab_domain::reason::Window;

/// What one request was billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bill {
    pub(crate) micro: i64,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
}

impl Bill {
    fn amount(self, unit: Unit) -> i64 {
        match unit {
            Unit::Money => self.micro,
            Unit::Tokens => i64::try_from(self.input_tokens + self.output_tokens).expect("small"),
        }
    }
}

struct Spend {
    at_ms: i64,
    bill: Bill,
    key: TryKey,
    root_key: TaskKey,
}

#[derive(Default)]
pub(crate) struct Provider {
    spends: Vec<Spend>,
}

impl Provider {
    pub(crate) fn bill(&mut self, key: &TryKey, root_key: &TaskKey, bill: Bill, at_ms: i64) {
        self.spends.push(Spend { at_ms, bill, key: key.clone(), root_key: root_key.clone() });
    }

    /// The answer was back when the try was settled. A clock that was turned back between the two is read as it was
    /// when the answer came, on the ledger's side.
    pub(crate) fn answered(&mut self, key: &TryKey, settled_ms: i64) {
        for spend in self.spends.iter_mut().filter(|spend| spend.key == *key) {
            spend.at_ms = spend.at_ms.min(settled_ms);
        }
    }

    /// Returns what was spent within a window that ends now.
    pub(crate) fn spent(&self, unit: Unit, window: Window, now_ms: i64) -> i64 {
        let inside = self.spends.iter().filter(|spend| spend.at_ms > now_ms - window.length_ms());
        inside.map(|spend| spend.bill.amount(unit)).sum()
    }

    /// Returns what was ever spent on a task, its parts included.
    pub(crate) fn spent_on(&self, unit: Unit, root_key: &TaskKey) -> i64 {
        let on_it = self.spends.iter().filter(|spend| spend.root_key == *root_key);
        on_it.map(|spend| spend.bill.amount(unit)).sum()
    }

    pub(crate) fn total(&self, unit: Unit) -> i64 {
        self.spends.iter().map(|spend| spend.bill.amount(unit)).sum()
    }
}

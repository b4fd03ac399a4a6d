//! The provider's own account: what was really spent, and when, kept apart from our ledger.

use glitchlab_domain::id::TryKey;
use glitchlab_domain::reason::Window;

#[derive(Clone, Debug)]
pub(crate) struct Spend {
    pub(crate) at_ms: i64,
    pub(crate) micro: i64,
    pub(crate) key: TryKey,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Provider {
    spends: Vec<Spend>,
}

impl Provider {
    pub(crate) fn bill(&mut self, key: &TryKey, micro: i64, at_ms: i64) {
        self.spends.push(Spend { at_ms, micro, key: key.clone() });
    }

    /// The answer was back when the try was settled. A clock that was turned back between the two is read as it was
    /// when the answer came, on the ledger's side.
    pub(crate) fn answered(&mut self, key: &TryKey, settled_ms: i64) {
        for spend in self.spends.iter_mut().filter(|spend| spend.key == *key) {
            spend.at_ms = spend.at_ms.min(settled_ms);
        }
    }

    /// Returns what was spent within a window that ends now.
    pub(crate) fn spent(&self, window: Window, now_ms: i64) -> i64 {
        let inside = self.spends.iter().filter(|spend| spend.at_ms > now_ms - window.length_ms());
        inside.map(|spend| spend.micro).sum()
    }

    pub(crate) fn total(&self) -> i64 {
        self.spends.iter().map(|spend| spend.micro).sum()
    }
}

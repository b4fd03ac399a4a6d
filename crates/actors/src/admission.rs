//! The gate before all new work: closed for as long as anybody has a reason.

use std::collections::BTreeMap;

use glitchlab_domain::reason::{Reason, Wait};
use tokio::sync::watch;

/// Who may close the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keeper {
    /// The shutdown.
    Shutdown,
    /// The disk guard.
    Disk,
    /// The store's writer.
    Store,
}

/// The gate. Cheap to clone.
#[derive(Clone)]
pub struct Gate(watch::Sender<BTreeMap<Keeper, Reason>>);

impl Default for Gate {
    fn default() -> Self {
        Self(watch::Sender::new(BTreeMap::new()))
    }
}

impl Gate {
    /// Closes the gate for a reason and tells whether that changed anything.
    pub fn close(&self, keeper: Keeper, reason: Reason) -> bool {
        self.0.send_if_modified(|reasons| {
            let name = reason.name();
            reasons.insert(keeper, reason).is_none_or(|old| old.name() != name)
        })
    }

    /// Takes a keeper's reason away and tells whether there was one.
    pub fn open(&self, keeper: Keeper) -> bool {
        self.0.send_if_modified(|reasons| reasons.remove(&keeper).is_some())
    }

    /// Returns the first reason why nothing may start.
    #[must_use]
    pub fn closed(&self) -> Option<Wait> {
        self.0.borrow().values().next().map(|reason| Wait { reason: reason.clone(), until_ms: None })
    }

    /// Returns every reason but the shutdown's.
    #[must_use]
    pub fn obstacles(&self) -> Vec<Reason> {
        let reasons = self.0.borrow();
        reasons
            .iter()
            .filter(|(keeper, _)| **keeper != Keeper::Shutdown)
            .map(|(_, reason)| reason.clone())
            .collect()
    }

    /// Tells whether the engine is on its way down.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.borrow().contains_key(&Keeper::Shutdown)
    }

    /// Waits until the engine is on its way down.
    pub async fn draining(&self) {
        let mut reasons = self.0.subscribe();
        // The sender is this gate itself.
        let _ = reasons.wait_for(|reasons| reasons.contains_key(&Keeper::Shutdown)).await.is_ok();
    }
}

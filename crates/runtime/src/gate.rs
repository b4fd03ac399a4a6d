//! What senders pass on the way into a mailbox.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::sync::{Arc, Mutex};

use crate::mailbox::Mailbox;
use crate::sync::lock;

const OPEN: u8 = 0;
const HOLDS_BACK: u8 = 1;
const CLOSED: u8 = 2;

/// Lets messages through, holds them back or takes none any more.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: AtomicU8,
    held_back: Mutex<Vec<LetThrough>>,
}

/// How a message finds the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    HeldBack,
    Closed,
}

/// Puts a message that was held back where it belongs.
pub(crate) struct LetThrough(pub(crate) Box<dyn FnOnce() + Send>);

impl fmt::Debug for LetThrough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LetThrough")
    }
}

impl Gate {
    /// Returns how it is now.
    pub(crate) fn way(&self) -> Way {
        // Whoever finds it open sees that what was held back is through.
        match self.state.load(Acquire) {
            OPEN => Way::Open,
            HOLDS_BACK => Way::HeldBack,
            _closed => Way::Closed,
        }
    }

    /// Takes no message any more. One that is on its way may still get through.
    pub(crate) fn close(&self) {
        self.state.store(CLOSED, Relaxed);
    }

    fn hold_back(&self) {
        let _is_closed = self.state.compare_exchange(OPEN, HOLDS_BACK, Relaxed, Relaxed);
    }

    /// Holds a message back, if that is still done; it is made only then.
    pub(crate) fn keep(&self, message: impl FnOnce() -> LetThrough) -> Way {
        let mut held_back = lock(&self.held_back);
        // Looked at once more with the lock, under which it ends.
        let way = self.way();
        if way == Way::HeldBack {
            held_back.push(message());
        }
        way
    }

    /// Takes out what was held back; when there is nothing, nothing is held back any more.
    fn take(&self) -> Vec<LetThrough> {
        let mut held_back = lock(&self.held_back);
        if held_back.is_empty() {
            let _is_closed = self.state.compare_exchange(HOLDS_BACK, OPEN, Release, Relaxed);
        }
        std::mem::take(&mut held_back)
    }
}

/// Holds back what is sent to an incarnation that starts in a host which is up already: the host would be woken for it
/// before there is anything that it could do. Dropped before it is opened, it drops that.
pub(crate) struct HeldBack(Arc<Mailbox>);

impl HeldBack {
    /// Holds back what comes from now on.
    pub(crate) fn at(mailbox: &Arc<Mailbox>) -> Self {
        mailbox.gate().hold_back();
        Self(Arc::clone(mailbox))
    }

    /// Lets everything through, in order, and returns whether there was anything.
    pub(crate) fn open(self) -> bool {
        let mut any = false;
        loop {
            let held_back = self.0.gate().take();
            if held_back.is_empty() {
                return any;
            }
            any = true;
            held_back.into_iter().for_each(|message| (message.0)());
        }
    }
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        while !self.0.gate().take().is_empty() {}
    }
}

//! The process of a world, as its watchdog can end it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use glitchlab_actors::watchdog::{OwnProcess, Said};

use crate::tripwire::Tripwire;

/// A process that dies when its watchdog says so; the next one starts at once, unless it gave up.
pub struct Mortal {
    wire: Tripwire,
    is_replaced: AtomicBool,
}

impl Mortal {
    /// Makes the process of a world whose deaths `wire` knows.
    #[must_use]
    pub fn new(wire: &Tripwire) -> Self {
        Self { wire: wire.clone(), is_replaced: AtomicBool::new(false) }
    }
}

impl OwnProcess for Mortal {
    fn restart(&self) -> io::Error {
        self.is_replaced.store(true, Ordering::Release);
        self.wire.kill(None);
        io::Error::other("the world ends it in a moment")
    }

    fn give_up(&self, why: &str) {
        if !self.is_replaced.load(Ordering::Acquire) {
            self.wire.kill(Some(why.to_owned()));
        }
    }

    fn say(&self, _said: Said<'_>) {}
}

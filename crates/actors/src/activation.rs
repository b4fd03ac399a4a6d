//! "Look again": a message that carries nothing else, and of which at most one waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Wakes one actor. Cheap to clone; firing it a thousand times before the actor looks is one message.
#[derive(Clone)]
pub struct Activation {
    waiting: Arc<AtomicBool>,
    send: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Activation {
    /// Makes an activation that is delivered by `send`, which tells whether anybody took it.
    pub fn new(send: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { waiting: Arc::default(), send: Arc::new(send) }
    }

    /// Wakes the actor. One that is restarting looks by itself when it starts.
    pub fn fire(&self) {
        if !self.waiting.swap(true, Ordering::AcqRel) && !(self.send)() {
            self.waiting.store(false, Ordering::Release);
        }
    }

    /// Is called by the actor before it looks, so that what happens from now on wakes it again.
    pub fn taken(&self) {
        self.waiting.store(false, Ordering::Release);
    }
}

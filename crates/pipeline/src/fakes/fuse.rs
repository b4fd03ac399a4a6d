//! Where a test interrupts an attempt.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counts the points that an attempt passes, and stops it for ever at one of them. Clones share the count.
#[derive(Clone, Debug)]
pub struct Fuse {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    passed: AtomicU64,
    blows_at: u64,
    blown: Notify,
}

impl Fuse {
    /// Lets everything pass.
    #[must_use]
    pub fn never() -> Self {
        Self::at(u64::MAX)
    }

    /// Stops whoever comes to the point of this number, counted from 0.
    #[must_use]
    pub fn at(point: u64) -> Self {
        let inner = Inner { passed: AtomicU64::new(0), blows_at: point, blown: Notify::new() };
        Self { inner: Arc::new(inner) }
    }

    /// Counts the points that were passed.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.inner.passed.load(Ordering::SeqCst)
    }

    /// Resolves when somebody was stopped.
    pub async fn blown(&self) {
        self.inner.blown.notified().await;
    }

    /// Passes a point, or never comes back.
    pub async fn pass(&self) {
        if self.inner.passed.fetch_add(1, Ordering::SeqCst) >= self.inner.blows_at {
            self.inner.blown.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

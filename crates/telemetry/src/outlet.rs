//! Where finished spans go.

use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_sdk::trace::SpanData;

/// Takes finished spans to a receiver.
#[async_trait]
pub trait SpanOutlet: Send + Sync {
    /// Sends spans once; whoever calls decides whether to send them again.
    async fn send(&self, spans: Vec<SpanData>) -> Result<(), Unsent>;
}

/// Why spans were not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// The receiver cannot be reached, is busy, or is too slow: the same spans may be taken later.
    #[error("{what}")]
    Later {
        /// What happened, for people.
        what: String,
        /// How long it asks to be left alone.
        after: Option<Duration>,
    },
    /// It will not take these spans, however often they are sent.
    #[error("{0}")]
    Never(String),
}

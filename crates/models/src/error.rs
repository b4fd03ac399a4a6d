//! What a provider says instead of a reply.

use std::fmt;

/// What kind of trouble it is, which decides what the caller does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The provider asks to wait.
    RateLimited {
        /// For how long, when it says so.
        retry_after_ms: Option<u64>,
    },
    /// A fault that is likely gone on the next try: a lost connection, an overloaded server.
    Transient,
    /// The provider answered with an error of its own, which the next try would meet again.
    Provider,
    /// A key or login is missing or refused.
    Credentials,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RateLimited { retry_after_ms: Some(ms) } => write!(f, "rate limited for {ms} ms"),
            Self::RateLimited { retry_after_ms: None } => f.write_str("rate limited"),
            Self::Transient => f.write_str("transient"),
            Self::Provider => f.write_str("provider"),
            Self::Credentials => f.write_str("credentials"),
        }
    }
}

/// A try without a reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct ModelError {
    /// What kind of trouble it is.
    pub kind: ErrorKind,
    /// What the provider said, and what to do about it.
    pub message: String,
}

impl ModelError {
    /// Makes an error of a kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

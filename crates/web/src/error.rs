//! Answers to requests that get no page. They are plain text and tell nothing about the engine.

use axum::http::StatusCode;
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use axum::response::{IntoResponse, Response};

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// The `Host` is not one of ours.
    #[error(
        "this server does not answer for that host name: open it by the address that it prints at its start"
    )]
    Host,
    /// Only GET and HEAD are answered.
    #[error("these pages are read-only: only GET and HEAD are answered")]
    Method,
    /// The query is not one of ours.
    #[error("the query cannot be read: leave it out")]
    Query,
    /// All seats of the live stream are taken.
    #[error("too many live pages are open: close another one, or wait")]
    Full,
    /// The server is shutting down.
    #[error("the engine is shutting down")]
    Ending,
    /// The engine has no supervision tree to show, or not yet.
    #[error("the supervision tree is not available in this process")]
    NoTree,
    /// The path names a task by what is no text.
    #[error("the task's name in the address cannot be read: encode it as UTF-8")]
    Name,
    /// There is no such task.
    #[error("there is no such task")]
    NoTask,
    /// Nothing is kept of what a program said there.
    #[error("nothing is kept of what was said there: only the newest transcripts are")]
    NoTranscript,
    /// This process counts nothing.
    #[error("this process has no metrics: ask the engine's own address, which `glitchlab status` tells")]
    NoMetrics,
    /// The metrics cannot be written.
    #[error("the metrics cannot be written: the engine's log says why")]
    BadMetrics,
    /// The records cannot be read.
    #[error("the store cannot be read now")]
    NoStore,
}

impl Refused {
    const fn status(self) -> StatusCode {
        match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Query | Self::Name => StatusCode::BAD_REQUEST,
            Self::NoTask | Self::NoTranscript | Self::NoMetrics => StatusCode::NOT_FOUND,
            Self::BadMetrics => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Full | Self::Ending | Self::NoTree | Self::NoStore => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The header that says what would be accepted, or when.
    const fn hint(self) -> Option<(HeaderName, &'static str)> {
        match self {
            Self::Method => Some((ALLOW, "GET, HEAD")),
            Self::Full | Self::NoStore => Some((RETRY_AFTER, "5")),
            Self::Ending | Self::NoTree => Some((RETRY_AFTER, "1")),
            Self::Host
            | Self::Query
            | Self::Name
            | Self::NoTask
            | Self::NoTranscript
            | Self::NoMetrics
            | Self::BadMetrics => None,
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let plain = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-store")];
        let body = format!("{self}\n");
        match self.hint() {
            Some(hint) => (self.status(), plain, [hint], body).into_response(),
            None => (self.status(), plain, body).into_response(),
        }
    }
}

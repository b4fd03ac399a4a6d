//! Where finished spans go.

use std::time::Duration;

use async_trait::async_trait;
use http::StatusCode;
use opentelemetry_sdk::error::OTelSdkError;
pub use opentelemetry_sdk::trace::SpanData;
use opentelemetry_sdk::trace::SpanExporter as _;
use tokio::sync::Mutex;

use crate::client::Answer;
use crate::watched::Watched;

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
    /// They are too many, or too large, for one request: it may take them in several.
    #[error("{0}")]
    TooLarge(String),
    /// It will not take these spans, however often they are sent.
    #[error("{0}")]
    Never(String),
}

/// The outlet to an OTLP receiver.
pub(crate) struct OtlpOutlet {
    /// One request at a time: the answer is that of the last.
    exporter: Mutex<Watched<opentelemetry_otlp::SpanExporter>>,
}

impl OtlpOutlet {
    pub(crate) fn new(exporter: Watched<opentelemetry_otlp::SpanExporter>) -> Self {
        Self { exporter: Mutex::new(exporter) }
    }
}

#[async_trait]
impl SpanOutlet for OtlpOutlet {
    async fn send(&self, spans: Vec<SpanData>) -> Result<(), Unsent> {
        let exporter = self.exporter.lock().await;
        let count = spans.len();
        let result = exporter.inner.export(spans).await;
        let answer = exporter.answers.take();
        let unsent = result.as_ref().err().map(|error| unsent(error, answer.as_ref()));
        // What is too large is lost when there is nothing left to divide.
        let is_lost = match unsent {
            Some(Unsent::Never(_)) => true,
            Some(Unsent::TooLarge(_)) => count <= 1,
            Some(Unsent::Later { .. }) | None => false,
        };
        let lost = if is_lost { count } else { 0 };
        exporter.note(&result, answer, lost);
        unsent.map_or(Ok(()), Err)
    }
}

/// The names of the gRPC codes after which OTLP has the same data sent again.
const RETRYABLE: [&str; 7] =
    ["Cancelled", "DeadlineExceeded", "Aborted", "OutOfRange", "Unavailable", "DataLoss", "timed out"];

/// What receivers by gRPC say of a message over their limit, under codes that mean other things as well: those written in Go,
/// and those in Rust.
const TOO_LARGE: [&str; 2] = ["message larger than max", "message length too large"];

/// Tells what an error means for the spans, as the specifications of OTLP/HTTP and OTLP/gRPC have it.
fn unsent(error: &OTelSdkError, answer: Option<&Answer>) -> Unsent {
    match answer {
        Some(Answer::Status { code, after, .. }) if is_retryable(*code) => {
            Unsent::Later { what: format!("status {code}"), after: *after }
        }
        Some(Answer::Status { code: StatusCode::PAYLOAD_TOO_LARGE, .. }) => {
            Unsent::TooLarge("status 413 Payload Too Large".to_owned())
        }
        Some(Answer::Status { code, .. }) => Unsent::Never(format!("status {code}")),
        Some(Answer::Nothing(why)) => Unsent::Later { what: why.clone(), after: None },
        // What HTTP did not answer was not sent, such as a request that is too large; gRPC leaves no answer.
        None => {
            let what = error.to_string();
            let says = |sentences: &[&str]| sentences.iter().any(|sentence| what.contains(sentence));
            if says(&TOO_LARGE) {
                Unsent::TooLarge(what)
            } else if says(&RETRYABLE) {
                Unsent::Later { what, after: None }
            } else {
                Unsent::Never(what)
            }
        }
    }
}

const fn is_retryable(code: StatusCode) -> bool {
    matches!(code.as_u16(), 429 | 502 | 503 | 504)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(code: u16) -> Unsent {
        let code = StatusCode::from_u16(code).expect("a status");
        let asked = Some(Duration::from_secs(5));
        let answer = Answer::Status { code, after: asked, body: bytes::Bytes::new(), unread: None };
        unsent(&OTelSdkError::InternalFailure("it failed".to_owned()), Some(&answer))
    }

    #[test]
    fn what_a_status_means_is_what_otlp_says() {
        for code in [429, 502, 503, 504] {
            let Unsent::Later { after, .. } = after(code) else { panic!("{code} is for later") };
            assert_eq!(after, Some(Duration::from_secs(5)));
        }
        assert!(matches!(after(413), Unsent::TooLarge(_)));
        for code in [301, 400, 401, 404, 500, 501] {
            assert!(matches!(after(code), Unsent::Never(_)), "{code}");
        }
    }

    #[test]
    fn a_receiver_that_cannot_be_reached_is_tried_again_and_an_impossible_request_is_not() {
        let error = |text: &str| OTelSdkError::InternalFailure(text.to_owned());
        let nothing = Answer::Nothing("Connection refused".to_owned());
        assert!(matches!(unsent(&error("x"), Some(&nothing)), Unsent::Later { .. }));
        assert!(matches!(unsent(&error("request body is too large"), None), Unsent::Never(_)));
        assert!(matches!(unsent(&error("export failed: Unavailable"), None), Unsent::Later { .. }));
        for too_large in [
            "code: 'ResourceExhausted', message: \"grpc: received message larger than max (5 vs. 4)\"",
            "OutOfRange: Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes",
        ] {
            assert!(matches!(unsent(&error(too_large), None), Unsent::TooLarge(_)), "{too_large}");
        }
    }
}

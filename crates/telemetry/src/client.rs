//! The way to receivers by HTTP/1.1, encrypted where the address says so, with the certificates that the machine trusts.
//! The SDK's threads have no reactor, so each request runs on a runtime that was given. A redirection is not followed.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::Handle;

/// The most bytes of an answer that are read.
const MOST_BYTES: usize = 64 * 1024;
/// The longest rest that a receiver may ask for.
const LONGEST: Duration = Duration::from_secs(600);

/// The connections to all receivers. Clones share them.
#[derive(Clone)]
pub(crate) struct Wire {
    on: Handle,
    plain: Client<HttpConnector, Full<Bytes>>,
    /// Made when it is first used: reading the machine's certificates takes a while, and may fail.
    encrypted: Arc<OnceLock<Result<Encrypted, String>>>,
}

type Encrypted = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

impl Wire {
    /// Makes the wire; its requests run on this runtime.
    pub(crate) fn new(on: Handle) -> Self {
        let plain = Client::builder(TokioExecutor::new()).build_http();
        Self { on, plain, encrypted: Arc::default() }
    }

    fn request(&self, request: Request<Full<Bytes>>) -> Result<ResponseFuture, String> {
        if request.uri().scheme_str() != Some("https") {
            return Ok(self.plain.request(request));
        }
        let client = self.encrypted.get_or_init(encrypted).as_ref();
        client.map(|client| client.request(request)).map_err(Clone::clone)
    }

    async fn exchange(self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let response = self.request(request.map(Full::new))?.await.map_err(|error| innermost(&error))?;
        let (head, body) = response.into_parts();
        if !head.status.is_success() {
            return Ok(Response::from_parts(head, Bytes::new()));
        }
        // What was taken was taken, whatever the rest of the answer is.
        let body = Limited::new(body, MOST_BYTES).collect().await;
        Ok(Response::from_parts(head, body.map(Collected::to_bytes).unwrap_or_default()))
    }
}

fn encrypted() -> Result<Encrypted, String> {
    let connector = HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|error| format!("the machine's trusted certificates cannot be read: {error}"))?
        .https_only()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// The cause at the bottom, such as `Connection refused`: those above only say that there was one.
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause.to_string()
}

/// What came of the last request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was answered so, and asks to be left alone for so long.
    Status { code: StatusCode, after: Option<Duration>, body: Bytes },
    /// There was no answer.
    Nothing(String),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { code, .. } => write!(f, "status {code}"),
            Self::Nothing(why) => f.write_str(why),
        }
    }
}

/// Where a client leaves what came of its last request for whoever made it. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers(Arc<Mutex<Option<Answer>>>);

impl Answers {
    /// Takes what came since it was last taken.
    pub(crate) fn take(&self) -> Option<Answer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, answer: Answer) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }
}

/// The client of one exporter.
#[derive(Clone)]
pub(crate) struct Poster {
    wire: Wire,
    timeout: Duration,
    answers: Answers,
}

impl fmt::Debug for Poster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poster").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Poster {
    /// Makes a client whose requests may take so long.
    pub(crate) const fn new(wire: Wire, timeout: Duration, answers: Answers) -> Self {
        Self { wire, timeout, answers }
    }
}

#[async_trait]
impl HttpClient for Poster {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (wire, timeout) = (self.wire.clone(), self.timeout);
        let to = place(request.uri());
        let exchange = async move { tokio::time::timeout(timeout, wire.exchange(request)).await };
        let answered = match self.wire.on.spawn(exchange).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(_)) => Err(format!("no answer within {} ms", timeout.as_millis())),
            Err(_) => Err("the program is going down".to_owned()),
        };
        let answer = answered.as_ref().map_or_else(|why| Answer::Nothing(format!("{why}: {to}")), status);
        self.answers.put(answer);
        Ok(answered?)
    }
}

/// Names a receiver without what may be secret in its address.
fn place(uri: &Uri) -> String {
    uri.authority().map(ToString::to_string).unwrap_or_default()
}

fn status(response: &Response<Bytes>) -> Answer {
    let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let asked = asked.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    let after = asked.map(|asked| asked.min(LONGEST));
    Answer::Status { code: response.status(), after, body: response.body().clone() }
}

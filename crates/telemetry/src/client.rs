//! The way to receivers by HTTP/1.1, encrypted where the address says so, with the certificates that the machine trusts
//! or those that were named for a receiver.
//! The SDK's threads have no reactor, so each request runs on a runtime that was given. A redirection is not followed.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::builderstates::WantsSchemes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};
use rustls::ClientConfig;
use tokio::runtime::Handle;

use crate::config::Trusted;

/// The most bytes of an answer that are read.
const MOST_BYTES: usize = 4 * 1024 * 1024;
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

    /// Returns a wire that encrypts with these certificates instead of the machine's.
    pub(crate) fn trusting(&self, trusted: &Trusted) -> Self {
        let encrypted = Arc::new(OnceLock::from(trusting(trusted)));
        Self { encrypted, ..self.clone() }
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
        Ok(match body {
            Ok(body) => Response::from_parts(head, body.to_bytes()),
            Err(error) => {
                let mut response = Response::from_parts(head, Bytes::new());
                response.extensions_mut().insert(Unread(error.to_string()));
                response
            }
        })
    }
}

/// Why the rest of an answer is not known.
#[derive(Clone, Debug)]
struct Unread(String);

fn encrypted() -> Result<Encrypted, String> {
    let builder = HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|error| format!("the machine's trusted certificates cannot be read: {error}"))?;
    Ok(client(builder))
}

fn trusting(trusted: &Trusted) -> Result<Encrypted, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("the way cannot be encrypted: {error}"))?
        .with_root_certificates(trusted.roots())
        .with_no_client_auth();
    Ok(client(HttpsConnectorBuilder::new().with_tls_config(config)))
}

fn client(builder: HttpsConnectorBuilder<WantsSchemes>) -> Encrypted {
    let connector = builder.https_only().enable_http1().build();
    Client::builder(TokioExecutor::new()).build(connector)
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
    /// It was answered so, and asks to be left alone for so long. Where the rest of the answer could not be read, there is no
    /// body but why.
    Status { code: StatusCode, after: Option<Duration>, body: Bytes, unread: Option<String> },
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
    let unread = response.extensions().get().map(|Unread(why)| why.clone());
    Answer::Status { code: response.status(), after, body: response.body().clone(), unread }
}

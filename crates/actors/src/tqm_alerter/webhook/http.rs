//! The way to receivers by HTTP, encrypted where the address says so, with the certificates that the machine trusts.
//! A redirection is not followed: a message goes where a person said, or nowhere.

use std::error::Error;
use std::sync::OnceLock;

use async_trait::async_trait;
use bytes::Bytes;
use glitchlab_domain::alert::delivery::{Answer, retry_after_ms};
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{Request, Response};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::{Post, Transport};

type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Sends by HTTP/1.1. The trusted certificates are read when it is first used.
#[derive(Default)]
pub struct HttpTransport {
    client: OnceLock<Result<HttpClient, String>>,
}

impl HttpTransport {
    /// Makes one that has sent nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn client(&self) -> Result<&HttpClient, String> {
        self.client.get_or_init(client).as_ref().map_err(Clone::clone)
    }

    async fn exchange(&self, post: Post) -> Result<Answer, String> {
        let mut request = Request::post(&post.url)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("glitchlab/", env!("CARGO_PKG_VERSION")));
        for (name, value) in post.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(post.body)));
        // The address may hold a secret: the error says what is wrong, not with what.
        let request = request.map_err(|_| "the address is not one that can be asked".to_owned())?;
        let response = self.client()?.request(request).await.map_err(|error| innermost(&error))?;
        Ok(answer(&response))
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn post(&self, post: Post) -> Answer {
        self.exchange(post).await.unwrap_or_else(Answer::Failed)
    }
}

fn client() -> Result<HttpClient, String> {
    let connector = HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|error| format!("the machine's trusted certificates cannot be read: {error}"))?
        .https_or_http()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

fn answer<B>(response: &Response<B>) -> Answer {
    let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    Answer::Status { code: response.status().as_u16(), retry_after_ms: asked.and_then(retry_after_ms) }
}

/// The cause at the bottom, such as `Connection refused`: those above only say that there was one.
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause.to_string()
}

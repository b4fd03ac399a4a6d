//! Who is told of alerts, and the way to them.

mod http;
mod signature;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use glitchlab_domain::alert::delivery::{Answer, Endpoint};
use tokio::sync::watch;

pub use http::HttpTransport;
pub use signature::{BadSecret, Signer};

/// How long a receiver may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A receiver with its secrets, which are shown nowhere.
#[derive(Clone)]
pub struct Receiver {
    /// Its name and how it wants to be told.
    pub endpoint: Endpoint,
    /// Its address.
    pub url: String,
    /// Signs what it is sent; none for one that wants no signature.
    pub signer: Option<Signer>,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// One request to a receiver.
#[derive(Clone, PartialEq, Eq)]
pub struct Post {
    /// The address.
    pub url: String,
    /// The headers of [Standard Webhooks](https://www.standardwebhooks.com), names and values.
    pub headers: Vec<(&'static str, String)>,
    /// The exact body: JSON.
    pub body: String,
}

/// The way to receivers.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends one request and returns what came of it; the caller limits the time.
    async fn post(&self, post: Post) -> Answer;
}

/// Everybody who is told of alerts. Cheap to clone.
#[derive(Clone)]
pub struct Receivers {
    all: Arc<Vec<Receiver>>,
    transport: Arc<dyn Transport>,
    queued: watch::Sender<()>,
}

impl fmt::Debug for Receivers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all.iter()).finish()
    }
}

impl Default for Receivers {
    /// Nobody is told.
    fn default() -> Self {
        Self::new(Vec::new(), Arc::new(HttpTransport::new()))
    }
}

impl Receivers {
    /// Names those who are told, and the way to them.
    #[must_use]
    pub fn new(all: Vec<Receiver>, transport: Arc<dyn Transport>) -> Self {
        Self { all: Arc::new(all), transport, queued: watch::Sender::new(()) }
    }

    /// Returns them in order.
    pub fn iter(&self) -> impl Iterator<Item = &Receiver> {
        self.all.iter()
    }

    /// Sends a message to one of them, signed anew; `now_ms` is the time of the signature, ms UTC.
    pub async fn post(&self, receiver: &Receiver, webhook_id: &str, body: &str, now_ms: i64) -> Answer {
        let headers = match signature::headers(receiver.signer.as_ref(), webhook_id, body, now_ms) {
            Ok(headers) => headers,
            Err(why) => return Answer::Failed(why),
        };
        let post = Post { url: receiver.url.clone(), headers, body: body.to_owned() };
        let answered = tokio::time::timeout(PATIENCE, self.transport.post(post)).await;
        answered.unwrap_or_else(|_| Answer::Failed(format!("none within {} s", PATIENCE.as_secs())))
    }

    /// Says that something may have been queued.
    pub(crate) fn wake(&self) {
        self.queued.send_replace(());
    }

    /// Returns what changes when something may have been queued.
    pub(crate) fn queued(&self) -> watch::Receiver<()> {
        self.queued.subscribe()
    }
}

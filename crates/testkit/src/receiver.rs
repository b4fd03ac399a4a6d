//! A receiver of alerts that behaves as a scenario says and keeps what it has taken.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use glitchlab_actors::tqm_alerter::webhook::{Post, Receiver, Receivers, Signer, Transport};
use glitchlab_domain::alert::delivery::{Answer, Endpoint};
use glitchlab_domain::alert::format::Format;

use crate::clock::WorldClock;
use crate::tripwire::{Place, Tripwire};

/// What a receiver does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// It answers with this status.
    Answers(u16),
    /// It answers with this status and asks to be left alone for so many seconds.
    AsksFor(u16, u32),
    /// It takes the message and never answers.
    Hangs,
    /// Nobody listens there.
    IsGone,
}

/// A message as a receiver saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When, since the world began.
    pub at: Duration,
    /// Its id.
    pub id: String,
    /// Its signature.
    pub signature: String,
    /// Its body.
    pub body: String,
    /// What the receiver did.
    pub reaction: Reaction,
}

type Behaviour = Arc<dyn Fn(Duration, usize) -> Reaction + Send + Sync>;

/// A receiver of alerts. Clones share it.
#[derive(Clone)]
pub struct FakeReceiver {
    behaviour: Behaviour,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl fmt::Debug for FakeReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.seen()).finish()
    }
}

/// The secret that it shares with the engine.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

impl FakeReceiver {
    /// Makes a receiver whose reaction depends on the time since the world began, and on how often it was told anything
    /// before.
    pub fn new(behaviour: impl Fn(Duration, usize) -> Reaction + Send + Sync + 'static) -> Self {
        Self { behaviour: Arc::new(behaviour), seen: Arc::default() }
    }

    /// Returns everything that was sent to it, in order.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns what it has taken, in order, each as often as it was taken.
    #[must_use]
    pub fn taken(&self) -> Vec<Seen> {
        let is_taken = |seen: &Seen| matches!(seen.reaction, Reaction::Answers(200..=299));
        self.seen().into_iter().filter(is_taken).collect()
    }

    pub(crate) fn receivers(&self, clock: &WorldClock, wire: &Tripwire) -> Receivers {
        let endpoint = Endpoint::new("HOOK_URL", "http://receiver.test", Format::Json);
        let signer = Signer::new(SECRET).expect("it is base64");
        let receiver = Receiver { endpoint, url: "http://receiver.test".to_owned(), signer: Some(signer) };
        let line = Line { receiver: self.clone(), clock: clock.clone(), wire: wire.clone() };
        Receivers::new(vec![receiver], Arc::new(line))
    }

    fn take(&self, at: Duration, post: Post) -> Reaction {
        let header = |name: &str| {
            let value = post.headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone());
            value.unwrap_or_default()
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let reaction = (self.behaviour)(at, seen.len());
        let (id, signature) = (header("webhook-id"), header("webhook-signature"));
        seen.push(Seen { at, id, signature, body: post.body, reaction });
        reaction
    }
}

/// The way to it, with a tripwire before and after.
struct Line {
    receiver: FakeReceiver,
    clock: WorldClock,
    wire: Tripwire,
}

#[async_trait]
impl Transport for Line {
    async fn post(&self, post: Post) -> Answer {
        self.wire.touch(Place::Telling).await;
        let reaction = self.receiver.take(self.clock.passed(), post);
        self.wire.touch(Place::Told).await;
        match reaction {
            Reaction::Answers(code) => Answer::Status { code, retry_after_ms: None },
            Reaction::AsksFor(code, s) => Answer::Status { code, retry_after_ms: Some(i64::from(s) * 1_000) },
            Reaction::Hangs => std::future::pending().await,
            Reaction::IsGone => Answer::Failed("connection refused".to_owned()),
        }
    }
}

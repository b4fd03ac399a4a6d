//! Deliveries: one row for each message to one receiver, written in the transaction of what it tells. When it is sent,
//! sent again or given up is decided here.

use serde::{Deserialize, Serialize};

use super::evaluate::Notice;
use super::format::{self, Format};
use super::rows::{AlertRow, Told};

/// How long to wait after the first failure, the second and so on, in ms; after the last of them a message is given up.
const WAITS_MS: [i64; 6] = [5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000];
/// The most that is added to a wait by chance, in thousandths of it.
const JITTER: u64 = 100;
/// The longest wait that a receiver may ask for, in ms.
const LONGEST_MS: i64 = 86_400_000;

/// A receiver, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name: the variable of the environment that holds its address.
    pub name: String,
    /// A hash of its address: one that said it is gone is asked again when it has another address.
    pub fingerprint: String,
    /// How it wants to be told.
    pub format: Format,
}

impl Endpoint {
    /// Names a receiver; of its address only a hash is kept.
    #[must_use]
    pub fn new(name: &str, address: &str, format: Format) -> Self {
        Self { name: name.to_owned(), fingerprint: super::hash(address, 16), format }
    }
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboxState {
    /// It is to be sent, or sent again.
    Queued,
    /// The receiver has taken it.
    Delivered,
    /// What it tells was over before the receiver had taken it: only the end is told.
    Dropped,
    /// The receiver has refused it, or did not answer for too long.
    Dead,
}

impl OutboxState {
    /// Returns the word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Delivered => "delivered",
            Self::Dropped => "dropped",
            Self::Dead => "dead",
        }
    }
}

/// One message to one receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxRow {
    /// Its id, the same whenever it is sent.
    pub webhook_id: String,
    /// The repository.
    pub repo_id: String,
    /// The receiver's name.
    pub endpoint: String,
    /// The incident that it tells of.
    pub incident_id: String,
    /// Its place among the messages of the incident to this receiver.
    pub ord: u32,
    /// What it tells.
    pub told: Told,
    /// The exact bytes of its body.
    pub body: String,
    /// Where it stands.
    pub state: OutboxState,
    /// How often it was sent.
    pub tries: u32,
    /// Not before this instant, ms UTC.
    pub next_ms: i64,
    /// What the last try came to.
    pub answer: Option<String>,
    /// When it was written, ms UTC.
    pub created_ms: i64,
    /// When it needed to be sent no more, ms UTC.
    pub done_ms: Option<i64>,
}

/// What a try came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The receiver answered.
    Status {
        /// The HTTP status.
        code: u16,
        /// What it asks to be waited for, in ms.
        retry_after_ms: Option<i64>,
    },
    /// There was no answer.
    Failed(String),
}

/// What an answer means for the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// It is as it was.
    Stays,
    /// It says that it is gone: nothing more is sent there.
    Gone,
}

impl OutboxRow {
    /// Writes a message.
    #[must_use]
    pub fn new(notice: &Notice, endpoint: &Endpoint, origin: &format::Origin, now_ms: i64) -> Self {
        let AlertRow { incident_id, repo_id, .. } = &notice.alert;
        let (ord, word) = match notice.told {
            Told::Nothing | Told::Firing => (0, "firing"),
            Told::Resolved => (1, "resolved"),
        };
        Self {
            webhook_id: format!("{incident_id}.{word}.{}", super::hash(&endpoint.name, 8)),
            repo_id: repo_id.clone(),
            endpoint: endpoint.name.clone(),
            incident_id: incident_id.clone(),
            ord,
            told: notice.told,
            body: endpoint.format.body(notice, origin),
            state: OutboxState::Queued,
            tries: 0,
            next_ms: now_ms,
            answer: None,
            created_ms: now_ms,
            done_ms: None,
        }
    }

    /// Takes in what a try came to; `entropy` spreads the next one.
    pub fn take(&mut self, answer: &Answer, now_ms: i64, entropy: u64) -> Receiver {
        self.tries += 1;
        self.answer = Some(answer.to_string());
        match answer {
            taken if taken.is_taken() => self.end(OutboxState::Delivered, now_ms),
            Answer::Status { code: 410, .. } => {
                self.end(OutboxState::Dead, now_ms);
                return Receiver::Gone;
            }
            Answer::Status { code: 408 | 429 | 500..=599, retry_after_ms } => {
                self.rest(*retry_after_ms, now_ms, entropy);
            }
            Answer::Status { .. } => self.end(OutboxState::Dead, now_ms),
            Answer::Failed(_) => self.rest(None, now_ms, entropy),
        }
        Receiver::Stays
    }

    /// Takes it out of the queue for a reason other than an answer.
    pub fn give_up(&mut self, state: OutboxState, why: &str, now_ms: i64) {
        self.answer = Some(why.to_owned());
        self.end(state, now_ms);
    }

    fn rest(&mut self, asked_ms: Option<i64>, now_ms: i64, entropy: u64) {
        let place = usize::try_from(self.tries).unwrap_or(usize::MAX).saturating_sub(1);
        let Some(wait_ms) = WAITS_MS.get(place).copied() else {
            return self.end(OutboxState::Dead, now_ms);
        };
        let thousandths = i64::try_from(entropy % (JITTER + 1)).unwrap_or(0);
        let spread_ms = wait_ms + wait_ms / 1_000 * thousandths;
        let asked_ms = asked_ms.unwrap_or(0).min(LONGEST_MS);
        self.next_ms = now_ms.saturating_add(spread_ms.max(asked_ms));
    }

    fn end(&mut self, state: OutboxState, now_ms: i64) {
        self.state = state;
        self.done_ms = Some(now_ms);
    }
}

impl Answer {
    /// Tells whether the receiver has taken the message.
    #[must_use]
    pub const fn is_taken(&self) -> bool {
        matches!(self, Self::Status { code: 200..=299, .. })
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status { code, .. } => write!(f, "answered {code}"),
            Self::Failed(why) => write!(f, "no answer: {why}"),
        }
    }
}

/// Reads a `Retry-After` header in seconds, and returns it in ms; one that names a date asks for nothing: our own waits are
/// long enough.
#[must_use]
pub fn retry_after_ms(text: &str) -> Option<i64> {
    text.trim().parse::<u32>().ok().map(|seconds| i64::from(seconds) * 1_000)
}

/// What a courier does next for one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Sends this one.
    Send(Box<OutboxRow>),
    /// Rests until this instant, ms UTC.
    Rest(i64),
    /// Rests until something is queued.
    Idle,
}

/// Chooses what is sent next of what is queued for one receiver. What tells of the same incident is sent in order, and
/// waits for what comes before it.
#[must_use]
pub fn next(queued: &[OutboxRow], endpoint: &str, now_ms: i64) -> Next {
    let ours = queued.iter().filter(|row| row.endpoint == endpoint && row.state == OutboxState::Queued);
    let is_first =
        |row: &&OutboxRow| !ours.clone().any(|o| o.incident_id == row.incident_id && o.ord < row.ord);
    let first = ours.clone().filter(is_first).min_by_key(|row| (row.next_ms, row.created_ms, row.ord));
    match first {
        Some(row) if row.next_ms <= now_ms => Next::Send(Box::new(row.clone())),
        Some(row) => Next::Rest(row.next_ms),
        None => Next::Idle,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(incident: &str, ord: u32, next_ms: i64) -> OutboxRow {
        OutboxRow {
            webhook_id: format!("{incident}.{ord}"),
            repo_id: "repo".to_owned(),
            endpoint: "HOOK".to_owned(),
            incident_id: incident.to_owned(),
            ord,
            told: Told::Firing,
            body: String::new(),
            state: OutboxState::Queued,
            tries: 0,
            next_ms,
            answer: None,
            created_ms: 0,
            done_ms: None,
        }
    }

    fn status(code: u16) -> Answer {
        Answer::Status { code, retry_after_ms: None }
    }

    #[test]
    fn waits_grow_as_written_and_the_seventh_failure_is_the_last() {
        let (mut row, mut now) = (row("i", 0, 0), 0);
        for wait in [5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000] {
            assert_eq!(row.take(&status(503), now, 0), Receiver::Stays);
            assert_eq!((row.state, row.next_ms), (OutboxState::Queued, now + wait));
            now = row.next_ms;
        }
        row.take(&Answer::Failed("refused".to_owned()), now, 0);
        assert_eq!((row.state, row.tries), (OutboxState::Dead, 7));
        assert_eq!(row.answer.as_deref(), Some("no answer: refused"));
    }

    #[test]
    fn chance_adds_up_to_a_tenth_and_a_receiver_may_ask_for_more() {
        let next = |answer: Answer, entropy| {
            let mut row = row("i", 0, 0);
            row.take(&answer, 1_000, entropy);
            row.next_ms - 1_000
        };
        for entropy in [0, 1, 57, 100, 101, u64::MAX] {
            let wait = next(status(500), entropy);
            assert!((5_000..=5_500).contains(&wait), "{wait}");
        }
        let asks = |ms| Answer::Status { code: 429, retry_after_ms: Some(ms) };
        assert_eq!(next(asks(90_000), 0), 90_000);
        assert_eq!(next(asks(10), 0), 5_000, "never sooner than by itself");
        assert_eq!(next(asks(i64::MAX), 0), LONGEST_MS, "never for ever");
    }

    #[test]
    fn each_status_is_taken_as_the_convention_says() {
        let after = |code| {
            let mut row = row("i", 0, 0);
            let receiver = row.take(&status(code), 7, 0);
            (row.state, receiver)
        };
        for code in [200, 202, 204, 299] {
            assert_eq!(after(code), (OutboxState::Delivered, Receiver::Stays));
        }
        for code in [408, 429, 500, 502, 503, 599] {
            assert_eq!(after(code), (OutboxState::Queued, Receiver::Stays));
        }
        for code in [301, 400, 401, 404, 422] {
            assert_eq!(after(code), (OutboxState::Dead, Receiver::Stays));
        }
        assert_eq!(after(410), (OutboxState::Dead, Receiver::Gone));
    }

    #[test]
    fn the_end_of_an_incident_waits_for_its_beginning_and_others_do_not() {
        let rows = [row("a", 1, 0), row("a", 0, 50), row("b", 0, 10)];
        let sends = |now| match next(&rows, "HOOK", now) {
            Next::Send(row) => row.webhook_id,
            other => format!("{other:?}"),
        };
        assert_eq!([sends(9), sends(10), sends(60)], ["Rest(10)", "b.0", "b.0"]);
        assert_eq!(next(&rows[..2], "HOOK", 40), Next::Rest(50));
        assert_eq!(next(&rows, "OTHER", 60), Next::Idle);
    }
}

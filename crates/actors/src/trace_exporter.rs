//! Sends finished spans to a receiver. It reads what ended from the store, behind a bookmark that moves when the receiver
//! has them: the store is its queue, so that nothing waits in memory, an outage of the receiver costs nothing but time,
//! and what a killed process had not sent yet is sent by the next one. A receiver may get a span twice, under the same id.

mod bookmark;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use glitchlab_domain::event::Event;
use glitchlab_domain::id::BootId;
use glitchlab_domain::trace::Wanted;
use glitchlab_runtime::{ChildSpec, Failure, Task, TaskScope};
use glitchlab_store::StoreError;
use glitchlab_telemetry::outlet::{SpanData, SpanOutlet, Unsent};
use glitchlab_telemetry::spans::{self, Redact, Span};
use tokio::time::Instant;

use crate::engine::Engine;
use bookmark::Bookmark;

/// How many events are looked at for one request.
const PORTION: u32 = 500;
/// How long new events are gathered: there is one request a second, not one for each commit.
const GATHER: Duration = Duration::from_secs(1);
/// How long it rests at least between two portions of the past.
const BREATH: Duration = Duration::from_millis(20);
/// How many times as long as a portion took it rests after it, up to [`GATHER`], so that it does not take the machine from the
/// work: with more tasks a second than it tells in a tenth of the time, it falls behind and catches up later.
const RESTS: u32 = 9;
/// The longest rest after requests that failed; the first is [`GATHER`], each next twice as long.
const LONGEST_REST: Duration = Duration::from_secs(30);
/// How long it may go on when it is told to end.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// What is older is passed over: a receiver that was gone for days does not want them at once.
const OLDEST_MS: i64 = 24 * 60 * 60 * 1_000;

/// What the exporter is made from.
#[derive(Clone)]
pub struct TraceExporter {
    /// The engine.
    pub engine: Arc<Engine>,
    /// The way to the receiver.
    pub outlet: Arc<dyn SpanOutlet>,
    /// Where the bookmark is kept.
    pub bookmark: PathBuf,
    /// Takes secrets out of what models reply; without it no reply is sent.
    pub redact: Option<Redact>,
}

impl TraceExporter {
    /// Describes the child that sends spans. Without it work goes on.
    #[must_use]
    pub fn child(self) -> ChildSpec {
        let export = move || {
            let exporter = self.clone();
            Ok(Task::new("exporting", |scope| exporter.run(scope)))
        };
        ChildSpec::task("trace_exporter", export)
    }

    async fn run(self, scope: TaskScope) -> Result<(), Failure> {
        let mut commits = self.engine.feed.commits();
        let own = self.engine.boot.boot_id.clone();
        let mut bookmark = Bookmark::open(self.bookmark.clone(), &own);
        let mut failures = 0;
        loop {
            commits.mark_unchanged();
            let sent = tokio::select! {
                sent = self.send_all(&mut bookmark, &scope) => sent,
                () = scope.cancelled() => break,
            };
            let rest = self.rest(sent, &mut failures);
            let until_next = async {
                tokio::time::sleep(rest).await;
                // What failed is tried again without another commit.
                if failures == 0 {
                    let _the_engine_holds_the_sender = commits.changed().await;
                }
            };
            tokio::select! {
                () = until_next => {}
                () = scope.cancelled() => break,
            }
        }
        // What does not get through now is told by the next process.
        let _ = tokio::time::timeout(LAST_WORDS, self.send_all(&mut bookmark, &scope)).await;
        Ok(())
    }

    /// How long to rest; what keeps spans back is in the health of telemetry and in the log already.
    fn rest(&self, sent: Result<(), Kept>, failures: &mut u32) -> Duration {
        match sent {
            Ok(()) => {
                *failures = 0;
                GATHER
            }
            Err(kept) => {
                let longer = GATHER.saturating_mul(1 << (*failures).min(10)).min(LONGEST_REST);
                *failures += 1;
                match kept {
                    Kept::Receiver(after) => {
                        after.map_or(longer, |after| after.clamp(GATHER, 10 * LONGEST_REST))
                    }
                    Kept::Store(error) => {
                        tracing::warn!(event = "traces.unread", "spans wait for the store: {error}");
                        longer
                    }
                }
            }
        }
    }

    /// Sends what ended since the bookmark: first of boots that are dead, then of this one.
    async fn send_all(&self, bookmark: &mut Bookmark, scope: &TaskScope) -> Result<(), Kept> {
        let boots = self.engine.reader.boots_of(&self.engine.repo_id).await?;
        let boots = bookmark.open_boots(boots);
        for (place, boot) in boots.iter().enumerate() {
            let mut began = Instant::now();
            while self.send_portion(bookmark, boot).await? {
                scope.progress();
                // Nobody works any more when it is told to end.
                if !scope.is_cancelled() {
                    tokio::time::sleep((began.elapsed() * RESTS).clamp(BREATH, GATHER)).await;
                }
                began = Instant::now();
            }
            scope.progress();
            if *boot != self.engine.boot.boot_id {
                bookmark.close(boot, boots.get(place + 1));
            }
        }
        Ok(())
    }

    /// Sends the spans of the next events of a boot, and tells whether there are more.
    async fn send_portion(&self, bookmark: &mut Bookmark, boot: &BootId) -> Result<bool, Kept> {
        let reader = &self.engine.reader;
        let after = bookmark.after(boot);
        let new = reader.events_after(boot, after, &Wanted::KINDS, PORTION).await?;
        let oldest_ms = self.engine.now_ms() - OLDEST_MS;
        let (events, old): (Vec<Event>, Vec<Event>) =
            new.events.into_iter().partition(|event| event.at_ms >= oldest_ms);
        if !old.is_empty() {
            tracing::info!(
                event = "traces.passed_over",
                "{} events are older than a day: their spans are not sent",
                old.len()
            );
        }
        if !events.is_empty() {
            let material =
                reader.material(&self.engine.repo_id, &Wanted::of(&events), self.redact.is_some()).await?;
            self.send(spans::ended(&events, &material, self.redact.as_ref())).await?;
        }
        bookmark.move_to(boot, new.through);
        Ok(new.through >= after + u64::from(PORTION))
    }

    /// Sends spans in requests that the receiver takes: what is too large for it is sent in halves.
    async fn send(&self, spans: Vec<Span>) -> Result<(), Kept> {
        let scope = spans::scope();
        let data =
            |spans: Vec<Span>| spans.into_iter().filter_map(|span| spans::data(span, &scope)).collect();
        let mut requests: Vec<Vec<SpanData>> = spans::requests(spans).into_iter().rev().map(data).collect();
        while let Some(mut request) = requests.pop() {
            match self.outlet.send(request.clone()).await {
                Err(Unsent::TooLarge(_)) if request.len() > 1 => {
                    requests.push(request.split_off(request.len() / 2));
                    requests.push(request);
                }
                // Sent again it would be refused again.
                Ok(()) | Err(Unsent::Never(_) | Unsent::TooLarge(_)) => {}
                Err(Unsent::Later { after, .. }) => return Err(Kept::Receiver(after)),
            }
        }
        Ok(())
    }
}

/// Why spans are not sent now.
enum Kept {
    /// The receiver does not take them, and may say for how long.
    Receiver(Option<Duration>),
    /// The store does not answer.
    Store(StoreError),
}

impl From<StoreError> for Kept {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

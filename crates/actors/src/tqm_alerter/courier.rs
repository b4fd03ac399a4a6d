//! Delivers what is queued: one courier for each receiver, so that one that hangs delays no other. What is sent next, and
//! what an answer means, `domain::alert::delivery` decides.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use glitchlab_domain::alert::delivery::{Next, OutboxRow, next};
use glitchlab_domain::command::{Command, Deliver, Refusal};
use glitchlab_runtime::{Failure, Task, TaskScope};
use tokio::sync::watch;

use super::webhook::Receiver;
use crate::durable::insist;
use crate::engine::Engine;

/// How long it rests when the store does not answer.
const OUTAGE_REST: Duration = Duration::from_secs(5);
/// The longest rest: what is queued is looked at now and then although nobody says so.
const LONGEST_REST: Duration = Duration::from_secs(300);

pub(super) fn delivering(engine: &Arc<Engine>) -> Task<()> {
    let engine = Arc::clone(engine);
    Task::new("delivery", move |scope| async move {
        let couriers = engine.receivers.iter().map(|receiver| {
            let queued = engine.receivers.queued();
            Courier { engine: &engine, receiver, scope: &scope, queued }.run()
        });
        join_all(couriers).await.into_iter().collect()
    })
}

struct Courier<'a> {
    engine: &'a Engine,
    receiver: &'a Receiver,
    scope: &'a TaskScope,
    /// Changes when something may have been queued.
    queued: watch::Receiver<()>,
}

impl Courier<'_> {
    async fn run(mut self) -> Result<(), Failure> {
        while !self.scope.token().is_cancelled() {
            self.queued.mark_unchanged();
            match self.next().await {
                Next::Send(row) => match self.send(&row).await? {
                    Sent::Told => self.scope.progress(),
                    Sent::BootOver => return Ok(()),
                },
                Next::Rest(until_ms) => self.rest(Some(until_ms)).await,
                Next::Idle => self.rest(None).await,
            }
        }
        Ok(())
    }

    async fn next(&self) -> Next {
        let (engine, now_ms) = (self.engine, self.engine.now_ms());
        match engine.reader.queued(&engine.repo_id).await {
            Ok(queued) => next(&queued, &self.receiver.endpoint.name, now_ms),
            Err(error) => {
                tracing::warn!(event = "alerts.unread", "deliveries wait for the store: {error}");
                let rest_ms = i64::try_from(OUTAGE_REST.as_millis()).unwrap_or(i64::MAX);
                Next::Rest(now_ms.saturating_add(rest_ms))
            }
        }
    }

    async fn rest(&mut self, until_ms: Option<i64>) {
        let rest_ms = until_ms.map(|until_ms| until_ms.saturating_sub(self.engine.now_ms()).max(0));
        let rest = rest_ms.and_then(|ms| u64::try_from(ms).ok()).map_or(LONGEST_REST, Duration::from_millis);
        tokio::select! {
            () = self.scope.cancelled() => {}
            () = tokio::time::sleep(rest.min(LONGEST_REST)) => {}
            // The sender is the engine's own, and outlives this.
            _ = self.queued.changed() => {}
        }
    }

    /// Sends a message outside any transaction, and makes what came of it durable before it goes on. A kill in between
    /// sends it again under the same id.
    async fn send(&self, row: &OutboxRow) -> Result<Sent, Failure> {
        let engine = self.engine;
        let answer = tokio::select! {
            () = self.scope.cancelled() => return Ok(Sent::BootOver),
            answer = engine.receivers.post(self.receiver, &row.webhook_id, &row.body, engine.now_ms()) => answer,
        };
        let (endpoint, id, n) = (&self.receiver.endpoint, &row.webhook_id, row.tries + 1);
        tracing::info!(event = "alert.sent", receiver = endpoint.name, id, n, "{answer}");
        let deliver = Deliver {
            by: engine.boot.clone(),
            repo_id: engine.repo_id.clone(),
            webhook_id: id.clone(),
            n,
            endpoint: endpoint.clone(),
            answer,
        };
        match insist(&engine.queue, Command::Deliver(Box::new(deliver))).await? {
            Ok(_) => Ok(Sent::Told),
            Err(Refusal::StaleBoot(_)) => Ok(Sent::BootOver),
            Err(refusal) => Err(refusal.into()),
        }
    }
}

/// What became of a message that was sent.
enum Sent {
    /// What came of it is written.
    Told,
    /// The boot has ended: the next one goes on.
    BootOver,
}

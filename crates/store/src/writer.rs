//! The one writer of a process: it takes queued commands into one transaction, and answers after the commit.

use std::sync::Arc;

use glitchlab_domain::command::{Command, Refusal, Reply};
use glitchlab_domain::event::Event;
use glitchlab_domain::id::BootId;
use glitchlab_domain::rows::Write;
use glitchlab_domain::task::TaskRow;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::batch::{Decided, Place};
use crate::clock::Clock;
use crate::error::StoreError;
use crate::memory::Memory;
use crate::sqlite::Sqlite;

/// The most commands of one transaction.
const BATCH: usize = 256;

/// How long commands that nobody waits for rest after an outage.
const RETRY: std::time::Duration = std::time::Duration::from_secs(1);

/// What one transaction changed; published after its commit.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    /// What happened, in order.
    pub events: Vec<Event>,
    /// The changed tasks, each in its last form.
    pub tasks: Vec<TaskRow>,
    /// A reservation was settled, so that money may have come back.
    pub settled: bool,
}

type Answer = Result<Result<Reply, Refusal>, StoreError>;

struct Item {
    command: Command,
    reply: Option<oneshot::Sender<Answer>>,
}

/// Where commands are handed in. Cheap to clone; outlives restarts of the writer.
#[derive(Clone)]
pub struct Queue {
    items: mpsc::Sender<Item>,
    dropped: mpsc::UnboundedSender<Item>,
}

impl Queue {
    /// Hands in a command and waits for its commit. When the answer is lost, the same command is sent again: its
    /// natural key makes that safe.
    ///
    /// # Errors
    ///
    /// Returns a [`StoreError`] when the store does not answer; a refusal is an answer.
    pub async fn submit(&self, command: Command) -> Answer {
        loop {
            let (reply, answer) = oneshot::channel();
            let item = Item { command: command.clone(), reply: Some(reply) };
            self.items.send(item).await.map_err(|_| StoreError::Closed)?;
            if let Ok(answer) = answer.await {
                return answer;
            }
        }
    }

    /// Hands in a command from a place that cannot wait, such as `Drop`; its answer is not wanted.
    pub fn submit_detached(&self, command: Command) {
        // A closed queue means that the process ends: the next boot settles what this one left open.
        let _ = self.dropped.send(Item { command, reply: None });
    }

    /// Tells how many commands wait.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.items.max_capacity() - self.items.capacity()
    }
}

/// A store that can be written.
pub enum Backend {
    /// Forgets everything at the end.
    Memory(Memory),
    /// One file.
    Sqlite(Box<Sqlite>),
}

impl Backend {
    async fn execute(
        &mut self,
        commands: &[&Command],
        clock_ms: i64,
        place: &Place,
    ) -> Result<Decided, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.execute(commands, clock_ms, place)),
            Self::Sqlite(sqlite) => sqlite.execute(commands, clock_ms, place).await,
        }
    }

    /// Reads where this boot's events go on: a commit whose answer was lost may have written some.
    async fn next_seq(&mut self, boot_id: &BootId) -> Result<u64, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| {
                contents.events.iter().filter(|event| event.id.boot_id == *boot_id).count() as u64 + 1
            })),
            Self::Sqlite(sqlite) => sqlite.next_seq(boot_id).await,
        }
    }
}

struct Inner {
    backend: Backend,
    items: mpsc::Receiver<Item>,
    dropped: mpsc::UnboundedReceiver<Item>,
    /// Commands that nobody waits for and that an outage kept out; tried again with the next batch.
    kept: Vec<Item>,
    boot_id: BootId,
    clock: Clock,
}

/// The writer's side of the queue. It outlives each run, so that a restarted owner goes on with what is queued.
#[derive(Clone)]
pub struct Writer(Arc<Mutex<Inner>>);

impl Writer {
    /// Opens a queue of `capacity` commands before `backend`.
    #[must_use]
    pub fn new(backend: Backend, boot_id: BootId, clock: Clock, capacity: usize) -> (Self, Queue) {
        let (items_in, items) = mpsc::channel(capacity);
        let (dropped_in, dropped) = mpsc::unbounded_channel();
        let inner = Inner { backend, items, dropped, kept: Vec::new(), boot_id, clock };
        (Self(Arc::new(Mutex::new(inner))), Queue { items: items_in, dropped: dropped_in })
    }

    /// Writes until `stop`, then what is queued already, and returns.
    ///
    /// # Errors
    ///
    /// Returns a [`StoreError`] only when the store cannot even be read at the start; a failed commit is answered to
    /// its callers and the writer goes on.
    pub async fn run(
        &self,
        stop: CancellationToken,
        mut on_commit: impl FnMut(Committed),
    ) -> Result<(), StoreError> {
        let mut inner = self.0.lock().await;
        let inner = &mut *inner;
        let next_seq = inner.backend.next_seq(&inner.boot_id).await?;
        let mut place = Place { boot_id: inner.boot_id.clone(), next_seq };
        let mut batch = Vec::with_capacity(BATCH);
        while inner.fill(&mut batch, &stop).await {
            inner.write(&mut batch, &mut place, &mut on_commit).await;
        }
        Ok(())
    }
}

impl Inner {
    /// Waits for commands and takes what is queued; false when there are none and none are to come.
    async fn fill(&mut self, batch: &mut Vec<Item>, stop: &CancellationToken) -> bool {
        let first = tokio::select! {
            biased;
            item = self.dropped.recv() => item,
            item = self.items.recv() => item,
            () = stop.cancelled() => None,
            () = tokio::time::sleep(RETRY), if !self.kept.is_empty() => self.kept.pop(),
        };
        let Some(first) = first else { return false };
        batch.push(first);
        batch.append(&mut self.kept);
        while batch.len() < BATCH {
            match self.dropped.try_recv().or_else(|_| self.items.try_recv()) {
                Ok(item) => batch.push(item),
                Err(_) => break,
            }
        }
        true
    }

    async fn write(
        &mut self,
        batch: &mut Vec<Item>,
        place: &mut Place,
        on_commit: &mut impl FnMut(Committed),
    ) {
        let items: Vec<Item> = std::mem::take(batch);
        let commands: Vec<&Command> = items.iter().map(|item| &item.command).collect();
        let clock_ms = (self.clock)();
        match self.backend.execute(&commands, clock_ms, place).await {
            Ok(decided) => {
                place.next_seq += decided.events.len() as u64;
                publish(items, decided, on_commit);
            }
            Err(error) if items.len() == 1 || error.is_outage() => self.fail(items, place, &error).await,
            Err(_) => self.one_by_one(items, place, on_commit).await,
        }
    }

    /// One bad command must not fail its neighbours.
    async fn one_by_one(
        &mut self,
        items: Vec<Item>,
        place: &mut Place,
        on_commit: &mut impl FnMut(Committed),
    ) {
        for item in items {
            let clock_ms = (self.clock)();
            match self.backend.execute(&[&item.command], clock_ms, place).await {
                Ok(decided) => {
                    place.next_seq += decided.events.len() as u64;
                    publish(vec![item], decided, on_commit);
                }
                Err(error) => self.fail(vec![item], place, &error).await,
            }
        }
    }

    async fn fail(&mut self, items: Vec<Item>, place: &mut Place, error: &StoreError) {
        tracing::error!(name: "store.failed", error = %error, commands = items.len(), "the store did not take a batch");
        for item in items {
            match item.reply {
                Some(reply) => drop(reply.send(Err(error.clone()))),
                None if error.is_outage() => self.kept.push(item),
                None => {}
            }
        }
        // The commit may have gone through although its answer did not.
        if let Ok(next_seq) = self.backend.next_seq(&self.boot_id).await {
            place.next_seq = next_seq;
        }
    }
}

/// Publishes before it answers, so that whoever got an answer finds its event already out.
fn publish(items: Vec<Item>, decided: Decided, on_commit: &mut impl FnMut(Committed)) {
    let settled =
        decided.writes.iter().any(|write| matches!(write, Write::Call(row) if row.settled_ms.is_some()));
    let tasks = decided.writes.into_iter().filter_map(|write| match write {
        Write::Task(row) => Some(row),
        _ => None,
    });
    on_commit(Committed { events: decided.events, tasks: tasks.collect(), settled });
    for (item, answer) in items.into_iter().zip(decided.replies) {
        if let Some(reply) = item.reply {
            let _ = reply.send(Ok(answer));
        }
    }
}

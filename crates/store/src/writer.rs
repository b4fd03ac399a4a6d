//! The one writer of a process: it takes queued commands into one transaction, and answers after the commit.

use std::sync::Arc;

use glitchlab_domain::command::Command;
use glitchlab_domain::event::Event;
use glitchlab_domain::id::BootId;
use glitchlab_domain::rows::{GateRow, ProcessRow, Write};
use glitchlab_domain::task::TaskRow;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::batch::{Decided, Place};
use crate::clock::Clock;
use crate::error::StoreError;
use crate::memory::Memory;
use crate::outage::Outage;
use crate::queue::{Delivery, Ends, Item, Queue};
use crate::sqlite::Sqlite;

/// The most commands of one transaction.
const BATCH: usize = 256;

/// How long commands that nobody waits for rest after a failure.
const RETRY: std::time::Duration = std::time::Duration::from_secs(1);

/// How often a command that nobody waits for may fail by itself before it is given up.
const TRIES: u32 = 5;

/// What one transaction changed; published after its commit.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    /// What happened, in order.
    pub events: Vec<Event>,
    /// The changed tasks, each in its last form.
    pub tasks: Vec<TaskRow>,
    /// The changed gates.
    pub gates: Vec<GateRow>,
    /// The changed processes.
    pub processes: Vec<ProcessRow>,
    /// A reservation was settled, so that money may have come back.
    pub settled: bool,
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
        commands: &[Arc<Command>],
        clock_ms: i64,
        place: &Place,
    ) -> Result<Decided, StoreError> {
        match self {
            Self::Memory(memory) => {
                let commands: Vec<&Command> = commands.iter().map(|command| &**command).collect();
                Ok(memory.execute(&commands, clock_ms, place))
            }
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
    ends: Ends,
    /// What is being written. It outlives a run that is aborted in the middle of it, and is written again then.
    batch: Vec<Item>,
    /// Commands that nobody waits for and that were not written; tried again with the next batch.
    kept: Vec<Item>,
    outage: Outage,
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
        let (queue, ends) = Queue::new(capacity);
        let (batch, kept, outage) = (Vec::new(), Vec::new(), Outage::default());
        let inner = Inner { backend, ends, batch, kept, outage, boot_id, clock };
        (Self(Arc::new(Mutex::new(inner))), queue)
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
        while inner.fill(&stop).await {
            inner.write(&mut place, &mut on_commit).await;
        }
        Ok(())
    }
}

impl Inner {
    /// Waits for commands and takes what is queued; false when there are none and none are to come.
    async fn fill(&mut self, stop: &CancellationToken) -> bool {
        let Ends { items, dropped, .. } = &mut self.ends;
        if self.batch.is_empty() {
            let first = tokio::select! {
                biased;
                item = dropped.recv() => item.map(Some),
                item = items.recv() => item.map(Some),
                () = stop.cancelled() => None,
                () = tokio::time::sleep(RETRY), if !self.kept.is_empty() => Some(None),
            };
            let Some(first) = first else { return false };
            // What was kept came before: its order is a promise of the queue.
            self.batch.append(&mut self.kept);
            self.batch.extend(first);
        }
        while self.batch.len() < BATCH {
            match dropped.try_recv().or_else(|_| items.try_recv()) {
                Ok(item) => self.batch.push(item),
                Err(_) => break,
            }
        }
        true
    }

    async fn write(&mut self, place: &mut Place, on_commit: &mut impl FnMut(Committed)) {
        let commands: Vec<_> = self.batch.iter().map(|item| Arc::clone(&item.command)).collect();
        let clock_ms = (self.clock)();
        match self.backend.execute(&commands, clock_ms, place).await {
            Ok(decided) => self.publish(self.batch.len(), decided, place, on_commit),
            Err(error) if self.batch.len() == 1 || error.is_outage() => {
                self.fail(self.batch.len(), place, &error).await;
            }
            Err(_) => self.one_by_one(place, on_commit).await,
        }
    }

    /// One bad command must not fail its neighbours.
    async fn one_by_one(&mut self, place: &mut Place, on_commit: &mut impl FnMut(Committed)) {
        while let Some(item) = self.batch.first() {
            let clock_ms = (self.clock)();
            let command = Arc::clone(&item.command);
            match self.backend.execute(&[command], clock_ms, place).await {
                Ok(decided) => self.publish(1, decided, place, on_commit),
                Err(error) => self.fail(1, place, &error).await,
            }
        }
    }

    /// Publishes before it answers, so that whoever got an answer finds its event already out.
    fn publish(
        &mut self,
        count: usize,
        decided: Decided,
        place: &mut Place,
        on_commit: &mut impl FnMut(Committed),
    ) {
        self.outage.written();
        place.next_seq += decided.events.len() as u64;
        on_commit(committed(decided.writes, decided.events));
        for (item, answer) in self.batch.drain(..count).zip(decided.replies) {
            if let Some(reply) = item.reply {
                drop(reply.send(Delivery::new(Ok(answer), &item.command, &self.ends.back)));
            }
        }
    }

    async fn fail(&mut self, count: usize, place: &mut Place, error: &StoreError) {
        self.outage.failed(error, count);
        for mut item in self.batch.drain(..count) {
            match item.reply.take() {
                Some(reply) => {
                    drop(reply.send(Delivery::new(Err(error.clone()), &item.command, &self.ends.back)));
                }
                None => self.kept.extend(keep(item, error)),
            }
        }
        // The commit may have gone through although its answer did not.
        if let Ok(next_seq) = self.backend.next_seq(&self.boot_id).await {
            place.next_seq = next_seq;
        }
    }
}

/// Keeps a command that nobody waits for through any outage, but not for ever when it fails by itself.
fn keep(item: Item, error: &StoreError) -> Option<Item> {
    let failures = item.failures + u32::from(!error.is_outage());
    if failures < TRIES {
        return Some(Item { failures, ..item });
    }
    // What it is and what it is about: its content may be what a model replied, before secrets are taken out.
    let (command, about) = (kind(&item.command), item.command.needs());
    tracing::error!(name: "store.command_dropped", error = %error, command, about = ?about, "a command is given up");
    None
}

fn kind(command: &Command) -> String {
    let told = format!("{command:?}");
    told.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

fn committed(writes: Vec<Write>, events: Vec<Event>) -> Committed {
    let settled = writes.iter().any(|write| matches!(write, Write::Call(row) if row.settled_ms.is_some()));
    let (mut tasks, mut gates, mut processes) = (Vec::new(), Vec::new(), Vec::new());
    for write in writes {
        match write {
            Write::Task(row) => tasks.push(row),
            Write::Gate(row) => gates.push(row),
            Write::Process(row) => processes.push(row),
            _ => {}
        }
    }
    Committed { events, tasks, gates, processes, settled }
}

//! A store with its writer running, for as long as a test needs it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use glitchlab_domain::command::{Command, Refusal, Reply};
use glitchlab_domain::id::BootId;
use glitchlab_store::clock::Clock;
use glitchlab_store::{Backend, Memory, Queue, Reader, Sqlite, Writer};
use tokio_util::sync::CancellationToken;

/// When tests begin, ms UTC.
pub(crate) const START_MS: i64 = 1_700_000_000_000;

/// A clock that a test turns.
#[derive(Clone)]
pub(crate) struct Hands(Arc<AtomicI64>);

impl Hands {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(START_MS)))
    }

    pub(crate) fn turn(&self, by_ms: i64) {
        self.0.fetch_add(by_ms, Ordering::Relaxed);
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn clock(&self) -> Clock {
        let hands = self.clone();
        Arc::new(move || hands.now_ms())
    }
}

/// An open store.
pub(crate) struct Open {
    pub(crate) queue: Queue,
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
    pub(crate) hands: Hands,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

impl Open {
    pub(crate) fn memory(boot: &str, hands: &Hands) -> Self {
        let memory = Memory::default();
        Self::run(Backend::Memory(memory.clone()), Reader::Memory(memory), boot, hands)
    }

    pub(crate) async fn sqlite(path: &Path, boot: &str, hands: &Hands) -> Self {
        let sqlite = Sqlite::open(path).await.expect("a store file");
        let reader = Reader::Sqlite(Sqlite::readers(path).await.expect("its readers"));
        Self::run(Backend::Sqlite(Box::new(sqlite)), reader, boot, hands)
    }

    fn run(backend: Backend, reader: Reader, boot: &str, hands: &Hands) -> Self {
        let (writer, queue) = Writer::new(backend, BootId::from(boot), hands.clock(), 1_024);
        let stop = CancellationToken::new();
        let running = spawn(&writer, &stop);
        Self { queue, reader, writer, hands: hands.clone(), stop, running }
    }

    pub(crate) async fn ask(&self, command: Command) -> Result<Reply, Refusal> {
        self.queue.submit(command).await.expect("the store answers")
    }

    /// Aborts the writer wherever it is, and runs it again.
    pub(crate) async fn abort_and_run_again(&mut self) {
        self.running.abort();
        let ended = std::mem::replace(&mut self.running, tokio::spawn(async {})).await;
        assert!(ended.is_err(), "it was aborted");
        self.running = spawn(&self.writer, &self.stop);
    }

    /// Stops the writer after what is queued.
    pub(crate) async fn close(self) -> Reader {
        self.stop.cancel();
        self.running.await.expect("the writer ends");
        self.reader
    }
}

fn spawn(writer: &Writer, stop: &CancellationToken) -> tokio::task::JoinHandle<()> {
    let (writer, stop) = (writer.clone(), stop.clone());
    tokio::spawn(async move { writer.run(stop, drop).await.expect("the store can be read") })
}

//! Where commands are handed in, and how their answers come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use glitchlab_domain::command::{Command, Refusal, Reply, Reserve, Settle};
use tokio::sync::{mpsc, oneshot};

use crate::error::StoreError;

/// What a command is answered: the store may not answer at all, the decision may be a refusal.
pub(crate) type Answer = Result<Result<Reply, Refusal>, StoreError>;

/// A command that waits to be written.
pub(crate) struct Item {
    pub(crate) command: Arc<Command>,
    /// None for commands whose answer nobody wants.
    pub(crate) reply: Option<oneshot::Sender<Delivery>>,
    /// How often it failed by itself, not by an outage.
    pub(crate) failures: u32,
}

impl Item {
    fn detached(command: Command) -> Self {
        Self { command: Arc::new(command), reply: None, failures: 0 }
    }
}

/// Where commands are handed in. Cheap to clone; outlives restarts of the writer.
#[derive(Clone)]
pub struct Queue {
    items: mpsc::Sender<Item>,
    dropped: mpsc::UnboundedSender<Item>,
    halted: Arc<AtomicBool>,
}

/// The writer's ends of a [`Queue`].
pub(crate) struct Ends {
    pub(crate) items: mpsc::Receiver<Item>,
    pub(crate) dropped: mpsc::UnboundedReceiver<Item>,
    /// Weak, so that the queue is closed with its last handle.
    pub(crate) back: mpsc::WeakUnboundedSender<Item>,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> (Self, Ends) {
        let (items_in, items) = mpsc::channel(capacity);
        let (dropped_in, dropped) = mpsc::unbounded_channel();
        let back = dropped_in.downgrade();
        let halted = Arc::default();
        (Self { items: items_in, dropped: dropped_in, halted }, Ends { items, dropped, back })
    }

    /// Hands in a command and waits for its commit. When the answer is lost, the same command is sent again: its
    /// natural key makes that safe. A grant whose caller went away meanwhile is settled at its bound.
    ///
    /// # Errors
    ///
    /// Returns a [`StoreError`] when the store does not answer; a refusal is an answer.
    pub async fn submit(&self, command: Command) -> Answer {
        let command = Arc::new(command);
        loop {
            if self.halted.load(Ordering::Acquire) {
                return std::future::pending().await;
            }
            let (reply, answer) = oneshot::channel();
            let item = Item { command: Arc::clone(&command), reply: Some(reply), failures: 0 };
            self.items.send(item).await.map_err(|_| StoreError::Closed)?;
            if let Ok(delivery) = answer.await {
                return delivery.take();
            }
        }
    }

    /// Hands in a command whose answer is not waited for. The writer keeps it until it is written, however long the
    /// store's outage lasts, and writes it before whatever is handed in after it: so a later command that is answered
    /// says that this one is durable too, and that its fence was good.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::Closed`] when there is no writer any more.
    pub async fn hand_in(&self, command: Command) -> Result<(), StoreError> {
        if self.halted.load(Ordering::Acquire) {
            return std::future::pending().await;
        }
        self.items.send(Item::detached(command)).await.map_err(|_| StoreError::Closed)
    }

    /// Hands in a command from a place that cannot wait, such as `Drop`; its answer is not wanted.
    pub fn submit_detached(&self, command: Command) {
        // A closed queue means that the process ends: the next boot settles what this one left open.
        let _ = self.dropped.send(Item::detached(command));
    }

    /// Takes nothing more: whoever hands in a command waits for ever. For a process that ends at once, so that what it
    /// does to its own work on the way out is never written as a result.
    pub fn halt(&self) {
        self.halted.store(true, Ordering::Release);
    }

    /// Tells how many commands wait.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.items.max_capacity() - self.items.capacity()
    }
}

/// An answer on its way. When it holds a grant and nobody takes it, the money is settled at its bound: otherwise it
/// would stay set aside until the next start, and others wait for a settlement that never comes.
pub(crate) struct Delivery {
    answer: Option<Answer>,
    unreceived: Option<(mpsc::WeakUnboundedSender<Item>, Box<Settle>)>,
}

impl Delivery {
    pub(crate) fn new(answer: Answer, command: &Command, back: &mpsc::WeakUnboundedSender<Item>) -> Self {
        let unreceived = match (command, &answer) {
            (Command::Reserve(ask), Ok(Ok(Reply::Granted(_)))) => {
                let Reserve { key, root_key, scope, by, .. } = ask.clone();
                let why = "abandoned before the grant was received";
                let settle = Settle::unanswered(key, by.task_key, root_key, scope, why);
                Some((back.clone(), Box::new(settle)))
            }
            _ => None,
        };
        Self { answer: Some(answer), unreceived }
    }

    fn take(mut self) -> Answer {
        self.unreceived = None;
        self.answer.take().expect("an answer is taken once, here")
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let Some((back, settle)) = self.unreceived.take() else { return };
        if let Some(dropped) = back.upgrade() {
            let _ = dropped.send(Item::detached(Command::Settle(*settle)));
        }
    }
}

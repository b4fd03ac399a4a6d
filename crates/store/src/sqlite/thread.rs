//! The thread that owns the writer's connection. A batch is one job there, so that it makes the way to the thread and back
//! once, whatever it reads and writes: that way costs more than a row.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::StoreError;
use crate::sqlite::recent::Recent;

type Job = Box<dyn FnOnce(&mut Owned) + Send>;

/// What only the thread touches.
pub(super) struct Owned {
    pub(super) connection: Connection,
    pub(super) recent: Recent,
}

/// Where jobs are handed in. The thread ends, and closes the connection, when this is dropped.
pub(super) struct Owner {
    jobs: mpsc::Sender<Job>,
}

impl Owner {
    pub(super) fn start(connection: Connection) -> Result<Self, StoreError> {
        let (jobs, queued) = mpsc::channel::<Job>();
        let mut owned = Owned { connection, recent: Recent::default() };
        let run = move || queued.into_iter().for_each(|job| job(&mut owned));
        let started = std::thread::Builder::new().name("store-writer".to_owned()).spawn(run);
        started.map(|_| Self { jobs }).map_err(|error| StoreError::Io(error.to_string()))
    }

    /// Runs a job and returns what it returns; a panic in it is the caller's. A job that was handed in runs to its end, also
    /// when nobody waits for it any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Owned) -> T + Send + 'static,
    ) -> T {
        let (answer, answered) = oneshot::channel();
        let job = move |owned: &mut Owned| {
            // It has no state that a panic could tear: a transaction ends with its guard, and recent rows are put back last.
            let result = catch_unwind(AssertUnwindSafe(|| job(owned)));
            drop(answer.send(result));
        };
        drop(self.jobs.send(Box::new(job)));
        let result = answered.await.expect("the thread lives as long as this, and answers each job");
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

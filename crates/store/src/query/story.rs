//! All that is known of one task.

use glitchlab_domain::id::{AttemptId, TaskKey};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::rows::{AttemptRow, CallRow};
use glitchlab_domain::story::{ATTEMPTS, Kin, Material, Story, TREE, tell};
use glitchlab_domain::task::TaskRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use super::{Reader, fetch};
use crate::error::StoreError;
use crate::memory::Contents;
use crate::sqlite::load;

impl Reader {
    /// Tells the story of a task; none when there is no such task.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn story(&self, key: &TaskKey) -> Result<Option<Story>, StoreError> {
        let Some(task) = self.task(key).await? else { return Ok(None) };
        let mut attempts = self.attempts(&task.key).await?;
        attempts.drain(..attempts.len().saturating_sub(ATTEMPTS));
        let (mut steps, mut calls) = (Vec::new(), Vec::new());
        for attempt in &attempts {
            steps.extend(self.steps(&attempt.attempt_id).await?);
            calls.extend(self.calls_of(&attempt.attempt_id).await?);
        }
        let kin = self.kin(&task).await?;
        Ok(Some(tell(Material { task, attempts, steps, calls, kin })))
    }

    /// Returns the tries of an attempt, in no order.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn calls_of(&self, attempt_id: &AttemptId) -> Result<Vec<CallRow>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| {
                let calls = contents.rows.calls.values();
                calls.filter(|call| call.key.attempt_id == *attempt_id).cloned().collect()
            })),
            Self::Sqlite(pool) => {
                // As for steps: the keys that begin with the attempt's id and a slash.
                let query = sqlx::query("SELECT body FROM model_call WHERE try_id >= ? AND try_id < ?")
                    .bind(format!("{attempt_id}/"))
                    .bind(format!("{attempt_id}0"));
                fetch(pool, query).await
            }
        }
    }

    /// Returns a task and the others of its decomposition, at most [`TREE`] and one more.
    async fn kin(&self, task: &TaskRow) -> Result<Vec<Kin>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| {
                let tasks = contents.rows.tasks.values().filter(|other| other.root_key == task.root_key);
                tasks.take(TREE + 1).map(|task| remembered(contents, task)).collect()
            })),
            Self::Sqlite(pool) => loaded(pool, task).await,
        }
    }
}

fn remembered(contents: &Contents, task: &TaskRow) -> Kin {
    let attempts = contents.rows.attempts.values().filter(|attempt| attempt.task_key == task.key);
    let attempts: Vec<&AttemptRow> = attempts.collect();
    let took = |attempt: &&AttemptRow| Some(attempt.ended_ms? - attempt.started_ms);
    Kin {
        task: task.clone(),
        attempts: u32::try_from(attempts.len()).unwrap_or(u32::MAX),
        tokens: attempts.iter().map(|attempt| attempt.tokens).sum(),
        cost: attempts.iter().map(|attempt| attempt.cost).sum(),
        took_ms: attempts.iter().filter_map(took).reduce(|a, b| a + b),
    }
}

/// The task itself and the root come first, so that a large tree never loses them.
async fn loaded(pool: &SqlitePool, task: &TaskRow) -> Result<Vec<Kin>, StoreError> {
    let query = sqlx::query(
        "SELECT body, (SELECT COUNT(*) FROM attempt WHERE attempt.task_key = task.task_key), \
         (SELECT SUM(json_extract(body, '$.tokens')) FROM attempt WHERE attempt.task_key = task.task_key), \
         (SELECT SUM(json_extract(body, '$.cost')) FROM attempt WHERE attempt.task_key = task.task_key), \
         (SELECT SUM(ended_ms - started_ms) FROM attempt WHERE attempt.task_key = task.task_key) \
         FROM task WHERE root_key = ?1 ORDER BY task_key <> ?2, task_key <> ?1, bead_id LIMIT ?3",
    );
    let most = i64::try_from(TREE).unwrap_or(i64::MAX) + 1;
    let query = query.bind(task.root_key.to_string()).bind(task.key.to_string()).bind(most);
    query.fetch_all(pool).await?.iter().map(kin).collect()
}

fn kin(row: &SqliteRow) -> Result<Kin, StoreError> {
    let sum = |place: usize| row.try_get::<Option<i64>, _>(place);
    Ok(Kin {
        task: load::read(row.try_get(0)?)?,
        attempts: u32::try_from(row.try_get::<i64, _>(1)?).unwrap_or(u32::MAX),
        tokens: u64::try_from(sum(2)?.unwrap_or(0)).unwrap_or(0),
        cost: MicroUsd::new(sum(3)?.unwrap_or(0)),
        took_ms: sum(4)?,
    })
}

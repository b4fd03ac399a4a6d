//! What spans are made from.

use std::collections::BTreeSet;

use glitchlab_domain::id::{AttemptId, TaskKey};
use glitchlab_domain::rows::{AttemptRow, CallRow, StepRow};
use glitchlab_domain::task::TaskRow;
use glitchlab_domain::trace::{Material, Wanted};
use sqlx::{AssertSqlSafe, SqlitePool};

use super::{Reader, fetch};
use crate::error::StoreError;
use crate::memory::Contents;
use crate::rows::{Stored, step_id};

/// The most tasks of one decomposition that are looked at.
const TREE: usize = 2_000;

impl Reader {
    /// Returns the rows that these keys name, with a task its root, and with a step all its tries; what is not there is
    /// left out, and so is what belongs to another repository. Prompts and replies come along only where they are asked
    /// for: they are large.
    ///
    /// # Errors
    ///
    /// Returns what the database says; so do all reads here.
    pub async fn material(
        &self,
        repo_id: &str,
        wanted: &Wanted,
        with_words: bool,
    ) -> Result<Material, StoreError> {
        let mut material = match self {
            Self::Memory(memory) => memory.read(|contents| remembered(contents, wanted, with_words)),
            Self::Sqlite(pool) => loaded(pool, wanted, with_words).await?,
        };
        keep_own(repo_id, &mut material);
        Ok(material)
    }

    /// Returns everything of a root task and its parts, without prompts and replies.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn whole_trace(&self, repo_id: &str, root_key: &TaskKey) -> Result<Material, StoreError> {
        let mut wanted = Wanted::default();
        for task in self.tree(root_key).await? {
            for attempt in self.attempts(&task.key).await? {
                let steps = self.steps(&attempt.attempt_id).await?;
                wanted.steps.extend(steps.into_iter().map(|step| (step.attempt_id, step.n)));
                wanted.attempts.insert(attempt.attempt_id);
            }
            wanted.tasks.insert(task.key);
        }
        self.material(repo_id, &wanted, false).await
    }

    async fn tree(&self, root_key: &TaskKey) -> Result<Vec<TaskRow>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| {
                let tasks = contents.rows.tasks.values();
                tasks.filter(|task| task.root_key == *root_key).take(TREE).cloned().collect()
            })),
            Self::Sqlite(pool) => {
                let query = sqlx::query(
                    "SELECT body FROM task WHERE root_key = ? ORDER BY task_key <> root_key, bead_id LIMIT ?",
                );
                fetch(pool, query.bind(root_key.to_string()).bind(i64::try_from(TREE).unwrap_or(i64::MAX)))
                    .await
            }
        }
    }
}

/// The store may be shared: an attempt is of the repository of its task.
fn keep_own(repo_id: &str, material: &mut Material) {
    material.tasks.retain(|task| task.repo_id == repo_id);
    let ours: BTreeSet<TaskKey> = material.tasks.iter().map(|task| task.key.clone()).collect();
    material.attempts.retain(|attempt| ours.contains(&attempt.task_key));
    let ours: BTreeSet<AttemptId> =
        material.attempts.iter().map(|attempt| attempt.attempt_id.clone()).collect();
    material.steps.retain(|step| ours.contains(&step.attempt_id));
    material.calls.retain(|call| ours.contains(&call.key.attempt_id));
}

fn remembered(contents: &Contents, wanted: &Wanted, with_words: bool) -> Material {
    let rows = &contents.rows;
    let attempts: Vec<AttemptRow> =
        wanted.attempts.iter().filter_map(|id| rows.attempts.get(id).cloned()).collect();
    let keys = named_tasks(wanted, &attempts);
    let mut tasks: Vec<TaskRow> = keys.iter().filter_map(|key| rows.tasks.get(key).cloned()).collect();
    tasks.extend(missing_roots(&tasks).iter().filter_map(|key| rows.tasks.get(key).cloned()));
    let is_wanted = |call: &&CallRow| {
        let step = (call.key.attempt_id.clone(), call.key.step_n);
        wanted.steps.contains(&step) || wanted.calls.contains(&call.key)
    };
    let calls = rows
        .calls
        .values()
        .filter(is_wanted)
        .map(|call| {
            if with_words {
                call.clone()
            } else {
                CallRow { reply: None, prompt: Vec::new(), ..call.clone() }
            }
        })
        .collect();
    let steps = wanted.steps.iter().filter_map(|key| rows.steps.get(key).cloned()).collect();
    let purses = tasks.iter().filter_map(|task| rows.purses.get(&task.root_key).cloned()).collect();
    Material { tasks, attempts, steps, calls, purses }
}

async fn loaded(pool: &SqlitePool, wanted: &Wanted, with_words: bool) -> Result<Material, StoreError> {
    let attempts: Vec<AttemptRow> = named(pool, wanted.attempts.iter()).await?;
    let mut tasks: Vec<TaskRow> = named(pool, named_tasks(wanted, &attempts)).await?;
    tasks.extend(named::<TaskRow>(pool, missing_roots(&tasks)).await?);
    let steps = wanted.steps.iter().map(|(attempt_id, n)| step_id(attempt_id, *n));
    let steps: Vec<StepRow> = named(pool, steps).await?;
    let roots: BTreeSet<&TaskKey> = tasks.iter().map(|task| &task.root_key).collect();
    let purses = named(pool, roots).await?;
    let calls = calls(pool, wanted, with_words).await?;
    Ok(Material { tasks, attempts, steps, calls, purses })
}

fn named_tasks(wanted: &Wanted, attempts: &[AttemptRow]) -> BTreeSet<TaskKey> {
    let of_attempts = attempts.iter().flat_map(|attempt| [&attempt.task_key, &attempt.root_key]);
    wanted.tasks.iter().chain(of_attempts).cloned().collect()
}

fn missing_roots(tasks: &[TaskRow]) -> BTreeSet<TaskKey> {
    let known: BTreeSet<&TaskKey> = tasks.iter().map(|task| &task.key).collect();
    tasks.iter().map(|task| &task.root_key).filter(|root| !known.contains(root)).cloned().collect()
}

/// Returns the rows of a table with these keys.
async fn named<T: Stored>(
    pool: &SqlitePool,
    keys: impl IntoIterator<Item = impl ToString>,
) -> Result<Vec<T>, StoreError> {
    let keys: Vec<String> = keys.into_iter().map(|key| key.to_string()).collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let (table, key) = (T::TABLE, T::COLUMNS[0]);
    let text = format!("SELECT body FROM {table} WHERE {key} IN (SELECT value FROM json_each(?))");
    fetch(pool, sqlx::query(AssertSqlSafe(text)).bind(serde_json::json!(keys).to_string())).await
}

/// The tries of whole steps are a range of keys; the others are named one by one, and may be of the same steps.
async fn calls(pool: &SqlitePool, wanted: &Wanted, with_words: bool) -> Result<Vec<CallRow>, StoreError> {
    let steps: Vec<String> = wanted.steps.iter().map(|(attempt_id, n)| step_id(attempt_id, *n)).collect();
    let apart =
        wanted.calls.iter().filter(|key| !wanted.steps.contains(&(key.attempt_id.clone(), key.step_n)));
    let apart: Vec<String> = apart.map(ToString::to_string).collect();
    let body = if with_words { "c.body" } else { "json_remove(c.body, '$.reply', '$.prompt')" };
    let text = format!(
        "SELECT {body} FROM json_each(?) AS s JOIN model_call AS c \
         ON c.try_id >= s.value || '/' AND c.try_id < s.value || '0' \
         UNION ALL SELECT {body} FROM json_each(?) AS k JOIN model_call AS c ON c.try_id = k.value"
    );
    let query = sqlx::query(AssertSqlSafe(text));
    let bound = query.bind(serde_json::json!(steps).to_string()).bind(serde_json::json!(apart).to_string());
    fetch(pool, bound).await
}

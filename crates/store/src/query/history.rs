//! The list of tasks, and attempts that have ended.

use std::collections::HashMap;

use glitchlab_domain::history::{
    COUNTED, EndedAttempt, EndedFilter, OrderBy, Place, Spend, Tally, TaskFilter, TaskLine, TaskOrder,
    TaskPage, TaskQuestion,
};
use glitchlab_domain::id::{AttemptId, TaskKey};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::reason::Wait;
use glitchlab_domain::rows::AttemptRow;
use glitchlab_domain::task::{TaskRow, TaskState};
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqlitePool};

use super::summaries::{self, Summary};
use super::{Query, Reader, fetch};
use crate::error::StoreError;
use crate::sqlite::load;

impl Reader {
    /// Returns a page of the tasks of a repository that were ever attempted. The work is bounded by the number of tasks
    /// in the filter's range, whose rows are narrow.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn task_page(&self, repo_id: &str, question: &TaskQuestion) -> Result<TaskPage, StoreError> {
        let mut page = match self {
            Self::Memory(memory) => {
                memory.read(|contents| summaries::page(&summaries::all(contents, repo_id), question))
            }
            Self::Sqlite(pool) => Page { pool, repo_id, question }.load().await?,
        };
        let more = page.found.len() > question.limit as usize;
        page.found.truncate(question.limit as usize);
        let by = question.order.by;
        let next = page.found.last().filter(|_| more).map(|last| last.place(by));
        let lines = self.lines(page.found).await?;
        Ok(TaskPage { lines, next, tally: page.tally, models: page.models })
    }

    /// Adds to what the index knows what only the rows know.
    async fn lines(&self, found: Vec<Summary>) -> Result<Vec<TaskLine>, StoreError> {
        let keys: Vec<_> = found.iter().map(|summary| summary.task_key.clone()).collect();
        let mut tasks: HashMap<TaskKey, TaskRow> =
            self.tasks_of(&keys).await?.into_iter().map(|task| (task.key.clone(), task)).collect();
        let mut lines = Vec::new();
        for summary in found {
            let Some(task) = tasks.remove(&summary.task_key) else { continue };
            let running = match summary.ended_ms {
                None => self.attempts(&task.key).await?.pop(),
                Some(_) => None,
            };
            lines.push(line(summary, task, running.as_ref()));
        }
        Ok(lines)
    }

    /// Returns the tasks with these keys, in no order.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn tasks_of(&self, keys: &[TaskKey]) -> Result<Vec<TaskRow>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| {
                keys.iter().filter_map(|key| contents.rows.tasks.get(key)).cloned().collect()
            })),
            Self::Sqlite(pool) => {
                let query =
                    sqlx::query("SELECT body FROM task WHERE task_key IN (SELECT value FROM json_each(?))");
                fetch(pool, query.bind(list(keys.iter().map(TaskKey::as_str)))).await
            }
        }
    }

    /// Returns the attempts of a repository that have ended, the newest first.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn ended_attempts(
        &self,
        repo_id: &str,
        filter: &EndedFilter,
        limit: u32,
    ) -> Result<Vec<EndedAttempt>, StoreError> {
        let since = filter.since_ms.unwrap_or(i64::MIN);
        let bead = filter.bead_id.as_ref().map(ToString::to_string);
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| {
                let mut ended = summaries::ended(contents, repo_id);
                ended.retain(|attempt| {
                    attempt.ended_ms >= since
                        && filter.bead_id.as_ref().is_none_or(|id| *id == attempt.bead_id)
                });
                ended.truncate(limit as usize);
                ended
            })),
            Self::Sqlite(pool) => {
                let query = sqlx::query(
                    "SELECT attempt.body, task.body FROM attempt, task WHERE task.task_key = attempt.task_key AND attempt.ended_ms >= ?1 AND task.repo_id = ?2 AND (?3 IS NULL OR task.bead_id = ?3) ORDER BY attempt.ended_ms DESC, attempt.attempt_id DESC LIMIT ?4",
                );
                let query = query.bind(since).bind(repo_id.to_owned()).bind(bead).bind(i64::from(limit));
                let rows = query.fetch_all(pool).await?;
                rows.iter().filter_map(|row| ended(row).transpose()).collect()
            }
        }
    }

    /// Returns the ids of the attempts of a repository that have ended, the oldest first.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn ended_ids(&self, repo_id: &str) -> Result<Vec<AttemptId>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| {
                let ended = summaries::ended(contents, repo_id).into_iter();
                ended.rev().map(|attempt| attempt.attempt_id).collect()
            })),
            Self::Sqlite(pool) => {
                let query = sqlx::query(
                    "SELECT attempt_id FROM attempt, task WHERE task.task_key = attempt.task_key AND attempt.ended_ms IS NOT NULL AND task.repo_id = ? ORDER BY attempt.ended_ms, attempt_id",
                );
                let rows = query.bind(repo_id.to_owned()).fetch_all(pool).await?;
                rows.iter().map(|row| Ok(AttemptId::new(row.try_get::<String, _>(0)?))).collect()
            }
        }
    }

    /// Returns one attempt, when it has ended.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn ended_attempt(&self, attempt_id: &AttemptId) -> Result<Option<EndedAttempt>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| {
                let attempt = contents.rows.attempts.get(attempt_id)?;
                EndedAttempt::of(attempt, contents.rows.tasks.get(&attempt.task_key)?)
            })),
            Self::Sqlite(pool) => {
                let query = sqlx::query(
                    "SELECT attempt.body, task.body FROM attempt, task WHERE task.task_key = attempt.task_key AND attempt_id = ?",
                );
                let row = query.bind(attempt_id.to_string()).fetch_optional(pool).await?;
                row.map_or(Ok(None), |row| ended(&row))
            }
        }
    }

    /// Returns what was settled since `since_ms` by task, model, stage and day.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn spend(&self, repo_id: &str, since_ms: i64) -> Result<Vec<Spend>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| summaries::spend(contents, repo_id, since_ms))),
            Self::Sqlite(pool) => {
                let query = sqlx::query(SPEND).bind(repo_id.to_owned()).bind(since_ms);
                let rows = query.fetch_all(pool).await?;
                rows.iter().map(spend).collect()
            }
        }
    }
}

const SPEND: &str = "SELECT task.bead_id, json_extract(c.body, '$.model') AS model, json_extract(c.body, '$.stage') AS stage, \
    c.settled_ms - c.settled_ms % 86400000 AS day, c.scope <> 'real' AS simulated, COUNT(*), \
    SUM(json_extract(c.body, '$.ok') = 0), SUM(json_extract(c.body, '$.input_tokens')), SUM(json_extract(c.body, '$.output_tokens')), \
    SUM(c.actual_micro) FROM model_call AS c, task \
    WHERE task.task_key = json_extract(c.body, '$.task_key') AND task.repo_id = ? AND c.settled_ms >= ? \
    GROUP BY task.bead_id, model, stage, day, simulated ORDER BY day, task.bead_id, model, stage";

/// The condition of tasks whose keys are known.
const KNOWN: &str = "task_key IN (SELECT value FROM json_each(?))";

/// A page before the rows are looked up.
pub(super) struct Found {
    /// One more than asked for when there is another page.
    pub(super) found: Vec<Summary>,
    pub(super) tally: Tally,
    pub(super) models: Vec<String>,
}

/// One page of the narrow table.
struct Page<'a> {
    pool: &'a SqlitePool,
    repo_id: &'a str,
    question: &'a TaskQuestion,
}

impl Page<'_> {
    async fn load(&self) -> Result<Found, StoreError> {
        let (tally, keys) = self.tally().await?;
        let found = match keys.is_empty() {
            true => Vec::new(),
            // All that pass are known by now: they need not be looked for again.
            false if !tally.is_cut => self.found(Some(&keys)).await?,
            false => self.found(None).await?,
        };
        Ok(Found { found, tally, models: self.models().await? })
    }

    /// The conditions of the filter; [`Page::bind`] binds their values.
    fn conditions(&self) -> String {
        let TaskFilter { state, words, model, size, since_ms } = &self.question.filter;
        let given = [
            (since_ms.is_some(), " AND ended_ms >= ?"),
            (state.is_some(), " AND state = ?"),
            (model.is_some(), " AND model = ?"),
            (size.is_some(), " AND size = ?"),
            (!words.is_empty(), " AND instr(words, ?) > 0"),
        ];
        let given = given.into_iter().filter(|(is_given, _)| *is_given).map(|(_, text)| text);
        std::iter::once("repo_id = ?").chain(given).collect()
    }

    fn bind<'q>(&self, query: Query<'q>) -> Query<'q> {
        let TaskFilter { state, words, model, size, since_ms } = self.question.filter.clone();
        let mut query = query.bind(self.repo_id.to_owned());
        if let Some(since_ms) = since_ms {
            query = query.bind(since_ms);
        }
        let texts =
            [state.map(|state| state.name().to_owned()), model, size.map(|size| size.name().to_owned())];
        let words = Some(words.to_ascii_lowercase()).filter(|words| !words.is_empty());
        texts.into_iter().chain([words]).flatten().fold(query, Query::bind)
    }

    /// Reads the page, of these tasks or of all that pass.
    async fn found(&self, keys: Option<&[String]>) -> Result<Vec<Summary>, StoreError> {
        let TaskOrder { by, ascending } = self.question.order;
        let (column, than, way) =
            if ascending { (column(by), ">", "ASC") } else { (column(by), "<", "DESC") };
        let place = self.question.after.as_ref().map(|_| format!(" AND ({column}, task_key) {than} (?, ?)"));
        let (from, conditions) = match keys {
            Some(_) => ("history".to_owned(), KNOWN.to_owned()),
            None => (format!("history INDEXED BY history_by_{column}"), self.conditions()),
        };
        let text = format!(
            "SELECT task_key, model, size, attempts, tokens, cost_micro, took_ms, started_ms, claimed_ms, ended_ms FROM history WHERE task_key IN (SELECT task_key FROM (SELECT task_key FROM {from} WHERE {conditions}{} ORDER BY {column} {way}, task_key {way} LIMIT ?)) ORDER BY {column} {way}, task_key {way}",
            place.unwrap_or_default()
        );
        let query = sqlx::query(AssertSqlSafe(text));
        let mut query = match keys {
            Some(keys) => query.bind(list(keys.iter().map(String::as_str))),
            None => self.bind(query),
        };
        if let Some(Place { value, task_key }) = self.question.after.clone() {
            query = query.bind(value).bind(task_key.to_string());
        }
        let rows = query.bind(i64::from(self.question.limit) + 1).fetch_all(self.pool).await?;
        rows.iter().map(summary).collect()
    }

    /// Counts the newest that pass, and returns their keys.
    async fn tally(&self) -> Result<(Tally, Vec<String>), StoreError> {
        let text = format!(
            "SELECT state, COUNT(*), SUM(own_micro), json_group_array(task_key) FROM (SELECT task_key, state, own_micro FROM history INDEXED BY history_by_ended_ms WHERE {} ORDER BY ended_ms DESC LIMIT ?) GROUP BY state",
            self.conditions()
        );
        let query = self.bind(sqlx::query(AssertSqlSafe(text))).bind(i64::from(COUNTED));
        let (mut tally, mut keys) = (Tally::default(), Vec::new());
        for row in query.fetch_all(self.pool).await? {
            let state: TaskState = named(row.try_get(0)?)?;
            tally.states.insert(state, u64::try_from(row.try_get::<i64, _>(1)?).unwrap_or(0));
            tally.cost += MicroUsd::new(row.try_get(2)?);
            let these: Vec<String> = serde_json::from_str(row.try_get(3)?).map_err(|error| bad(&error))?;
            keys.extend(these);
        }
        tally.is_cut = tally.states.values().sum::<u64>() >= u64::from(COUNTED);
        Ok((tally, keys))
    }

    async fn models(&self) -> Result<Vec<String>, StoreError> {
        let query = sqlx::query(
            "SELECT DISTINCT model FROM (SELECT model FROM history INDEXED BY history_by_ended_ms WHERE repo_id = ? ORDER BY ended_ms DESC LIMIT ?) ORDER BY model",
        );
        let query = query.bind(self.repo_id.to_owned()).bind(i64::from(COUNTED));
        query.fetch_all(self.pool).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

const fn column(by: OrderBy) -> &'static str {
    match by {
        OrderBy::Ended => "ended_ms",
        OrderBy::Attempts => "attempts",
        OrderBy::Tokens => "tokens",
        OrderBy::Cost => "cost_micro",
        OrderBy::Took => "took_ms",
    }
}

fn summary(row: &SqliteRow) -> Result<Summary, StoreError> {
    let count = |place: usize| row.try_get::<i64, _>(place);
    let size: Option<String> = row.try_get(2)?;
    Ok(Summary {
        task_key: TaskKey::new(row.try_get::<String, _>(0)?),
        model: row.try_get(1)?,
        size: size.map(named).transpose()?,
        attempts: u32::try_from(count(3)?).unwrap_or(u32::MAX),
        tokens: u64::try_from(count(4)?).unwrap_or(0),
        cost: MicroUsd::new(count(5)?),
        took_ms: count(6)?,
        started_ms: count(7)?,
        claimed_ms: count(8)?,
        ended_ms: Some(count(9)?).filter(|ended| *ended != i64::MAX),
    })
}

/// What runs counts as it stands now, which the index does not know.
fn line(summary: Summary, task: TaskRow, running: Option<&AttemptRow>) -> TaskLine {
    let (tokens, cost) = running.map_or((0, MicroUsd::ZERO), |attempt| (attempt.tokens, attempt.cost));
    let waits = task.reason.clone().map(|reason| Wait { reason, until_ms: task.until_ms });
    TaskLine {
        task_key: task.key,
        bead_id: task.bead_id,
        title: task.title,
        state: task.state,
        waits: running.and_then(|attempt| attempt.waiting.clone()).or(waits),
        model: summary.model,
        size: running.and_then(|attempt| attempt.size).or(summary.size),
        attempts: summary.attempts,
        tokens: summary.tokens + tokens,
        cost: summary.cost + cost,
        took_ms: summary.took_ms,
        started_ms: summary.started_ms,
        claimed_ms: summary.claimed_ms,
        ended_ms: summary.ended_ms,
        request: task.request,
        merged: task.merged,
    }
}

fn ended(row: &SqliteRow) -> Result<Option<EndedAttempt>, StoreError> {
    Ok(EndedAttempt::of(&load::read(row.try_get(0)?)?, &load::read(row.try_get(1)?)?))
}

fn spend(row: &SqliteRow) -> Result<Spend, StoreError> {
    let count =
        |place: usize| Ok::<_, sqlx::Error>(u64::try_from(row.try_get::<i64, _>(place)?).unwrap_or(0));
    Ok(Spend {
        bead_id: row.try_get::<String, _>(0)?.as_str().into(),
        model: row.try_get(1)?,
        stage: named(row.try_get(2)?)?,
        day_ms: row.try_get(3)?,
        simulated: row.try_get(4)?,
        calls: count(5)?,
        failed: count(6)?,
        input_tokens: count(7)?,
        output_tokens: count(8)?,
        cost: MicroUsd::new(row.try_get(9)?),
    })
}

/// Reads a word that one of our enums is written as.
fn named<T: DeserializeOwned>(word: String) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(word)).map_err(|error| bad(&error))
}

fn bad(error: &serde_json::Error) -> StoreError {
    StoreError::BadRow { table: "history", what: error.to_string() }
}

/// Writes texts as a JSON list, for `json_each`.
fn list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    serde_json::Value::from_iter(texts).to_string()
}

//! What the alerter reads, and what is shown of alerts.

use glitchlab_domain::alert::delivery::OutboxRow;
use glitchlab_domain::alert::rows::cursor_id;
use glitchlab_domain::alert::{AlertRow, CursorRow};
use glitchlab_domain::event::Event;
use glitchlab_domain::id::BootId;
use glitchlab_domain::rows::ProcessRow;
use glitchlab_domain::task::{TaskRow, TaskState};
use sqlx::{AssertSqlSafe, Row, SqlitePool};

use super::{Reader, fetch};
use crate::error::StoreError;

/// The events of a boot after a place in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Following {
    /// Those of the kinds that were asked for, in order.
    pub events: Vec<Event>,
    /// The last place that was looked at, of any kind.
    pub through: u64,
}

impl Reader {
    /// Returns how far the events of a boot were taken into the alerts of a repository.
    ///
    /// # Errors
    ///
    /// Returns what the database says; so do all reads here.
    pub async fn cursor(&self, repo_id: &str, boot_id: &BootId) -> Result<u64, StoreError> {
        let id = cursor_id(repo_id, boot_id);
        let row: Option<CursorRow> = match self {
            Self::Memory(memory) => memory.read(|contents| contents.rows.cursors.get(&id).cloned()),
            Self::Sqlite(pool) => {
                let query = sqlx::query("SELECT body FROM cursor_of_events WHERE cursor_id = ?").bind(id);
                fetch(pool, query).await?.pop()
            }
        };
        Ok(row.map_or(0, |row| row.seq))
    }

    /// Returns the boots that worked on a repository, the oldest first.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn boots_of(&self, repo_id: &str) -> Result<Vec<BootId>, StoreError> {
        let mut boots: Vec<ProcessRow> = match self {
            Self::Memory(memory) => memory.read(|contents| {
                contents.rows.processes.values().filter(|row| row.repo_id == repo_id).cloned().collect()
            }),
            Self::Sqlite(pool) => {
                let query = sqlx::query("SELECT body FROM process WHERE repo_id = ?");
                fetch(pool, query.bind(repo_id.to_owned())).await?
            }
        };
        boots.sort_by(|a, b| (a.started_ms, &a.boot_id).cmp(&(b.started_ms, &b.boot_id)));
        Ok(boots.into_iter().map(|row| row.boot_id).collect())
    }

    /// Returns the events of a boot after `after`, at most `limit` of them, and of those only the ones of some kinds.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn events_after(
        &self,
        boot_id: &BootId,
        after: u64,
        kinds: &[&'static str],
        limit: u32,
    ) -> Result<Following, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| {
                // Newest first, so that one who follows looks at what is new alone.
                let newer =
                    contents.events.iter().rev().take_while(|e| e.id.boot_id != *boot_id || e.id.seq > after);
                let mut events: Vec<Event> = newer.filter(|e| e.id.boot_id == *boot_id).cloned().collect();
                events.reverse();
                events.truncate(limit as usize);
                let through = events.last().map_or(after, |event| event.id.seq);
                events.retain(|event| kinds.contains(&event.kind.name()));
                Following { events, through }
            })),
            Self::Sqlite(pool) => following(pool, boot_id, after, kinds, limit).await,
        }
    }

    /// Returns the tasks of a repository that wait for a person.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn tasks_that_wait(&self, repo_id: &str) -> Result<Vec<TaskRow>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.read(|contents| {
                let ours = contents.rows.tasks.values().filter(|task| task.repo_id == repo_id);
                ours.filter(|task| task.state.needs_a_person()).cloned().collect()
            })),
            Self::Sqlite(pool) => {
                let query = sqlx::query("SELECT body FROM task WHERE repo_id = ? AND state IN (?, ?)");
                let query = query.bind(repo_id.to_owned());
                let query = query.bind(TaskState::NeedsHuman.name()).bind(TaskState::Failed.name());
                fetch(pool, query).await
            }
        }
    }

    /// Returns what is queued for the receivers of a repository.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn queued(&self, repo_id: &str) -> Result<Vec<OutboxRow>, StoreError> {
        match self {
            Self::Memory(memory) => {
                Ok(memory.read(|contents| contents.rows.queued(repo_id).cloned().collect()))
            }
            Self::Sqlite(pool) => {
                let query = sqlx::query("SELECT body FROM outbox WHERE repo_id = ? AND state = 'queued'");
                fetch(pool, query.bind(repo_id.to_owned())).await
            }
        }
    }

    /// Returns the incidents of a repository: all that are not over, and the last `count` of the others, newest first.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn alerts(&self, repo_id: &str, count: u32) -> Result<Vec<AlertRow>, StoreError> {
        let mut alerts: Vec<AlertRow> = match self {
            Self::Memory(memory) => memory.read(|contents| {
                contents.rows.alerts.values().filter(|alert| alert.repo_id == repo_id).cloned().collect()
            }),
            Self::Sqlite(pool) => {
                let open = sqlx::query("SELECT body FROM alert WHERE repo_id = ? AND ended_ms IS NULL");
                let mut alerts = fetch(pool, open.bind(repo_id.to_owned())).await?;
                let over = sqlx::query(
                    "SELECT body FROM alert WHERE repo_id = ? AND ended_ms IS NOT NULL ORDER BY since_ms DESC LIMIT ?",
                );
                alerts.extend(fetch(pool, over.bind(repo_id.to_owned()).bind(i64::from(count))).await?);
                alerts
            }
        };
        alerts.sort_by(|a, b| (b.since_ms, &b.incident_id).cmp(&(a.since_ms, &a.incident_id)));
        let mut over = 0;
        alerts.retain(|alert| {
            over += u32::from(alert.is_over());
            !alert.is_over() || over <= count
        });
        Ok(alerts)
    }

    /// Returns the last `count` deliveries to the receivers of a repository, newest first.
    ///
    /// # Errors
    ///
    /// Returns what the database says.
    pub async fn deliveries(&self, repo_id: &str, count: u32) -> Result<Vec<OutboxRow>, StoreError> {
        let mut rows: Vec<OutboxRow> = match self {
            Self::Memory(memory) => memory.read(|contents| {
                contents.rows.outbox.values().filter(|row| row.repo_id == repo_id).cloned().collect()
            }),
            Self::Sqlite(pool) => {
                let query =
                    sqlx::query("SELECT body FROM outbox WHERE repo_id = ? ORDER BY created_ms DESC LIMIT ?");
                fetch(pool, query.bind(repo_id.to_owned()).bind(i64::from(count))).await?
            }
        };
        rows.sort_by(|a, b| (b.created_ms, b.ord, &b.webhook_id).cmp(&(a.created_ms, a.ord, &a.webhook_id)));
        rows.truncate(count as usize);
        Ok(rows)
    }
}

async fn following(
    pool: &SqlitePool,
    boot_id: &BootId,
    after: u64,
    kinds: &[&'static str],
    limit: u32,
) -> Result<Following, StoreError> {
    let from = i64::try_from(after).unwrap_or(i64::MAX);
    let last = sqlx::query(
        "SELECT COALESCE(MAX(seq), 0) FROM (SELECT seq FROM event WHERE boot_id = ? AND seq > ? ORDER BY seq LIMIT ?) AS portion",
    );
    let last = last.bind(boot_id.as_str()).bind(from).bind(i64::from(limit)).fetch_one(pool).await?;
    let through = u64::try_from(last.try_get::<i64, _>(0)?).unwrap_or(0).max(after);
    let marks = vec!["?"; kinds.len()].join(",");
    let text = format!(
        "SELECT body FROM event WHERE boot_id = ? AND seq > ? AND seq <= ? AND kind IN ({marks}) ORDER BY seq"
    );
    let query = sqlx::query(AssertSqlSafe(text)).bind(boot_id.as_str()).bind(from);
    let query = query.bind(i64::try_from(through).unwrap_or(i64::MAX));
    let query = kinds.iter().fold(query, |query, kind| query.bind(*kind));
    Ok(Following { events: fetch(pool, query).await?, through })
}

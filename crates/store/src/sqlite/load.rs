//! Loading the rows that a batch names, a few statements for all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use glitchlab_domain::decide::kin;
use glitchlab_domain::id::TaskKey;
use glitchlab_domain::ledger::{DEPARTURES, Departures, Head};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::reason::Window;
use glitchlab_domain::rows::{
    AttemptRow, CallRow, ChildRow, ClaimRow, EffectRow, ProcessRow, RowKey, Rows, StepRow,
};
use glitchlab_domain::task::TaskRow;
use sqlx::{Row, SqliteConnection};

use crate::batch::may_wait;
use crate::error::StoreError;
use crate::rows::{Stored, call_id, step_id};

/// How many keys one statement takes; the last few are filled up by repeating one, since a statement costs far more than
/// a key.
const CHUNKS: [usize; 4] = [1, 4, 16, 64];

/// Whether settlements that are still inside a window are listed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Listing {
    /// Where the room may not do for what the batch asks.
    WhenScarce,
    /// For every ledger that the batch names.
    Always,
}

/// What a batch works on.
pub(super) struct Loaded {
    pub(super) rows: Rows,
    /// The ledgers' time, ms UTC.
    pub(super) now_ms: i64,
    /// Departures are listed for every ledger.
    pub(super) lists_departures: bool,
}

pub(super) async fn load(
    connection: &mut SqliteConnection,
    keys: &[RowKey],
    asked: &BTreeMap<String, MicroUsd>,
    clock_ms: i64,
    listing: Listing,
) -> Result<Loaded, StoreError> {
    let mut rows = Rows::default();
    let names = Names::sort(keys);
    for row in select::<TaskRow>(connection, "task_key", &names.tasks).await? {
        rows.tasks.insert(row.key.clone(), row);
    }
    load_kin(connection, &mut rows, &names.kin).await?;
    for row in select::<ClaimRow>(connection, "task_key", &names.claims).await? {
        rows.claims.insert(row.task_key.clone(), row);
    }
    for row in select::<AttemptRow>(connection, "attempt_id", &names.attempts).await? {
        rows.attempts.insert(row.attempt_id.clone(), row);
    }
    for row in select::<StepRow>(connection, "step_id", &names.steps).await? {
        rows.steps.insert((row.attempt_id.clone(), row.n), row);
    }
    for row in select::<CallRow>(connection, "call_id", &names.calls).await? {
        rows.calls.insert(row.key.clone(), row);
    }
    for row in select::<EffectRow>(connection, "effect_key", &names.effects).await? {
        rows.effects.insert(row.key.clone(), row);
    }
    for row in select::<ChildRow>(connection, "child_id", &names.children).await? {
        rows.children.insert((row.attempt_id.clone(), row.n), row);
    }
    for row in select::<ProcessRow>(connection, "boot_id", &names.processes).await? {
        rows.processes.insert(row.boot_id.clone(), row);
    }
    if names.alive_processes {
        for body in
            sqlx::query("SELECT body FROM process WHERE alive = 1").fetch_all(&mut *connection).await?
        {
            let row: ProcessRow = read(body.try_get(0)?)?;
            rows.processes.insert(row.boot_id.clone(), row);
        }
    }
    let now_ms = load_ledgers(connection, &mut rows, asked, clock_ms, listing).await?;
    let lists_departures = rows.departures.len() == rows.heads.len();
    Ok(Loaded { rows, now_ms, lists_departures })
}

/// Loads what only the rows of tasks can name.
async fn load_kin(
    connection: &mut SqliteConnection,
    rows: &mut Rows,
    names: &[(TaskKey, usize)],
) -> Result<(), StoreError> {
    let of = |(key, parts): &(TaskKey, usize)| Some(kin(rows.tasks.get(key)?, *parts));
    let named: BTreeSet<TaskKey> = names.iter().filter_map(of).flatten().collect();
    let missing: Vec<String> =
        named.iter().filter(|key| !rows.tasks.contains_key(key)).map(ToString::to_string).collect();
    for row in select::<TaskRow>(connection, "task_key", &missing).await? {
        rows.tasks.insert(row.key.clone(), row);
    }
    Ok(())
}

/// The keys of a batch by table.
#[derive(Default)]
struct Names {
    tasks: Vec<String>,
    kin: Vec<(TaskKey, usize)>,
    claims: Vec<String>,
    attempts: Vec<String>,
    steps: Vec<String>,
    calls: Vec<String>,
    effects: Vec<String>,
    children: Vec<String>,
    processes: Vec<String>,
    alive_processes: bool,
}

impl Names {
    fn sort(keys: &[RowKey]) -> Self {
        let mut names = Self::default();
        for key in keys {
            match key {
                RowKey::Task(key) => names.tasks.push(key.to_string()),
                RowKey::Kin { of, parts } => names.kin.push((of.clone(), *parts)),
                RowKey::Claim(key) => names.claims.push(key.to_string()),
                RowKey::Attempt(id) => names.attempts.push(id.to_string()),
                RowKey::Step(id, n) => names.steps.push(step_id(id, *n)),
                RowKey::Call(id, step_n, call_no) => names.calls.push(call_id(id, *step_n, *call_no)),
                RowKey::Effect(key) => names.effects.push(key.to_string()),
                RowKey::Child(id, n) => names.children.push(step_id(id, *n)),
                RowKey::Process(id) => names.processes.push(id.to_string()),
                RowKey::AliveProcesses => names.alive_processes = true,
                RowKey::Ledger { .. } => {}
            }
        }
        names
    }
}

async fn select<T: Stored>(
    connection: &mut SqliteConnection,
    column: &'static str,
    keys: &[String],
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::with_capacity(keys.len());
    for (size, keys) in chunks(keys) {
        let mut query = sqlx::query(statement(T::TABLE, column, size));
        for key in filled(keys, size) {
            query = query.bind(key.as_str());
        }
        for row in query.fetch_all(&mut *connection).await? {
            found.push(read(row.try_get(0)?)?);
        }
    }
    Ok(found)
}

/// Cuts keys into parts, each with the size of the statement that takes it.
pub(super) fn chunks<K>(keys: &[K]) -> impl Iterator<Item = (usize, &[K])> {
    let most = CHUNKS[CHUNKS.len() - 1];
    keys.chunks(most).map(move |part| {
        let size = CHUNKS.into_iter().find(|size| *size >= part.len());
        (size.unwrap_or(most), part)
    })
}

/// Repeats the last key until there are `size` of them.
pub(super) fn filled<K>(keys: &[K], size: usize) -> impl Iterator<Item = &K> {
    let rest = size.saturating_sub(keys.len());
    keys.iter().chain(keys.last().into_iter().cycle().take(rest))
}

/// The text of a select, made once for each table and size so that the statement cache knows it again.
fn statement(table: &'static str, column: &'static str, size: usize) -> &'static str {
    static TEXTS: LazyLock<crate::sqlite::save::Texts> = LazyLock::new(crate::sqlite::save::Texts::default);
    TEXTS.get((table, column, size), || {
        format!("SELECT body FROM {table} WHERE {column} IN ({})", vec!["?"; size].join(","))
    })
}

pub(crate) fn read<T: Stored>(body: &str) -> Result<T, StoreError> {
    serde_json::from_str(body)
        .map_err(|error| StoreError::BadRow { table: T::TABLE, what: error.to_string() })
}

/// Loads the heads with their tails moved to now, and departures where the room may not do; returns that now.
async fn load_ledgers(
    connection: &mut SqliteConnection,
    rows: &mut Rows,
    asked: &BTreeMap<String, MicroUsd>,
    clock_ms: i64,
    listing: Listing,
) -> Result<i64, StoreError> {
    let scopes: Vec<String> = asked.keys().cloned().collect();
    let mut heads: Vec<Head> = select(connection, "scope", &scopes).await?;
    let now_ms = heads.iter().map(|head| head.now(clock_ms)).max().unwrap_or(clock_ms);
    for head in &mut heads {
        advance(connection, head, now_ms).await?;
        if listing == Listing::Always || may_wait(head, asked.get(&head.scope).copied().unwrap_or_default()) {
            rows.departures.insert(head.scope.clone(), departures(connection, head).await?);
        }
    }
    rows.heads = heads.into_iter().map(|head| (head.scope.clone(), head)).collect();
    Ok(now_ms)
}

pub(crate) async fn advance(
    connection: &mut SqliteConnection,
    head: &mut Head,
    now_ms: i64,
) -> Result<(), StoreError> {
    let (hour, day) = (head.leaving(Window::Hour, now_ms), head.leaving(Window::Day, now_ms));
    if (hour.0, day.0) == (hour.1, day.1) {
        head.advance(now_ms, MicroUsd::ZERO, MicroUsd::ZERO);
        return Ok(());
    }
    let mut query = sqlx::query(LEFT);
    for (after, up_to) in [hour, day] {
        query = query.bind(head.scope.as_str()).bind(after).bind(up_to);
    }
    let sums = query.fetch_one(connection).await?;
    head.advance(now_ms, MicroUsd::new(sums.try_get(0)?), MicroUsd::new(sums.try_get(1)?));
    Ok(())
}

/// What left two windows.
const LEFT: &str = "SELECT (SELECT COALESCE(SUM(actual_micro), 0) FROM model_call WHERE scope = ? AND settled_ms > ? AND settled_ms <= ?), (SELECT COALESCE(SUM(actual_micro), 0) FROM model_call WHERE scope = ? AND settled_ms > ? AND settled_ms <= ?)";

pub(crate) async fn departures(
    connection: &mut SqliteConnection,
    head: &Head,
) -> Result<Departures, StoreError> {
    Ok(Departures {
        hour: first(connection, &head.scope, head.tail_hour_ms).await?,
        day: first(connection, &head.scope, head.tail_day_ms).await?,
    })
}

async fn first(
    connection: &mut SqliteConnection,
    scope: &str,
    after: i64,
) -> Result<Vec<(i64, MicroUsd)>, StoreError> {
    let rows = sqlx::query(
        "SELECT settled_ms, actual_micro FROM model_call WHERE scope = ? AND settled_ms > ? ORDER BY settled_ms LIMIT ?",
    )
    .bind(scope)
    .bind(after)
    .bind(i64::try_from(DEPARTURES).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, MicroUsd::new(row.try_get(1)?)))).collect()
}

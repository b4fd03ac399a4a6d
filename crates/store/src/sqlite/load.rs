//! Loading the rows that a batch names, a few statements for all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use glitchlab_domain::alert::delivery::OutboxRow;
use glitchlab_domain::alert::rows::cursor_id;
use glitchlab_domain::alert::{AlertRow, AlerterRow, CursorRow};
use glitchlab_domain::decide::kin;
use glitchlab_domain::id::TaskKey;
use glitchlab_domain::ledger::Head;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::rows::{
    AttemptRow, CallRow, ChildRow, ClaimRow, ControlRow, EffectRow, GateRow, ProcessRow, PurseRow, RowKey,
    Rows, StepRow,
};
use glitchlab_domain::task::TaskRow;
use sqlx::{Row, SqliteConnection};

use crate::error::StoreError;
use crate::rows::{Stored, call_id, step_id};
use crate::sqlite::ledger::{advance_all, sum_up};
use crate::sqlite::texts::Texts;

/// How many keys of each table one statement takes: few sizes, so that the statement cache knows them again.
const SIZES: [usize; 4] = [1, 4, 16, MOST];
const MOST: usize = 64;

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

/// Loads what the keys name; `begin` begins the transaction by the way.
pub(super) async fn load(
    connection: &mut SqliteConnection,
    begin: Begin,
    keys: &[RowKey],
    asked: &BTreeMap<String, MicroUsd>,
    clock_ms: i64,
    listing: Listing,
) -> Result<Loaded, StoreError> {
    let mut rows = Rows::default();
    let mut names = Names::sort(keys);
    names.heads = asked.keys().cloned().collect();
    fetch(connection, &mut rows, begin, &names.parts()).await?;
    load_kin(connection, &mut rows, &names.kin).await?;
    if names.alive_processes {
        for body in
            sqlx::query("SELECT body FROM process WHERE alive = 1").fetch_all(&mut *connection).await?
        {
            keep::<ProcessRow>(&mut rows, body.try_get(0)?)?;
        }
    }
    for (repo_id, cursor_id) in &names.alerting {
        load_alerting(connection, &mut rows, repo_id, cursor_id).await?;
    }
    let now_ms = advance_all(connection, &mut rows, asked, clock_ms, listing).await?;
    sum_up(connection, &mut rows, &names.openings, now_ms).await?;
    let lists_departures = rows.departures.len() == rows.heads.len();
    Ok(Loaded { rows, now_ms, lists_departures })
}

/// Whether a load begins the transaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Begin {
    /// It is the first of its batch.
    Now,
    /// It has begun.
    Before,
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
    if missing.is_empty() {
        return Ok(());
    }
    fetch(connection, rows, Begin::Before, &[Part::of::<TaskRow>("task_key", &missing)]).await
}

/// Loads what the alerter of a repository works on: few batches name it, so that it is no part of the others' statement.
async fn load_alerting(
    connection: &mut SqliteConnection,
    rows: &mut Rows,
    repo_id: &str,
    cursor_id: &str,
) -> Result<(), StoreError> {
    const WHERE: [&str; 4] = [
        "SELECT body FROM alerter WHERE repo_id = ?",
        "SELECT body FROM cursor_of_events WHERE cursor_id = ?",
        "SELECT body FROM alert WHERE repo_id = ? AND ended_ms IS NULL",
        "SELECT body FROM outbox WHERE repo_id = ? AND state = 'queued'",
    ];
    let keys = [repo_id, cursor_id, repo_id, repo_id];
    let keep: [Keep; 4] = [keep::<AlerterRow>, keep::<CursorRow>, keep::<AlertRow>, keep::<OutboxRow>];
    for ((statement, key), keep) in WHERE.into_iter().zip(keys).zip(keep) {
        for row in sqlx::query(statement).bind(key.to_owned()).fetch_all(&mut *connection).await? {
            keep(rows, row.try_get(0)?)?;
        }
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
    heads: Vec<String>,
    purses: Vec<String>,
    gates: Vec<String>,
    controls: Vec<String>,
    alive_processes: bool,
    openings: Vec<String>,
    /// Repositories with the key of a cursor.
    alerting: Vec<(String, String)>,
}

impl Names {
    fn sort(keys: &[RowKey]) -> Self {
        let mut names = Self::default();
        for key in keys {
            match key {
                RowKey::Task(key) => names.tasks.push(key.to_string()),
                RowKey::Claim(key) => names.claims.push(key.to_string()),
                RowKey::Kin { of, parts } => names.kin.push((of.clone(), *parts)),
                RowKey::Attempt(id) => names.attempts.push(id.to_string()),
                RowKey::Step(id, n) => names.steps.push(step_id(id, *n)),
                RowKey::Call(id, step_n, call_no) => names.calls.push(call_id(id, *step_n, *call_no)),
                RowKey::Effect(key) => names.effects.push(key.to_string()),
                RowKey::Child(id, n) => names.children.push(step_id(id, *n)),
                RowKey::Process(id) => names.processes.push(id.to_string()),
                RowKey::Purse(key) => names.purses.push(key.to_string()),
                RowKey::Gate(repo_id) => names.gates.push(repo_id.clone()),
                RowKey::Control(id) => names.controls.push(id.clone()),
                RowKey::Alerting { repo_id, boot_id } => {
                    names.alerting.push((repo_id.clone(), cursor_id(repo_id, boot_id)));
                }
                RowKey::AliveProcesses => names.alive_processes = true,
                RowKey::Opening(scope) => names.openings.push(scope.clone()),
                RowKey::Ledger { .. } => {}
            }
        }
        names
    }

    /// The tables that most batches look at are always named, so that there are few different statements.
    fn parts(&self) -> Vec<Part<'_>> {
        let mut parts = vec![
            Part::of::<TaskRow>("task_key", &self.tasks),
            Part::of::<ClaimRow>("task_key", &self.claims),
            Part::of::<AttemptRow>("attempt_id", &self.attempts),
            Part::of::<StepRow>("step_id", &self.steps),
            Part::of::<CallRow>("call_id", &self.calls),
            Part::of::<Head>("scope", &self.heads),
            Part::of::<PurseRow>("root_key", &self.purses),
        ];
        let others = [
            Part::of::<EffectRow>("effect_key", &self.effects),
            Part::of::<ChildRow>("child_id", &self.children),
            Part::of::<ProcessRow>("boot_id", &self.processes),
            Part::of::<GateRow>("repo_id", &self.gates),
            Part::of::<ControlRow>("id", &self.controls),
        ];
        if others.iter().any(|part| !part.keys.is_empty()) {
            parts.extend(others);
        }
        parts
    }
}

/// Rows of one table by their keys, as a part of a statement over several tables.
struct Part<'a> {
    table: &'static str,
    column: &'static str,
    keys: &'a [String],
    keep: Keep,
}

/// Reads a row and puts it into its place.
type Keep = fn(&mut Rows, &str) -> Result<(), StoreError>;

impl<'a> Part<'a> {
    fn of<T: Kept>(column: &'static str, keys: &'a [String]) -> Self {
        Self { table: T::TABLE, column, keys, keep: keep::<T> }
    }
}

/// Loads rows of several tables by one statement, as one text. A statement costs mostly its way to the database's thread
/// and back, and every row that is handed over on the way wakes us up.
async fn fetch(
    connection: &mut SqliteConnection,
    rows: &mut Rows,
    mut begin: Begin,
    parts: &[Part<'_>],
) -> Result<(), StoreError> {
    let longest = parts.iter().map(|part| part.keys.len()).max().unwrap_or(0);
    for from in (0..longest.max(1)).step_by(MOST) {
        let size = SIZES.into_iter().find(|size| *size >= longest - from).unwrap_or(MOST);
        let mut query = sqlx::query(statement(begin, parts, size));
        for part in parts {
            let keys = part.keys.iter().skip(from).map(Some);
            for key in keys.chain(iter::repeat(None)).take(size) {
                query = query.bind(key.cloned());
            }
        }
        let text: String = query.fetch_one(&mut *connection).await?.try_get(0)?;
        for (part, bodies) in parts.iter().zip(text.split(BETWEEN_PARTS)) {
            for body in bodies.split(BETWEEN_ROWS).filter(|body| !body.is_empty()) {
                (part.keep)(rows, body)?;
            }
        }
        begin = Begin::Before;
    }
    Ok(())
}

/// What stands between bodies that are handed over in one text; no JSON has it.
const BETWEEN_PARTS: char = '\u{1d}';
const BETWEEN_ROWS: char = '\u{1e}';

fn statement(begin: Begin, parts: &[Part<'_>], size: usize) -> &'static str {
    static TEXTS: Texts<(Begin, Vec<&'static str>, usize)> = Texts::new();
    let tables = parts.iter().map(|part| part.table).collect();
    TEXTS.get((begin, tables, size), || {
        let begins = if begin == Begin::Now { "BEGIN IMMEDIATE; " } else { "" };
        let one = |part: &Part<'_>| {
            let (table, column, marks) = (part.table, part.column, marks(size));
            format!(
                "COALESCE((SELECT group_concat(body, char(30)) FROM {table} WHERE {column} IN ({marks})), '')"
            )
        };
        format!("{begins}SELECT {}", parts.iter().map(one).collect::<Vec<_>>().join(" || char(29) || "))
    })
}

pub(super) fn marks(size: usize) -> String {
    vec!["?"; size].join(",")
}

pub(crate) fn read<T: Stored>(body: &str) -> Result<T, StoreError> {
    serde_json::from_str(body)
        .map_err(|error| StoreError::BadRow { table: T::TABLE, what: error.to_string() })
}

/// Reads a row and puts it into its place.
fn keep<T: Kept>(rows: &mut Rows, body: &str) -> Result<(), StoreError> {
    read::<T>(body)?.put(rows);
    Ok(())
}

/// A row that decisions look at.
trait Kept: Stored {
    fn put(self, rows: &mut Rows);
}

macro_rules! kept {
    ($($row:ty => $map:ident by $key:expr;)*) => {$(
        impl Kept for $row {
            fn put(self, rows: &mut Rows) {
                let key: fn(&Self) -> _ = $key;
                rows.$map.insert(key(&self), self);
            }
        }
    )*};
}

kept! {
    TaskRow => tasks by |row| row.key.clone();
    ClaimRow => claims by |row| row.task_key.clone();
    AttemptRow => attempts by |row| row.attempt_id.clone();
    StepRow => steps by |row| (row.attempt_id.clone(), row.n);
    CallRow => calls by |row| row.key.clone();
    EffectRow => effects by |row| row.key.clone();
    ChildRow => children by |row| (row.attempt_id.clone(), row.n);
    ProcessRow => processes by |row| row.boot_id.clone();
    Head => heads by |row| row.scope.clone();
    PurseRow => purses by |row| row.root_key.clone();
    GateRow => gates by |row| row.repo_id.clone();
    ControlRow => controls by |row| row.id.clone();
    AlerterRow => alerters by |row| row.repo_id.clone();
    AlertRow => alerts by |row| row.incident_id.clone();
    OutboxRow => outbox by |row| row.webhook_id.clone();
    CursorRow => cursors by CursorRow::id;
}

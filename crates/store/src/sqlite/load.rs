//! Loading the rows that a batch names, each by its own key.

use std::borrow::Cow;
use std::collections::BTreeMap;

use glitchlab_domain::alert::delivery::OutboxRow;
use glitchlab_domain::alert::rows::cursor_id;
use glitchlab_domain::alert::{AlertRow, AlerterRow, CursorRow};
use glitchlab_domain::decide::kin;
use glitchlab_domain::id::{AttemptId, BootId, EffectKey, TaskKey, TryKey};
use glitchlab_domain::ledger::Head;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::rows::{
    AttemptRow, CallRow, ChildRow, ClaimRow, ControlRow, EffectRow, GateRow, ProcessRow, PurseRow, RowKey,
    Rows, StepRow,
};
use glitchlab_domain::task::TaskRow;
use rusqlite::{Connection, Params};

use crate::error::StoreError;
use crate::rows::{Stored, step_id, tries_of};
use crate::sqlite::ledger::{advance_all, sum_up};
use crate::sqlite::texts::Texts;

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

/// Loads what the keys name, which are in order: what is among the recent rows is moved out of them.
pub(super) fn load(
    connection: &Connection,
    recent: &mut Rows,
    (keys, asked): (&[RowKey], &BTreeMap<String, MicroUsd>),
    clock_ms: i64,
    listing: Listing,
) -> Result<Loaded, StoreError> {
    let mut rows = Rows::default();
    let mut loading = Loading { connection, recent, rows: &mut rows };
    keys.iter().try_for_each(|key| loading.load(key))?;
    asked.keys().try_for_each(|scope| loading.read::<Head>(scope))?;
    let now_ms = advance_all(connection, &mut rows, asked, clock_ms, listing)?;
    sum_up(connection, &mut rows, keys, now_ms)?;
    let lists_departures = rows.departures.len() == rows.heads.len();
    Ok(Loaded { rows, now_ms, lists_departures })
}

/// Loads rows by their own keys.
pub(super) fn rows(connection: &Connection, keys: &[RowKey]) -> Result<Rows, StoreError> {
    let (mut rows, mut none) = (Rows::default(), Rows::default());
    let mut loading = Loading { connection, recent: &mut none, rows: &mut rows };
    keys.iter().try_for_each(|key| loading.load(key))?;
    Ok(rows)
}

/// Rows, and where more come from.
struct Loading<'a> {
    connection: &'a Connection,
    /// Rows that need not be read.
    recent: &'a mut Rows,
    rows: &'a mut Rows,
}

impl Loading<'_> {
    fn load(&mut self, key: &RowKey) -> Result<(), StoreError> {
        match key {
            RowKey::Task(key) => self.one::<TaskRow>(key),
            RowKey::Kin { of, parts } => self.kin(of, *parts),
            RowKey::Claim(key) => self.one::<ClaimRow>(key),
            RowKey::Attempt(id) => self.one::<AttemptRow>(id),
            RowKey::Step(id, n) => self.one::<StepRow>(&(id.clone(), *n)),
            RowKey::Call(id, step_n, call_no) => self.tries(id, *step_n, *call_no),
            RowKey::Effect(key) => self.one::<EffectRow>(key),
            RowKey::Child(id, n) => self.one::<ChildRow>(&(id.clone(), *n)),
            RowKey::Process(id) => self.one::<ProcessRow>(id),
            RowKey::Purse(key) => self.one::<PurseRow>(key),
            RowKey::Gate(repo_id) => self.one::<GateRow>(repo_id),
            RowKey::Control(id) => self.one::<ControlRow>(id),
            RowKey::Alerting { repo_id, boot_id } => self.alerting(repo_id, boot_id),
            RowKey::AliveProcesses => self.all::<ProcessRow>(ALIVE, []),
            // Heads are loaded by what is asked of them, openings from other rows.
            RowKey::Ledger { .. } | RowKey::Opening(_) => Ok(()),
        }
    }

    /// Loads what only the row of a task can name: in their order, the keys of tasks come before those of kin.
    fn kin(&mut self, of: &TaskKey, parts: usize) -> Result<(), StoreError> {
        let Some(task) = self.rows.tasks.get(of) else { return Ok(()) };
        for key in kin(task, parts) {
            if !self.rows.tasks.contains_key(&key) {
                self.one::<TaskRow>(&key)?;
            }
        }
        Ok(())
    }

    fn alerting(&mut self, repo_id: &str, boot_id: &BootId) -> Result<(), StoreError> {
        self.read::<AlerterRow>(repo_id)?;
        self.read::<CursorRow>(&cursor_id(repo_id, boot_id))?;
        self.all::<AlertRow>(OPEN_ALERTS, [repo_id])?;
        self.all::<OutboxRow>(QUEUED, [repo_id])
    }

    /// Loads all tries of a call. The first one is kept as long as it is the only one.
    fn tries(&mut self, attempt_id: &AttemptId, step_n: u32, call_no: u32) -> Result<(), StoreError> {
        let first = TryKey { attempt_id: attempt_id.clone(), step_n, call_no, try_no: 0 };
        match self.take_recent::<CallRow>(&first) {
            true => Ok(()),
            false => self.all::<CallRow>(CALLS, tries_of(attempt_id, step_n, call_no)),
        }
    }

    /// Loads the row with this key, when there is one.
    fn one<T: Kept>(&mut self, key: &T::Key) -> Result<(), StoreError> {
        match self.take_recent::<T>(key) {
            true => Ok(()),
            false => self.read::<T>(&T::text(key)),
        }
    }

    /// Takes a row from the recent ones, and tells whether it was there.
    fn take_recent<T: Kept>(&mut self, key: &T::Key) -> bool {
        let recent = T::map(self.recent).remove_entry(key);
        recent.map(|(key, row)| T::map(self.rows).insert(key, row)).is_some()
    }

    /// Reads the row with this key, when there is one.
    fn read<T: Kept>(&mut self, key: &str) -> Result<(), StoreError> {
        static TEXTS: Texts = Texts::new();
        let text = || format!("SELECT body FROM {} WHERE {} = ?", T::TABLE, T::COLUMNS[0]);
        self.all::<T>(TEXTS.get(T::TABLE, text), [key])
    }

    /// Loads the rows whose bodies a query returns.
    fn all<T: Kept>(&mut self, text: &str, params: impl Params) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(text)?;
        let mut bodies = statement.query(params)?;
        while let Some(row) = bodies.next()? {
            let row = read::<T>(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
            T::map(self.rows).insert(row.key(), row);
        }
        Ok(())
    }
}

const CALLS: &str = "SELECT body FROM model_call WHERE try_id >= ? AND try_id < ?";
const ALIVE: &str = "SELECT body FROM process WHERE alive = 1";
const OPEN_ALERTS: &str = "SELECT body FROM alert WHERE repo_id = ? AND ended_ms IS NULL";
const QUEUED: &str = "SELECT body FROM outbox WHERE repo_id = ? AND state = 'queued'";

pub(crate) fn read<T: Stored>(body: &str) -> Result<T, StoreError> {
    serde_json::from_str(body)
        .map_err(|error| StoreError::BadRow { table: T::TABLE, what: error.to_string() })
}

/// A row that decisions look at.
trait Kept: Stored {
    /// What it is found by.
    type Key: Ord;
    fn key(&self) -> Self::Key;
    /// Returns the key as its table has it.
    fn text(key: &Self::Key) -> Cow<'_, str>;
    fn map(rows: &mut Rows) -> &mut BTreeMap<Self::Key, Self>;
}

macro_rules! kept {
    ($($row:ty => $map:ident by $type:ty: $key:expr, $text:expr;)*) => {$(
        impl Kept for $row {
            type Key = $type;
            fn key(&self) -> $type {
                let key: fn(&Self) -> $type = $key;
                key(self)
            }
            fn text(key: &$type) -> Cow<'_, str> {
                let text: fn(&$type) -> Cow<'_, str> = $text;
                text(key)
            }
            fn map(rows: &mut Rows) -> &mut BTreeMap<$type, Self> {
                &mut rows.$map
            }
        }
    )*};
}

kept! {
    TaskRow => tasks by TaskKey: |row| row.key.clone(), |key| key.as_str().into();
    ClaimRow => claims by TaskKey: |row| row.task_key.clone(), |key| key.as_str().into();
    AttemptRow => attempts by AttemptId: |row| row.attempt_id.clone(), |id| id.as_str().into();
    StepRow => steps by (AttemptId, u32): |row| (row.attempt_id.clone(), row.n), |(id, n)| step_id(id, *n).into();
    CallRow => calls by TryKey: |row| row.key.clone(), |key| key.to_string().into();
    EffectRow => effects by EffectKey: |row| row.key.clone(), |key| key.as_str().into();
    ChildRow => children by (AttemptId, u32): |row| (row.attempt_id.clone(), row.n), |(id, n)| step_id(id, *n).into();
    ProcessRow => processes by BootId: |row| row.boot_id.clone(), |id| id.as_str().into();
    Head => heads by String: |row| row.scope.clone(), |scope| scope.into();
    PurseRow => purses by TaskKey: |row| row.root_key.clone(), |key| key.as_str().into();
    GateRow => gates by String: |row| row.repo_id.clone(), |id| id.into();
    ControlRow => controls by String: |row| row.id.clone(), |id| id.into();
    AlerterRow => alerters by String: |row| row.repo_id.clone(), |id| id.into();
    AlertRow => alerts by String: |row| row.incident_id.clone(), |id| id.into();
    OutboxRow => outbox by String: |row| row.webhook_id.clone(), |id| id.into();
    CursorRow => cursors by String: CursorRow::id, |id| id.into();
}

//! Loading the rows that a batch names, each by its own key.

use std::collections::BTreeMap;

use glitchlab_domain::alert::delivery::OutboxRow;
use glitchlab_domain::alert::rows::cursor_id;
use glitchlab_domain::alert::{AlertRow, AlerterRow, CursorRow};
use glitchlab_domain::decide::kin;
use glitchlab_domain::id::{BootId, TaskKey};
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

/// Loads what the keys name, which are in order.
pub(super) fn load(
    connection: &Connection,
    keys: &[RowKey],
    asked: &BTreeMap<String, MicroUsd>,
    clock_ms: i64,
    listing: Listing,
) -> Result<Loaded, StoreError> {
    let mut rows = rows(connection, keys)?;
    asked.keys().try_for_each(|scope| Loading { connection, rows: &mut rows }.one::<Head>(scope))?;
    let now_ms = advance_all(connection, &mut rows, asked, clock_ms, listing)?;
    sum_up(connection, &mut rows, keys, now_ms)?;
    let lists_departures = rows.departures.len() == rows.heads.len();
    Ok(Loaded { rows, now_ms, lists_departures })
}

/// Loads rows by their own keys.
pub(super) fn rows(connection: &Connection, keys: &[RowKey]) -> Result<Rows, StoreError> {
    let mut rows = Rows::default();
    let mut loading = Loading { connection, rows: &mut rows };
    keys.iter().try_for_each(|key| loading.load(key))?;
    Ok(rows)
}

/// Rows, and where more come from.
struct Loading<'a> {
    connection: &'a Connection,
    rows: &'a mut Rows,
}

impl Loading<'_> {
    fn load(&mut self, key: &RowKey) -> Result<(), StoreError> {
        match key {
            RowKey::Task(key) => self.one::<TaskRow>(key.as_str()),
            RowKey::Kin { of, parts } => self.kin(of, *parts),
            RowKey::Claim(key) => self.one::<ClaimRow>(key.as_str()),
            RowKey::Attempt(id) => self.one::<AttemptRow>(id.as_str()),
            RowKey::Step(id, n) => self.one::<StepRow>(&step_id(id, *n)),
            RowKey::Call(id, step_n, call_no) => self.all::<CallRow>(CALLS, tries_of(id, *step_n, *call_no)),
            RowKey::Effect(key) => self.one::<EffectRow>(key.as_str()),
            RowKey::Child(id, n) => self.one::<ChildRow>(&step_id(id, *n)),
            RowKey::Process(id) => self.one::<ProcessRow>(id.as_str()),
            RowKey::Purse(key) => self.one::<PurseRow>(key.as_str()),
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
                self.one::<TaskRow>(key.as_str())?;
            }
        }
        Ok(())
    }

    fn alerting(&mut self, repo_id: &str, boot_id: &BootId) -> Result<(), StoreError> {
        self.one::<AlerterRow>(repo_id)?;
        self.one::<CursorRow>(&cursor_id(repo_id, boot_id))?;
        self.all::<AlertRow>(OPEN_ALERTS, [repo_id])?;
        self.all::<OutboxRow>(QUEUED, [repo_id])
    }

    /// Loads the row with this key, when there is one.
    fn one<T: Kept>(&mut self, key: &str) -> Result<(), StoreError> {
        static TEXTS: Texts = Texts::new();
        let text = || format!("SELECT body FROM {} WHERE {} = ?", T::TABLE, T::COLUMNS[0]);
        self.all::<T>(TEXTS.get(T::TABLE, text), [key])
    }

    /// Loads the rows whose bodies a query returns.
    fn all<T: Kept>(&mut self, text: &str, params: impl Params) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(text)?;
        let mut bodies = statement.query(params)?;
        while let Some(row) = bodies.next()? {
            read::<T>(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?.put(self.rows);
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

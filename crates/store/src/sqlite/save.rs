//! Writing every changed row once, all events, and what they change in the list of tasks.

use glitchlab_domain::id::TaskKey;
use glitchlab_domain::rows::Write;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection};

use crate::batch::Decided;
use crate::error::StoreError;
use crate::rows::{Stored, Value};
use crate::sqlite::task_list;
use crate::sqlite::texts::Texts;

/// Writes what was decided.
pub(super) fn save(connection: &Connection, decided: &Decided) -> Result<(), StoreError> {
    for write in &decided.writes {
        match write {
            Write::Task(row) => put(connection, row),
            Write::Claim(row) => put(connection, row),
            Write::DropClaim(key) => drop_claim(connection, key),
            Write::Attempt(row) => put(connection, row),
            Write::Step(row) => put(connection, row),
            Write::Call(row) => put(connection, row),
            Write::Effect(row) => put(connection, row),
            Write::Child(row) => put(connection, row),
            Write::Process(row) => put(connection, row),
            Write::Head(row) => put(connection, row),
            Write::Purse(row) => put(connection, row),
            Write::Gate(row) => put(connection, row),
            Write::Control(row) => put(connection, row),
            Write::Alerter(row) => put(connection, row),
            Write::Alert(row) => put(connection, row),
            Write::Outbox(row) => put(connection, row),
            Write::Cursor(row) => put(connection, row),
        }?;
    }
    decided.events.iter().try_for_each(|event| put(connection, event))?;
    task_list::save(connection, &decided.list)
}

fn drop_claim(connection: &Connection, key: &TaskKey) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached("DELETE FROM claim WHERE task_key = ?")?;
    statement.execute([key.as_str()])?;
    Ok(())
}

fn put<T: Stored>(connection: &Connection, row: &T) -> Result<(), StoreError> {
    let body = serde_json::to_string(row)
        .map_err(|error| StoreError::BadRow { table: T::TABLE, what: error.to_string() })?;
    let mut statement = upsert::<T>(connection)?;
    let values = row.values();
    for (place, value) in values.iter().enumerate() {
        statement.raw_bind_parameter(place + 1, value)?;
    }
    statement.raw_bind_parameter(values.len() + 1, body)?;
    statement.raw_execute()?;
    Ok(())
}

/// Inserts a row, or changes what can change of it: an index over columns that stay is not touched.
fn upsert<T: Stored>(connection: &Connection) -> Result<CachedStatement<'_>, StoreError> {
    static TEXTS: Texts = Texts::new();
    let text = || {
        let (columns, keys) = (T::COLUMNS.join(", "), T::COLUMNS[..T::KEYS].join(", "));
        let marks = vec!["?"; T::COLUMNS.len() + 1].join(", ");
        let sets = T::COLUMNS[T::FIXED..].iter().chain(&["body"]);
        let sets = sets.map(|column| format!("{column} = excluded.{column}")).collect::<Vec<_>>().join(", ");
        format!(
            "INSERT INTO {} ({columns}, body) VALUES ({marks}) ON CONFLICT ({keys}) DO UPDATE SET {sets}",
            T::TABLE
        )
    };
    Ok(connection.prepare_cached(TEXTS.get(T::TABLE, text))?)
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Int(number) => ValueRef::Integer(*number),
            Self::None => ValueRef::Null,
        }))
    }
}

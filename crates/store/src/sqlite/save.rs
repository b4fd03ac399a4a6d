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
    let mut saving = Saving { connection, statements: Vec::new(), body: Vec::new() };
    for write in &decided.writes {
        match write {
            Write::Task(row) => saving.put(row),
            Write::Claim(row) => saving.put(row),
            Write::DropClaim(key) => drop_claim(connection, key),
            Write::Attempt(row) => saving.put(row),
            Write::Step(row) => saving.put(row),
            Write::Call(row) => saving.put(row),
            Write::Effect(row) => saving.put(row),
            Write::Child(row) => saving.put(row),
            Write::Process(row) => saving.put(row),
            Write::Head(row) => saving.put(row),
            Write::Purse(row) => saving.put(row),
            Write::Gate(row) => saving.put(row),
            Write::Control(row) => saving.put(row),
            Write::Alerter(row) => saving.put(row),
            Write::Alert(row) => saving.put(row),
            Write::Outbox(row) => saving.put(row),
            Write::Cursor(row) => saving.put(row),
        }?;
    }
    decided.events.iter().try_for_each(|event| saving.put(event))?;
    task_list::save(connection, &decided.list)
}

/// Where rows are written, the statements for it by table, and room for a body.
struct Saving<'a> {
    connection: &'a Connection,
    statements: Vec<(&'static str, CachedStatement<'a>)>,
    body: Vec<u8>,
}

impl Saving<'_> {
    fn put<T: Stored>(&mut self, row: &T) -> Result<(), StoreError> {
        self.body.clear();
        serde_json::to_writer(&mut self.body, row)
            .map_err(|error| StoreError::BadRow { table: T::TABLE, what: error.to_string() })?;
        let known = self.statements.iter().position(|(table, _)| *table == T::TABLE);
        let place = known.unwrap_or(self.statements.len());
        if known.is_none() {
            self.statements.push((T::TABLE, upsert::<T>(self.connection)?));
        }
        let statement = &mut self.statements[place].1;
        let values = row.values();
        for (place, value) in values.iter().enumerate() {
            statement.raw_bind_parameter(place + 1, value)?;
        }
        statement.raw_bind_parameter(values.len() + 1, Body(&self.body))?;
        statement.raw_execute()?;
        Ok(())
    }
}

/// The text of a row.
struct Body<'a>(&'a [u8]);

impl ToSql for Body<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0)))
    }
}

fn drop_claim(connection: &Connection, key: &TaskKey) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached("DELETE FROM claim WHERE task_key = ?")?;
    statement.execute([key.as_str()])?;
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

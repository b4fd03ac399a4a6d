//! Writing every changed row once and all events, in multi-row statements.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use glitchlab_domain::id::TaskKey;
use glitchlab_domain::rows::Write;
use sqlx::SqliteConnection;

use crate::batch::Decided;
use crate::error::StoreError;
use crate::rows::{Stored, Value};
use crate::sqlite::load::{chunks, filled};

/// How many rows one statement writes. Few fixed sizes, so that the statement cache knows them again; a row is not written
/// twice to fill one up.
const CHUNKS: [usize; 7] = [64, 32, 16, 8, 4, 2, 1];

pub(super) async fn save(connection: &mut SqliteConnection, decided: &Decided) -> Result<(), StoreError> {
    let mut by_table = ByTable::default();
    for write in &decided.writes {
        by_table.add(write)?;
    }
    for (table, rows) in by_table.rows {
        upsert(connection, &table, &rows).await?;
    }
    drop_claims(connection, &by_table.dropped).await?;
    let events = decided.events.iter().map(Flat::of).collect::<Result<Vec<_>, _>>()?;
    upsert(connection, &Table::of::<glitchlab_domain::event::Event>(), &events).await
}

async fn drop_claims(connection: &mut SqliteConnection, keys: &[TaskKey]) -> Result<(), StoreError> {
    static TEXTS: LazyLock<Texts> = LazyLock::new(Texts::default);
    for (size, keys) in chunks(keys) {
        let text = TEXTS.get(("claim", "task_key", size), || {
            format!("DELETE FROM claim WHERE task_key IN ({})", vec!["?"; size].join(","))
        });
        let mut query = sqlx::query(text);
        for key in filled(keys, size) {
            query = query.bind(key.as_str());
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// The shape of a table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Table {
    name: &'static str,
    columns: &'static [&'static str],
    keys: usize,
}

impl Table {
    const fn of<T: Stored>() -> Self {
        Self { name: T::TABLE, columns: T::COLUMNS, keys: T::KEYS }
    }
}

/// A row as its column values and its body.
struct Flat {
    values: Vec<Value>,
    body: String,
}

impl Flat {
    fn of<T: Stored>(row: &T) -> Result<Self, StoreError> {
        let body = serde_json::to_string(row)
            .map_err(|error| StoreError::BadRow { table: T::TABLE, what: error.to_string() })?;
        Ok(Self { values: row.values(), body })
    }
}

#[derive(Default)]
struct ByTable {
    rows: std::collections::BTreeMap<Table, Vec<Flat>>,
    dropped: Vec<TaskKey>,
}

impl ByTable {
    fn add(&mut self, write: &Write) -> Result<(), StoreError> {
        match write {
            Write::Task(row) => self.push(row),
            Write::Claim(row) => self.push(row),
            Write::Attempt(row) => self.push(row),
            Write::Step(row) => self.push(row),
            Write::Call(row) => self.push(row),
            Write::Effect(row) => self.push(row),
            Write::Child(row) => self.push(row),
            Write::Process(row) => self.push(row),
            Write::Head(row) => self.push(row),
            Write::DropClaim(key) => {
                self.dropped.push(key.clone());
                Ok(())
            }
        }
    }

    fn push<T: Stored>(&mut self, row: &T) -> Result<(), StoreError> {
        self.rows.entry(Table::of::<T>()).or_default().push(Flat::of(row)?);
        Ok(())
    }
}

async fn upsert(connection: &mut SqliteConnection, table: &Table, rows: &[Flat]) -> Result<(), StoreError> {
    let mut rest = rows;
    while !rest.is_empty() {
        let size = CHUNKS.into_iter().find(|size| *size <= rest.len()).unwrap_or(1);
        let (now, later) = rest.split_at(size);
        rest = later;
        let mut query = sqlx::query(statement(table, size));
        for row in now {
            for value in &row.values {
                query = match value {
                    Value::Text(text) => query.bind(text.as_str()),
                    Value::Int(number) => query.bind(*number),
                    Value::NoText => query.bind(None::<&str>),
                    Value::NoInt => query.bind(None::<i64>),
                };
            }
            query = query.bind(row.body.as_str());
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

fn statement(table: &Table, size: usize) -> &'static str {
    static TEXTS: LazyLock<Texts> = LazyLock::new(Texts::default);
    TEXTS.get((table.name, "", size), || {
        let (keys, others) = table.columns.split_at(table.keys);
        let one = format!("({})", vec!["?"; table.columns.len() + 1].join(","));
        let sets = others.iter().chain(&["body"]).map(|column| format!("{column} = excluded.{column}"));
        format!(
            "INSERT INTO {} ({}, body) VALUES {} ON CONFLICT ({}) DO UPDATE SET {}",
            table.name,
            table.columns.join(", "),
            vec![one.as_str(); size].join(","),
            keys.join(", "),
            sets.collect::<Vec<_>>().join(", "),
        )
    })
}

/// Statement texts that live as long as the program: a few dozen, one for each table and size.
#[derive(Default)]
pub(super) struct Texts(Mutex<HashMap<(&'static str, &'static str, usize), &'static str>>);

impl Texts {
    pub(super) fn get(
        &self,
        key: (&'static str, &'static str, usize),
        make: impl FnOnce() -> String,
    ) -> &'static str {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        texts.entry(key).or_insert_with(|| Box::leak(make().into_boxed_str()))
    }
}

//! Writing every changed row once, and all events, and the commit: all by one text of statements, whose way to the
//! database's thread and back costs more than the rows.

use glitchlab_domain::alert::delivery::OutboxRow;
use glitchlab_domain::alert::{AlertRow, AlerterRow, CursorRow};
use glitchlab_domain::event::Event;
use glitchlab_domain::id::TaskKey;
use glitchlab_domain::ledger::Head;
use glitchlab_domain::rows::{
    AttemptRow, CallRow, ChildRow, ClaimRow, ControlRow, EffectRow, GateRow, ProcessRow, PurseRow, StepRow,
    Write,
};
use glitchlab_domain::task::TaskRow;
use sqlx::SqliteConnection;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};

use crate::batch::Decided;
use crate::error::StoreError;
use crate::rows::{Stored, Value};
use crate::sqlite::load::marks;
use crate::sqlite::texts::Texts;

/// How many rows of each table one text takes: few sizes, so that the statement cache knows them again. Places that no row
/// takes are null, and skipped.
const SIZES: [usize; 5] = [0, 1, 4, 16, MOST];
const MOST: usize = 64;

/// Tables that nearly every command writes to, the others, and those of alerts.
const OFTEN: [Table; 6] = [
    Table::of::<PurseRow>(),
    Table::of::<TaskRow>(),
    Table::of::<AttemptRow>(),
    Table::of::<StepRow>(),
    Table::of::<CallRow>(),
    Table::of::<Event>(),
];
const SELDOM: [Table; 7] = [
    Table::of::<GateRow>(),
    Table::of::<ControlRow>(),
    Table::of::<ClaimRow>(),
    Table::of::<EffectRow>(),
    Table::of::<ChildRow>(),
    Table::of::<ProcessRow>(),
    Table::of::<Head>(),
];
const RARE: [Table; 4] =
    [Table::of::<AlerterRow>(), Table::of::<AlertRow>(), Table::of::<OutboxRow>(), Table::of::<CursorRow>()];

/// Writes what was decided and commits.
pub(super) async fn save(connection: &mut SqliteConnection, decided: &Decided) -> Result<(), StoreError> {
    let mut rest = Sorted::of(decided)?;
    loop {
        let sizes = rest.sizes();
        let is_last = rest.fits();
        let mut query = sqlx::query(text(Shape { sizes, commits: is_last }));
        for (table, size) in each(sizes) {
            query = bind(query, table, rest.take(table, size), size);
        }
        for place in 0..sizes.seldom {
            query = query.bind(rest.dropped.get(place).map(ToString::to_string));
        }
        rest.dropped.drain(..sizes.seldom.min(rest.dropped.len()));
        query.execute(&mut *connection).await?;
        if is_last {
            return Ok(());
        }
    }
}

/// How many rows of each table of a kind a text takes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Sizes {
    often: usize,
    seldom: usize,
    rare: usize,
}

fn each(sizes: Sizes) -> impl Iterator<Item = (&'static Table, usize)> {
    let sized = move |tables: &'static [Table], size| tables.iter().map(move |table| (table, size));
    sized(&OFTEN, sizes.often).chain(sized(&SELDOM, sizes.seldom)).chain(sized(&RARE, sizes.rare))
}

/// The shape of a table.
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
    table: &'static str,
    values: Vec<Value>,
    body: String,
}

impl Flat {
    fn of<T: Stored>(row: &T) -> Result<Self, StoreError> {
        let body = serde_json::to_string(row)
            .map_err(|error| StoreError::BadRow { table: T::TABLE, what: error.to_string() })?;
        Ok(Self { table: T::TABLE, values: row.values(), body })
    }
}

/// What is still to be written, by table.
#[derive(Default)]
struct Sorted {
    rows: std::collections::HashMap<&'static str, Vec<Flat>>,
    dropped: Vec<TaskKey>,
}

impl Sorted {
    fn of(decided: &Decided) -> Result<Self, StoreError> {
        let mut sorted = Self::default();
        for write in &decided.writes {
            let flat = match write {
                Write::Task(row) => Flat::of(row),
                Write::Claim(row) => Flat::of(row),
                Write::Attempt(row) => Flat::of(row),
                Write::Step(row) => Flat::of(row),
                Write::Call(row) => Flat::of(row),
                Write::Effect(row) => Flat::of(row),
                Write::Child(row) => Flat::of(row),
                Write::Process(row) => Flat::of(row),
                Write::Head(row) => Flat::of(row),
                Write::Purse(row) => Flat::of(row),
                Write::Gate(row) => Flat::of(row),
                Write::Control(row) => Flat::of(row),
                Write::Alerter(row) => Flat::of(row),
                Write::Alert(row) => Flat::of(row),
                Write::Outbox(row) => Flat::of(row),
                Write::Cursor(row) => Flat::of(row),
                Write::DropClaim(key) => {
                    sorted.dropped.push(key.clone());
                    continue;
                }
            };
            sorted.push(flat?);
        }
        for event in &decided.events {
            sorted.push(Flat::of(event)?);
        }
        Ok(sorted)
    }

    fn push(&mut self, row: Flat) {
        self.rows.entry(row.table).or_default().push(row);
    }

    fn count(&self, table: &Table) -> usize {
        self.rows.get(table.name).map_or(0, Vec::len)
    }

    /// The most rows of any table of each kind.
    fn longest(&self) -> Sizes {
        let most = |tables: &[Table]| tables.iter().map(|table| self.count(table)).max().unwrap_or(0);
        let seldom = most(&SELDOM).max(self.dropped.len());
        Sizes { often: most(&OFTEN), seldom, rare: most(&RARE) }
    }

    fn sizes(&self) -> Sizes {
        let size = |rows| SIZES.into_iter().find(|size| *size >= rows).unwrap_or(MOST);
        let Sizes { often, seldom, rare } = self.longest();
        Sizes { often: size(often), seldom: size(seldom), rare: size(rare) }
    }

    fn fits(&self) -> bool {
        let Sizes { often, seldom, rare } = self.longest();
        often.max(seldom).max(rare) <= MOST
    }

    fn take(&mut self, table: &Table, size: usize) -> Vec<Flat> {
        let Some(rows) = self.rows.get_mut(table.name) else { return Vec::new() };
        rows.drain(..size.min(rows.len())).collect()
    }
}

type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

fn bind<'q>(mut query: Bound<'q>, table: &Table, rows: Vec<Flat>, size: usize) -> Bound<'q> {
    let nulls = (size - rows.len()) * (table.columns.len() + 1);
    for row in rows {
        for value in row.values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Int(number) => query.bind(number),
                Value::NoText => query.bind(None::<String>),
                Value::NoInt => query.bind(None::<i64>),
            };
        }
        query = query.bind(row.body);
    }
    (0..nulls).fold(query, |query, _| query.bind(None::<String>))
}

/// Which text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Shape {
    sizes: Sizes,
    commits: bool,
}

fn text(shape: Shape) -> &'static str {
    static TEXTS: Texts<Shape> = Texts::new();
    TEXTS.get(shape, || {
        let upserts = each(shape.sizes).filter(|(_, size)| *size > 0).map(upsert);
        let seldom = shape.sizes.seldom;
        let drops = format!("DELETE FROM claim WHERE task_key IN ({})", marks(seldom));
        let drops = (seldom > 0).then_some(drops);
        let commit = shape.commits.then(|| "COMMIT".to_owned());
        upserts.chain(drops).chain(commit).collect::<Vec<_>>().join("; ")
    })
}

fn upsert((table, size): (&Table, usize)) -> String {
    let (keys, others) = table.columns.split_at(table.keys);
    let one = format!("({})", marks(table.columns.len() + 1));
    let sets = others.iter().chain(&["body"]).map(|column| format!("{column} = excluded.{column}"));
    format!(
        "INSERT INTO {} ({}, body) SELECT * FROM (VALUES {}) WHERE column1 IS NOT NULL ON CONFLICT ({}) DO UPDATE SET {}",
        table.name,
        table.columns.join(", "),
        vec![one.as_str(); size].join(","),
        keys.join(", "),
        sets.collect::<Vec<_>>().join(", "),
    )
}

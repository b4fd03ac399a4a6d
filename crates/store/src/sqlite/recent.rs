//! Rows that the last batches worked on and that are still under way, so that the next one need not read them back.
//!
//! They are moved into a batch, and what it has made of them back when it is committed. A row that is not here is read from
//! the database, so whatever goes wrong may simply drop all of them.

use std::collections::BTreeMap;

use glitchlab_domain::id::TryKey;
use glitchlab_domain::rows::{CallState, Rows, Write};
use rusqlite::Connection;

use crate::error::StoreError;

/// How many rows are kept; more are all dropped. A hundred attempts at once work on fewer.
const ROOM: usize = 2_048;

/// What the database holds, as far as that is known without a look.
#[derive(Default)]
pub(super) struct Recent {
    pub(super) rows: Rows,
    /// The version of the database that they are of. It moves when another connection commits, and not with our own commits.
    version: i64,
}

impl Recent {
    /// Drops what another connection may have changed; asked inside the transaction that uses the rows.
    pub(super) fn check(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let mut statement = connection.prepare_cached("PRAGMA data_version")?;
        let version = statement.query_row([], |row| row.get(0))?;
        if version != self.version {
            *self = Self { rows: Rows::default(), version };
        }
        Ok(())
    }

    /// Takes back what a batch worked on, once it is committed. What is over will hardly be asked for again, and may be as
    /// long as a reply or an output.
    pub(super) fn keep(&mut self, mut batch: Rows, writes: &[Write]) {
        let rows = &mut self.rows;
        keep_open_calls(&mut batch);
        merge(&mut rows.claims, batch.claims, |_| true);
        for write in writes {
            if let Write::DropClaim(key) = write {
                rows.claims.remove(key);
            }
        }
        // Not the whole backlog, which is looked at again and again.
        let Rows { tasks, claims, .. } = rows;
        merge(tasks, batch.tasks, |task| !task.state.is_terminal() && claims.contains_key(&task.key));
        merge(&mut rows.attempts, batch.attempts, |attempt| attempt.ended_ms.is_none());
        merge(&mut rows.steps, batch.steps, |step| step.output.is_none());
        merge(&mut rows.calls, batch.calls, |_| true);
        merge(&mut rows.effects, batch.effects, |effect| effect.done_ms.is_none());
        merge(&mut rows.processes, batch.processes, |process| process.alive);
        merge(&mut rows.purses, batch.purses, |_| true);
        merge(&mut rows.gates, batch.gates, |_| true);
        if count(rows) > ROOM {
            *rows = Rows::default();
        }
    }
}

/// The tries of a call are read together, so one is only kept where it is known to be all of them.
fn keep_open_calls(batch: &mut Rows) {
    let later = |key: &TryKey| {
        let at = |try_no| TryKey { try_no, ..key.clone() };
        at(1)..=at(u32::MAX)
    };
    let has_more = |key: &TryKey| batch.calls.range(later(key)).next().is_some();
    let only = batch.calls.iter().filter(|(key, row)| key.try_no == 0 && row.state == CallState::Open);
    let only: Vec<TryKey> = only.filter(|(key, _)| !has_more(key)).map(|(key, _)| key.clone()).collect();
    let mut calls = std::mem::take(&mut batch.calls);
    batch.calls = only.iter().filter_map(|key| calls.remove_entry(key)).collect();
}

/// Moves in the rows that are of further use; an older form of one that is not goes as well.
fn merge<K: Ord, T>(kept: &mut BTreeMap<K, T>, batch: BTreeMap<K, T>, is_of_use: impl Fn(&T) -> bool) {
    for (key, row) in batch {
        match is_of_use(&row) {
            true => drop(kept.insert(key, row)),
            false => drop(kept.remove(&key)),
        }
    }
}

fn count(rows: &Rows) -> usize {
    let working = rows.tasks.len() + rows.claims.len() + rows.attempts.len() + rows.purses.len();
    working + rows.steps.len() + rows.calls.len() + rows.effects.len()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use glitchlab_domain::id::TaskKey;
    use glitchlab_domain::rows::{PurseRow, Rows};
    use rusqlite::Connection;

    use super::{ROOM, Recent};

    fn purses(names: impl IntoIterator<Item = String>) -> Rows {
        let mut rows = Rows::default();
        for name in names {
            let root_key = TaskKey::new(name);
            rows.purses.insert(root_key.clone(), PurseRow { root_key, ..PurseRow::default() });
        }
        rows
    }

    fn open(path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "journal_mode", "wal").unwrap();
        connection.execute_batch("CREATE TABLE IF NOT EXISTS t (n)").unwrap();
        connection
    }

    fn commit(connection: &Connection) {
        connection.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES (1); COMMIT").unwrap();
    }

    /// Returns how many rows are still there in the next transaction.
    fn left(recent: &mut Recent, connection: &Connection) -> usize {
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        recent.check(connection).unwrap();
        connection.execute_batch("COMMIT").unwrap();
        recent.rows.purses.len()
    }

    #[test]
    fn rows_outlast_our_own_commits_and_no_commit_of_another_connection() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let (ours, other) = (open(&path), open(&path));
        let mut recent = Recent::default();
        assert_eq!(left(&mut recent, &ours), 0);
        recent.keep(purses(["t1".to_owned()]), &[]);
        commit(&ours);
        assert_eq!(left(&mut recent, &ours), 1);
        commit(&other);
        assert_eq!(left(&mut recent, &ours), 0);
        recent.keep(purses(["t1".to_owned()]), &[]);
        assert_eq!(left(&mut recent, &ours), 1);
    }

    #[test]
    fn more_rows_than_there_is_room_for_are_dropped() {
        let mut recent = Recent::default();
        recent.keep(purses((0..ROOM).map(|n| n.to_string())), &[]);
        assert_eq!(recent.rows.purses.len(), ROOM);
        recent.keep(purses(["one more".to_owned()]), &[]);
        assert!(recent.rows.purses.is_empty());
    }
}

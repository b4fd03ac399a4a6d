//! The narrow table that lists of tasks are read from, written in the transaction of the rows that it is made from.

use glitchlab_domain::id::TaskKey;
use glitchlab_domain::outcome::Size;
use glitchlab_domain::rows::RowKey;
use rusqlite::{Connection, named_params};

use crate::error::StoreError;
use crate::sqlite::load;
use crate::task_list::{Begun, Change, Changes, Seen, Spent};

/// When a task ended whose last attempt runs: it comes first.
const RUNNING: i64 = i64::MAX;

pub(super) fn save(connection: &Connection, changes: &Changes) -> Result<(), StoreError> {
    for (key, change) in &changes.lines {
        match (&change.task, &change.begun) {
            (Some(task), Some(begun)) => add(connection, key, change, task, begun)?,
            _ => update(connection, key, change)?,
        }
    }
    changes.for_above.iter().try_for_each(|(key, spent)| add_above(connection, key, *spent))
}

/// Adds a line, or an attempt to it.
fn add(
    connection: &Connection,
    key: &TaskKey,
    change: &Change,
    task: &Seen,
    begun: &Begun,
) -> Result<(), StoreError> {
    connection.prepare_cached(ADD)?.execute(named_params! {
        ":task_key": key.as_str(), ":repo_id": task.repo_id, ":words": task.words, ":state": task.state,
        ":model": begun.model, ":size": change.size.map(Size::name), ":attempts": change.attempts,
        ":own_tokens": change.own.tokens, ":own_micro": change.own.micro,
        ":below_tokens": change.below.tokens, ":below_micro": change.below.micro, ":took_ms": change.took_ms,
        ":claimed_ms": begun.at_ms, ":ended_ms": change.ended_ms.unwrap_or(RUNNING),
    })?;
    Ok(())
}

const ADD: &str = "INSERT INTO history (task_key, repo_id, words, state, model, size, attempts, own_tokens, own_micro, below_tokens, below_micro, took_ms, started_ms, claimed_ms, ended_ms) \
    VALUES (:task_key, :repo_id, :words, :state, :model, :size, :attempts, :own_tokens, :own_micro, :below_tokens, :below_micro, :took_ms, :claimed_ms, :claimed_ms, :ended_ms) \
    ON CONFLICT (task_key) DO UPDATE SET words = excluded.words, state = excluded.state, model = excluded.model, size = COALESCE(excluded.size, size), attempts = attempts + excluded.attempts, \
    own_tokens = own_tokens + excluded.own_tokens, own_micro = own_micro + excluded.own_micro, below_tokens = below_tokens + excluded.below_tokens, below_micro = below_micro + excluded.below_micro, \
    took_ms = took_ms + excluded.took_ms, claimed_ms = excluded.claimed_ms, ended_ms = excluded.ended_ms";

/// Changes a line; a task that was never attempted has none.
fn update(connection: &Connection, key: &TaskKey, change: &Change) -> Result<(), StoreError> {
    connection.prepare_cached(UPDATE)?.execute(named_params! {
        ":task_key": key.as_str(), ":words": change.task.as_ref().map(|task| &task.words),
        ":state": change.task.as_ref().map(|task| task.state), ":size": change.size.map(Size::name),
        ":own_tokens": change.own.tokens, ":own_micro": change.own.micro,
        ":below_tokens": change.below.tokens, ":below_micro": change.below.micro, ":took_ms": change.took_ms,
        ":ended_ms": change.ended_ms,
    })?;
    Ok(())
}

const UPDATE: &str = "UPDATE history SET words = COALESCE(:words, words), state = COALESCE(:state, state), size = COALESCE(:size, size), \
    own_tokens = own_tokens + :own_tokens, own_micro = own_micro + :own_micro, below_tokens = below_tokens + :below_tokens, below_micro = below_micro + :below_micro, \
    took_ms = took_ms + :took_ms, ended_ms = COALESCE(:ended_ms, ended_ms) WHERE task_key = :task_key";

/// Adds what a task spent to the lines of the tasks above it, which its row names.
fn add_above(connection: &Connection, key: &TaskKey, spent: Spent) -> Result<(), StoreError> {
    let rows = load::rows(connection, &[RowKey::Task(key.clone())])?;
    let above = rows.tasks.get(key).map_or(&[][..], |task| &task.above);
    let change = Change { below: spent, ..Change::default() };
    above.iter().try_for_each(|above| update(connection, &above.key, &change))
}

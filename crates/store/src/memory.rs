//! The in-memory store: the same decisions over maps, for tests in virtual time.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use glitchlab_domain::command::Command;
use glitchlab_domain::event::Event;
use glitchlab_domain::id::{AttemptId, TryKey};
use glitchlab_domain::ledger::{DEPARTURES, Departures, Head, Unit, tokens_scope};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::reason::Window;
use glitchlab_domain::rows::{CallRow, RowKey, Rows, Write};

use crate::batch::{self, Decided, Place, decide_all};

/// Everything that the store holds.
#[derive(Default)]
pub(crate) struct Contents {
    pub(crate) rows: Rows,
    pub(crate) events: Vec<Event>,
    /// Settlements by scope, in order of time.
    settled: BTreeMap<String, BTreeMap<(i64, TryKey), MicroUsd>>,
}

/// A store that forgets everything with its last handle.
#[derive(Clone, Default)]
pub struct Memory {
    contents: Arc<RwLock<Contents>>,
}

impl Memory {
    /// Runs `read` over the contents.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Contents) -> T) -> T {
        read(&self.contents.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    pub(crate) fn execute(&self, commands: &[&Command], clock_ms: i64, place: &Place) -> Decided {
        let mut contents = self.contents.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (keys, asked) = batch::needs(commands);
        let stored: Vec<Head> =
            asked.keys().filter_map(|scope| contents.rows.heads.get(scope).cloned()).collect();
        let now_ms = contents.advance(asked.keys(), clock_ms);
        contents.sum_up(&keys, now_ms);
        let decided = decide_all(&mut contents.rows, commands, now_ms, place);
        contents.put_back(stored, &decided);
        contents.note(&decided);
        decided
    }
}

impl Contents {
    /// Returns a head as of a time.
    pub(crate) fn head_at(&self, scope: &str, clock_ms: i64) -> Option<Head> {
        let mut head = self.rows.heads.get(scope)?.clone();
        let now_ms = head.now(clock_ms);
        self.advance_head(&mut head, now_ms);
        Some(head)
    }

    /// Returns what leaves the windows of a head next.
    pub(crate) fn departures(&self, head: &Head) -> Departures {
        Departures {
            hour: self.first(&head.scope, head.tail_hour_ms),
            day: self.first(&head.scope, head.tail_day_ms),
        }
    }

    fn advance_head(&self, head: &mut Head, now_ms: i64) {
        let left = |window| self.sum(&head.scope, head.leaving(window, now_ms));
        let (hour, day) = (left(Window::Hour), left(Window::Day));
        head.advance(now_ms, hour, day);
    }

    /// Moves the tails of the named ledgers to now and returns that now.
    fn advance<'a>(&mut self, scopes: impl Iterator<Item = &'a String> + Clone, clock_ms: i64) -> i64 {
        let heads = scopes.clone().filter_map(|scope| self.rows.heads.get(scope));
        let now_ms = heads.map(|head| head.now(clock_ms)).max().unwrap_or(clock_ms);
        for scope in scopes {
            let Some(mut head) = self.rows.heads.remove(scope) else { continue };
            self.advance_head(&mut head, now_ms);
            let departures = self.departures(&head);
            self.rows.departures.insert(scope.clone(), departures);
            self.rows.heads.insert(scope.clone(), head);
        }
        now_ms
    }

    /// Sums up the calls that a ledger will count which is not opened yet.
    fn sum_up(&mut self, keys: &[RowKey], now_ms: i64) {
        let scopes = keys.iter().filter_map(|key| match key {
            RowKey::Opening(scope) if !self.rows.heads.contains_key(scope) => Some(scope),
            _ => None,
        });
        let calls = || self.rows.calls.values();
        let opening = |scope: &String| (scope.clone(), Head::summed_up(scope, calls(), now_ms));
        self.rows.openings = scopes.map(opening).collect();
    }

    /// A ledger that no command wrote stays as it was, its tails too, as it does in a database.
    fn put_back(&mut self, stored: Vec<Head>, decided: &Decided) {
        let is_written = |scope: &str| {
            decided.writes.iter().any(|write| matches!(write, Write::Head(head) if head.scope == scope))
        };
        let unwritten = stored.into_iter().filter(|head| !is_written(&head.scope));
        self.rows.heads.extend(unwritten.map(|head| (head.scope.clone(), head)));
    }

    fn between(&self, scope: &str, after: i64, up_to: i64) -> impl Iterator<Item = (i64, MicroUsd)> + '_ {
        let no_key = TryKey { attempt_id: AttemptId::default(), step_n: 0, call_no: 0, try_no: 0 };
        let from = (after.saturating_add(1), no_key);
        let all = self.settled.get(scope).into_iter().flat_map(move |all| all.range(from.clone()..));
        all.map(|((at, _), amount)| (*at, *amount)).take_while(move |(at, _)| *at <= up_to)
    }

    fn sum(&self, scope: &str, (after, up_to): (i64, i64)) -> MicroUsd {
        self.between(scope, after, up_to).map(|(_, amount)| amount).sum()
    }

    pub(crate) fn settled_since(
        &self,
        scope: &str,
        since: i64,
    ) -> impl Iterator<Item = (i64, MicroUsd)> + '_ {
        self.between(scope, since, i64::MAX)
    }

    fn first(&self, scope: &str, after: i64) -> Vec<(i64, MicroUsd)> {
        self.between(scope, after, i64::MAX).take(DEPARTURES).collect()
    }

    fn note(&mut self, decided: &Decided) {
        for write in &decided.writes {
            if let Write::Call(row) = write {
                self.note_settlement(row);
            }
        }
        self.events.extend(decided.events.iter().cloned());
    }

    fn note_settlement(&mut self, row: &CallRow) {
        for (scope, unit) in [(row.scope.clone(), Unit::Money), (tokens_scope(&row.scope), Unit::Tokens)] {
            if let (Some(at), Some(charged)) = (row.settled_ms, row.amounts(unit).1) {
                self.settled.entry(scope).or_default().insert((at, row.key.clone()), charged);
            }
        }
    }
}

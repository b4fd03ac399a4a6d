//! The smallest store: all rows in maps, a wall clock that anyone may turn, and the log of settlements.

use std::collections::BTreeMap;

use glitchlab_domain::command::{Command, Refusal, Stamp};
use glitchlab_domain::decide::{Writes, decide, kin};
use glitchlab_domain::id::TryKey;
use glitchlab_domain::ledger::{DEPARTURES, Departures, Head};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::reason::Window;
use glitchlab_domain::rows::{RowKey, Rows, Write};

/// The ledger that everybody in a history shares.
pub(crate) const SCOPE: &str = "real";
/// When histories begin, ms UTC.
pub(crate) const START_MS: i64 = 1_700_000_000_000;

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) rows: Rows,
    pub(crate) clock_ms: i64,
    keeps_tails: bool,
    names_rows: bool,
    settled: BTreeMap<(i64, TryKey), MicroUsd>,
    stamps: u64,
    /// A command that was decided otherwise over nothing but the rows that it names.
    pub(crate) unnamed: Option<String>,
}

impl World {
    pub(crate) fn new(keeps_tails: bool, names_rows: bool) -> Self {
        Self {
            rows: Rows::default(),
            clock_ms: START_MS,
            keeps_tails,
            names_rows,
            settled: BTreeMap::new(),
            stamps: 0,
            unnamed: None,
        }
    }

    /// Returns the ledger's time.
    pub(crate) fn now_ms(&self) -> i64 {
        self.rows.heads.get(SCOPE).map_or(self.clock_ms, |head| head.now(self.clock_ms))
    }

    /// Returns the ledger with its tails moved to now.
    pub(crate) fn head(&self) -> Option<Head> {
        let mut head = self.rows.heads.get(SCOPE)?.clone();
        let now_ms = self.now_ms();
        let left = |window| self.sum(head.leaving(window, now_ms));
        let (hour, day) = (left(Window::Hour), left(Window::Day));
        head.advance(now_ms, hour, day);
        Some(head)
    }

    /// Decides a command as a store does, and changes nothing but the ledger's tails when it keeps them.
    pub(crate) fn decide(&mut self, command: &Command) -> Result<Writes, Refusal> {
        let stamp = self.stamp(command);
        let stored = self.load_ledger(command);
        let decision = decide(&self.rows, command, &stamp);
        if self.names_rows && decide(&self.named(command), command, &stamp) != decision {
            self.unnamed = Some(format!("{command:?} looks at rows that it does not name"));
        }
        if let Some(head) = stored {
            self.rows.heads.insert(SCOPE.to_owned(), head);
        }
        decision
    }

    pub(crate) fn apply(&mut self, writes: Vec<Write>) {
        for write in writes {
            if let Write::Call(call) = &write
                && let (Some(at), Some(actual)) = (call.settled_ms, call.actual)
            {
                self.settled.insert((at, call.key.clone()), actual);
            }
            self.rows.apply(write);
        }
    }

    fn stamp(&mut self, command: &Command) -> Stamp {
        self.stamps += 1;
        let now_ms = if names_ledger(command) { self.now_ms() } else { self.clock_ms };
        Stamp {
            now_ms,
            nonce: format!("nonce-{}", self.stamps),
            entropy: self.stamps.wrapping_mul(0x9e37_79b9),
        }
    }

    /// Moves the tails and lists departures; returns the row as it stood, when that is what stays stored.
    fn load_ledger(&mut self, command: &Command) -> Option<Head> {
        self.rows.departures.clear();
        let head = self.head().filter(|_| names_ledger(command))?;
        let departures =
            Departures { hour: self.first(head.tail_hour_ms), day: self.first(head.tail_day_ms) };
        self.rows.departures.insert(SCOPE.to_owned(), departures);
        let stored = self.rows.heads.insert(SCOPE.to_owned(), head);
        stored.filter(|_| !self.keeps_tails)
    }

    fn first(&self, after_ms: i64) -> Vec<(i64, MicroUsd)> {
        let inside =
            self.settled.iter().map(|((at, _), amount)| (*at, *amount)).filter(|(at, _)| *at > after_ms);
        inside.take(DEPARTURES).collect()
    }

    fn sum(&self, (after, up_to): (i64, i64)) -> MicroUsd {
        let left = self.settled.iter().filter(|((at, _), _)| *at > after && *at <= up_to);
        left.map(|(_, amount)| *amount).sum()
    }

    /// Copies the rows that a command names, and no others.
    fn named(&self, command: &Command) -> Rows {
        let mut named = Rows::default();
        for key in command.needs() {
            self.copy(&key, &mut named);
        }
        named
    }

    fn copy(&self, key: &RowKey, to: &mut Rows) {
        let from = &self.rows;
        match key {
            RowKey::Task(key) => copy_row(&from.tasks, key, &mut to.tasks),
            RowKey::Kin { of, parts } => {
                let kin = from.tasks.get(of).map(|task| kin(task, *parts)).unwrap_or_default();
                kin.iter().for_each(|key| copy_row(&from.tasks, key, &mut to.tasks));
            }
            RowKey::Claim(key) => copy_row(&from.claims, key, &mut to.claims),
            RowKey::Attempt(id) => copy_row(&from.attempts, id, &mut to.attempts),
            RowKey::Step(id, n) => copy_row(&from.steps, &(id.clone(), *n), &mut to.steps),
            RowKey::Call(id, step_n, call_no) => {
                to.calls.extend(from.tries(id, *step_n, *call_no).map(|row| (row.key.clone(), row.clone())));
            }
            RowKey::Effect(key) => copy_row(&from.effects, key, &mut to.effects),
            RowKey::Child(id, n) => copy_row(&from.children, &(id.clone(), *n), &mut to.children),
            RowKey::Process(id) => copy_row(&from.processes, id, &mut to.processes),
            RowKey::Purse(key) => copy_row(&from.purses, key, &mut to.purses),
            RowKey::Gate(repo_id) => copy_row(&from.gates, repo_id, &mut to.gates),
            RowKey::Control(id) => copy_row(&from.controls, id, &mut to.controls),
            RowKey::AliveProcesses => {
                let alive = from.processes.iter().filter(|(_, row)| row.alive);
                to.processes.extend(alive.map(|(id, row)| (id.clone(), row.clone())));
            }
            RowKey::Ledger { scope, .. } => {
                copy_row(&from.heads, scope, &mut to.heads);
                copy_row(&from.departures, scope, &mut to.departures);
            }
        }
    }
}

fn copy_row<K: Ord + Clone, V: Clone>(from: &BTreeMap<K, V>, key: &K, to: &mut BTreeMap<K, V>) {
    if let Some(row) = from.get(key) {
        to.insert(key.clone(), row.clone());
    }
}

fn names_ledger(command: &Command) -> bool {
    matches!(
        command,
        Command::StartBoot { .. }
            | Command::Claim(_)
            | Command::Reserve(_)
            | Command::Settle(_)
            | Command::Finish(_)
    )
}

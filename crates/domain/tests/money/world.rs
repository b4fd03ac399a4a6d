//! The smallest store: all rows in maps, a wall clock that anyone may turn, and the log of settlements.

use std::collections::BTreeMap;

use glitchlab_domain::command::{Command, Refusal, Stamp};
use glitchlab_domain::decide::{Writes, decide, kin};
use glitchlab_domain::ledger::{DEPARTURES, Departures, Head, Unit, counted};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::reason::Window;
use glitchlab_domain::rows::{CallRow, RowKey, Rows, Write};

/// The ledger that everybody in a history shares.
pub(crate) const SCOPE: &str = "real";
/// The one of tokens beside it.
pub(crate) const TOKENS: &str = "real#tokens";
/// Both, with what they count.
pub(crate) const LEDGERS: [(&str, Unit); 2] = [(SCOPE, Unit::Money), (TOKENS, Unit::Tokens)];
/// When histories begin, ms UTC.
pub(crate) const START_MS: i64 = 1_700_000_000_000;

/// What a call was charged, and when.
struct Settled {
    at_ms: i64,
    money: MicroUsd,
    tokens: MicroUsd,
}

pub(crate) struct World {
    pub(crate) rows: Rows,
    pub(crate) clock_ms: i64,
    pub(crate) keeps_tails: bool,
    names_rows: bool,
    /// In order of time, which is the ledger's: it does not run back.
    settled: Vec<Settled>,
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
            settled: Vec::new(),
            stamps: 0,
            unnamed: None,
        }
    }

    /// Returns the ledger's time.
    pub(crate) fn now_ms(&self) -> i64 {
        self.rows.heads.values().map(|head| head.now(self.clock_ms)).max().unwrap_or(self.clock_ms)
    }

    /// Returns the ledger of money with its tails moved to now.
    pub(crate) fn head(&self) -> Option<Head> {
        self.head_of(SCOPE)
    }

    pub(crate) fn head_of(&self, scope: &str) -> Option<Head> {
        let mut head = self.rows.heads.get(scope)?.clone();
        let now_ms = self.now_ms();
        let left = |window| self.sum(scope, head.leaving(window, now_ms));
        let (hour, day) = (left(Window::Hour), left(Window::Day));
        head.advance(now_ms, hour, day);
        Some(head)
    }

    /// Decides a command as a store does, and changes nothing but the ledger's tails when it keeps them.
    pub(crate) fn decide(&mut self, command: &Command) -> Result<Writes, Refusal> {
        let stamp = self.stamp(command);
        let stored = self.load_ledgers(command, stamp.now_ms);
        let decision = decide(&self.rows, command, &stamp);
        if self.names_rows && decide(&self.named(command), command, &stamp) != decision {
            self.unnamed = Some(format!("{command:?} looks at rows that it does not name"));
        }
        if !self.keeps_tails {
            self.rows.heads.extend(stored.into_iter().map(|head| (head.scope.clone(), head)));
        }
        decision
    }

    pub(crate) fn apply(&mut self, writes: &[Write]) {
        for write in writes {
            if let Write::Call(call) = write {
                self.note_settlement(call);
            }
            self.rows.apply(write.clone());
        }
    }

    fn note_settlement(&mut self, call: &CallRow) {
        let [money, tokens] = [Unit::Money, Unit::Tokens].map(|unit| call.amounts(unit).1);
        if let (Some(at_ms), Some(money), Some(tokens)) = (call.settled_ms, money, tokens) {
            assert!(self.settled.last().is_none_or(|last| last.at_ms <= at_ms), "time ran back");
            self.settled.push(Settled { at_ms, money, tokens });
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

    /// Moves the tails and lists departures; returns the rows as they stood.
    fn load_ledgers(&mut self, command: &Command, now_ms: i64) -> Vec<Head> {
        self.rows.departures.clear();
        self.rows.openings.clear();
        if !names_ledger(command) {
            return Vec::new();
        }
        if matches!(command, Command::StartBoot { .. }) && !self.rows.heads.contains_key(TOKENS) {
            let opening = Head::summed_up(TOKENS, self.rows.calls.values(), now_ms);
            self.rows.openings.insert(TOKENS.to_owned(), opening);
        }
        LEDGERS.into_iter().filter_map(|(scope, _)| self.load_ledger(scope)).collect()
    }

    fn load_ledger(&mut self, scope: &str) -> Option<Head> {
        let head = self.head_of(scope)?;
        let departures = Departures {
            hour: self.first(scope, head.tail_hour_ms),
            day: self.first(scope, head.tail_day_ms),
        };
        self.rows.departures.insert(scope.to_owned(), departures);
        self.rows.heads.insert(scope.to_owned(), head)
    }

    /// What settled after an instant, oldest first, as a ledger counts it.
    fn after(&self, scope: &str, after_ms: i64) -> impl Iterator<Item = (i64, MicroUsd)> + '_ {
        let unit = counted(scope).1;
        let from = self.settled.partition_point(|settled| settled.at_ms <= after_ms);
        self.settled[from..].iter().map(move |settled| match unit {
            Unit::Money => (settled.at_ms, settled.money),
            Unit::Tokens => (settled.at_ms, settled.tokens),
        })
    }

    fn first(&self, scope: &str, after_ms: i64) -> Vec<(i64, MicroUsd)> {
        self.after(scope, after_ms).take(DEPARTURES).collect()
    }

    fn sum(&self, scope: &str, (after_ms, up_to_ms): (i64, i64)) -> MicroUsd {
        let left = self.after(scope, after_ms).take_while(|(at_ms, _)| *at_ms <= up_to_ms);
        left.map(|(_, amount)| amount).sum()
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
            RowKey::Alerting { .. } => unreachable!("nothing here is about alerts"),
            RowKey::AliveProcesses => {
                let alive = from.processes.iter().filter(|(_, row)| row.alive);
                to.processes.extend(alive.map(|(id, row)| (id.clone(), row.clone())));
            }
            RowKey::Ledger { scope, .. } => {
                copy_row(&from.heads, scope, &mut to.heads);
                copy_row(&from.departures, scope, &mut to.departures);
            }
            RowKey::Opening(scope) => copy_row(&from.openings, scope, &mut to.openings),
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
            | Command::LowerCaps { .. }
    )
}

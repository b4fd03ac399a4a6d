//! Deciding a batch over loaded rows: the part that every store shares.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use glitchlab_domain::command::{Command, Refusal, Reply, Stamp};
use glitchlab_domain::decide::decide;
use glitchlab_domain::event::{Event, EventId};
use glitchlab_domain::id::BootId;
use glitchlab_domain::ledger::Head;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::reason::Window;
use glitchlab_domain::rows::{RowKey, Rows, Write};
use uuid::Uuid;

use crate::task_list::Changes;

/// Which boot writes, and which number its next event has.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) boot_id: BootId,
    pub(crate) next_seq: u64,
}

/// A decided batch: what to write, what happened, what to answer.
pub(crate) struct Decided {
    /// Every changed row once, in its last form, in order of first change.
    pub(crate) writes: Vec<Write>,
    /// What they change in the list of tasks.
    pub(crate) list: Changes,
    pub(crate) events: Vec<Event>,
    pub(crate) replies: Vec<Result<Reply, Refusal>>,
}

impl Decided {
    /// Tells whether somebody is told to wait for money.
    pub(crate) fn waits(&self) -> bool {
        self.replies.iter().any(|reply| matches!(reply, Ok(Reply::Wait(_))))
    }
}

/// Decides one command after the other; each sees what the earlier ones wrote.
pub(crate) fn decide_all(rows: &mut Rows, commands: &[&Command], now_ms: i64, place: &Place) -> Decided {
    let (mut changed, mut list) = (Changed::default(), Changes::default());
    let mut events = Vec::new();
    let mut replies = Vec::with_capacity(commands.len());
    for command in commands {
        let decision = decide(rows, command, &stamp(now_ms));
        replies.push(decision.map(|writes| {
            for write in writes.rows {
                list.note(rows, &write);
                rows.apply(write.clone());
                changed.keep(write);
            }
            for (about, kind) in writes.events {
                let seq = place.next_seq + events.len() as u64;
                let id = EventId { boot_id: place.boot_id.clone(), seq };
                events.push(Event { id, at_ms: now_ms, about, kind });
            }
            writes.reply
        }));
    }
    Decided { writes: changed.into_writes(), list, events, replies }
}

fn stamp(now_ms: i64) -> Stamp {
    let random = Uuid::new_v4();
    let (entropy, _) = random.as_u64_pair();
    Stamp { now_ms, nonce: random.simple().to_string(), entropy }
}

/// The last form of each changed row.
#[derive(Default)]
struct Changed {
    places: BTreeMap<(&'static str, String), usize>,
    writes: Vec<Write>,
}

impl Changed {
    fn keep(&mut self, write: Write) {
        match self.places.entry(identity(&write)) {
            Entry::Occupied(place) => self.writes[*place.get()] = write,
            Entry::Vacant(place) => {
                place.insert(self.writes.len());
                self.writes.push(write);
            }
        }
    }

    fn into_writes(self) -> Vec<Write> {
        self.writes
    }
}

fn identity(write: &Write) -> (&'static str, String) {
    match write {
        Write::Task(row) => ("task", row.key.to_string()),
        Write::Claim(row) => ("claim", row.task_key.to_string()),
        Write::DropClaim(key) => ("claim", key.to_string()),
        Write::Attempt(row) => ("attempt", row.attempt_id.to_string()),
        Write::Step(row) => ("step", format!("{}/{}", row.attempt_id, row.n)),
        Write::Call(row) => ("call", row.key.to_string()),
        Write::Effect(row) => ("effect", row.key.to_string()),
        Write::Child(row) => ("child", format!("{}/{}", row.attempt_id, row.n)),
        Write::Process(row) => ("process", row.boot_id.to_string()),
        Write::Head(row) => ("head", row.scope.clone()),
        Write::Purse(row) => ("purse", row.root_key.to_string()),
        Write::Gate(row) => ("gate", row.repo_id.clone()),
        Write::Control(row) => ("control", row.id.clone()),
        Write::Alerter(row) => ("alerter", row.repo_id.clone()),
        Write::Alert(row) => ("alert", row.incident_id.clone()),
        Write::Outbox(row) => ("outbox", row.webhook_id.clone()),
        Write::Cursor(row) => ("cursor", row.id()),
    }
}

/// What a batch must load, each key once, and the most that its commands ask of each ledger.
pub(crate) fn needs(commands: &[&Command]) -> (Vec<RowKey>, BTreeMap<String, MicroUsd>) {
    let mut asked: BTreeMap<String, MicroUsd> = BTreeMap::new();
    let mut keys = Vec::new();
    for key in commands.iter().flat_map(|command| command.needs()) {
        match key {
            RowKey::Ledger { scope, need } => *asked.entry(scope).or_default() += need,
            key => keys.push(key),
        }
    }
    keys.sort();
    keys.dedup();
    (keys, asked)
}

/// Tells whether departures must be loaded: the room may not do for what the batch asks.
pub(crate) fn may_wait(head: &Head, asked: MicroUsd) -> bool {
    asked > head.headroom() || head.cap(Window::Hour).micro() / 10 > head.headroom().micro()
}

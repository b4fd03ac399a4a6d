//! Which rows each command looks at, so that a store can load a whole batch in a few statements.

use super::{Authority, Bearer, BootBearer, Carry, Claim, Command, Reserve};
use crate::id::{AttemptId, TaskKey, TryKey};
use crate::ledger::{tokens, tokens_scope};
use crate::money::MicroUsd;
use crate::outcome::Outcome;
use crate::rows::RowKey;

impl Command {
    /// Returns the rows that [`crate::decide::decide`] will look at.
    #[must_use]
    pub fn needs(&self) -> Vec<RowKey> {
        match self {
            Self::StartBoot { scope, process, dead, terms, .. } => {
                let boots = dead.iter().chain([&process.boot_id]).cloned().map(RowKey::Process);
                let mut keys = plus(boots.collect(), [RowKey::AliveProcesses]);
                keys.extend(terms.tokens_per_day.map(|_| RowKey::Opening(tokens_scope(scope))));
                plus(keys, ledgers(scope, MicroUsd::ZERO, 0))
            }
            Self::Beat { by, .. } | Self::EndBoot { by, .. } => vec![boot(by)],
            Self::Sync { beads } => beads.iter().map(|bead| RowKey::Task(bead.key.clone())).collect(),
            Self::Claim(claim) => of_claim(claim),
            Self::LowerCaps { by, scope, .. } => {
                vec![boot(by), ledger(scope, MicroUsd::ZERO)]
            }
            Self::TakeOver(take) => plus(
                of_attempt(&take.task_key, &take.attempt_id),
                [task(&take.task_key), boot(&take.by), RowKey::Process(take.old_boot.clone())],
            ),
            Self::Suspend { by } | Self::NoteWait { by, .. } => of_bearer(by),
            Self::BeginStep { by, n, .. } => plus(of_bearer(by), [step(by, *n)]),
            Self::FinishStep(finish) => plus(of_bearer(&finish.by), [step(&finish.by, finish.n)]),
            Self::Reserve(ask) => of_reserve(ask),
            Self::Settle(settle) => {
                let keys = of_attempt(&settle.task_key, &settle.key.attempt_id);
                let keys = plus(keys, [call(&settle.key), RowKey::Purse(settle.root_key.clone())]);
                plus(keys, ledgers(&settle.scope, MicroUsd::ZERO, 0))
            }
            Self::BeginEffect { by, key, task_key, .. } | Self::FinishEffect { by, key, task_key, .. } => {
                plus(of_authority(by), [task(task_key), RowKey::Effect(key.clone())])
            }
            Self::StartChild { by, row } => {
                plus(of_bearer(by), [RowKey::Child(row.attempt_id.clone(), row.n)])
            }
            Self::EndChild { attempt_id, n } => vec![RowKey::Child(attempt_id.clone(), *n)],
            Self::Finish(finish) => {
                let key = &finish.by.task_key;
                let keys = plus(of_bearer(&finish.by), [task(key), kin(key, parts(&finish.outcome))]);
                let keys = plus(keys, [RowKey::Gate(finish.repo_id.clone())]);
                plus(keys, ledgers(&finish.scope, MicroUsd::ZERO, 0))
            }
            Self::Close { by, task_key, .. } | Self::Reopen { by, task_key, .. } => {
                vec![boot(by), task(task_key), kin(task_key, 0), RowKey::Claim(task_key.clone())]
            }
            Self::Say(row) => vec![RowKey::Control(row.id.clone())],
            Self::Carry(carry) => of_carry(carry),
            Self::Breach(_) | Self::Evaluate(_) | Self::Deliver(_) => self.alert_needs(),
            Self::Note { .. } => Vec::new(),
        }
    }
}

fn of_carry(carry: &Carry) -> Vec<RowKey> {
    let row = &carry.row;
    let mut keys = vec![RowKey::Control(row.id.clone()), RowKey::Gate(row.repo_id.clone())];
    keys.extend(carry.by.as_ref().map(boot));
    if let Some(key) = row.task_key() {
        keys.extend([task(&key), kin(&key, 0), RowKey::Claim(key)]);
    }
    keys.extend(carry.root_key.iter().cloned().map(RowKey::Purse));
    keys.extend(carry.scope.iter().map(|scope| ledger(scope, MicroUsd::ZERO)));
    if let Some(finish) = &carry.ending {
        keys.extend(Command::Finish((**finish).clone()).needs());
    }
    keys
}

fn kin(of: &TaskKey, parts: usize) -> RowKey {
    RowKey::Kin { of: of.clone(), parts }
}

fn parts(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Decomposed { subtasks } => subtasks.len(),
        _ => 0,
    }
}

fn boot(by: &BootBearer) -> RowKey {
    RowKey::Process(by.boot_id.clone())
}

fn step(by: &Bearer, n: u32) -> RowKey {
    RowKey::Step(by.attempt_id.clone(), n)
}

fn call(key: &TryKey) -> RowKey {
    RowKey::Call(key.attempt_id.clone(), key.step_n, key.call_no)
}

fn ledger(scope: &str, need: MicroUsd) -> RowKey {
    RowKey::Ledger { scope: scope.to_owned(), need }
}

/// The ledgers of money and of tokens.
fn ledgers(scope: &str, money: MicroUsd, count: u64) -> [RowKey; 2] {
    [ledger(scope, money), ledger(&tokens_scope(scope), tokens(count))]
}

fn of_claim(claim: &Claim) -> Vec<RowKey> {
    let keys = of_attempt(&claim.task_key, &claim.attempt_id);
    let gate = RowKey::Gate(claim.repo_id.clone());
    let keys = plus(keys, [task(&claim.task_key), boot(&claim.by), gate]);
    let mut keys = plus(keys, ledgers(&claim.scope, claim.hold, claim.hold_tokens));
    keys.extend(claim.ahead.iter().map(task));
    keys
}

/// Its ledgers are asked for the least that it can do with.
fn of_reserve(ask: &Reserve) -> Vec<RowKey> {
    let keys = plus(of_bearer(&ask.by), [call(&ask.key), RowKey::Purse(ask.root_key.clone())]);
    let tokens = ask.bounds.prompt_tokens.saturating_add(ask.bounds.floor());
    plus(keys, ledgers(&ask.scope, ask.bounds.least(), tokens))
}

fn of_authority(by: &Authority) -> Vec<RowKey> {
    match by {
        Authority::Attempt(bearer) => of_bearer(bearer),
        Authority::Boot(by) => vec![boot(by)],
    }
}

fn of_bearer(by: &Bearer) -> Vec<RowKey> {
    of_attempt(&by.task_key, &by.attempt_id)
}

fn of_attempt(task_key: &TaskKey, attempt_id: &AttemptId) -> Vec<RowKey> {
    vec![RowKey::Claim(task_key.clone()), RowKey::Attempt(attempt_id.clone())]
}

fn task(key: &TaskKey) -> RowKey {
    RowKey::Task(key.clone())
}

fn plus<const N: usize>(mut keys: Vec<RowKey>, more: [RowKey; N]) -> Vec<RowKey> {
    keys.extend(more);
    keys
}

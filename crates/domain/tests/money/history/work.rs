//! Attempts: they are claimed, taken over, put down and finished, and do something outside the store.

use glitchlab_domain::command::{Authority, Claim, Command, Finish, FinishStep, TakeOver};
use glitchlab_domain::gate::GateRules;
use glitchlab_domain::id::{AttemptId, EffectKey, Fence, TaskKey};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::{FailureKind, HumanReason, Outcome, Reference, SubTask};
use glitchlab_domain::policy::RetryRules;
use glitchlab_domain::reason::{Reason, Wait};
use glitchlab_domain::stage::Stage;

use super::Run;
use super::steps::{any_task, pick, running_boot, running_worker, task_key};
use crate::oracle::Fault;
use crate::world::SCOPE;

pub(super) fn claim(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
    let Some((boot, by)) = running_boot(run, a) else { return Ok(()) };
    let claim = Claim {
        by,
        task_key: any_task(run, a >> 8),
        attempt_id: AttemptId::new(run.fresh("a")),
        fence: run.fresh_fence(),
        slot: "worker-1".to_owned(),
        repo_id: "repo".to_owned(),
        scope: SCOPE.to_owned(),
        hold: MicroUsd::new(i64::from(b % [1_500, 60][a as usize & 1])),
        hold_tokens: u64::from((b >> 11) % 900),
        ahead: (b >> 24).is_multiple_of(4).then(|| any_task(run, b >> 26)),
        model: "m".to_owned(),
        simulated: false,
        max_attempts: 3,
        trace_id: "0".repeat(32),
        branch: "branch".to_owned(),
    };
    run.send(boot, Command::Claim(claim)).map(drop)
}

/// Some boot wants some claim: one that its own slot lost, one of a dead boot, a suspended one, or a live one.
pub(super) fn take_over(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
    let Some((boot, by)) = running_boot(run, a) else { return Ok(()) };
    let Some(at) = pick(a >> 8, run.world.rows.claims.len()) else { return Ok(()) };
    let claim = run.world.rows.claims.values().nth(at).expect("the place is below the length").clone();
    let seen_late = b.is_multiple_of(8);
    let take = TakeOver {
        by,
        task_key: claim.task_key,
        attempt_id: claim.attempt_id,
        old_fence: if seen_late { Fence::new("f0") } else { claim.fence },
        old_boot: claim.boot_id,
        fence: run.fresh_fence(),
        slot: "worker-2".to_owned(),
        max_attempts: 3,
    };
    run.send(boot, Command::TakeOver(take)).map(drop)
}

pub(super) fn suspend(run: &mut Run, a: u32, _: u32) -> Result<(), Fault> {
    let Some(at) = running_worker(run, a) else { return Ok(()) };
    let (boot, by) = (run.workers[at].boot, run.workers[at].by.clone());
    run.send(boot, Command::Suspend { by }).map(drop)
}

pub(super) fn finish(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
    let Some(at) = running_worker(run, a) else { return Ok(()) };
    let part = || SubTask { title: "part".to_owned(), description: String::new(), after: Vec::new() };
    let outcome = match b % 8 {
        0 => Outcome::Completed { reference: Reference::Merge { commit: "c".to_owned() } },
        1 | 2 => Outcome::Retryable { failure: FailureKind::TestsFailed, message: String::new() },
        3 => Outcome::Deferred { why: "later".to_owned() },
        4 => Outcome::NeedsHuman { reason: HumanReason::TooDeep },
        5 => Outcome::Cancelled { why: "closed".to_owned() },
        6 => Outcome::Decomposed { subtasks: vec![part(), part()] },
        _ => Outcome::Snoozed {
            failure: FailureKind::RateLimited,
            until_ms: run.world.clock_ms + 60_000,
            message: String::new(),
        },
    };
    let (boot, by) = (run.workers[at].boot, run.workers[at].by.clone());
    let rules = RetryRules::default();
    let finish = Finish {
        by,
        outcome,
        detail: run.fresh("d"),
        learned: None,
        files_changed: 0,
        rules,
        scope: SCOPE.to_owned(),
        repo_id: "repo".to_owned(),
        gate: GateRules::NEVER,
    };
    run.send(boot, Command::Finish(finish)).map(drop)
}

pub(super) fn work_on_step(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
    let Some(at) = running_worker(run, a) else { return Ok(()) };
    let (boot, by) = (run.workers[at].boot, run.workers[at].by.clone());
    let command = if b & 1 == 0 {
        let input_hash = "i".to_owned();
        Command::BeginStep { by, n: 0, stage: Stage::Implement, input_hash }
    } else {
        let output = run.fresh("o");
        Command::FinishStep(FinishStep {
            by,
            n: 0,
            output,
            ok: true,
            summary: String::new(),
            size: None,
            decision: None,
        })
    };
    run.send(boot, command).map(drop)
}

/// Chooses who does something outside the store: an attempt for its own task, or a boot for one of them.
fn authority(run: &Run, a: u32) -> Option<(usize, Authority, TaskKey)> {
    if a & 1 == 0 {
        let worker = &run.workers[running_worker(run, a >> 1)?];
        return Some((worker.boot, Authority::Attempt(worker.by.clone()), worker.by.task_key.clone()));
    }
    let (boot, by) = running_boot(run, a >> 1)?;
    Some((boot, Authority::Boot(by), task_key(0)))
}

pub(super) fn begin_effect(run: &mut Run, a: u32, _: u32) -> Result<(), Fault> {
    let Some((boot, by, task_key)) = authority(run, a) else { return Ok(()) };
    let key = EffectKey::new(format!("merge/{task_key}"));
    let (kind, target) = ("merge".to_owned(), "main".to_owned());
    run.send(boot, Command::BeginEffect { by, key, task_key, kind, target }).map(drop)
}

pub(super) fn finish_effect(run: &mut Run, a: u32, _: u32) -> Result<(), Fault> {
    let Some((boot, by, task_key)) = authority(run, a) else { return Ok(()) };
    let key = EffectKey::new(format!("merge/{task_key}"));
    let result = run.fresh("commit");
    run.send(boot, Command::FinishEffect { by, key, task_key, result }).map(drop)
}

pub(super) fn reopen(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
    let Some((boot, by)) = running_boot(run, a) else { return Ok(()) };
    let (task_key, why) = (task_key(a >> 8), "because".to_owned());
    let command = if b.is_multiple_of(4) {
        Command::Close { by, task_key, reference: Reference::ChildrenClosed, why }
    } else {
        Command::Reopen { by, task_key, why, anew: b & 1 == 0 }
    };
    run.send(boot, command).map(drop)
}

pub(super) fn note_wait(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
    let Some(at) = running_worker(run, a) else { return Ok(()) };
    let (boot, by) = (run.workers[at].boot, run.workers[at].by.clone());
    let wait = Wait { reason: Reason::NoFreeWorker, until_ms: Some(i64::from(b)) };
    run.send(boot, Command::NoteWait { by, wait }).map(drop)
}

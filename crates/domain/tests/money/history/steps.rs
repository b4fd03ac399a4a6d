//! What can happen in one step.

use glitchlab_domain::command::{
    Authority, BootBearer, Claim, Command, Finish, FinishStep, Paid, Reserve, Settle, TakeOver, TaskCaps,
};
use glitchlab_domain::gate::GateRules;
use glitchlab_domain::id::{AttemptId, BootId, EffectKey, Fence, TaskKey, TryKey};
use glitchlab_domain::ledger::{Bounds, Terms};
use glitchlab_domain::money::{MicroUsd, Price};
use glitchlab_domain::outcome::{FailureKind, HumanReason, Outcome, Reference, SubTask};
use glitchlab_domain::policy::RetryRules;
use glitchlab_domain::reason::{Reason, Wait, Window};
use glitchlab_domain::rows::{CallState, ProcessRow};
use glitchlab_domain::stage::Stage;
use glitchlab_domain::task::SourceTask;

use super::{Boot, Run};
use crate::oracle::Fault;
use crate::script::Step;
use crate::world::SCOPE;

type Deed = fn(&mut Run, u32, u32) -> Result<(), Fault>;

/// Each kind of step with its weight.
const DEEDS: [(u32, Deed); 19] = [
    (8, start_boot),
    (10, claim),
    (30, reserve),
    (18, bill),
    (14, settle),
    (4, abandon),
    (10, take_over),
    (3, suspend),
    (6, crash_boot),
    (8, settle_for_the_dead),
    (1, end_boot),
    (5, finish),
    (14, turn_clock),
    (9, resend),
    (3, work_on_step),
    (8, begin_effect),
    (8, finish_effect),
    (3, reopen),
    (2, note_wait),
];

pub(super) fn play(run: &mut Run, step: Step) -> Result<(), Fault> {
    if run.boots.is_empty() {
        sync(run)?;
        start_boot(run, step.a, step.b)?;
    }
    let all: u32 = DEEDS.iter().map(|(weight, _)| weight).sum();
    let mut left = step.kind % all;
    for (weight, deed) in DEEDS {
        if left < weight {
            return deed(run, step.a, step.b);
        }
        left -= weight;
    }
    Ok(())
}

fn pick(choice: u32, among: usize) -> Option<usize> {
    (choice as usize).checked_rem(among)
}

/// Chooses a process that runs, whatever the store believes.
fn running_boot(run: &Run, choice: u32) -> Option<(usize, BootBearer)> {
    let running: Vec<usize> = (0..run.boots.len()).filter(|at| !run.boots[*at].crashed).collect();
    let at = running[pick(choice, running.len())?];
    Some((at, run.boots[at].by.clone()))
}

/// Chooses a worker of a running process, zombies among them.
fn running_worker(run: &Run, choice: u32) -> Option<usize> {
    let running: Vec<usize> =
        (0..run.workers.len()).filter(|at| !run.boots[run.workers[*at].boot].crashed).collect();
    pick(choice, running.len()).map(|at| running[at])
}

fn task_key(choice: u32) -> TaskKey {
    TaskKey::new(format!("t{}", choice % 3))
}

fn sync(run: &mut Run) -> Result<(), Fault> {
    let bead = |choice: u32| SourceTask {
        key: task_key(choice),
        repo_id: "repo".to_owned(),
        bead_id: format!("bead-{choice}").as_str().into(),
        source: "file".to_owned(),
        parent: None,
        title: "a task".to_owned(),
        body: String::new(),
        priority: 1,
        kind: "task".to_owned(),
        labels: Vec::new(),
        created_ms: 0,
        state: "open".to_owned(),
        rev: "r".to_owned(),
    };
    run.send(0, Command::Sync { beads: (0..3).map(bead).collect() }).map(drop)
}

fn start_boot(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
    let by = run.fresh_boot();
    let dead: Vec<BootId> =
        run.boots.iter().filter(|boot| boot.crashed).map(|boot| boot.by.boot_id.clone()).collect();
    let process = ProcessRow {
        boot_id: by.boot_id.clone(),
        fence: by.fence.clone(),
        host: "here".to_owned(),
        pid: 1,
        start_ticks: 1,
        repo_id: "repo".to_owned(),
        scope: SCOPE.to_owned(),
        listen: String::new(),
        started_ms: run.world.clock_ms,
        // Nobody beats: a lease that is over says nothing about a process of this host.
        lease_until_ms: run.world.clock_ms + 60_000,
        alive: true,
        rules: None,
    };
    let cap_hour = MicroUsd::new([1_000, 2_000, 500, 1_500, 3_000, 9][a as usize % 6]);
    let cap_day = MicroUsd::new([4_000, 2_000, 8_000, 1_000][b as usize % 4]);
    let before = run.world.rows.heads.get(SCOPE).map(|head| (head.cap_hour, head.cap_day));
    run.boots.push(Boot { by, crashed: false });
    let boot = run.boots.len() - 1;
    let command = Command::StartBoot {
        process,
        scope: SCOPE.to_owned(),
        cap_hour,
        cap_day,
        terms: Terms::default(),
        dead,
    };
    run.send(boot, command)?.map_err(|refusal| format!("a start was refused: {refusal}"))?;
    let after = run.world.rows.heads.get(SCOPE).map(|head| (head.cap_hour, head.cap_day));
    if before.is_some() && before != after {
        run.deeds.count("cap changed");
    }
    // A start settles what the dead left open before it does anything else; now and then it dies before that.
    let rounds = if b & 0x100 == 0 { 4 } else { 0 };
    (0..rounds).try_for_each(|_| settle_for_the_dead(run, a, b))
}

fn claim(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
    let Some((boot, by)) = running_boot(run, a) else { return Ok(()) };
    let claim = Claim {
        by,
        task_key: task_key(a >> 8),
        attempt_id: AttemptId::new(run.fresh("a")),
        fence: run.fresh_fence(),
        slot: "worker-1".to_owned(),
        repo_id: "repo".to_owned(),
        scope: SCOPE.to_owned(),
        hold: MicroUsd::new(i64::from(b % 1_500)),
        hold_tokens: 0,
        ahead: None,
        model: "m".to_owned(),
        simulated: false,
        max_attempts: 3,
        trace_id: "0".repeat(32),
        span_id: "0".repeat(16),
        branch: "branch".to_owned(),
    };
    run.send(boot, Command::Claim(claim)).map(drop)
}

/// Asks for money: for the worker's present try, sometimes again, sometimes for the next of several calls at once.
fn reserve(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
    use glitchlab_domain::command::{Refusal, Reply};
    let Some(at) = running_worker(run, a) else { return Ok(()) };
    let worker = &run.workers[at];
    let key = TryKey {
        attempt_id: worker.by.attempt_id.clone(),
        step_n: 0,
        call_no: worker.call_no,
        try_no: worker.try_no,
    };
    let command = Command::Reserve(Reserve {
        by: worker.by.clone(),
        input_hash: format!("h{}", worker.call_no),
        key,
        scope: SCOPE.to_owned(),
        root_key: worker.by.task_key.clone(),
        task_caps: TaskCaps::default(),
        stage: Stage::Implement,
        model: "m".to_owned(),
        bounds: Bounds {
            prompt_tokens: u64::from(b % 300),
            max_out: u64::from((b >> 10) % 900),
            floor_out: u64::from((b >> 20) % 300),
            price: Price { input_per_mtok_micro: 1_000_000, output_per_mtok_micro: 1_500_000 },
        },
    });
    let answer = run.send(worker.boot, command)?;
    let worker = &mut run.workers[at];
    match answer {
        Ok(Reply::Granted(_)) if a & 0x100 != 0 => (worker.call_no, worker.try_no) = (worker.call_no + 1, 0),
        Ok(Reply::Memo { .. }) => (worker.call_no, worker.try_no) = (worker.call_no + 1, 0),
        Err(Refusal::TryTaken(_)) => worker.try_no += 1,
        _ => {}
    }
    Ok(())
}

/// The provider does a request and bills it, up to the bound; nobody has told us yet.
fn bill(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
    let open: Vec<usize> = (0..run.flights.len()).filter(|at| run.flights[*at].billed.is_none()).collect();
    let Some(at) = pick(a, open.len()).map(|at| open[at]) else { return Ok(()) };
    let now_ms = run.world.now_ms();
    let flight = &mut run.flights[at];
    // The whole bound, now and then.
    let micro = if b & 3 == 0 { flight.bound } else { i64::from(b >> 2) % (flight.bound + 1) };
    flight.billed = Some(micro);
    run.provider.bill(&flight.key, micro, now_ms);
    if !run.oracle.holds(&flight.by) {
        run.deeds.count("billed to a zombie");
    }
    let key = flight.key.clone();
    run.note(|| format!("the provider bills {micro} for {key} at {now_ms}"));
    Ok(())
}

/// A worker settles what it has asked; what was not billed was never sent.
fn settle(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
    let Some(at) = pick(a, run.flights.len()) else { return Ok(()) };
    let (billed, zombie) = (run.flights[at].billed, !run.oracle.holds(&run.flights[at].by));
    let is_known = !b.is_multiple_of(5);
    let is_ok = is_known && billed.is_some() && b % 5 > 1;
    let paid = Paid { cost: MicroUsd::new(billed.unwrap_or(0)), input_tokens: 3, output_tokens: 5 };
    run.deeds.count(if is_known { "settled as billed" } else { "settled as unknown" });
    if zombie {
        run.deeds.count("settled by a zombie");
    }
    let by = Some(run.flights[at].by.clone());
    land(run, at, |settle| Settle {
        by,
        paid: is_known.then_some(paid),
        reply: is_ok.then(|| "reply".to_owned()),
        error: (!is_ok).then(|| "error".to_owned()),
        ..settle
    })
}

/// A reservation is dropped somewhere: nobody knows what became of its request.
fn abandon(run: &mut Run, a: u32, _: u32) -> Result<(), Fault> {
    let Some(at) = pick(a, run.flights.len()) else { return Ok(()) };
    run.deeds.count("abandoned");
    land(run, at, |settle| settle)
}

fn land(run: &mut Run, at: usize, how: impl FnOnce(Settle) -> Settle) -> Result<(), Fault> {
    let flight = run.flights.remove(at);
    let settle = how(unknown(&flight.key, &flight.by.task_key));
    let settled_ms = run.world.now_ms();
    run.provider.answered(&flight.key, settled_ms);
    run.send(flight.boot, Command::Settle(settle))?
        .map_err(|refusal| format!("not settled: {refusal}"))
        .map(drop)
}

fn unknown(key: &TryKey, task_key: &TaskKey) -> Settle {
    Settle {
        by: None,
        key: key.clone(),
        task_key: task_key.clone(),
        root_key: task_key.clone(),
        scope: SCOPE.to_owned(),
        paid: None,
        reply: None,
        error: None,
        latency_ms: 0,
    }
}

/// Some boot wants some claim: one that its own slot lost, one of a dead boot, a suspended one, or a live one.
fn take_over(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
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

fn suspend(run: &mut Run, a: u32, _: u32) -> Result<(), Fault> {
    let Some(at) = running_worker(run, a) else { return Ok(()) };
    let (boot, by) = (run.workers[at].boot, run.workers[at].by.clone());
    run.send(boot, Command::Suspend { by }).map(drop)
}

/// Nothing that a dead process had on its way is sent any more; what was billed stays billed.
fn crash_boot(run: &mut Run, a: u32, _: u32) -> Result<(), Fault> {
    let Some((boot, _)) = running_boot(run, a) else { return Ok(()) };
    run.note(|| format!("boot {boot} crashes"));
    run.boots[boot].crashed = true;
    run.flights.retain(|flight| flight.boot != boot);
    run.deeds.count("boot crashed");
    Ok(())
}

/// What a start does before it admits anything, call by call: others work meanwhile.
fn settle_for_the_dead(run: &mut Run, a: u32, _: u32) -> Result<(), Fault> {
    let Some((boot, _)) = running_boot(run, a) else { return Ok(()) };
    let rows = &run.world.rows;
    let is_alive = |id: &BootId| rows.processes.get(id).is_some_and(|process| process.alive);
    let left: Vec<_> = rows
        .calls
        .values()
        .filter(|call| call.state == CallState::Open && !is_alive(&call.boot_id))
        .collect();
    let Some(at) = pick(a >> 8, left.len()) else { return Ok(()) };
    let settle = unknown(&left[at].key, &left[at].task_key);
    let settled_ms = run.world.now_ms();
    run.provider.answered(&settle.key, settled_ms);
    run.deeds.count("settled for a dead boot");
    run.send(boot, Command::Settle(settle)).map(drop)
}

fn end_boot(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
    let Some((boot, by)) = running_boot(run, a) else { return Ok(()) };
    run.send(boot, Command::EndBoot { by, why: "asked to".to_owned() })?.ok();
    crash_boot(run, a, b)
}

fn finish(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
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

/// Time passes, or somebody turns the clock: to the instant at which a settlement leaves, back, or far ahead.
fn turn_clock(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
    let settled: Vec<i64> = run.world.rows.calls.values().filter_map(|call| call.settled_ms).collect();
    let departure = |window: Window| {
        pick(b, settled.len())
            .map(|at| settled[at] + window.length_ms() - run.world.clock_ms - i64::from(b & 1))
    };
    let by_ms = match a % 8 {
        0 | 1 => i64::from(b % 60_000),
        2 | 3 => i64::from(b % 3_600_000),
        4 => departure(Window::Hour).unwrap_or(1),
        5 => departure(Window::Day).unwrap_or(1),
        6 => i64::from(b % 90_000_000),
        _ => -i64::from(b % 7_200_000),
    };
    if by_ms < 0 {
        run.deeds.count("clock turned back");
    }
    run.world.clock_ms += by_ms;
    run.note(|| format!("the clock is turned by {by_ms} ms"));
    Ok(())
}

/// Somebody who did not hear the answer sends a command again: the last one, or one of long ago.
fn resend(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
    let sent = run.sent.len();
    let at = if a & 1 == 0 { sent.checked_sub(1) } else { pick(b, sent) };
    let Some((boot, command)) = at.map(|at| run.sent[at].clone()) else { return Ok(()) };
    if run.boots[boot].crashed {
        return Ok(());
    }
    run.deeds.count("resent");
    run.send(boot, command).map(drop)
}

fn work_on_step(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
    let Some(at) = running_worker(run, a) else { return Ok(()) };
    let (boot, by) = (run.workers[at].boot, run.workers[at].by.clone());
    let command = if b & 1 == 0 {
        let (input_hash, span_id) = ("i".to_owned(), "0".repeat(16));
        Command::BeginStep { by, n: 0, stage: Stage::Implement, input_hash, span_id }
    } else {
        let output = run.fresh("o");
        Command::FinishStep(FinishStep { by, n: 0, output, ok: true, summary: String::new(), size: None })
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

fn begin_effect(run: &mut Run, a: u32, _: u32) -> Result<(), Fault> {
    let Some((boot, by, task_key)) = authority(run, a) else { return Ok(()) };
    let key = EffectKey::new(format!("merge/{task_key}"));
    let (kind, target) = ("merge".to_owned(), "main".to_owned());
    run.send(boot, Command::BeginEffect { by, key, task_key, kind, target }).map(drop)
}

fn finish_effect(run: &mut Run, a: u32, _: u32) -> Result<(), Fault> {
    let Some((boot, by, task_key)) = authority(run, a) else { return Ok(()) };
    let key = EffectKey::new(format!("merge/{task_key}"));
    let result = run.fresh("commit");
    run.send(boot, Command::FinishEffect { by, key, task_key, result }).map(drop)
}

fn reopen(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
    let Some((boot, by)) = running_boot(run, a) else { return Ok(()) };
    let (task_key, why) = (task_key(a >> 8), "because".to_owned());
    let command = if b.is_multiple_of(4) {
        Command::Close { by, task_key, reference: Reference::ChildrenClosed, why }
    } else {
        Command::Reopen { by, task_key, why, anew: b & 1 == 0 }
    };
    run.send(boot, command).map(drop)
}

fn note_wait(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
    let Some(at) = running_worker(run, a) else { return Ok(()) };
    let (boot, by) = (run.workers[at].boot, run.workers[at].by.clone());
    let wait = Wait { reason: Reason::NoFreeWorker, until_ms: Some(i64::from(b)) };
    run.send(boot, Command::NoteWait { by, wait }).map(drop)
}

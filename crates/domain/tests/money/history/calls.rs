//! Money: it is set aside, billed by the provider and settled, or nobody knows.

use glitchlab_domain::command::{Command, Paid, Refusal, Reply, Reserve, Settle};
use glitchlab_domain::id::{BootId, TaskKey, TryKey};
use glitchlab_domain::ledger::Bounds;
use glitchlab_domain::money::{MicroUsd, Price};
use glitchlab_domain::rows::CallState;
use glitchlab_domain::stage::Stage;

use super::steps::{pick, running_boot, running_worker};
use super::{Granted, Run};
use crate::oracle::Fault;
use crate::provider::Bill;
use crate::world::SCOPE;

const PRICE: Price = Price { input_per_mtok_micro: 1_000_000, output_per_mtok_micro: 1_500_000 };
/// What a subscription costs for each call.
const FREE: Price = Price { input_per_mtok_micro: 0, output_per_mtok_micro: 0 };
const NOTHING: Bill = Bill { micro: 0, input_tokens: 0, output_tokens: 0 };

/// Asks for money: for the worker's present try, sometimes again, sometimes for the next of several calls at once.
pub(super) fn reserve(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
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
        root_key: worker.root_key.clone(),
        task_caps: run.task_caps,
        stage: Stage::Implement,
        model: "m".to_owned(),
        bounds: Bounds {
            prompt_tokens: u64::from(b % 300),
            max_out: u64::from((b >> 10) % 900),
            floor_out: u64::from((b >> 20) % 300),
            price: if at % 4 == 1 { FREE } else { PRICE },
        },
    });
    let answer = run.send(worker.boot, command)?;
    if run.loses {
        return Ok(());
    }
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
pub(super) fn bill(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
    let open: Vec<usize> = (0..run.flights.len()).filter(|at| run.flights[*at].billed.is_none()).collect();
    let Some(at) = pick(a, open.len()).map(|at| open[at]) else { return Ok(()) };
    let now_ms = run.world.now_ms();
    let flight = &mut run.flights[at];
    let bill = billed(flight.grant, b);
    flight.billed = Some(bill);
    run.provider.bill(&flight.key, &flight.root_key, bill, now_ms);
    if !run.oracle.holds(&flight.by) {
        run.deeds.count("billed to a zombie");
    }
    let key = flight.key.clone();
    run.note(|| format!("the provider bills {bill:?} for {key} at {now_ms}"));
    Ok(())
}

/// The whole bound, now and then.
fn billed(grant: Granted, b: u32) -> Bill {
    let part = |most: u64, choice: u32| if b & 3 == 0 { most } else { u64::from(choice) % (most + 1) };
    let (input_tokens, output_tokens) = (part(grant.prompt_tokens, b >> 2), part(grant.max_out, b >> 13));
    Bill { micro: grant.price.cost(input_tokens, output_tokens).micro(), input_tokens, output_tokens }
}

/// A worker settles what it has asked; what was not billed was never sent.
pub(super) fn settle(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
    let Some(at) = pick(a, run.flights.len()) else { return Ok(()) };
    let (billed, zombie) = (run.flights[at].billed, !run.oracle.holds(&run.flights[at].by));
    let bill = billed.unwrap_or(NOTHING);
    let is_known = !b.is_multiple_of(5);
    let is_ok = is_known && billed.is_some() && b % 5 > 1;
    let paid = Paid {
        cost: MicroUsd::new(bill.micro),
        input_tokens: bill.input_tokens,
        output_tokens: bill.output_tokens,
    };
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
pub(super) fn abandon(run: &mut Run, a: u32, _: u32) -> Result<(), Fault> {
    let Some(at) = pick(a, run.flights.len()) else { return Ok(()) };
    run.deeds.count("abandoned");
    land(run, at, |settle| settle)
}

fn land(run: &mut Run, at: usize, how: impl FnOnce(Settle) -> Settle) -> Result<(), Fault> {
    let flight = run.flights.remove(at);
    let settle = how(unknown(&flight.key, &flight.by.task_key, &flight.root_key));
    let settled_ms = run.world.now_ms();
    run.provider.answered(&flight.key, settled_ms);
    let beyond = beyond_holds(run);
    let settled = run.send(flight.boot, Command::Settle(settle))?;
    if beyond_holds(run) > beyond {
        run.deeds.count("spent beyond its hold");
    }
    settled.map_err(|refusal| format!("not settled: {refusal}")).map(drop)
}

/// How many attempts that run have spent more than they hold.
fn beyond_holds(run: &Run) -> usize {
    let runs = run.world.rows.attempts.values().filter(|attempt| attempt.status.is_none());
    runs.filter(|attempt| attempt.cost > attempt.hold).count()
}

fn unknown(key: &TryKey, task_key: &TaskKey, root_key: &TaskKey) -> Settle {
    Settle {
        by: None,
        key: key.clone(),
        task_key: task_key.clone(),
        root_key: root_key.clone(),
        scope: SCOPE.to_owned(),
        paid: None,
        reply: None,
        error: None,
        latency_ms: 0,
        response: None,
        prompt: Vec::new(),
    }
}

/// What a start does before it admits anything, call by call: others work meanwhile.
pub(super) fn settle_for_the_dead(run: &mut Run, a: u32, _: u32) -> Result<(), Fault> {
    let Some((boot, _)) = running_boot(run, a) else { return Ok(()) };
    let rows = &run.world.rows;
    let is_alive = |id: &BootId| rows.processes.get(id).is_some_and(|process| process.alive);
    let left: Vec<_> = rows
        .calls
        .values()
        .filter(|call| call.state == CallState::Open && !is_alive(&call.boot_id))
        .collect();
    let Some(at) = pick(a >> 8, left.len()) else { return Ok(()) };
    let settle = unknown(&left[at].key, &left[at].task_key, &left[at].root_key);
    let settled_ms = run.world.now_ms();
    run.provider.answered(&settle.key, settled_ms);
    run.deeds.count("settled for a dead boot");
    run.send(boot, Command::Settle(settle)).map(drop)
}

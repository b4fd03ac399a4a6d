//! Processes: they start, crash, end, and lower their caps.

use glitchlab_domain::command::Command;
use glitchlab_domain::id::BootId;
use glitchlab_domain::ledger::Terms;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::pacing::Spread;
use glitchlab_domain::reason::Window;
use glitchlab_domain::rows::ProcessRow;

use super::calls::settle_for_the_dead;
use super::steps::{pick, running_boot};
use super::{Boot, Run};
use crate::oracle::Fault;
use crate::world::{SCOPE, TOKENS};

pub(super) fn start_boot(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
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
        backlog: String::new(),
        begun: Vec::new(),
    };
    let cap_hour = MicroUsd::new([1_000, 2_000, 500, 1_500, 3_000, 9, 0][a as usize % 7]);
    let cap_day = MicroUsd::new([4_000, 2_000, 8_000, 1_000][b as usize % 4]);
    let before = caps(run);
    let is_late = !run.world.rows.heads.contains_key(TOKENS) && !run.world.rows.calls.is_empty();
    run.boots.push(Boot { by, crashed: false });
    let boot = run.boots.len() - 1;
    let command = Command::StartBoot {
        process,
        scope: SCOPE.to_owned(),
        cap_hour,
        cap_day,
        terms: terms(b >> 9),
        dead,
    };
    run.send(boot, command)?.map_err(|refusal| format!("a start was refused: {refusal}"))?;
    if before.is_some() && before != caps(run) {
        run.deeds.count("cap changed");
    }
    if is_late && run.world.rows.heads.contains_key(TOKENS) {
        run.deeds.count("tokens counted late");
    }
    // A start settles what the dead left open before it does anything else; now and then it dies before that.
    let rounds = if b & 0x100 == 0 { 4 } else { 0 };
    (0..rounds).try_for_each(|_| settle_for_the_dead(run, a, b))
}

/// Some starts count tokens and some do not; some spread what they spend over the day.
fn terms(choice: u32) -> Terms {
    let tokens_per_day = [None, None, Some(3_000), Some(800), Some(6_000), Some(300)][choice as usize % 6];
    let spread = if choice.is_multiple_of(5) { Spread::Day } else { Spread::Hour };
    Terms { spread, tokens_per_day }
}

fn caps(run: &Run) -> Option<(MicroUsd, MicroUsd)> {
    run.world.rows.heads.get(SCOPE).map(|head| (head.cap_hour, head.cap_day))
}

/// The configuration of a process that runs is changed; what it wants to raise stays as it is.
pub(super) fn lower_caps(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
    let Some((boot, by)) = running_boot(run, a) else { return Ok(()) };
    let cap_hour = MicroUsd::new(i64::from(b % 2_500));
    let cap_day = MicroUsd::new(i64::from((b >> 12) % 9_000));
    let before = caps(run);
    let scope = SCOPE.to_owned();
    run.send(boot, Command::LowerCaps { by, scope, cap_hour, cap_day })?.ok();
    if before != caps(run) {
        run.deeds.count("cap lowered while it runs");
    }
    Ok(())
}

/// Nothing that a dead process had on its way is sent any more; what was billed stays billed.
pub(super) fn crash_boot(run: &mut Run, a: u32, _: u32) -> Result<(), Fault> {
    let Some((boot, _)) = running_boot(run, a) else { return Ok(()) };
    run.note(|| format!("boot {boot} crashes"));
    run.boots[boot].crashed = true;
    run.flights.retain(|flight| flight.boot != boot);
    run.deeds.count("boot crashed");
    Ok(())
}

pub(super) fn end_boot(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
    let Some((boot, by)) = running_boot(run, a) else { return Ok(()) };
    run.send(boot, Command::EndBoot { by, why: "asked to".to_owned() })?.ok();
    crash_boot(run, a, b)
}

/// Time passes, or somebody turns the clock: to the instant at which a settlement leaves, back, or far ahead.
pub(super) fn turn_clock(run: &mut Run, a: u32, b: u32) -> Result<(), Fault> {
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

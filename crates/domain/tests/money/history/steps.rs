//! What can happen in one step.

use glitchlab_domain::command::{BootBearer, Command};
use glitchlab_domain::id::TaskKey;
use glitchlab_domain::task::SourceTask;

use super::Run;
use super::boots::{crash_boot, end_boot, lower_caps, start_boot, turn_clock};
use super::calls::{abandon, bill, reserve, settle, settle_for_the_dead};
use super::work::{
    begin_effect, claim, finish, finish_effect, note_wait, reopen, suspend, take_over, work_on_step,
};
use crate::oracle::Fault;
use crate::script::Step;

type Deed = fn(&mut Run, u32, u32) -> Result<(), Fault>;

/// Each kind of step with its weight.
const DEEDS: [(u32, Deed); 20] = [
    (8, start_boot),
    (10, claim),
    (30, reserve),
    (18, bill),
    (14, settle),
    (4, abandon),
    (10, take_over),
    (3, suspend),
    (5, lower_caps),
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

pub(super) fn pick(choice: u32, among: usize) -> Option<usize> {
    (choice as usize).checked_rem(among)
}

/// Chooses a process that runs, whatever the store believes.
pub(super) fn running_boot(run: &Run, choice: u32) -> Option<(usize, BootBearer)> {
    let running: Vec<usize> = (0..run.boots.len()).filter(|at| !run.boots[*at].crashed).collect();
    let at = running[pick(choice, running.len())?];
    Some((at, run.boots[at].by.clone()))
}

/// Chooses a worker of a running process, zombies among them.
pub(super) fn running_worker(run: &Run, choice: u32) -> Option<usize> {
    let running: Vec<usize> =
        (0..run.workers.len()).filter(|at| !run.boots[run.workers[*at].boot].crashed).collect();
    pick(choice, running.len()).map(|at| running[at])
}

pub(super) fn task_key(choice: u32) -> TaskKey {
    TaskKey::new(format!("t{}", choice % 3))
}

/// Any task that is known, parts among them.
pub(super) fn any_task(run: &Run, choice: u32) -> TaskKey {
    let known = pick(choice, run.world.rows.tasks.len());
    known.and_then(|at| run.world.rows.tasks.keys().nth(at).cloned()).unwrap_or_default()
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

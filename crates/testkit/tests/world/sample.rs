//! The sample backlog under a cap of five cents an hour.

use glitchlab_domain::bead::Bead;
use glitchlab_domain::reason::Window;
use glitchlab_domain::task::{TaskRow, TaskState};
use glitchlab_testkit::{Kill, Ran, Units, World, account, beads, check};

/// The real tracker's export that all of us look at.
const SAMPLE: &[u8] = include_bytes!("../../../backlog/tests/data/glitchlab-beads.jsonl");

fn sample() -> Vec<Bead> {
    beads::export(SAMPLE)
}

fn five_cents_an_hour(seed: u64) -> World {
    World::seed(seed).backlog(sample()).workers(8).caps(5.cents(), 100.usd())
}

/// What the file has to offer is done; what others hold, what only a person may do and what waits for itself is left.
fn all_that_can_be_done_is_done(ran: &Ran) -> Result<(), String> {
    let of_file = |task: &&TaskRow| task.source != "subtask" && task.kind != "epic";
    let done = ran.tasks.values().filter(of_file).filter(|task| task.state == TaskState::Completed).count();
    check::ensure(done == 382, || format!("{done} tasks of the file are completed, not 382"))?;
    let parts = ran.tasks.values().filter(|task| task.source == "subtask");
    let mut open = parts.filter(|task| task.state != TaskState::Completed);
    match open.next() {
        None => Ok(()),
        Some(part) => Err(format!("sub-task {} is {}", part.bead_id, part.state.name())),
    }
}

/// Otherwise nothing would be proved.
fn the_cap_is_what_limits_it(ran: &Ran) -> Result<(), String> {
    let (most, _) = account::most_within(&ran.account, Window::Hour);
    check::ensure(most > 4.cents(), || format!("never more than {} micro-dollars an hour", most.micro()))
}

#[test]
fn the_sample_backlog_completes_within_five_cents_in_any_rolling_hour() {
    five_cents_an_hour(1)
        .run(10.days())
        .check(all_that_can_be_done_is_done)
        .check(the_cap_is_what_limits_it)
        .check(check::paid_again_at_most(0))
        .check(check::happened("admission.refused", 1));
}

#[test]
fn kills_at_random_do_not_let_the_sample_backlog_spend_more_or_leave_anything_undone() {
    let world = five_cents_an_hour(2);
    let kills = [7, 41, 100, 356, 357, 1_311, 2_020];
    let world = kills.iter().fold(world, |world, minute| world.at(minute.minutes(), Kill::Process));
    world.run(20.days()).check(all_that_can_be_done_is_done).check(check::paid_again_at_most(7 * 8));
}

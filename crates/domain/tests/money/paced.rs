//! How admission is spread: told step by step.

use glitchlab_domain::command::{Claim, Command, Reply};
use glitchlab_domain::id::{BootId, TaskKey};
use glitchlab_domain::ledger::Terms;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::Outcome;
use glitchlab_domain::pacing::Spread;
use glitchlab_domain::reason::{Reason, Wait, Window};

use crate::desk::{Answer, Desk, bead, bearer_of, boot, claim};
use crate::world::START_MS;

const HOUR_MS: i64 = Window::Hour.length_ms();

fn paced(until_ms: i64) -> Answer {
    Ok(Reply::Wait(Wait {
        reason: Reason::Paced { spread: Window::Hour, in_tokens: false },
        until_ms: Some(until_ms),
    }))
}

/// A desk of several tasks, with a bucket of 100 and 1 000 an hour.
fn desk() -> Desk {
    let mut desk = Desk::open(1_000, 100_000);
    let beads = ["t2", "t3"].map(bead).into();
    desk.ask(&Command::Sync { beads }).expect("two more tasks");
    desk
}

fn claim_task(desk: &mut Desk, task: &str, hold: i64, ahead: Option<&str>) -> Answer {
    let Command::Claim(claim) = claim(&desk.boot, &format!("a-{task}"), hold) else { unreachable!() };
    let ahead = ahead.map(TaskKey::from);
    desk.ask(&Command::Claim(Claim { task_key: TaskKey::from(task), ahead, ..claim }))
}

fn level(desk: &Desk) -> i64 {
    let head = desk.world.head().expect("a ledger");
    head.bucket.at(head.flow(), desk.world.now_ms()).level.micro()
}

#[test]
fn the_first_task_starts_at_once_and_the_next_when_enough_has_flowed_in() {
    let mut desk = desk();
    assert!(matches!(claim_task(&mut desk, "t1", 100, None), Ok(Reply::Claimed(_))));
    assert_eq!(claim_task(&mut desk, "t2", 50, None), paced(START_MS + HOUR_MS / 20));
    desk.world.clock_ms = START_MS + HOUR_MS / 20;
    assert!(matches!(claim_task(&mut desk, "t2", 50, None), Ok(Reply::Claimed(_))));
}

#[test]
fn nobody_overtakes_a_task_that_waits_for_money() {
    let mut desk = desk();
    assert!(matches!(claim_task(&mut desk, "t1", 20, None), Ok(Reply::Claimed(_))));
    let front = claim_task(&mut desk, "t2", 90, None);
    assert_eq!(front, paced(START_MS + HOUR_MS / 100));
    assert_eq!(claim_task(&mut desk, "t3", 5, Some("t2")), front, "it is told the same");
    desk.world.clock_ms = START_MS + HOUR_MS / 100;
    assert!(matches!(claim_task(&mut desk, "t2", 90, None), Ok(Reply::Claimed(_))));
    assert_eq!(
        claim_task(&mut desk, "t3", 5, Some("t2")),
        paced(START_MS + HOUR_MS / 100 + 5 * HOUR_MS / 1_000)
    );
}

#[test]
fn what_a_task_did_not_need_comes_back_at_its_end() {
    let mut desk = desk();
    let by = desk.work_for("a1", 100);
    assert_eq!(level(&desk), 0);
    desk.spend(&by, 0, 30);
    assert_eq!(level(&desk), 0, "while it runs its hold is kept");
    desk.finish(&by, Outcome::Cancelled { why: "closed elsewhere".to_owned() }).unwrap();
    assert_eq!(level(&desk), 70);
}

#[test]
fn what_a_task_spends_beyond_its_hold_is_taken_at_once_and_once() {
    let mut desk = desk();
    let by = desk.work_for("a1", 20);
    desk.spend(&by, 0, 15);
    assert_eq!(level(&desk), 80);
    desk.spend(&by, 1, 35);
    assert_eq!(level(&desk), 50);
    desk.finish(&by, Outcome::Cancelled { why: "closed elsewhere".to_owned() }).unwrap();
    assert_eq!(level(&desk), 50);
}

#[test]
fn what_is_settled_after_the_end_is_taken_then() {
    let mut desk = desk();
    let by = desk.work_for("a1", 50);
    assert!(matches!(desk.reserve(&by, 0, 40), Ok(Reply::Granted(_))));
    desk.finish(&by, Outcome::Cancelled { why: "closed elsewhere".to_owned() }).unwrap();
    assert_eq!(level(&desk), 100);
    desk.settle_unheard(&by, 0).unwrap();
    assert_eq!(level(&desk), 60);
}

#[test]
fn a_crash_leaks_no_hold_and_who_takes_over_is_not_paced() {
    let mut desk = desk();
    let by = desk.work_for("a1", 400);
    assert_eq!(level(&desk), -300);
    desk.boot = boot("b2");
    desk.start(&boot("b2"), 1_000, 100_000, &[BootId::from("b1")]);
    let Ok(Reply::Claimed(claimed)) = desk.take_over(&by, "new") else { panic!("it had to wait") };
    assert_eq!(claimed.attempt.hold, MicroUsd::new(400));
    let by = bearer_of("t1", "a1", &claimed.fence);
    desk.finish(&by, Outcome::Cancelled { why: "closed elsewhere".to_owned() }).unwrap();
    assert_eq!(level(&desk), 100);
}

#[test]
fn after_five_attempts_the_hold_is_what_they_cost_on_average() {
    let mut desk = desk();
    for n in 0..5 {
        let by = desk.work_for(&format!("a{n}"), 30);
        desk.spend(&by, 0, 10 + n);
        desk.finish(&by, Outcome::Cancelled { why: "closed elsewhere".to_owned() }).unwrap();
    }
    let Ok(Reply::Claimed(claimed)) = claim_task(&mut desk, "t2", 90, None) else { panic!("it had to wait") };
    assert_eq!(claimed.attempt.hold, MicroUsd::new(12));
}

#[test]
fn a_day_that_is_spread_lets_in_a_twenty_fourth_of_its_cap_an_hour() {
    let mut desk = Desk::open(1_000, 2_400);
    desk.terms = Terms { spread: Spread::Day, ..Terms::default() };
    desk.start(&boot("b2"), 1_000, 2_400, &[]);
    let head = desk.world.head().unwrap();
    assert_eq!((head.flow().depth().micro(), level(&desk)), (10, 10));
    assert!(matches!(desk.claim("a1", 10), Ok(Reply::Claimed(_))));
    desk.world.clock_ms += HOUR_MS / 20;
    assert_eq!(level(&desk), 5);
}

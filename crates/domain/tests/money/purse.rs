//! What a task may cost in all: its attempts and its parts together.

use glitchlab_domain::command::{Bearer, Command, Reply, TaskCaps};
use glitchlab_domain::ledger::Bounds;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::{HumanReason, Outcome, SubTask};
use glitchlab_domain::reason::{Reason, Wait};
use glitchlab_domain::rows::Write;

use crate::desk::{Answer, Desk, PRICE, bearer_of, claim};

fn desk(per_task: i64) -> Desk {
    let mut desk = Desk::open(1_000_000, 10_000_000);
    desk.task_caps = TaskCaps { money: Some(MicroUsd::new(per_task)), tokens: None };
    desk
}

fn task_cap(spent_micro: i64, cap_micro: i64) -> Answer {
    Ok(Reply::Human(HumanReason::TaskCap { spent_micro, cap_micro }))
}

fn retried(desk: &mut Desk, by: &Bearer) {
    desk.finish(by, Outcome::Cancelled { why: "closed elsewhere".to_owned() }).expect("it holds its claim");
}

#[test]
fn the_attempts_of_a_task_share_what_it_may_cost() {
    let mut desk = desk(100);
    let first = desk.work("a1");
    desk.spend(&first, 0, 60);
    retried(&mut desk, &first);
    let second = desk.work("a2");
    assert_eq!(desk.reserve(&second, 0, 41), task_cap(60, 100));
    assert!(matches!(desk.reserve(&second, 0, 40), Ok(Reply::Granted(_))));
}

#[test]
fn output_is_clamped_to_what_the_task_has_left() {
    let mut desk = desk(100);
    let by = desk.work("a1");
    let bounds = Bounds { prompt_tokens: 30, max_out: 500, floor_out: 20, price: PRICE };
    let Ok(Reply::Granted(grant)) = desk.reserve_try(&by, (0, 0), bounds) else { panic!("no grant") };
    assert_eq!((grant.max_out(), grant.prompt_tokens(), grant.bound()), (70, 30, MicroUsd::new(100)));
}

#[test]
fn what_a_person_grants_is_added() {
    let mut desk = desk(100);
    let by = desk.work("a1");
    desk.spend(&by, 0, 90);
    assert_eq!(desk.reserve(&by, 1, 50), task_cap(90, 100));
    let mut purse = desk.world.rows.purses[&by.task_key].clone();
    purse.granted = MicroUsd::new(100);
    desk.world.apply(&[Write::Purse(purse)]);
    assert!(matches!(desk.reserve(&by, 1, 50), Ok(Reply::Granted(_))));
}

/// Splits the task in two and begins both parts.
fn parts(desk: &mut Desk) -> [Bearer; 2] {
    let by = desk.work("a1");
    let part = || SubTask { title: "part".to_owned(), description: String::new(), after: Vec::new() };
    desk.finish(&by, Outcome::Decomposed { subtasks: vec![part(), part()] }).expect("it holds its claim");
    let rows = desk.world.rows.tasks.values();
    let keys: Vec<_> = rows.filter(|task| task.is_part()).map(|task| task.key.clone()).collect();
    let mut begin = |place: usize| {
        let attempt = format!("part-{place}");
        let Command::Claim(mut claim) = claim(&desk.boot, &attempt, 1) else { unreachable!() };
        claim.task_key = keys[place].clone();
        let Ok(Reply::Claimed(claimed)) = desk.ask(&Command::Claim(claim)) else { panic!("not claimed") };
        bearer_of(keys[place].as_str(), &attempt, &claimed.fence)
    };
    [begin(0), begin(1)]
}

#[test]
fn parts_share_what_the_whole_may_cost_and_wait_for_what_another_part_has_set_aside() {
    let mut desk = desk(100);
    let [one, other] = parts(&mut desk);
    assert!(matches!(desk.reserve(&one, 0, 80), Ok(Reply::Granted(_))));
    let after = Wait { reason: Reason::TaskAfterSettlement, until_ms: None };
    assert_eq!(desk.reserve(&other, 0, 40), Ok(Reply::Wait(after)));
    desk.settle(&one, 0, Some(50)).unwrap();
    assert!(matches!(desk.reserve(&other, 0, 40), Ok(Reply::Granted(_))));
    desk.settle(&other, 0, Some(40)).unwrap();
    assert_eq!(desk.reserve(&one, 1, 20), task_cap(90, 100));
}

#[test]
fn a_task_may_use_so_many_tokens_whatever_they_cost() {
    let mut desk = desk(1_000_000);
    desk.task_caps = TaskCaps { money: None, tokens: Some(100) };
    let by = desk.work("a1");
    assert!(matches!(desk.reserve(&by, 0, 95), Ok(Reply::Granted(_))));
    desk.settle_unheard(&by, 0).unwrap();
    assert_eq!(desk.reserve(&by, 1, 6), Ok(Reply::Human(HumanReason::TaskTokens { spent: 95, cap: 100 })));
}

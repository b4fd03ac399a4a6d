//! Windows that hold more settlements than a store lists at once.

use glitchlab_domain::command::Reply;
use glitchlab_domain::ledger::DEPARTURES;
use glitchlab_domain::reason::{Reason, Wait, Window};

use crate::desk::Desk;
use crate::world::START_MS;

const HOUR_MS: i64 = Window::Hour.length_ms();

/// Asks at each instant that it is told until it is granted; returns those instants.
fn asked_until_granted(desk: &mut Desk, by: &glitchlab_domain::command::Bearer, micro: u64) -> Vec<i64> {
    let mut told = Vec::new();
    while told.len() < 10 {
        match desk.reserve(by, 1_000_000, micro) {
            Ok(Reply::Granted(_)) => return told,
            Ok(Reply::Wait(Wait { reason: Reason::CapReached { .. }, until_ms: Some(until_ms) })) => {
                assert!(until_ms > desk.world.clock_ms, "told {until_ms} at {}", desk.world.clock_ms);
                told.push(until_ms);
                desk.world.clock_ms = until_ms;
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("still waiting after {told:?}")
}

#[test]
fn a_wait_for_more_settlements_than_are_listed_looks_again_at_the_last_listed_one_and_then_ends_in_time() {
    let mut desk = Desk::open(1_300, 100_000);
    let by = desk.work("a1");
    for call_no in 0..1_300 {
        desk.spend(&by, call_no, 1);
        desk.world.clock_ms += 1;
    }
    let told = asked_until_granted(&mut desk, &by, 1_200);
    let page = i64::try_from(DEPARTURES).expect("small");
    let leaves = |nth: i64| START_MS + nth - 1 + HOUR_MS;
    assert_eq!(told, [leaves(page), leaves(2 * page), leaves(1_200)]);
}

#[test]
fn more_settlements_of_one_instant_than_are_listed_leave_together() {
    let mut desk = Desk::open(1_500, 100_000);
    let by = desk.work("a1");
    for call_no in 0..1_500 {
        desk.spend(&by, call_no, 1);
    }
    assert_eq!(asked_until_granted(&mut desk, &by, 1_000), [START_MS + HOUR_MS]);
    assert_eq!(desk.counted(), (1_000, 2_500));
}

#[test]
fn a_full_page_that_cannot_do_is_an_instant_to_look_again_even_when_open_money_is_what_is_missing() {
    let mut desk = Desk::open(2_000, 100_000);
    let by = desk.work("a1");
    for call_no in 0..600 {
        desk.spend(&by, call_no, 1);
    }
    assert!(matches!(desk.reserve(&by, 700, 1_390), Ok(Reply::Granted(_))));
    let first = desk.reserve(&by, 800, 700);
    assert!(matches!(first, Ok(Reply::Wait(Wait { until_ms: Some(_), .. }))), "{first:?}");
    desk.world.clock_ms += HOUR_MS;
    let after = Wait { reason: Reason::AfterSettlement { window: Window::Hour }, until_ms: None };
    assert_eq!(desk.reserve(&by, 800, 700), Ok(Reply::Wait(after)));
}

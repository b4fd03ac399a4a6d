//! Caps that are lowered while the engine runs.

use glitchlab_domain::command::{Command, Refusal, Reply};
use glitchlab_domain::event::EventKind;
use glitchlab_domain::money::MicroUsd;

use crate::desk::{Answer, Desk, boot};
use crate::world::SCOPE;

fn lower(desk: &mut Desk, by: &str, cap_hour: i64, cap_day: i64) -> Answer {
    let command = command(by, cap_hour, cap_day);
    desk.ask(&command)
}

fn command(by: &str, cap_hour: i64, cap_day: i64) -> Command {
    Command::LowerCaps {
        by: boot(by),
        scope: SCOPE.to_owned(),
        cap_hour: MicroUsd::new(cap_hour),
        cap_day: MicroUsd::new(cap_day),
    }
}

fn caps(desk: &Desk) -> (i64, i64) {
    let head = &desk.world.rows.heads[SCOPE];
    (head.cap_hour.micro(), head.cap_day.micro())
}

#[test]
fn a_lowered_cap_counts_at_the_next_reservation_and_refunds_nothing() {
    let mut desk = Desk::open(100, 1_000);
    let by = desk.work("a1");
    desk.spend(&by, 0, 60);
    assert_eq!(lower(&mut desk, "b1", 50, 1_000), Ok(Reply::Done));
    assert!(matches!(desk.reserve(&by, 1, 1), Ok(Reply::Wait(_))));
    assert_eq!(desk.counted(), (60, 60));
}

#[test]
fn each_cap_goes_down_alone_and_neither_goes_up() {
    let mut desk = Desk::open(100, 1_000);
    assert_eq!(lower(&mut desk, "b1", 200, 700), Ok(Reply::Done));
    assert_eq!(caps(&desk), (100, 700));
    assert_eq!(lower(&mut desk, "b1", 40, 9_000), Ok(Reply::Done));
    assert_eq!(caps(&desk), (40, 700));
}

#[test]
fn a_lowered_cap_is_told_once_and_one_that_changes_nothing_is_not() {
    let mut desk = Desk::open(100, 1_000);
    let first = desk.world.decide(&command("b1", 50, 1_000)).expect("it is applied");
    let [(_, EventKind::CapChanged { usage })] = &first.events[..] else { panic!("{:?}", first.events) };
    assert_eq!(usage.cap_hour.micro(), 50);
    desk.world.apply(&first.rows);
    let again = desk.world.decide(&command("b1", 50, 1_000)).expect("it is applied");
    assert!(again.events.is_empty() && again.rows.is_empty(), "{again:?}");
}

#[test]
fn a_boot_that_is_not_alive_lowers_no_cap() {
    let mut desk = Desk::open(100, 1_000);
    assert!(matches!(lower(&mut desk, "b9", 1, 1), Err(Refusal::StaleBoot(_))));
    assert_eq!(caps(&desk), (100, 1_000));
}

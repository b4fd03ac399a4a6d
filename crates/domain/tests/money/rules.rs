//! What a cap means, told step by step; named after what must not happen.

use glitchlab_domain::command::{Command, Refusal, Reply};
use glitchlab_domain::decide::LEASE_MARGIN_MS;
use glitchlab_domain::event::EventKind;
use glitchlab_domain::ledger::Bounds;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::{FailureKind, Outcome, Reference};
use glitchlab_domain::reason::{Reason, Wait, Window};
use glitchlab_domain::rows::CallState;
use glitchlab_domain::task::TaskState;

use crate::desk::{Answer, Desk, PRICE, boot, claim, key};
use crate::world::{SCOPE, START_MS};

const HOUR_MS: i64 = Window::Hour.length_ms();
const DAY_MS: i64 = Window::Day.length_ms();

fn is_granted(answer: &Answer) -> bool {
    matches!(answer, Ok(Reply::Granted(_)))
}

fn reached(window: Window, until_ms: i64) -> Answer {
    Ok(Reply::Wait(Wait { reason: Reason::CapReached { window }, until_ms: Some(until_ms) }))
}

#[test]
fn a_cap_of_fifty_cents_stops_at_fifty_cents_and_goes_on_an_hour_after_the_settlement() {
    let mut desk = Desk::open(500_000, 4_000_000);
    let by = desk.work("a1");
    desk.world.clock_ms += 60_000;
    assert!(is_granted(&desk.reserve(&by, 0, 500_000)));
    desk.world.clock_ms += 60_000;
    desk.settle(&by, 0, Some(500_000)).unwrap();
    let settled_ms = desk.world.clock_ms;
    assert_eq!(desk.reserve(&by, 1, 1), reached(Window::Hour, settled_ms + HOUR_MS));
    desk.world.clock_ms = settled_ms + HOUR_MS - 1;
    assert_eq!(desk.reserve(&by, 1, 1), reached(Window::Hour, settled_ms + HOUR_MS));
    desk.world.clock_ms += 1;
    assert!(is_granted(&desk.reserve(&by, 1, 500_000)));
}

#[test]
fn the_day_is_full_although_the_hour_has_room() {
    let mut desk = Desk::open(100, 150);
    let by = desk.work("a1");
    desk.spend(&by, 0, 100);
    desk.world.clock_ms += HOUR_MS;
    desk.spend(&by, 1, 50);
    assert_eq!(desk.reserve(&by, 2, 1), reached(Window::Day, START_MS + DAY_MS));
    assert_eq!(desk.counted(), (50, 150));
}

#[test]
fn both_windows_are_full_and_the_later_instant_is_told() {
    let mut desk = Desk::open(100, 100);
    let by = desk.work("a1");
    desk.spend(&by, 0, 100);
    assert_eq!(desk.reserve(&by, 1, 1), reached(Window::Day, START_MS + DAY_MS));
}

#[test]
fn money_of_the_ledgers_first_millisecond_leaves_its_window_too() {
    let mut desk = Desk::open(100, 100);
    let by = desk.work("a1");
    desk.spend(&by, 0, 100);
    desk.world.clock_ms += DAY_MS;
    assert_eq!(desk.counted(), (0, 0));
}

#[test]
fn a_zombies_open_try_is_not_given_to_the_one_who_took_over() {
    let mut desk = Desk::open(100, 1_000);
    let zombie = desk.work("a1");
    assert!(is_granted(&desk.reserve(&zombie, 0, 100)));
    let Ok(Reply::Claimed(claimed)) = desk.take_over(&zombie, "new") else { panic!("not taken over") };
    let by = crate::desk::bearer("a1", &claimed.fence);
    assert_eq!(desk.reserve(&by, 0, 100), Err(Refusal::TryTaken(key(&by, 0, 0))));
    let bounds = Bounds { prompt_tokens: 100, max_out: 0, floor_out: 0, price: PRICE };
    let next = desk.reserve_try(&by, (0, 1), bounds);
    let after = Wait { reason: Reason::AfterSettlement { window: Window::Hour }, until_ms: None };
    assert_eq!(next, Ok(Reply::Wait(after)), "the zombie may still spend what it was given");
    assert_eq!(desk.reserve(&zombie, 0, 100), Err(Refusal::StaleFence(zombie.task_key.clone())));
}

#[test]
fn a_zombie_pays_for_what_it_spent_but_its_reply_is_not_kept() {
    let mut desk = Desk::open(100, 1_000);
    let zombie = desk.work("a1");
    assert!(is_granted(&desk.reserve(&zombie, 0, 80)));
    desk.take_over(&zombie, "new").unwrap();
    desk.settle(&zombie, 0, Some(30)).unwrap();
    let call = &desk.world.rows.calls[&key(&zombie, 0, 0)];
    assert_eq!((call.state, call.reply.as_deref()), (CallState::Settled, None));
    assert_eq!(desk.counted(), (30, 30));
}

#[test]
fn an_answer_that_nobody_knows_costs_its_bound_and_is_marked() {
    let mut desk = Desk::open(100, 1_000);
    let by = desk.work("a1");
    assert!(is_granted(&desk.reserve(&by, 0, 80)));
    desk.settle_unheard(&by, 0).unwrap();
    desk.settle(&by, 0, Some(10)).unwrap();
    let call = &desk.world.rows.calls[&key(&by, 0, 0)];
    assert_eq!((call.state, call.actual), (CallState::Unknown, Some(MicroUsd::new(80))));
    assert_eq!((call.reply.as_deref(), call.ok), (None, false));
    assert_eq!(desk.counted(), (80, 80), "what comes later does not undo it");
}

#[test]
fn a_reply_without_a_bill_costs_its_bound_and_is_not_asked_for_again() {
    let mut desk = Desk::open(100, 1_000);
    let by = desk.work("a1");
    assert!(is_granted(&desk.reserve(&by, 0, 80)));
    desk.settle(&by, 0, None).unwrap();
    assert_eq!(desk.world.rows.calls[&key(&by, 0, 0)].state, CallState::Unknown);
    assert_eq!(desk.reserve(&by, 0, 80), Ok(Reply::Memo { text: "reply".to_owned(), input_tokens: None }));
    assert_eq!(desk.counted(), (80, 80));
}

#[test]
fn more_than_the_bound_is_charged_and_told_and_delays_what_follows() {
    let mut desk = Desk::open(100, 1_000);
    let by = desk.work("a1");
    assert!(is_granted(&desk.reserve(&by, 0, 60)));
    desk.settle(&by, 0, Some(140)).unwrap();
    assert_eq!(desk.counted(), (140, 140));
    assert_eq!(desk.world.head().unwrap().usage().debt, MicroUsd::new(40));
    let overran = Wait { reason: Reason::ModelOverran { model: "m".to_owned() }, until_ms: None };
    assert_eq!(desk.reserve(&by, 1, 1), Ok(Reply::Wait(overran)), "nor is the model used again");
    desk.trust("m").unwrap();
    assert_eq!(desk.reserve(&by, 1, 1), reached(Window::Hour, START_MS + HOUR_MS));
    assert_eq!(desk.world.rows.attempts[&by.attempt_id].cost, MicroUsd::new(140));
}

#[test]
fn no_task_starts_with_a_model_that_is_not_trusted() {
    let mut desk = Desk::open(1_000, 10_000);
    let by = desk.work("a1");
    assert!(is_granted(&desk.reserve(&by, 0, 60)));
    desk.settle(&by, 0, Some(61)).unwrap();
    desk.finish(&by, Outcome::Cancelled { why: "closed elsewhere".to_owned() }).unwrap();
    let overran = Wait { reason: Reason::ModelOverran { model: "m".to_owned() }, until_ms: None };
    assert_eq!(desk.claim("a2", 1), Ok(Reply::Wait(overran)));
    desk.trust("m").unwrap();
    assert!(
        matches!(desk.trust("m"), Ok(Reply::Carried { ok: true, .. })),
        "to be told so twice changes nothing"
    );
    assert!(matches!(desk.claim("a2", 1), Ok(Reply::Claimed(_))));
}

#[test]
fn an_overrun_leaves_an_event_beside_its_settlement() {
    let mut desk = Desk::open(100, 1_000);
    let by = desk.work("a1");
    assert!(is_granted(&desk.reserve(&by, 0, 60)));
    let settle = glitchlab_domain::command::Settle {
        by: Some(by.clone()),
        key: key(&by, 0, 0),
        root_key: by.task_key.clone(),
        task_key: by.task_key,
        scope: SCOPE.to_owned(),
        paid: Some(glitchlab_domain::command::Paid {
            cost: MicroUsd::new(61),
            input_tokens: 1,
            output_tokens: 1,
        }),
        reply: None,
        error: None,
        latency_ms: 1,
        response: None,
        prompt: Vec::new(),
    };
    let writes = desk.world.decide(&Command::Settle(settle)).unwrap();
    let names: Vec<_> = writes.events.iter().map(|(_, kind)| kind.name()).collect();
    assert_eq!(names, ["budget.overrun", "budget.settled"]);
    let EventKind::BudgetSettled { usage, .. } = &writes.events[1].1 else { panic!("{:?}", writes.events) };
    assert_eq!(usage.hour, MicroUsd::new(61));
}

#[test]
fn a_lowered_cap_refunds_nothing_and_admits_nothing_until_enough_has_left() {
    let mut desk = Desk::open(100, 1_000);
    let by = desk.work("a1");
    desk.spend(&by, 0, 60);
    desk.world.clock_ms += 1_000;
    desk.spend(&by, 1, 40);
    desk.start(&boot("b2"), 50, 1_000, &[]);
    assert_eq!(desk.counted(), (100, 100), "what was spent stays spent");
    assert_eq!(desk.reserve(&by, 2, 10), reached(Window::Hour, START_MS + HOUR_MS));
    desk.world.clock_ms = START_MS + HOUR_MS;
    assert!(is_granted(&desk.reserve(&by, 2, 10)));
    assert_eq!(desk.reserve(&by, 3, 1), reached(Window::Hour, START_MS + HOUR_MS + 1_000));
}

#[test]
fn a_second_process_can_lower_a_cap_but_not_raise_it_until_it_is_alone() {
    let mut desk = Desk::open(100, 1_000);
    let caps = |desk: &Desk| desk.world.head().map(|head| (head.cap_hour.micro(), head.cap_day.micro()));
    desk.start(&boot("b2"), 200, 900, &[]);
    assert_eq!(caps(&desk), Some((100, 900)));
    desk.start(&boot("b3"), 200, 2_000, &[boot("b1").boot_id, boot("b2").boot_id]);
    assert_eq!(caps(&desk), Some((200, 2_000)));
}

#[test]
fn what_costs_more_than_a_cap_is_told_so_and_does_not_wait_for_ever() {
    let mut desk = Desk::open(100, 80);
    let by = desk.work("a1");
    let (bound, cap) = (MicroUsd::new(81), MicroUsd::new(80));
    assert_eq!(desk.reserve(&by, 0, 81), Ok(Reply::ExceedsCap { bound, cap }));
}

#[test]
fn a_cap_of_nothing_admits_a_task_whose_calls_are_free_and_refuses_those_that_are_not() {
    let mut desk = Desk::open(0, 0);
    let by = desk.work("a1");
    assert!(is_granted(&desk.reserve(&by, 0, 0)));
    assert!(matches!(desk.reserve(&by, 1, 1), Ok(Reply::ExceedsCap { .. })));
}

#[test]
fn output_is_clamped_to_what_the_headroom_pays_and_never_below_the_useful_floor() {
    let mut desk = Desk::open(100, 1_000);
    let by = desk.work("a1");
    let asks = |floor_out| Bounds { prompt_tokens: 30, max_out: 500, floor_out, price: PRICE };
    let Ok(Reply::Granted(grant)) = desk.reserve_try(&by, (0, 0), asks(20)) else { panic!("no grant") };
    assert_eq!((grant.max_out(), grant.bound()), (70, MicroUsd::new(100)));
    desk.settle(&by, 0, Some(60)).unwrap();
    assert_eq!(desk.reserve_try(&by, (1, 0), asks(20)), reached(Window::Hour, START_MS + HOUR_MS));
    let Ok(Reply::Granted(grant)) = desk.reserve_try(&by, (1, 0), asks(10)) else { panic!("no grant") };
    assert_eq!((grant.max_out(), grant.bound()), (10, MicroUsd::new(40)));
}

#[test]
fn a_full_ledger_refuses_a_task_with_the_instant_and_writes_it_to_the_task() {
    let mut desk = Desk::open(100, 1_000);
    let by = desk.work("a1");
    desk.spend(&by, 0, 95);
    let done =
        Outcome::Snoozed { failure: FailureKind::RateLimited, until_ms: START_MS, message: String::new() };
    desk.finish(&by, done).unwrap();
    assert_eq!(desk.claim("a2", 50), reached(Window::Hour, START_MS + HOUR_MS));
    let task = &desk.world.rows.tasks[&by.task_key];
    assert_eq!((task.state, task.until_ms), (TaskState::Open, Some(START_MS + HOUR_MS)));
    // 90 are missing for a hold of five, at 100 an hour.
    let paced = Wait {
        reason: Reason::Paced { spread: Window::Hour, in_tokens: false },
        until_ms: Some(START_MS + 3_240_000),
    };
    assert_eq!(desk.claim("a3", 5), Ok(Reply::Wait(paced)), "what is cheap enough waits for the pace alone");
}

#[test]
fn a_claim_that_comes_again_after_its_attempt_has_ended_does_not_begin_it_anew() {
    let mut desk = Desk::open(100, 1_000);
    let by = desk.work("a1");
    desk.finish(&by, Outcome::Cancelled { why: "closed elsewhere".to_owned() }).unwrap();
    assert!(matches!(desk.claim("a1", 1), Err(Refusal::NotClaimable { .. })));
    assert!(matches!(desk.claim("a2", 1), Ok(Reply::Claimed(_))));
}

#[test]
fn a_command_whose_answer_was_lost_is_answered_as_the_first_time() {
    let mut desk = Desk::open(100, 1_000);
    let by = desk.work("a1");
    assert_eq!(desk.work("a1"), by);
    let first = desk.reserve(&by, 0, 10);
    assert!(is_granted(&first));
    assert_eq!(desk.reserve(&by, 0, 10), first);
    assert_eq!(desk.counted(), (10, 10), "it was set aside once");
    let suspend = Command::Suspend { by: by.clone() };
    assert_eq!(desk.ask(&suspend), Ok(Reply::Done));
    assert_eq!(desk.ask(&suspend), Ok(Reply::Done));
    let taken = desk.take_over(&by, "new").map(drop);
    assert_eq!(taken, Ok(()));
    assert!(desk.ask(&suspend).is_err(), "the old fence suspends nobody any more");
    let end = Command::EndBoot { by: desk.boot.clone(), why: "asked to".to_owned() };
    assert_eq!((desk.ask(&end), desk.ask(&end)), (Ok(Reply::Done), Ok(Reply::Done)));
}

#[test]
fn a_finish_that_comes_again_is_answered_and_changes_nothing() {
    let mut desk = Desk::open(100, 1_000);
    let by = desk.work("a1");
    let merged = || Outcome::Completed { reference: Reference::Merge { commit: "c".to_owned() } };
    let first = desk.finish(&by, merged());
    let rows = desk.world.rows.clone();
    assert_eq!(desk.finish(&by, merged()), first);
    assert_eq!(desk.finish(&by, Outcome::Deferred { why: "no".to_owned() }), first);
    assert_eq!((rows.tasks, rows.attempts), (desk.world.rows.tasks, desk.world.rows.attempts));
}

#[test]
fn a_finish_that_comes_again_is_answered_also_when_the_next_attempt_has_begun() {
    let mut desk = Desk::open(100, 1_000);
    let by = desk.work("a1");
    let cancelled = || Outcome::Cancelled { why: "closed elsewhere".to_owned() };
    let first = desk.finish(&by, cancelled());
    desk.work("a2");
    let rows = desk.world.rows.clone();
    assert_eq!(desk.finish(&by, cancelled()), first);
    assert_eq!((rows.tasks, rows.claims), (desk.world.rows.tasks, desk.world.rows.claims));
}

#[test]
fn a_zombie_is_not_told_that_it_ended_an_attempt_that_another_ended() {
    let mut desk = Desk::open(100, 1_000);
    let zombie = desk.work("a1");
    let Ok(Reply::Claimed(claimed)) = desk.take_over(&zombie, "new") else { panic!("not taken over") };
    let merged = || Outcome::Completed { reference: Reference::Merge { commit: "c".to_owned() } };
    desk.finish(&crate::desk::bearer("a1", &claimed.fence), merged()).unwrap();
    assert_eq!(desk.finish(&zombie, merged()), Err(Refusal::StaleFence(zombie.task_key.clone())));
}

#[test]
fn a_start_of_a_process_that_comes_again_does_not_bring_it_back() {
    let mut desk = Desk::open(100, 1_000);
    let by = desk.work("a1");
    let row = |pid| glitchlab_domain::rows::ChildRow {
        attempt_id: by.attempt_id.clone(),
        n: 0,
        boot_id: desk.boot.boot_id.clone(),
        host: "here".to_owned(),
        pid,
        pgid: pid,
        start_ticks: 5,
        ended_ms: None,
    };
    let (first, other) = (row(7), row(8));
    let start =
        |row: &glitchlab_domain::rows::ChildRow| Command::StartChild { by: by.clone(), row: row.clone() };
    let key = (by.attempt_id.clone(), 0);
    desk.ask(&start(&first)).unwrap();
    desk.ask(&Command::EndChild { attempt_id: by.attempt_id.clone(), n: 0 }).unwrap();
    desk.ask(&start(&first)).unwrap();
    assert_eq!(desk.world.rows.children[&key].ended_ms, Some(START_MS));
    desk.ask(&start(&other)).unwrap();
    assert_eq!(desk.world.rows.children[&key], other, "a later process in the same place is another one");
}

#[test]
fn a_suspended_attempt_can_neither_write_nor_spend_and_goes_on_under_a_new_fence() {
    let mut desk = Desk::open(100, 1_000);
    let by = desk.work("a1");
    desk.ask(&Command::Suspend { by: by.clone() }).unwrap();
    assert_eq!(desk.reserve(&by, 0, 1), Err(Refusal::StaleFence(by.task_key.clone())));
    desk.boot = boot("b2");
    desk.start(&boot("b2"), 100, 1_000, &[]);
    let Ok(Reply::Claimed(claimed)) = desk.take_over(&by, "new") else { panic!("not taken over") };
    assert_eq!(claimed.attempt.n, 1, "it is the same attempt");
    assert!(is_granted(&desk.reserve(&crate::desk::bearer("a1", &claimed.fence), 0, 1)));
}

#[test]
fn a_live_process_keeps_its_claims_and_a_dead_one_does_not() {
    let mut desk = Desk::open(100, 1_000);
    let by = desk.work("a1");
    desk.boot = boot("b2");
    desk.start(&boot("b2"), 100, 1_000, &[]);
    assert_eq!(desk.take_over(&by, "new"), Err(Refusal::HolderLives(by.task_key.clone())));
    desk.start(&boot("b3"), 100, 1_000, &[boot("b1").boot_id]);
    assert!(desk.take_over(&by, "new").is_ok());
    assert!(matches!(desk.ask(&claim(&boot("b1"), "a9", 1)), Err(Refusal::StaleBoot(_))));
}

#[test]
fn a_lease_that_is_over_does_not_end_a_process_of_the_same_host() {
    let mut desk = Desk::open(100, 1_000);
    desk.let_lease_end("b1", START_MS);
    desk.world.clock_ms += 10 * DAY_MS;
    desk.start(&boot("b2"), 200, 1_000, &[]);
    assert!(desk.world.rows.processes[&boot("b1").boot_id].alive);
    assert_eq!(desk.world.head().unwrap().cap_hour, MicroUsd::new(100), "and it holds the caps down");
}

#[test]
fn a_process_of_another_host_is_dead_when_its_lease_is_over_by_a_margin_of_wall_clock() {
    let mut desk = Desk::open(100, 1_000);
    desk.let_lease_end("b1", START_MS + 60_000);
    let is_alive = |desk: &Desk| desk.world.rows.processes[&boot("b1").boot_id].alive;
    // The ledger's time runs ahead of a clock that is turned back.
    desk.world.clock_ms = START_MS + DAY_MS;
    let by = desk.work("a1");
    desk.spend(&by, 0, 10);
    desk.world.clock_ms = START_MS + 60_000 + LEASE_MARGIN_MS;
    desk.start_on("there", &boot("b2"), 100, 1_000);
    assert!(is_alive(&desk));
    desk.world.clock_ms += 1;
    desk.start_on("there", &boot("b3"), 100, 1_000);
    assert!(!is_alive(&desk));
}

#[test]
fn processes_of_another_scope_do_not_hold_a_cap_down() {
    let mut desk = Desk::open(100, 1_000);
    let elsewhere = desk.world.rows.processes.get_mut(&boot("b1").boot_id).unwrap();
    elsewhere.scope = "simulated".to_owned();
    desk.start(&boot("b2"), 200, 2_000, &[]);
    let cap_hour = |desk: &Desk| desk.world.head().unwrap().cap_hour.micro();
    assert_eq!(cap_hour(&desk), 200);
    desk.start(&boot("b3"), 300, 2_000, &[]);
    assert_eq!(cap_hour(&desk), 200, "but those of the same scope do");
}

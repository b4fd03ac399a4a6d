//! The ledger of tokens, told step by step: for models that are paid by subscription, dollars say nothing.

use glitchlab_domain::command::Reply;
use glitchlab_domain::ledger::{Bounds, Terms};
use glitchlab_domain::money::Price;
use glitchlab_domain::outcome::{HumanReason, Outcome};
use glitchlab_domain::reason::{Reason, Wait, Window};

use crate::desk::{Answer, Desk, boot};
use crate::world::{START_MS, TOKENS};

const DAY_MS: i64 = Window::Day.length_ms();
const FREE: Price = Price { input_per_mtok_micro: 0, output_per_mtok_micro: 0 };

fn terms(tokens_per_day: u64) -> Terms {
    Terms { tokens_per_day: Some(tokens_per_day), ..Terms::default() }
}

fn reached(until_ms: i64) -> Answer {
    let reason = Reason::TokenCapReached { window: Window::Day };
    Ok(Reply::Wait(Wait { reason, until_ms: Some(until_ms) }))
}

/// What the rolling day holds in tokens, open bounds included.
fn counted(desk: &Desk) -> i64 {
    let head = desk.world.head_of(TOKENS).expect("a ledger of tokens");
    (head.reserved + head.sum_day).micro()
}

#[test]
fn a_cap_of_tokens_counts_while_every_call_is_free_of_dollars() {
    let mut desk = Desk::open(0, 0);
    desk.terms = terms(100);
    desk.start(&boot("b2"), 0, 0, &[]);
    let by = desk.work("a1");
    let bounds = |prompt_tokens| Bounds { prompt_tokens, max_out: 20, floor_out: 20, price: FREE };
    assert!(matches!(desk.reserve_try(&by, (0, 0), bounds(70)), Ok(Reply::Granted(_))));
    desk.settle_unheard(&by, 0).unwrap();
    assert_eq!(desk.reserve_try(&by, (1, 0), bounds(1)), reached(START_MS + DAY_MS));
    let more = Ok(Reply::Human(HumanReason::ExceedsTokens { bound: 101, cap: 100 }));
    assert_eq!(desk.reserve_try(&by, (1, 0), bounds(81)), more);
    assert_eq!(counted(&desk), 90);
}

#[test]
fn a_cap_of_tokens_that_is_set_later_counts_what_was_used_and_what_is_open() {
    let mut desk = Desk::open(10_000, 10_000);
    let by = desk.work("a1");
    assert!(matches!(desk.reserve(&by, 0, 300), Ok(Reply::Granted(_))));
    desk.settle_unheard(&by, 0).unwrap();
    desk.world.clock_ms += 1_000;
    assert!(matches!(desk.reserve(&by, 1, 500), Ok(Reply::Granted(_))));
    desk.terms = terms(1_000);
    desk.start(&boot("b2"), 10_000, 10_000, &[]);
    assert_eq!(counted(&desk), 800);
    assert_eq!(desk.reserve(&by, 2, 201), reached(START_MS + DAY_MS));
    desk.settle(&by, 1, Some(500)).unwrap();
    assert_eq!(counted(&desk), 302, "two tokens were billed of those that were open");
    desk.world.clock_ms = START_MS + DAY_MS;
    assert_eq!(counted(&desk), 2);
    desk.world.clock_ms += 1_000;
    assert_eq!(counted(&desk), 0, "nothing leaves that was not counted");
}

#[test]
fn tokens_that_nobody_counted_are_charged_to_the_attempt_as_well() {
    let mut desk = Desk::open(10_000, 10_000);
    let by = desk.work("a1");
    assert!(matches!(desk.reserve(&by, 0, 300), Ok(Reply::Granted(_))));
    desk.settle_unheard(&by, 0).unwrap();
    assert_eq!(desk.world.rows.attempts[&by.attempt_id].tokens, 300);
}

#[test]
fn a_start_that_waits_for_the_pace_of_tokens_says_so() {
    let mut desk = Desk::open(10_000, 10_000);
    desk.terms = terms(1_000);
    desk.start(&boot("b2"), 10_000, 10_000, &[]);
    let by = desk.work("a1");
    assert!(matches!(desk.reserve(&by, 0, 300), Ok(Reply::Granted(_))));
    desk.settle_unheard(&by, 0).unwrap();
    desk.finish(&by, Outcome::Cancelled { why: "closed elsewhere".to_owned() }).unwrap();
    let Ok(Reply::Wait(wait)) = desk.claim("a2", 1) else { panic!("300 tokens of a bucket of 100 are used") };
    assert_eq!(wait.reason, Reason::Paced { spread: Window::Hour, in_tokens: true });
    assert_eq!(wait.reason.to_string(), "the use of tokens is spread over the hour");
    assert!(wait.reason.unblocks("gl-1").contains("budget.tokens_per_day"));
}

#[test]
fn of_two_ledgers_that_are_full_the_one_that_is_full_for_longer_is_told() {
    let mut desk = Desk::open(100, 1_000);
    desk.terms = terms(95);
    desk.start(&boot("b2"), 100, 1_000, &[]);
    let by = desk.work("a1");
    assert!(matches!(desk.reserve(&by, 0, 90), Ok(Reply::Granted(_))));
    desk.settle_unheard(&by, 0).unwrap();
    assert_eq!(desk.reserve(&by, 1, 20), reached(START_MS + DAY_MS), "money comes back within an hour");
    let never = Ok(Reply::Human(HumanReason::ExceedsTokens { bound: 96, cap: 95 }));
    assert_eq!(desk.reserve(&by, 1, 96), never, "waiting for money would not help");
}

#[test]
fn a_call_that_costs_no_dollars_goes_on_where_a_lowered_cap_has_left_less_than_nothing() {
    let mut desk = Desk::open(100, 1_000);
    let by = desk.work("a1");
    desk.spend(&by, 0, 90);
    desk.start(&boot("b2"), 50, 1_000, &[]);
    let free = Bounds { prompt_tokens: 70, max_out: 30, floor_out: 20, price: FREE };
    let Ok(Reply::Granted(grant)) = desk.reserve_try(&by, (1, 0), free) else { panic!("it costs nothing") };
    assert_eq!((grant.bound().micro(), grant.max_out()), (0, 30));
    assert!(matches!(desk.reserve(&by, 2, 1), Ok(Reply::Wait(_))), "what costs something waits");
}

//! The ledger of tokens, told step by step: for models that are paid by subscription, dollars say nothing.

use glitchlab_domain::command::Reply;
use glitchlab_domain::ledger::{Bounds, Terms};
use glitchlab_domain::money::Price;
use glitchlab_domain::outcome::HumanReason;
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

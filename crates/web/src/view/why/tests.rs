use std::sync::Arc;

use glitchlab_domain::why::Why;
use insta::assert_snapshot;

use super::*;
use crate::sample::live;
use crate::view::badge::Badge;
use crate::view::{Moment, NOW_MS, moment, render};

fn sample() -> Moment {
    moment(live(NOW_MS))
}

fn empty() -> Moment {
    Moment { why: Arc::new(Why::default()), ..sample() }
}

#[test]
fn gates_show_where_the_queue_stops() {
    assert_snapshot!("gates", render(&Gates::new(&sample())));
}

#[test]
fn waits_are_listed_by_whose_turn_it_is() {
    assert_snapshot!("waits", render(&Waits::new(&sample())));
    assert_snapshot!("waits_empty", render(&Waits::new(&empty())));
}

#[test]
fn what_waits_for_a_person_has_a_list_and_a_badge_of_its_own() {
    let list = Waits::needs_you(&sample());
    assert_eq!((list.groups.len(), list.groups[0].rows.len()), (1, 2));
    assert_snapshot!("you", render(&Badge::you(&sample())));
    assert_eq!(render(&Badge::you(&empty())), "<span id=\"you\"></span>");
    assert_eq!(needs_you(&sample()).heading, "2 things wait for you");
    assert_eq!(needs_you(&empty()).heading, "Nothing waits for you");
}

#[test]
fn the_sentence_says_until_when() {
    let lead = lead(&sample());
    assert_eq!(lead.heading, "The next task waits for money");
    assert_eq!(lead.figures[0].value, "1:48");
    assert_snapshot!("why_lead", render(&lead));
}

#[test]
fn commands_are_code_and_an_odd_backtick_is_text() {
    let code = |text: &str| Part { is_code: true, text: text.to_owned() };
    let plain = |text: &str| Part { is_code: false, text: text.to_owned() };
    assert_eq!(parts("`a b` or `c`; d"), [code("a b"), plain(" or "), code("c"), plain("; d")]);
    assert_eq!(parts("it's ` odd"), [plain("it's "), plain(" odd")]);
}

use proptest::prelude::*;

use super::*;

const RULES: BreakerRules =
    BreakerRules { failures: 5, window_ms: 300_000, cool_down_ms: 600_000, cool_down_max_ms: 7_200_000 };

fn attempt(n: usize) -> AttemptId {
    AttemptId::new(format!("a{n}"))
}

fn failed(breaker: &mut Breaker, kind: FailureKind, now_ms: i64) -> Turn {
    breaker.take(&attempt(0), Verdict::Failed(kind), now_ms, &RULES)
}

/// Opens by five failures in a row at 0 ms.
fn opened() -> Breaker {
    let mut breaker = Breaker::default();
    let turns: Vec<Turn> = (0..5).map(|_| failed(&mut breaker, FailureKind::Provider, 0)).collect();
    assert_eq!(turns, [Turn::None, Turn::None, Turn::None, Turn::None, Turn::Opened]);
    breaker
}

fn with_canary(mut breaker: Breaker) -> Breaker {
    breaker.open.as_mut().expect("open").canary = Some(attempt(9));
    breaker
}

#[test]
fn five_failures_in_a_row_open_it_however_far_apart_and_unlike() {
    let mut breaker = Breaker::default();
    let kinds = [
        FailureKind::Parse,
        FailureKind::Provider,
        FailureKind::TestsFailed,
        FailureKind::Stalled,
        FailureKind::Crashed,
    ];
    for (hour, kind) in (0..).zip(kinds) {
        failed(&mut breaker, kind, hour * 3_600_000);
    }
    assert_eq!(breaker.open.map(|open| open.failure), Some(FailureKind::Crashed));
}

#[test]
fn five_of_one_kind_among_ten_within_the_window_open_it_although_others_went_well() {
    let mut breaker = Breaker::default();
    for n in 0..5 {
        breaker.take(&attempt(1), Verdict::Went, n * 70_000, &RULES);
        failed(&mut breaker, FailureKind::Provider, n * 70_000);
    }
    assert!(breaker.open.is_some());
    let mut slower = Breaker::default();
    for n in 0..50 {
        slower.take(&attempt(1), Verdict::Went, n * 75_000, &RULES);
        failed(&mut slower, FailureKind::Provider, n * 75_000);
    }
    assert_eq!(slower.open, None, "only four are ever within 300 s");
}

#[test]
fn a_fast_engine_in_which_some_work_always_fails_is_not_stopped() {
    let mut breaker = Breaker::default();
    for n in 0..3_000 {
        let verdict = if n % 3 == 0 { Verdict::Failed(FailureKind::ReviewRejected) } else { Verdict::Went };
        assert_eq!(breaker.take(&attempt(1), verdict, n * 100, &RULES), Turn::None, "outcome {n}");
    }
}

#[test]
fn a_snooze_says_nothing() {
    let snooze =
        Outcome::Snoozed { failure: FailureKind::RateLimited, until_ms: 1, message: "slow down".to_owned() };
    let mut breaker = Breaker::default();
    for n in 0..100 {
        assert_eq!(breaker.take(&attempt(n), Verdict::of(&snooze), 0, &RULES), Turn::None);
    }
    assert_eq!(breaker, Breaker::default());
}

#[test]
fn what_ran_already_when_it_opened_neither_closes_nor_prolongs_it() {
    let mut breaker = with_canary(opened());
    let before = breaker.clone();
    assert_eq!(breaker.take(&attempt(1), Verdict::Went, 1, &RULES), Turn::None);
    assert_eq!(failed(&mut breaker, FailureKind::Provider, 2), Turn::None);
    assert_eq!(breaker, before);
}

#[test]
fn the_canary_closes_it_by_success_or_by_another_failure() {
    let mut breaker = with_canary(opened());
    assert_eq!(breaker.take(&attempt(9), Verdict::Went, 700_000, &RULES), Turn::Closed);
    assert_eq!(breaker, Breaker::default());
    let mut breaker = with_canary(opened());
    let other = Verdict::Failed(FailureKind::TestsFailed);
    assert_eq!(breaker.take(&attempt(9), other, 700_000, &RULES), Turn::Closed);
    assert_eq!((breaker.open, breaker.in_a_row), (None, 1), "that failure is the first of a new row");
}

#[test]
fn the_same_failure_doubles_the_cool_down_up_to_two_hours() {
    let mut breaker = opened();
    let mut now_ms = 0;
    let mut cool_downs = Vec::new();
    for _ in 0..6 {
        breaker = with_canary(breaker);
        let same = Verdict::Failed(FailureKind::Provider);
        assert_eq!(breaker.take(&attempt(9), same, now_ms, &RULES), Turn::Opened);
        let open = breaker.open.clone().expect("open");
        assert_eq!((open.canary, open.until_ms), (None, now_ms + open.cool_down_ms));
        cool_downs.push(open.cool_down_ms / 60_000);
        now_ms = open.until_ms;
    }
    assert_eq!(cool_downs, [20, 40, 80, 120, 120, 120]);
}

#[test]
fn a_canary_that_found_out_nothing_makes_room_for_the_next() {
    let mut breaker = with_canary(opened());
    assert_eq!(breaker.take(&attempt(9), Verdict::Nothing, 700_000, &RULES), Turn::None);
    assert_eq!(breaker.open, opened().open);
}

/// The rule said once more, over the whole history since it last closed.
fn should_open(history: &[(i64, Verdict)], rules: &BreakerRules) -> bool {
    let told: Vec<_> = history.iter().filter(|(_, verdict)| *verdict != Verdict::Nothing).collect();
    let Some((now_ms, Verdict::Failed(kind))) = told.last() else { return false };
    let most = rules.failures as usize;
    let last = told.iter().rev().take(2 * most);
    let alike =
        last.filter(|(at, verdict)| *verdict == Verdict::Failed(*kind) && *at > now_ms - rules.window_ms);
    let in_a_row = told.iter().rev().take_while(|(_, verdict)| matches!(verdict, Verdict::Failed(_)));
    alike.count() >= most || in_a_row.count() >= most
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        2 => Just(Verdict::Went),
        4 => Just(Verdict::Failed(FailureKind::Provider)),
        2 => Just(Verdict::Failed(FailureKind::TestsFailed)),
        1 => Just(Verdict::Nothing),
    ]
}

proptest! {
    #[test]
    fn it_opens_exactly_when_the_whole_history_says_so(
        steps in prop::collection::vec((verdict(), 0i64..120_000, any::<bool>()), 1..120),
        failures in 1u32..6,
    ) {
        let rules = BreakerRules { failures, ..RULES };
        let mut breaker = Breaker::default();
        let mut history = Vec::new();
        let mut now_ms = 0;
        for (verdict, passed, is_canary) in steps {
            now_ms += passed;
            if let Some(open) = &mut breaker.open {
                if is_canary {
                    open.canary = Some(attempt(9));
                }
                let failure = open.failure;
                let turn = breaker.take(&attempt(9), verdict, now_ms, &rules);
                let closes = is_canary && verdict != Verdict::Nothing && verdict != Verdict::Failed(failure);
                let opens_anew = closes && should_open(&[(now_ms, verdict)], &rules);
                prop_assert_eq!(breaker.open.is_none(), closes && !opens_anew);
                prop_assert_eq!(turn == Turn::Closed, closes && !opens_anew);
                history = if closes && !opens_anew { vec![(now_ms, verdict)] } else { Vec::new() };
                continue;
            }
            history.push((now_ms, verdict));
            let turn = breaker.take(&attempt(0), verdict, now_ms, &rules);
            let opens = should_open(&history, &rules);
            prop_assert_eq!(turn == Turn::Opened, opens);
            prop_assert_eq!(breaker.open.is_some(), opens);
            if opens {
                history.clear();
            }
        }
    }
}

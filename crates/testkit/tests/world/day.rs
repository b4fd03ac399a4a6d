//! A simulated day at $5 an hour, at every load shape, judged by the provider's own account.

use glitchlab_domain::ledger::Terms;
use glitchlab_domain::pacing::Spread;
use glitchlab_domain::reason::Window;
use glitchlab_testkit::Units;
use glitchlab_testkit::day::{Day, Played, Shape, play};

fn days() -> impl Iterator<Item = Day> {
    Shape::ALL.into_iter().map(|shape| Day::ordinary(shape, 1))
}

fn holds_what_pacing_promises(day: &Day, played: &Played) {
    let what = || format!("{} with seed {}", day.shape.name(), day.seed);
    for (window, cap) in [(Window::Hour, day.per_hour), (Window::Day, day.per_day)] {
        let most = played.most_within(window);
        assert!(most <= cap.micro(), "{}: {most} within one {}", what(), window.name());
    }
    let (first_ms, ..) = played.admitted[0];
    assert_eq!(first_ms, 0, "{}: the first task waits", what());
    let depth = day.flow().depth().micro();
    let (above, allowed) = (played.most_above_inflow(day), depth + played.largest_hold);
    assert!(above <= allowed, "{}: {above} admitted above the inflow, {allowed} allowed", what());
    assert!(played.endless.is_empty(), "{}: {:?}", what(), played.endless);
}

#[test]
fn a_day_at_every_load_shape_keeps_both_caps_and_what_pacing_promises() {
    for day in days() {
        holds_what_pacing_promises(&day, &play(&day));
    }
}

#[test]
fn with_enough_work_at_least_nine_tenths_of_the_cap_are_used_in_every_hour_after_the_first() {
    for day in days().filter(|day| day.shape.has_enough()) {
        let hours = play(&day).by_hour(&day);
        let least = hours[1..].iter().min().unwrap();
        assert!(
            *least >= day.per_hour.micro() * 9 / 10,
            "{} with seed {}: {hours:?}",
            day.shape.name(),
            day.seed
        );
    }
}

#[test]
fn the_day_cap_that_is_spread_over_the_day_is_used_evenly_and_one_that_is_not_ends_the_day_early() {
    let capped = Day { per_day: 40.usd(), ..Day::ordinary(Shape::Steady, 3) };
    let spread = Day { terms: Terms { spread: Spread::Day, ..Terms::default() }, ..capped.clone() };
    let (early, even) = (play(&capped), play(&spread));
    holds_what_pacing_promises(&capped, &early);
    holds_what_pacing_promises(&spread, &even);
    assert_eq!(early.by_hour(&capped)[12], 0);
    let share = 40_000_000 / 24;
    let hours = even.by_hour(&spread);
    assert!(hours[1..].iter().all(|hour| *hour > share * 7 / 10 && *hour < share * 13 / 10), "{hours:?}");
}

#[test]
fn holds_that_are_wrong_cost_use_but_never_a_cap() {
    for percent in [25, 400] {
        let day = Day { hold_percent: percent, ..Day::ordinary(Shape::Steady, 4) };
        let played = play(&day);
        holds_what_pacing_promises(&day, &played);
        let used: i64 = played.by_hour(&day)[1..].iter().sum();
        assert!(used > day.per_hour.micro() * 23 / 2, "{percent} %: {used}");
    }
}

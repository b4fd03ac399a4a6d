use proptest::prelude::*;

use super::*;
use crate::outcome::Size;

const fn usd(micro: i64) -> MicroUsd {
    MicroUsd::new(micro)
}

/// $5 an hour: a bucket of 50 cents.
fn flow() -> Flow {
    Flow::of(Spread::Hour, usd(5_000_000), usd(40_000_000))
}

#[test]
fn a_bucket_is_a_tenth_of_the_hours_cap_or_of_an_hours_share_of_the_days() {
    assert_eq!(flow().depth(), usd(500_000));
    assert_eq!(Flow::of(Spread::Day, usd(5_000_000), usd(48_000_000)).depth(), usd(200_000));
    let day_above_the_hours = Flow::of(Spread::Day, usd(1_000_000), usd(48_000_000));
    assert_eq!(day_above_the_hours.depth(), usd(100_000));
}

#[test]
fn the_first_task_starts_at_once_whatever_it_may_cost() {
    assert_eq!(Bucket::default().wait_for(flow(), usd(9_000_000), 77), None);
}

#[test]
fn a_hold_larger_than_the_bucket_is_repaid_as_silence() {
    let bucket = Bucket::default().take(flow(), usd(2_000_000), 0);
    assert_eq!(bucket.level, usd(-1_500_000));
    // 1.6 dollars are missing for a hold of ten cents, at 5 dollars an hour.
    assert_eq!(bucket.wait_for(flow(), usd(100_000), 0), Some(1_152_000));
    assert_eq!(bucket.wait_for(flow(), usd(100_000), 1_151_999), Some(1_152_000));
    assert_eq!(bucket.wait_for(flow(), usd(100_000), 1_152_000), None);
}

#[test]
fn what_a_task_did_not_need_comes_back_and_never_overfills() {
    let bucket = Bucket::default().take(flow(), usd(400_000), 0);
    assert_eq!(bucket.give(flow(), usd(300_000), 0).level, usd(400_000));
    assert_eq!(bucket.give(flow(), usd(900_000), 0).level, usd(500_000));
}

#[test]
fn a_cap_of_nothing_paces_nothing() {
    let nothing = Flow::of(Spread::Hour, MicroUsd::ZERO, MicroUsd::ZERO);
    let bucket = Bucket::default().take(nothing, usd(5), 0);
    assert_eq!(bucket.wait_for(nothing, usd(5), 0), None);
}

#[test]
fn a_mean_counts_from_five_attempts_on_and_is_that_of_the_size_when_enough_had_it() {
    let mut costs = Costs::default();
    (0..4).for_each(|_| costs.learn("here", Some(Size::S), usd(10)));
    assert_eq!(costs.expected("here", Some(Size::S)), None);
    costs.learn("here", Some(Size::L), usd(101));
    assert_eq!(costs.expected("here", Some(Size::S)), Some(usd(29)), "the mean of all, rounded up");
    costs.learn("here", Some(Size::S), usd(10));
    assert_eq!(costs.expected("here", Some(Size::S)), Some(usd(10)));
    assert_eq!(costs.expected("elsewhere", Some(Size::S)), None);
}

#[test]
fn as_many_repositories_are_remembered_as_have_room() {
    let mut costs = Costs::default();
    for repository in 0..20 {
        (0..5).for_each(|_| costs.learn(&repository.to_string(), None, usd(7)));
    }
    assert_eq!(costs.expected("19", None), Some(usd(7)));
    assert_eq!(costs.expected("3", None), None);
}

#[test]
fn means_follow_what_attempts_cost_now() {
    let mut costs = Costs::default();
    (0..1_000).for_each(|_| costs.learn("here", None, usd(1_000)));
    (0..300).for_each(|_| costs.learn("here", None, usd(100)));
    assert!(costs.expected("here", None).is_some_and(|mean| mean < usd(200)), "{costs:?}");
}

proptest! {
    #[test]
    fn how_often_a_bucket_is_looked_at_changes_nothing(
        cap in 1i64..50_000_000, day in any::<bool>(), debt in 0i64..5_000_000, hold in 1i64..3_000_000,
        looks in prop::collection::vec(1i64..400_000, 0..40),
    ) {
        let spread = if day { Spread::Day } else { Spread::Hour };
        let flow = Flow::of(spread, usd(cap), usd(cap.saturating_mul(20)));
        let first = Bucket { spread, ..Bucket::default() }.take(flow, usd(debt), 0);
        let told = first.wait_for(flow, usd(hold), 0);
        let (mut looked, mut now_ms) = (first, 0);
        for look in looks {
            now_ms += look;
            looked = looked.at(flow, now_ms);
            prop_assert_eq!(looked, first.at(flow, now_ms));
            match told {
                Some(told) if now_ms < told => prop_assert_eq!(looked.wait_for(flow, usd(hold), now_ms), Some(told)),
                _ => prop_assert_eq!(looked.wait_for(flow, usd(hold), now_ms), None),
            }
        }
    }

    #[test]
    fn at_most_the_bucket_and_its_inflow_and_one_hold_is_admitted(
        cap in 1i64..50_000_000, holds in prop::collection::vec((1i64..2_000_000, 0i64..900_000), 1..60),
    ) {
        let flow = Flow::of(Spread::Hour, usd(cap), usd(i64::MAX));
        let (mut bucket, mut admitted, mut most) = (Bucket::default(), 0, 0);
        let mut now_ms = 0;
        for (hold, pause) in holds {
            now_ms += pause;
            if bucket.wait_for(flow, usd(hold), now_ms).is_none() {
                bucket = bucket.take(flow, usd(hold), now_ms);
                admitted += hold;
                most = most.max(hold);
                let inflow = i128::from(cap) * i128::from(now_ms) / 3_600_000;
                let limit = i128::from(flow.depth().micro()) + inflow + i128::from(most);
                prop_assert!(i128::from(admitted) <= limit, "{} admitted, {} allowed", admitted, limit);
            }
        }
    }
}

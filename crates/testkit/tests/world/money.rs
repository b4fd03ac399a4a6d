//! Caps and pacing through the whole tree.

use glitchlab_domain::event::EventKind;
use glitchlab_domain::outcome::{FailureKind, HumanReason};
use glitchlab_domain::reason::{Reason, Window};
use glitchlab_domain::rows::Verb;
use glitchlab_domain::task::TaskState;
use glitchlab_models::simulated::Profile;
use glitchlab_testkit::{Kill, Ran, Units, World, account, beads, check};

use crate::gate::say;

/// A task whose tests never pass, with more attempts than anybody would pay.
fn never_done(per_task_cents: Option<u32>) -> World {
    World::seed(3).backlog(beads::tasks(1)).model(Profile::Realistic).tests(2.secs(), |_| false).set(
        move |setup| {
            setup.retry.attempts = 60;
            setup.money.per_task = per_task_cents.map(Units::cents);
        },
    )
}

#[test]
fn a_cap_of_fifty_cents_stops_an_agent_that_wants_more_than_five_dollars() {
    let wanted = never_done(None).run(3.days());
    assert!(
        account::total(&wanted.account) > 511.cents(),
        "it wants only {}",
        account::total(&wanted.account)
    );
    let stopped = never_done(Some(50)).run(3.days());
    let total = account::total(&stopped.account);
    assert!(total <= 50.cents() && total > 30.cents(), "{total}");
    let task = &stopped.tasks["t-001"];
    // Whichever comes first: a call that the rest does not pay for, or a plan.
    let is_asked = matches!(
        task.reason,
        Some(Reason::NeedsHuman { reason: HumanReason::TaskCap { .. } | HumanReason::GateRejected { .. } })
    );
    assert!(task.state == TaskState::NeedsHuman && is_asked, "{:?}", task.reason);
    stopped.check(check::happened("human.needed", 1));
}

#[test]
fn a_task_whose_bound_exceeds_its_cap_goes_to_a_person_without_a_wait() {
    let ran = World::seed(1)
        .backlog(beads::tasks(1))
        .model(Profile::Realistic)
        .set(|setup| setup.money.per_task = Some(1.cents()))
        .run(1.days());
    let task = &ran.tasks["t-001"];
    assert!(matches!(
        task.reason,
        Some(Reason::NeedsHuman { reason: HumanReason::TaskCap { .. } | HumanReason::GateRejected { .. } })
    ));
    assert!(ran.took < 5.minutes(), "{:?}", ran.took);
    ran.check(check::never_happened("call.waiting"));
}

#[test]
fn a_plan_that_costs_more_than_is_left_of_its_tasks_cap_is_rejected_by_the_gate() {
    let rejected = (0..40).any(|seed| {
        let ran = World::seed(seed)
            .backlog(beads::tasks(4))
            .model(Profile::Realistic)
            .set(|setup| setup.money.per_task = Some(15.cents()))
            .run(1.days());
        ran.tasks.values().any(|task| {
            matches!(task.reason, Some(Reason::NeedsHuman { reason: HumanReason::GateRejected { .. } }))
        })
    });
    assert!(rejected, "no plan was too dear in 40 worlds");
}

/// Ten cents a day: less than most plans cost, and more than any call.
fn ten_cents_a_day(seed: u64) -> World {
    World::seed(seed)
        .backlog(beads::tasks(1))
        .model(Profile::Realistic)
        .caps(10.cents(), 10.cents())
        .set(|setup| setup.retry.attempts = 12)
}

fn is_rejected(ran: &Ran) -> bool {
    let reason = &ran.tasks["t-001"].reason;
    matches!(reason, Some(Reason::NeedsHuman { reason: HumanReason::GateRejected { .. } }))
}

#[test]
fn a_plan_above_the_days_cap_that_a_person_approves_is_worked_on_for_as_many_days_as_it_takes() {
    let seed = (0..40).find(|seed| is_rejected(&ten_cents_a_day(*seed).run(1.days())));
    let seed = seed.expect("a plan that is too dear in one of 40 worlds");
    let approve = Verb::Approve { bead_id: "t-001".into() };
    let ran = ten_cents_a_day(seed)
        .at(2.hours(), say(approve))
        .run(60.days())
        .check(check::all_work_is_completed())
        .check(check::happened("human.needed", 1));
    assert!(account::total(&ran.account) > 10.cents(), "{}", account::total(&ran.account));
}

/// Two dollars an hour: much less than four workers could spend.
fn paced(seed: u64) -> World {
    World::seed(seed)
        .backlog(beads::tasks(120))
        .model(Profile::Realistic)
        .caps(2.usd(), 100.usd())
        .set(|setup| setup.retry.attempts = 12)
}

#[test]
fn the_whole_tree_uses_nine_tenths_of_the_hours_cap_in_every_hour_after_the_first() {
    let ran = paced(5).run(5.hours());
    let hour = |n: u32| {
        let bills = ran.account.iter().filter(|bill| {
            let at = ran.since_begin(bill.at_ms);
            at >= n.hours() && at < (n + 1).hours()
        });
        bills.map(|bill| bill.cost_micro).sum::<i64>()
    };
    for n in 1..5 {
        assert!(hour(n) >= 1_800_000, "hour {n}: {} micro-dollars", hour(n));
    }
    let first = ran.events_named("task.claimed").next().unwrap();
    assert_eq!(ran.since_begin(first.at_ms).as_secs(), 0);
    let is_paced = |event: &&glitchlab_domain::event::Event| {
        matches!(&event.kind, EventKind::AdmissionRefused { wait }
            if wait.reason == Reason::Paced { spread: Window::Hour, in_tokens: false } && wait.until_ms.is_some())
    };
    assert!(ran.events_named("admission.refused").any(|event| is_paced(&event)));
}

#[test]
fn kills_leak_no_hold_of_the_pace() {
    let world =
        [7, 19, 40, 61, 62].iter().fold(paced(6), |world, n| world.at((n * 60).secs(), Kill::Process));
    let ran = world.run(3.days()).check(check::all_work_is_completed());
    // Everything ended long ago: the bucket is full again, whatever was held when a process died.
    let head = &ran.head;
    let level = head.bucket.at(head.flow(), head.last_ms + Window::Hour.length_ms()).level;
    assert_eq!(level, head.flow().depth());
    assert!(ran.attempts.iter().all(|attempt| attempt.failure != Some(FailureKind::Crashed)));
}

#[test]
fn a_cap_in_tokens_holds_while_dollars_are_zero() {
    let ran = World::seed(2)
        .backlog(beads::tasks(30))
        .model(Profile::Subscription)
        .set(|setup| setup.money.tokens_per_day = Some(60_000))
        .run(10.days())
        .check(check::all_work_is_completed());
    assert_eq!(account::total(&ran.account), 0.usd());
    let mut used: Vec<(i64, u64)> =
        ran.account.iter().map(|bill| (bill.at_ms, bill.input_tokens + bill.output_tokens)).collect();
    used.sort_unstable();
    let within = |end: i64| {
        used.iter()
            .filter(|(at, _)| *at > end - Window::Day.length_ms() && *at <= end)
            .map(|(_, n)| n)
            .sum::<u64>()
    };
    let most = used.iter().map(|(at, _)| within(*at)).max().unwrap();
    assert!(most <= 60_000 && most > 40_000, "{most} tokens in one day");
}

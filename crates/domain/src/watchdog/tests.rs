//! Hours of looks, one after the other, at an engine that is as each test says.

use proptest::prelude::*;

use super::*;
use crate::reason::{Reason, Wait, Window};
use crate::stage::Stage;

const MINUTE_MS: u64 = 60_000;
const WORKER: &str = "glitchlab/work/workers/worker-1";
const SCHEDULER: &str = "glitchlab/work/scheduler";

/// A watchdog and the world that it looks at, which is well unless a test makes it otherwise.
struct Bench {
    watch: Watch,
    look: Look,
    found: Vec<(u64, Finding)>,
    gaps: Vec<Gap>,
}

impl Bench {
    fn new() -> Self {
        let look = Look { wall_ms: 1_000_000, ..Look::default() };
        Self { watch: Watch::new(Limits::default()), look, found: Vec::new(), gaps: Vec::new() }
    }

    /// Lets time pass, with a look each tick; `change` is what happens meanwhile.
    fn pass(&mut self, ms: u64, mut change: impl FnMut(&mut Look)) -> &mut Self {
        let tick_ms = self.watch.limits().tick_ms();
        let until = self.look.mono_ms + ms;
        while self.look.mono_ms < until {
            self.look.mono_ms += tick_ms;
            self.look.wall_ms += i64::try_from(tick_ms).unwrap();
            self.look.beats += 1;
            self.look.engine.looks += 1;
            change(&mut self.look);
            let judged = self.watch.look(&self.look);
            self.gaps.extend(judged.gap);
            self.found.extend(judged.findings.into_iter().map(|finding| (self.look.mono_ms, finding)));
        }
        self
    }

    fn measures(&self) -> Vec<&Measure> {
        self.found.iter().map(|(_, finding)| &finding.measure).collect()
    }

    fn first(&self) -> (u64, Clock) {
        self.found.first().map(|(at, finding)| (at / MINUTE_MS, finding.clock)).expect("something was found")
    }
}

fn attempt() -> Attempt {
    Attempt {
        path: WORKER.to_owned(),
        task: "gl-1".to_owned(),
        run: "a/1".to_owned(),
        progress: 0,
        stage: Some((3, Stage::Implement)),
        waits: None,
        has_process: false,
        agent: None,
    }
}

fn handler(seq: u64) -> Handler {
    Handler { path: SCHEDULER.to_owned(), incarnation: 0, kind: "look".to_owned(), seq, budget_ms: MINUTE_MS }
}

fn end(path: &str) -> Measure {
    Measure::End(path.to_owned())
}

#[test]
fn an_attempt_without_progress_is_ended_after_half_an_hour_and_not_before() {
    let mut bench = Bench::new();
    bench.look.attempts = vec![attempt()];
    bench.pass(30 * MINUTE_MS, |_| {});
    assert_eq!(bench.measures(), Vec::<&Measure>::new());
    bench.pass(2 * 2_000, |_| {});
    assert_eq!(bench.first(), (30, Clock::Progress));
    assert_eq!(bench.measures(), [&end(WORKER)]);
}

#[test]
fn what_does_not_end_takes_its_supervisor_with_it_and_then_the_process() {
    let mut bench = Bench::new();
    bench.look.attempts = vec![attempt()];
    bench.pass(32 * MINUTE_MS, |_| {});
    let workers = Measure::Restart("glitchlab/work/workers".to_owned());
    assert_eq!(bench.measures()[..3], [&end(WORKER), &workers, &Measure::Process]);
}

#[test]
fn an_attempt_that_gets_on_may_take_two_hours_for_a_stage() {
    let mut bench = Bench::new();
    bench.look.attempts = vec![attempt()];
    bench.pass(125 * MINUTE_MS, |look| look.attempts[0].progress += 1);
    assert_eq!(bench.first(), (120, Clock::Stage));
}

#[test]
fn an_agent_must_speak_within_five_minutes_and_change_something_within_thirty() {
    let silent = |look: &mut Look| look.attempts[0].progress += 1;
    let idle = |look: &mut Look| {
        look.attempts[0].progress += 1;
        look.attempts[0].agent.as_mut().unwrap().words += 1;
    };
    let mut bench = Bench::new();
    bench.look.attempts = vec![Attempt { agent: Some(Agent::default()), ..attempt() }];
    assert_eq!(bench.pass(7 * MINUTE_MS, silent).first(), (5, Clock::Silence));
    let mut bench = Bench::new();
    bench.look.attempts = vec![Attempt { agent: Some(Agent::default()), ..attempt() }];
    assert_eq!(bench.pass(31 * MINUTE_MS, idle).first(), (30, Clock::WorkProduct));
}

#[test]
fn a_process_may_use_its_own_time_limit_up() {
    let mut bench = Bench::new();
    bench.watch = Watch::new(Limits { process_ms: 60 * MINUTE_MS, ..Limits::default() });
    bench.look.attempts = vec![Attempt { has_process: true, ..attempt() }];
    assert_eq!(bench.pass(61 * MINUTE_MS, |_| {}).first(), (60, Clock::Progress));
}

#[test]
fn a_handler_past_its_budget_is_killed_and_one_that_hangs_again_takes_more_with_it() {
    let mut bench = Bench::new();
    bench.look.engine.rest = Some(Rest::Idle);
    bench.pass(10 * MINUTE_MS, |_| {});
    bench.look.handlers = vec![handler(7)];
    bench.pass(2 * MINUTE_MS - 40_000, |look| {
        if look.mono_ms > 10 * MINUTE_MS + 62_000 {
            look.handlers = vec![handler(8)];
        }
    });
    assert_eq!(bench.measures(), [&Measure::Kill(SCHEDULER.to_owned())]);
    bench.pass(60_000, |_| {});
    assert_eq!(bench.measures()[1], &Measure::Restart("glitchlab/work".to_owned()));
    bench.look.handlers = vec![handler(9)];
    bench.pass(64_000, |_| {});
    assert_eq!(bench.measures()[2], &Measure::Process);
}

#[test]
fn a_poll_that_does_not_end_is_stopped_with_its_actor_and_one_that_does_is_left_alone() {
    let task = |slot: &str| Task { path: SCHEDULER.to_owned(), slot: slot.to_owned(), run: 1, progress: 0 };
    let mut bench = Bench::new();
    bench.look.engine.rest = Some(Rest::Idle);
    bench.look.tasks = vec![task("backlog poll"), task("request poll")];
    bench.pass(31 * MINUTE_MS, |look| look.tasks[1].run += 1);
    assert_eq!(bench.first(), (30, Clock::Task));
    assert_eq!(bench.measures(), [&Measure::Restart(SCHEDULER.to_owned())]);
    assert_eq!(bench.found[0].1.detail, "backlog poll");
}

#[test]
fn a_child_of_the_root_is_killed_and_then_the_process_is_replaced() {
    let mut bench = Bench::new();
    let path = "glitchlab/journal".to_owned();
    bench.pass(6 * MINUTE_MS, |_| {});
    bench.look.handlers = vec![Handler { path: path.clone(), ..handler(1) }];
    bench.pass(2 * MINUTE_MS, |_| {});
    assert_eq!(bench.measures()[..2], [&Measure::Kill(path), &Measure::Process]);
}

#[test]
fn no_answer_of_any_supervisor_for_ten_seconds_replaces_the_process_even_in_the_grace() {
    let mut bench = Bench::new();
    bench.pass(12_000, |look| look.beats = 0);
    assert_eq!(bench.measures(), [&Measure::Process]);
    assert_eq!(bench.found[0].1.clock, Clock::Beat);
}

#[test]
fn nothing_but_the_beat_is_judged_in_the_first_five_minutes() {
    let mut bench = Bench::new();
    bench.look.handlers = vec![handler(1)];
    bench.pass(5 * MINUTE_MS - 2_000, |_| {});
    assert_eq!(bench.measures(), Vec::<&Measure>::new());
    assert_eq!(bench.pass(4_000, |_| {}).first(), (5, Clock::Handler));
}

#[test]
fn work_that_could_start_and_does_not_is_found() {
    let mut bench = Bench::new();
    bench.pass(31 * MINUTE_MS, |_| {});
    assert_eq!(bench.first(), (30, Clock::Loop));
    assert_eq!(bench.measures()[0], &Measure::Kill(SCHEDULER.to_owned()));
}

#[test]
fn a_scheduler_that_does_not_look_is_found_although_it_once_said_that_nothing_is_to_do() {
    let mut bench = Bench::new();
    bench.look.engine.rest = Some(Rest::Idle);
    bench.pass(36 * MINUTE_MS, |look| look.engine.looks = 1);
    assert_eq!(bench.first(), (35, Clock::Loop));
}

fn standing(held: Option<&Wait>) -> Standing<'_> {
    Standing { has_read: true, could_start: true, held, closed: None, is_draining: false, now_ms: 1_000 }
}

#[test]
fn every_reason_that_holds_the_engine_is_a_rest_until_its_instant() {
    let reasons = [
        Reason::Paced { spread: Window::Hour, in_tokens: false },
        Reason::CapReached { window: Window::Day },
        Reason::AfterSettlement { window: Window::Hour },
        Reason::Paused { by: "ann".to_owned(), why: String::new() },
        Reason::TooManyOpenRequests { open: 5, limit: 5 },
        Reason::Snoozed { failure: crate::outcome::FailureKind::RateLimited },
    ];
    for reason in reasons {
        let until = |until_ms| Wait { reason: reason.clone(), until_ms };
        assert!(Rest::of(&standing(Some(&until(None)))).is_some(), "{reason}");
        assert!(Rest::of(&standing(Some(&until(Some(1_001))))).is_some(), "{reason}");
        assert_eq!(Rest::of(&standing(Some(&until(Some(1_000))))), None, "{reason}: its instant has come");
    }
}

#[test]
fn that_all_workers_are_busy_does_not_explain_that_none_is() {
    let wait = Wait { reason: Reason::NoFreeWorker, until_ms: None };
    assert_eq!(Rest::of(&standing(Some(&wait))), None);
    assert_eq!(Rest::of(&Standing { could_start: false, ..standing(None) }), Some(Rest::Idle));
    assert_eq!(Rest::of(&Standing { has_read: false, ..standing(None) }), Some(Rest::Starting));
    assert_eq!(Rest::of(&Standing { is_draining: true, ..standing(None) }), Some(Rest::Draining));
}

#[test]
fn what_rests_on_purpose_is_left_alone_for_days() {
    let mut bench = Bench::new();
    bench.look.engine.rest = Some(Rest::Held(Reason::Paused { by: "ann".to_owned(), why: String::new() }));
    bench.look.attempts =
        vec![Attempt { waits: Some(Reason::AfterSettlement { window: Window::Hour }), ..attempt() }];
    bench.pass(48 * 60 * MINUTE_MS, |_| {});
    assert_eq!(bench.measures(), Vec::<&Measure>::new());
}

#[test]
fn a_store_that_does_not_answer_excuses_whoever_needs_it() {
    let mut bench = Bench::new();
    bench.look.engine.rest = Some(Rest::Held(Reason::StoreUnavailable { why: "disk full".to_owned() }));
    bench.look.attempts = vec![attempt()];
    bench.look.handlers = vec![handler(1)];
    bench.pass(5 * 60 * MINUTE_MS, |_| {});
    assert_eq!(bench.measures(), Vec::<&Measure>::new());
}

#[test]
fn a_process_that_was_stopped_for_an_hour_is_left_alone_and_the_gap_is_told() {
    let mut bench = Bench::new();
    bench.look.attempts = vec![attempt()];
    bench.pass(20 * MINUTE_MS, |_| {});
    bench.look.mono_ms += 60 * MINUTE_MS;
    bench.look.wall_ms += 3_600_000;
    bench.pass(9 * MINUTE_MS, |_| {});
    assert_eq!(bench.measures(), Vec::<&Measure>::new());
    assert_eq!(bench.gaps, [Gap { asleep_ms: 60 * MINUTE_MS, jump_ms: 0 }]);
    bench.pass(2 * MINUTE_MS, |_| {});
    assert_eq!(bench.found[0].1.clock, Clock::Progress, "it is found when it was awake for half an hour");
}

#[test]
fn a_machine_that_slept_moves_only_the_wall_clock() {
    let mut bench = Bench::new();
    bench.look.attempts = vec![attempt()];
    bench.pass(20 * MINUTE_MS, |_| {});
    bench.look.wall_ms += 8 * 3_600_000;
    bench.pass(9 * MINUTE_MS, |_| {});
    assert_eq!(bench.measures(), Vec::<&Measure>::new());
    assert_eq!(bench.gaps, [Gap { asleep_ms: 0, jump_ms: 8 * 3_600_000 }]);
}

#[test]
fn a_process_restarts_itself_three_times_in_six_hours_and_no_more() {
    let mut restarts = Restarts::default();
    assert!((0..3).all(|n| restarts.count(n * 60_000)));
    assert!(!restarts.count(WITHIN_MS - 1));
    assert_eq!(restarts.within(WITHIN_MS - 1), 3);
    assert!(restarts.count(WITHIN_MS), "the first one has left the window");
    assert!(!restarts.count(WITHIN_MS));
}

proptest! {
    /// Whatever the gaps: what gets on at every look is never found, and what never does is found within its limit of
    /// awake time and a few looks.
    #[test]
    fn only_awake_time_counts(gaps in prop::collection::vec(0_u64..10_000_000, 1..60)) {
        let limits = Limits { no_progress_ms: 20_000, grace_ms: 0, ..Limits::default() };
        let (mut good, mut bad) = (Watch::new(limits), Watch::new(limits));
        let (mut mono_ms, mut awake_ms) = (0, 0);
        for (n, gap) in gaps.into_iter().enumerate() {
            for _ in 0..5 {
                mono_ms += limits.tick_ms();
                let wall_ms = i64::try_from(mono_ms).unwrap();
                let look = |progress| Look {
                    mono_ms,
                    wall_ms,
                    beats: mono_ms,
                    engine: Engine { looks: mono_ms, ..Engine::default() },
                    attempts: vec![Attempt { progress, ..attempt() }],
                    ..Look::default()
                };
                prop_assert!(good.look(&look(mono_ms)).is_well);
                let is_well = bad.look(&look(0)).is_well;
                awake_ms += limits.tick_ms();
                if awake_ms < limits.no_progress_ms {
                    prop_assert!(is_well, "{awake_ms} ms awake, gap {n}");
                }
                if awake_ms > limits.no_progress_ms + 4 * limits.tick_ms() {
                    // A gap that is too short to be told is awake time, so it may come sooner, never later.
                    prop_assert!(!is_well, "{awake_ms} ms awake, gap {n}");
                }
            }
            mono_ms += if gap > 9_000 { gap } else { 0 };
        }
    }
}

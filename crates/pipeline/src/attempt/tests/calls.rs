//! Model calls: money, waits, trouble.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use glitchlab_domain::command::Paid;
use glitchlab_domain::money::{MicroUsd, Price};
use glitchlab_domain::outcome::{FailureKind, HumanReason, Outcome};
use glitchlab_domain::reason::Reason;
use glitchlab_models::{ErrorKind, Model, ModelError, Request, Reservation, Role, Spent, pricing};
use serde_json::json;

use super::super::*;
use super::world::{World, dollars};
use crate::fakes::Fuse;
use crate::process::redact::Redactor;

/// A model that is in trouble so many times, and then replies as the script of the world.
struct Troubled {
    model: Arc<dyn Model>,
    trouble: Mutex<Vec<ErrorKind>>,
}

#[async_trait]
impl Model for Troubled {
    fn id(&self) -> &str {
        "troubled"
    }

    fn simulated(&self) -> bool {
        true
    }

    fn price(&self) -> Price {
        self.model.price()
    }

    fn max_out(&self, role: Role) -> u64 {
        self.model.max_out(role)
    }

    async fn call(&self, money: Reservation, request: &Request) -> Spent {
        let trouble = self.trouble.lock().unwrap().pop();
        match trouble {
            Some(kind) => {
                let free = Paid { cost: MicroUsd::ZERO, input_tokens: 0, output_tokens: 0 };
                money.spent(Some(free), Err(ModelError::new(kind, "in trouble")), 1)
            }
            None => self.model.call(money, request).await,
        }
    }
}

async fn troubled(world: &World, times: usize, kind: ErrorKind) -> Ended {
    let claimed = world.claim();
    let model = world.job(&claimed, &Fuse::never()).model;
    let model = Troubled { model, trouble: Mutex::new(vec![kind; times]) };
    run(&world.job_with(&claimed, &Fuse::never(), Arc::new(model))).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_short_rate_limit_is_waited_out_and_shows_as_a_wait() {
    let world = World::new();
    let begun = (world.clock)();
    let ended = troubled(&world, 2, ErrorKind::RateLimited { retry_after_ms: Some(20_000) }).await;
    assert!(matches!(ended.outcome, Outcome::Completed { .. }), "{ended:?}");
    assert!((world.clock)() - begun >= 40_000);
    let events = world.log.events();
    let waits = events.iter().filter(|event| event.name() == "call.waiting").count();
    assert_eq!(
        waits,
        2,
        "{:?}",
        events.iter().map(glitchlab_domain::event::EventKind::name).collect::<Vec<_>>()
    );
}

#[tokio::test(start_paused = true)]
async fn a_long_rate_limit_and_a_missing_login_put_the_task_down_without_a_failure() {
    for (kind, failure, rest_ms) in [
        (ErrorKind::RateLimited { retry_after_ms: Some(600_000) }, FailureKind::RateLimited, 600_000),
        (ErrorKind::Credentials, FailureKind::Credentials, 900_000),
    ] {
        let world = World::new();
        let ended = troubled(&world, 1, kind).await;
        let Outcome::Snoozed { failure: found, until_ms, .. } = ended.outcome else { panic!("{ended:?}") };
        assert_eq!((found, until_ms), (failure, (world.clock)() + rest_ms));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_try_is_repeated_with_longer_rests_and_each_has_money_of_its_own() {
    let world = World::new();
    let begun = tokio::time::Instant::now();
    let ended = troubled(&world, 4, ErrorKind::Transient).await;
    assert!(matches!(ended.outcome, Outcome::Completed { .. }), "{ended:?}");
    assert!(begun.elapsed() >= Duration::from_millis(500 + 1_000 + 2_000 + 4_000));
    let tries = world.log.rows().calls.into_keys().filter(|key| key.step_n == 0).count();
    assert_eq!(tries, 5);
}

#[tokio::test(start_paused = true)]
async fn too_many_lost_tries_and_an_error_of_the_provider_fail_the_attempt() {
    for (kind, failure) in
        [(ErrorKind::Transient, FailureKind::Transient), (ErrorKind::Provider, FailureKind::Provider)]
    {
        let world = World::new();
        let ended = troubled(&world, 5, kind).await;
        assert!(
            matches!(ended.outcome, Outcome::Retryable { failure: found, .. } if found == failure),
            "{ended:?}"
        );
        assert!(ended.detail.contains("in trouble"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_reply_is_asked_for_once_more_and_then_fails_the_attempt() {
    let world = World::new().replies(&[("planner", None, Some(0), json!("I would mend it."))]);
    assert!(matches!(world.run().await.outcome, Outcome::Completed { .. }));
    assert!(world.last_turn(2).contains("no JSON object"));
    let world = World::new().reply("planner", json!("I would mend it."));
    let ended = world.run().await;
    assert!(matches!(ended.outcome, Outcome::Retryable { failure: FailureKind::Parse, .. }), "{ended:?}");
    assert_eq!(world.steps(), [("triage".to_owned(), true), ("plan".to_owned(), false)]);
    assert!(
        world.log.rows().steps.values().all(|step| step.output.is_some()),
        "a failed step is not written"
    );
    assert_eq!(world.account.entries().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_missing_reply_of_a_script_names_the_task_and_the_stage() {
    let mut world = World::new();
    world.script.defaults.clear();
    let ended = world.run().await;
    assert!(matches!(ended.outcome, Outcome::Retryable { failure: FailureKind::Provider, .. }), "{ended:?}");
    assert!(ended.detail.contains("bead `gl-1`, stage `architect_triage`"), "{}", ended.detail);
}

#[tokio::test(start_paused = true)]
async fn a_full_cap_is_waited_for_and_the_attempt_then_goes_on() {
    let mut world = World::with_caps(dollars("0.02"), dollars("1"));
    world.script.price = pricing::SIMULATED_REALISTIC;
    let begun = (world.clock)();
    let ended = world.run().await;
    assert!(matches!(ended.outcome, Outcome::Completed { .. }), "{ended:?}");
    assert!((world.clock)() - begun > 3_600_000, "nothing had to wait");
    let spent = world.account.spent();
    for (at, _) in &spent {
        let hour = spent.iter().filter(|(other, _)| other > &(at - 3_600_000) && other <= at);
        assert!(hour.map(|(_, micro)| micro).sum::<i64>() <= 20_000);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_no_cap_can_pay_goes_to_a_person() {
    let world = World::with_caps(dollars("0.001"), dollars("1"));
    let ended = world.run().await;
    let Outcome::NeedsHuman { reason: HumanReason::ExceedsCap { bound_micro, cap_micro } } = ended.outcome
    else {
        panic!("{ended:?}")
    };
    assert!(bound_micro > cap_micro && cap_micro == 1_000);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_whose_claim_was_taken_over_stops_without_an_outcome() {
    let world = World::new();
    let claimed = world.claim();
    let job = world.job(&claimed, &Fuse::never());
    let _ = world.log.take_over(&claimed);
    let lost = run(&job).await.unwrap_err();
    assert!(lost.to_string().contains("another fence"), "{lost}");
    assert!(world.steps().is_empty() && world.account.entries().is_empty());
}

#[tokio::test(start_paused = true)]
async fn money_of_a_wait_shows_its_reason() {
    let mut world = World::with_caps(dollars("0.02"), dollars("1"));
    world.script.price = pricing::SIMULATED_REALISTIC;
    let claimed = world.claim();
    let job = world.job(&claimed, &Fuse::never());
    let attempt = tokio::spawn(async move { run(&job).await });
    let wait = loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if let Some(wait) = world.log.rows().attempts[&claimed.attempt.attempt_id].waiting.clone() {
            break wait;
        }
    };
    assert!(matches!(wait.reason, Reason::CapReached { .. }) && wait.until_ms.is_some(), "{wait:?}");
    attempt.abort();
}

/// The prompts that are kept with the calls of the attempt, in one text.
async fn kept_prompts(keep: Option<Redactor>) -> Vec<String> {
    let mut world = World::new();
    world.settings.keep_prompts = keep;
    assert!(matches!(world.run().await.outcome, Outcome::Completed { .. }));
    let rows = world.log.rows();
    assert!(rows.calls.len() > 3);
    rows.calls.values().map(|call| format!("{:?}", call.prompt)).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_model_is_asked_is_kept_only_where_it_is_wanted_and_without_secrets() {
    assert!(kept_prompts(None).await.iter().all(|prompt| prompt == "[]"));
    let kept = kept_prompts(Some(Redactor::new(["Mend the sum".to_owned()]))).await;
    assert!(kept.iter().all(|prompt| prompt.contains("role: \"user\"")), "{kept:?}");
    assert!(kept[0].contains("[redacted]"), "{}", kept[0]);
    assert!(!kept.iter().any(|prompt| prompt.contains("Mend the sum")), "{kept:?}");
}

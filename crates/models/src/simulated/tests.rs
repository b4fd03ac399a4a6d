use std::sync::Arc;

use glitchlab_domain::bead::BeadId;
use glitchlab_domain::outcome::Size;
use glitchlab_domain::stage::Stage;

use super::*;
use crate::port::Turn;
use crate::port::tests::{money, request};
use crate::reply::{Review, Triage, Verdict};

fn model(profile: Profile, seed: u64) -> Simulated {
    Simulated::new(profile, seed, Account::memory(Arc::new(|| 0)))
}

async fn text(model: &Simulated, request: &Request) -> Option<String> {
    model.call(money(0), request).await.result().ok().map(str::to_owned)
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_same_question_hears_the_same_reply_whatever_its_text_and_try() {
    let (model, other) = (model(Profile::Fast, 7), model(Profile::Fast, 8));
    let (mut differing, stages) =
        (0, [Stage::ArchitectTriage, Stage::Planner, Stage::Implement, Stage::Review]);
    for (n, stage) in (0..40).flat_map(|n| stages.map(|stage| (n, stage))) {
        let asked = request(&format!("gl-{n}"), stage, 2_000);
        let first = text(&model, &asked).await;
        let longer = Request { turns: request("x", stage, 9_000).turns, ..asked.clone() };
        let again = model.call(money(5), &longer).await;
        let second = again.result().ok().map(str::to_owned);
        assert_eq!(first, second);
        differing += u32::from(text(&other, &asked).await != first);
    }
    assert!(differing > 20, "another seed changes only {differing} of 160 replies");
}

#[tokio::test(start_paused = true)]
async fn about_4_of_100_tasks_are_too_large_and_no_subtask_is() {
    let model = model(Profile::Fast, 1);
    let mut large = 0;
    for n in 0..1_000 {
        for (bead, is_subtask) in [(format!("gl-{n}"), false), (format!("gl-{n}.s1"), true)] {
            let Some(text) = text(&model, &request(&bead, Stage::ArchitectTriage, 2_000)).await else {
                continue;
            };
            if serde_json::from_str::<Triage>(&text).is_ok_and(|triage| triage.size == Size::Xl) {
                assert!(!is_subtask, "{bead} is XL");
                large += 1;
            }
        }
    }
    assert!((25..60).contains(&large), "{large} of 1 000");
}

#[tokio::test(start_paused = true)]
async fn fast_rejects_some_attempts_and_never_the_third() {
    let model = model(Profile::Fast, 1);
    let mut rejected = [0; 3];
    for n in 0..1_000 {
        for attempt_n in 1..=3 {
            let asked = Request { attempt_n, ..request(&format!("gl-{n}"), Stage::Review, 2_000) };
            let review: Review = parse(&text(&model, &asked).await.unwrap());
            rejected[attempt_n as usize - 1] += u32::from(review.verdict == Verdict::Reject);
        }
    }
    assert!(rejected[0] > 15 && rejected[1] > 15 && rejected[2] == 0, "{rejected:?}");
}

#[tokio::test(start_paused = true)]
async fn fast_replies_at_once_and_bills_what_its_account_says() {
    let model = model(Profile::Fast, 1);
    let begun = tokio::time::Instant::now();
    let mut told = Vec::new();
    for n in 0..50 {
        let spent = model.call(money(0), &request(&format!("gl-{n}"), Stage::Planner, 2_000)).await;
        told.push((0, spent.paid().unwrap().cost.micro()));
    }
    assert!(begun.elapsed().is_zero());
    assert_eq!(model.account.spent(), told);
    assert!(told.iter().all(|(_, micro)| (440..=880).contains(micro)));
}

#[tokio::test(start_paused = true)]
async fn realistic_takes_its_time_and_knows_every_kind_of_trouble() {
    let model = model(Profile::Realistic, 3);
    let (mut limited, mut lost, mut unknown, mut billed_unseen) = (0, 0, 0, 0);
    let mut known = 0;
    for n in 0..600 {
        let begun = tokio::time::Instant::now();
        let entries = model.account.entries().len();
        let spent = model.call(money(0), &request(&format!("gl-{n}"), Stage::Planner, 2_000)).await;
        assert!((1_000..=20_000).contains(&begun.elapsed().as_millis()));
        let in_account = model.account.entries().len() - entries;
        match spent.result() {
            Err(ModelError { kind: ErrorKind::RateLimited { retry_after_ms }, .. }) => {
                assert_eq!((spent.paid(), in_account), (Some(FREE), 0));
                assert!(retry_after_ms.unwrap() >= 1_000);
                limited += 1;
            }
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Transient);
                lost += 1;
                billed_unseen += in_account;
                assert_eq!(spent.paid().is_none(), in_account == 1);
            }
            Ok(_) if spent.paid().is_none() => {
                assert_eq!(
                    spent.response().unwrap().cache,
                    None,
                    "usage that is missing says nothing of the cache"
                );
                unknown += 1;
            }
            Ok(_) => known += 1,
        }
    }
    assert!(limited > 5 && lost > 8 && billed_unseen > 2 && unknown > 1 && known > 400);
}

#[tokio::test(start_paused = true)]
async fn a_reply_says_what_it_is_and_what_the_cache_did_for_it() {
    let model = model(Profile::Fast, 1);
    let mut asked = request("gl-1", Stage::Implement, 2_000);
    let first = model.call(money(0), &asked).await;
    let (paid, first) = (first.paid().unwrap(), first.response().unwrap().clone());
    assert_eq!((first.model.as_str(), first.finish_reasons.as_slice()), ("fast", &[STOP.to_owned()][..]));
    let cache = first.cache.unwrap();
    assert_eq!((cache.read_tokens, cache.written_tokens), (0, paid.input_tokens));

    asked.turns.extend([Turn::assistant("x".repeat(1_000)), Turn::user("y".repeat(1_000))]);
    asked.call_no = 1;
    let next = model.call(money(0), &asked).await;
    let (paid, next) = (next.paid().unwrap(), next.response().unwrap().clone());
    let cache = next.cache.unwrap();
    assert_eq!(cache.read_tokens, paid.input_tokens / 2, "half of the bytes were sent before");
    assert_eq!(cache.read_tokens + cache.written_tokens, paid.input_tokens);
    assert_ne!(first.id, next.id);
    let again = model.call(money(1), &asked).await;
    assert_ne!(again.response().unwrap().id, next.id, "each try has a reply of its own");
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_used_up_its_tokens_says_so() {
    let model = model(Profile::Fast, 1);
    let request = request("gl-1", Stage::Implement, 2_000);
    let bill = |output_tokens| Bill { input_tokens: 1, output_tokens, cost_micro: 1 };
    let draw = model.question(&request);
    assert!(model.respond(&request, bill(512), 512, &draw).is_cut());
    assert!(!model.respond(&request, bill(511), 512, &draw).is_cut());
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_asks_no_model_is_told_so() {
    let spent = model(Profile::Fast, 1).call(money(0), &request("gl-1", Stage::Test, 10)).await;
    assert!(spent.result().unwrap_err().message.contains("`test` asks no model"));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_be_accounted_for_is_not_answered() {
    let account = Account::file(std::path::Path::new("/dev/full"), Arc::new(|| 0)).unwrap();
    let model = Simulated::new(Profile::Fast, 1, account);
    let spent = model.call(money(0), &request("gl-1", Stage::Review, 2_000)).await;
    assert_eq!(spent.paid(), None);
    assert!(spent.result().unwrap_err().message.contains("own account"));
}

#[test]
fn reopened_tasks_draw_anew() {
    let id = BeadId::from("gl-1");
    let draw = |generation| Draw::new(0, &id, generation).between("x", 0, u64::MAX - 1);
    assert_ne!(draw(0), draw(1));
}

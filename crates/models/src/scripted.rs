//! Replays recorded replies: the demo, and tests of whole attempts.

mod script;

use std::time::Duration;

use async_trait::async_trait;
use glitchlab_domain::command::Paid;
use glitchlab_domain::money::{MicroUsd, Price};
use glitchlab_domain::response::{LENGTH, Response, STOP};

use crate::account::{Account, Bill};
use crate::answer::{Answer, cached, model_name};
use crate::draw::Draw;
use crate::error::{ErrorKind, ModelError};
use crate::port::{Model, Request, Role};
use crate::reservation::{Reservation, Spent};

pub use script::{Recorded, Script, ScriptError};

/// The most output tokens of one reply.
const MAX_OUT: u64 = 4_096;

const NOTHING: Paid = Paid { cost: MicroUsd::ZERO, input_tokens: 0, output_tokens: 0 };

/// A model that replays a [`Script`].
pub struct Scripted {
    id: String,
    script: Script,
    account: Account,
}

impl Scripted {
    /// Replays `script` under the name `id`.
    pub fn new(id: impl Into<String>, script: Script, account: Account) -> Self {
        Self { id: id.into(), script, account }
    }

    /// What was recorded elsewhere is billed as far as the reservation goes, which may be bounded by a difference.
    fn bill(&self, recorded: &Recorded, money: &Reservation) -> Bill {
        let input_tokens = recorded.input_tokens.min(money.prompt_tokens());
        let output_tokens = recorded.output_tokens.min(money.max_out());
        let cost_micro = self.price().cost(input_tokens, output_tokens).micro();
        Bill { input_tokens, output_tokens, cost_micro }
    }

    /// Says of a recorded reply what its provider would: the same of the same try each time.
    fn respond(&self, recorded: &Recorded, request: &Request, bill: &Bill, try_no: u32) -> Response {
        let Request { bead_id, generation, stage, attempt_n, step_n, call_no, turns, .. } = request;
        let of_try = [*stage as u32, *attempt_n, *step_n, *call_no, try_no];
        let of_try = of_try.into_iter().fold(Draw::new(0, bead_id, *generation), Draw::at);
        let is_cut = recorded.output_tokens > bill.output_tokens;
        Response {
            id: of_try.id("script"),
            model: model_name(&self.id).to_owned(),
            finish_reasons: vec![if is_cut { LENGTH } else { STOP }.to_owned()],
            cache: Some(cached(turns, bill.input_tokens)),
        }
    }
}

#[async_trait]
impl Model for Scripted {
    fn id(&self) -> &str {
        &self.id
    }

    fn simulated(&self) -> bool {
        true
    }

    fn price(&self) -> Price {
        self.script.price
    }

    fn max_out(&self, _: Role) -> u64 {
        MAX_OUT
    }

    async fn call(&self, money: Reservation, request: &Request) -> Spent {
        let Some(recorded) = self.script.find(request) else {
            let error = ModelError::new(ErrorKind::Provider, missing(request));
            return money.spent(Some(NOTHING), Err(error), 0);
        };
        tokio::time::sleep(Duration::from_millis(recorded.latency_ms)).await;
        let latency_ms = i64::try_from(recorded.latency_ms).unwrap_or(i64::MAX);
        let bill = self.bill(recorded, &money);
        match self.account.append(money.key(), &self.id, &bill) {
            Ok(()) => {
                let response = Some(self.respond(recorded, request, &bill, money.key().try_no));
                money.spent(Some(bill.into()), Ok(Answer { text: recorded.text(), response }), latency_ms)
            }
            Err(error) => money.spent(None, Err(unaccounted(&error)), latency_ms),
        }
    }
}

fn missing(request: &Request) -> String {
    let (bead, stage) = (&request.bead_id, request.stage.name());
    format!(
        "the script has no reply for bead `{bead}`, stage `{stage}`, attempt {}, step {}, call {}; add one to its \
         `replies`, or one for `{stage}` to its `defaults`",
        request.attempt_n, request.step_n, request.call_no
    )
}

/// A call that is not in the account must not be answered.
pub(crate) fn unaccounted(error: &std::io::Error) -> ModelError {
    let message = format!("cannot write the provider's own account: {error}; make room or mend its path");
    ModelError::new(ErrorKind::Provider, message)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use glitchlab_domain::stage::Stage;

    use super::*;
    use crate::port::Turn;
    use crate::port::tests::{money, request};

    fn scripted(script: &str) -> Scripted {
        let account = Account::memory(Arc::new(|| 5));
        Scripted::new("scripted/test", Script::parse(script).unwrap(), account)
    }

    const SCRIPT: &str = r#"{
        "price": {"input_per_mtok_micro": 1000000, "output_per_mtok_micro": 2000000},
        "replies": [
            {"bead": "gl-1", "stage": "planner", "reply": {"n": 1}, "input_tokens": 10, "output_tokens": 5, "latency_ms": 40},
            {"bead": "gl-1", "stage": "planner", "call": 1, "reply": {"n": 2}},
            {"bead": "gl-1", "stage": "planner", "attempt": 2, "reply": {"n": 3}},
            {"bead": "gl-1", "stage": "planner", "attempt": 2, "call": 1, "reply": "not JSON"}
        ],
        "defaults": {"review": {"reply": {"verdict": "approve"}}}
    }"#;

    async fn ask(model: &Scripted, attempt_n: u32, call_no: u32) -> Spent {
        let request = Request { attempt_n, call_no, ..request("gl-1", Stage::Planner, 100) };
        model.call(money(0), &request).await
    }

    #[tokio::test(start_paused = true)]
    async fn the_most_specific_recorded_reply_wins() {
        let model = scripted(SCRIPT);
        for (attempt_n, call_no, expected) in
            [(1, 0, r#"{"n":1}"#), (1, 1, r#"{"n":2}"#), (2, 0, r#"{"n":3}"#), (2, 1, "not JSON")]
        {
            assert_eq!(ask(&model, attempt_n, call_no).await.result(), Ok(expected));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_takes_its_time_and_is_in_the_account_when_it_comes() {
        let model = scripted(SCRIPT);
        let begun = tokio::time::Instant::now();
        let settlement = ask(&model, 1, 0).await.into_settlement();
        assert_eq!(begun.elapsed().as_millis(), 40);
        assert_eq!((settlement.latency_ms, settlement.paid.unwrap().cost.micro()), (40, 20));
        assert_eq!(model.account.spent(), [(5, 20)]);
        settlement.settled();
    }

    #[tokio::test(start_paused = true)]
    async fn a_default_serves_every_task_and_what_is_missing_is_named() {
        let model = scripted(SCRIPT);
        let spent = model.call(money(0), &request("gl-9", Stage::Review, 9)).await;
        assert_eq!(spent.result(), Ok(r#"{"verdict":"approve"}"#));
        let spent = model.call(money(0), &request("gl-9", Stage::Planner, 9)).await;
        let error = spent.result().unwrap_err();
        assert_eq!(error.kind, ErrorKind::Provider);
        assert!(error.message.contains("bead `gl-9`, stage `planner`"), "{error}");
        assert_eq!(spent.paid().unwrap().cost.micro(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_script_never_bills_more_than_the_bound() {
        let model = scripted(
            r#"{"defaults": {"review": {"reply": 1, "input_tokens": 900000, "output_tokens": 900000}}}"#,
        );
        let spent = model.call(money(0), &request("gl-1", Stage::Review, 100)).await;
        let paid = spent.paid().unwrap();
        assert_eq!((paid.input_tokens, paid.output_tokens), (1_000, 4_096));
        assert_eq!(spent.response().unwrap().finish_reasons, [LENGTH]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_names_its_model_and_itself_and_says_that_it_was_at_its_end() {
        let model = scripted(SCRIPT);
        let (first, second) = (ask(&model, 1, 0).await, ask(&model, 1, 1).await);
        let (first, second) = (first.response().unwrap(), second.response().unwrap());
        assert_eq!((first.model.as_str(), first.finish_reasons.as_slice()), ("test", &[STOP.to_owned()][..]));
        assert_ne!(first.id, second.id);
        assert_eq!(ask(&model, 1, 0).await.response(), Some(first));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_asked_before_is_read_from_the_cache() {
        let model = scripted(SCRIPT);
        let mut request = request("gl-1", Stage::Planner, 300);
        request.turns.extend([Turn::assistant("x".repeat(100)), Turn::user("y".repeat(200))]);
        let spent = model.call(money(0), &request).await;
        let (paid, cache) = (spent.paid().unwrap(), spent.response().unwrap().cache.unwrap());
        assert_eq!((cache.read_tokens, cache.written_tokens), (5, 5));
        assert_eq!(cache.read_tokens + cache.written_tokens, paid.input_tokens);
    }
}

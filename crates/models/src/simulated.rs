//! Draws plausible plans, edits, latencies, tokens, prices and failures from a seed: for load, soak and tests.
//!
//! A reply depends on the seed and on which question it is (task, stage, attempt, step, call), never on its text or on
//! time, so that an attempt that is resumed hears the same again. Whether a try fails depends on its number as well.

mod profile;
mod replies;
mod stall;

use std::time::Duration;

use async_trait::async_trait;
use glitchlab_domain::command::Paid;
use glitchlab_domain::id::TryKey;
use glitchlab_domain::money::{MicroUsd, Price};
use glitchlab_domain::response::{LENGTH, Response, STOP};
use glitchlab_domain::stage::Stage;
use serde_json::Value;

use crate::account::{Account, Bill};
use crate::answer::{Answer, cached, model_name};
use crate::draw::Draw;
use crate::error::{ErrorKind, ModelError};
use crate::port::{Model, Request, Role, prompt_bound};
use crate::reservation::{Reservation, Spent};
use crate::scripted::unaccounted;

use profile::Behaviour;
pub use profile::{Profile, Stall};

/// A try that the provider did not bill.
const FREE: Paid = Paid { cost: MicroUsd::ZERO, input_tokens: 0, output_tokens: 0 };

/// A model that draws its replies.
pub struct Simulated {
    profile: Profile,
    seed: u64,
    account: Account,
}

impl Simulated {
    /// Behaves as `profile` says and draws from `seed`.
    #[must_use]
    pub const fn new(profile: Profile, seed: u64, account: Account) -> Self {
        Self { profile, seed, account }
    }

    fn behaviour(&self) -> &'static Behaviour {
        self.profile.behaviour()
    }

    fn task(&self, request: &Request) -> Draw {
        Draw::new(self.seed, &request.bead_id, request.generation)
    }

    fn question(&self, request: &Request) -> Draw {
        let task = self.task(request).at(request.stage as u32);
        task.at(request.attempt_n).at(request.step_n).at(request.call_no)
    }

    fn bill(&self, request: &Request, text: &str, question: &Draw, max_out: u64) -> Bill {
        let behaviour = self.behaviour();
        let (least, most) = behaviour.input_tokens;
        let (said_least, said_most) = behaviour.output_tokens;
        let bytes: u64 = request.turns.iter().map(|turn| turn.text.len() as u64).sum();
        let input_tokens = (bytes / 4).clamp(least, most).min(prompt_bound(request));
        let said = question.between("output", said_least, said_most).max(text.len() as u64 / 4);
        let output_tokens = said.min(said_most).min(max_out);
        let cost_micro = self.price().cost(input_tokens, output_tokens).micro();
        Bill { input_tokens, output_tokens, cost_micro }
    }

    /// Says of a reply what a provider would. What is billed up to the most that was asked for was cut there.
    fn respond(&self, request: &Request, bill: Bill, max_out: u64, of_try: &Draw) -> Response {
        let ended = if bill.output_tokens >= max_out { LENGTH } else { STOP };
        Response {
            id: of_try.id("sim"),
            model: model_name(self.id()).to_owned(),
            finish_reasons: vec![ended.to_owned()],
            cache: Some(cached(&request.turns, bill.input_tokens)),
        }
    }

    /// In a drill the first try of each task's first implementing call hangs; the next one is answered.
    async fn hang_once(&self, key: &TryKey, request: &Request) {
        let is_first = request.stage == Stage::Implement
            && (request.attempt_n, request.call_no, key.try_no) == (1, 0, 0);
        if let Some(stall) = self.behaviour().stall.filter(|_| is_first) {
            stall::hang(stall).await;
        }
    }

    async fn take_time(&self, of_try: &Draw) -> i64 {
        let (low, high) = self.behaviour().latency_ms;
        let latency_ms = of_try.between("latency", low, high);
        if latency_ms > 0 {
            tokio::time::sleep(Duration::from_millis(latency_ms)).await;
        }
        i64::try_from(latency_ms).unwrap_or(i64::MAX)
    }

    /// Bills the call and says what the caller is told of it.
    fn charge(&self, key: &TryKey, bill: Bill, of_try: &Draw) -> Result<Option<Paid>, ModelError> {
        self.account.append(key, self.id(), &bill).map_err(|error| unaccounted(&error))?;
        Ok((!of_try.happens("usage is missing", self.behaviour().usage_missing)).then(|| bill.into()))
    }

    /// Fails a try before it is answered; what was spent is then free, or billed without a word.
    fn trouble(&self, key: &TryKey, bill: Bill, of_try: &Draw) -> Option<(Option<Paid>, ModelError)> {
        let behaviour = self.behaviour();
        if of_try.happens("rate limit", behaviour.rate_limited) {
            let retry_after_ms = Some(of_try.between("retry after", 1_000, 30_000));
            let kind = ErrorKind::RateLimited { retry_after_ms };
            return Some((Some(FREE), ModelError::new(kind, "too many requests (simulated)")));
        }
        if !of_try.happens("transient", behaviour.transient) {
            return None;
        }
        let lost = ModelError::new(ErrorKind::Transient, "the connection was lost (simulated)");
        if !of_try.happens("billed", 500) {
            return Some((Some(FREE), lost));
        }
        let lost =
            self.account.append(key, self.id(), &bill).map_or_else(|error| unaccounted(&error), |()| lost);
        Some((None, lost))
    }
}

#[async_trait]
impl Model for Simulated {
    fn id(&self) -> &str {
        self.behaviour().id
    }

    fn simulated(&self) -> bool {
        true
    }

    fn price(&self) -> Price {
        self.behaviour().price
    }

    fn max_out(&self, _: Role) -> u64 {
        self.behaviour().max_out
    }

    async fn call(&self, money: Reservation, request: &Request) -> Spent {
        let question = self.question(request);
        let of_try = question.clone().at(money.key().try_no);
        self.hang_once(money.key(), request).await;
        let latency_ms = self.take_time(&of_try).await;
        let Some(text) = replies::reply(self.behaviour(), &self.task(request), &question, request) else {
            let message = format!("the stage `{}` asks no model", request.stage.name());
            return money.spent(Some(FREE), Err(ModelError::new(ErrorKind::Provider, message)), latency_ms);
        };
        let bill = self.bill(request, &text, &question, money.max_out());
        if let Some((paid, error)) = self.trouble(money.key(), bill, &of_try) {
            return money.spent(paid, Err(error), latency_ms);
        }
        match self.charge(money.key(), bill, &of_try) {
            Ok(paid) => {
                let mut response = self.respond(request, bill, money.max_out(), &of_try);
                response.cache = response.cache.filter(|_| paid.is_some());
                money.spent(paid, Ok(Answer { text, response: Some(response) }), latency_ms)
            }
            Err(error) => money.spent(None, Err(error), latency_ms),
        }
    }
}

/// Writes a reply as its stage expects it.
fn json(reply: impl serde::Serialize) -> String {
    serde_json::to_value(reply).unwrap_or(Value::Null).to_string()
}

#[cfg(test)]
mod tests;

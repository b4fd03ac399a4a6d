//! The wrapper of every model call: money first, then the call, then both its price and its reply in the log.

use std::time::Duration;

use glitchlab_domain::ledger::Bounds;
use glitchlab_domain::outcome::{FailureKind, HumanReason, Outcome};
use glitchlab_domain::reason::{Reason, Wait};
use glitchlab_domain::stage::Stage;
use glitchlab_models::{ErrorKind, ModelError, Request, Reservation, Role, Turn, hash_turn, prompt_bound};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::attempt::Job;
use crate::durable::{Ask, Durable, Reserved};
use crate::ending::{End, Stop};
use crate::prompt;
use crate::reading::read;
use crate::step::hex;

/// The fewest output tokens that are of use; for fewer it is better to wait.
const FLOOR_OUT: u64 = 512;
/// Tries of one call that may fail before the attempt does.
const TRIES: u32 = 5;
/// The first rest after a lost try; it doubles with each.
const REST: Duration = Duration::from_millis(500);
/// A rate limit up to this long is waited out within the attempt; a longer one puts the task down.
const SHORT_LIMIT_MS: u64 = 60_000;
/// What a rate limit without an instant means.
const USUAL_LIMIT_MS: u64 = 5_000;
/// How long a task rests when a login is missing or refused.
const LOGIN_REST_MS: u64 = 15 * 60_000;

/// What a question gets from the ledger.
pub(crate) enum Money {
    /// It was answered before.
    Memo { text: String, input_tokens: Option<u64> },
    /// It may be asked.
    Granted(Reservation),
}

/// Gets money for the first free try of a question, however long that takes, or the reply that was paid before.
pub(crate) async fn secure(
    durable: &dyn Durable,
    question: impl Fn(u32) -> Ask + Send + Sync,
    try_no: &mut u32,
) -> Result<Money, Stop> {
    loop {
        match durable.reserve(question(*try_no)).await? {
            Reserved::Memo { text, input_tokens } => return Ok(Money::Memo { text, input_tokens }),
            Reserved::Granted(money) => return Ok(Money::Granted(money)),
            Reserved::TryTaken => *try_no += 1,
            Reserved::Wait(wait) => durable.pause(&wait).await?,
            Reserved::Human(reason) => return Err(End::human(reason).into()),
            Reserved::ExceedsCap { bound, cap } => {
                let (bound_micro, cap_micro) = (bound.micro(), cap.micro());
                return Err(End::human(HumanReason::ExceedsCap { bound_micro, cap_micro }).into());
            }
        }
    }
}

/// The questions of one step, in order: their numbers are how their replies are found again.
pub(crate) struct Conversation<'a> {
    job: &'a Job,
    stage: Stage,
    step_n: u32,
    next_call: u32,
    /// What was said so far.
    pub(crate) turns: Vec<Turn>,
}

impl<'a> Conversation<'a> {
    pub(crate) const fn new(job: &'a Job, stage: Stage, step_n: u32, turns: Vec<Turn>) -> Self {
        Self { job, stage, step_n, next_call: 0, turns }
    }

    /// Asks, and reads the reply, which must pass `check`. A reply that cannot be used is asked for once more.
    pub(crate) async fn ask<T: DeserializeOwned + Send>(
        &mut self,
        check: impl Fn(&T) -> Result<(), String> + Send + Sync,
    ) -> Result<T, Stop> {
        match self.answer(&check).await? {
            Ok(reply) => return Ok(reply),
            Err(why) => self.turns.push(Turn::user(prompt::unreadable(&why))),
        }
        let stage = self.stage.name();
        self.answer(&check).await?.map_err(|why| {
            let message = format!("the reply to `{stage}` cannot be used, twice: {why}");
            let end = End::retry(FailureKind::Parse, message);
            end.recommending("reply with the one JSON object that is asked for").into()
        })
    }

    /// Adds the next reply to the conversation, and reads it or says what is wrong with it.
    async fn answer<T: DeserializeOwned>(
        &mut self,
        check: &(impl Fn(&T) -> Result<(), String> + Sync),
    ) -> Result<Result<T, String>, Stop> {
        let text = self.reply().await?;
        let good = read(&text).and_then(|reply| check(&reply).map(|()| reply));
        self.turns.push(Turn::assistant(text));
        Ok(good)
    }

    /// Gets the reply to the turns so far: from the log, or by as many tries as it takes.
    async fn reply(&mut self) -> Result<String, Stop> {
        let request = self.request();
        self.next_call += 1;
        let (mut try_no, mut failures) = (0, 0);
        loop {
            let question = |try_no| self.question(&request, try_no);
            let result = match secure(self.job.durable.as_ref(), question, &mut try_no).await? {
                Money::Memo { text, input_tokens } => {
                    self.remember(&request, input_tokens);
                    return Ok(text);
                }
                Money::Granted(money) => self.spend(money, &request).await?,
            };
            match result {
                Ok(text) => return Ok(text),
                Err(error) => self.rest(&error, &mut failures).await?,
            }
            try_no += 1;
        }
    }

    async fn spend(&self, money: Reservation, request: &Request) -> Result<Result<String, ModelError>, Stop> {
        let spent = self.job.model.call(money, request).await;
        let result = spent.result().map(str::to_owned).map_err(Clone::clone);
        let billed = spent.paid().filter(|_| result.is_ok()).map(|paid| paid.input_tokens);
        self.remember(request, billed);
        let mut settlement = spent.into_settlement();
        settlement.prompt = self.job.kept(&request.turns);
        self.job.durable.settle(settlement).await?;
        self.job.durable.progress();
        Ok(result)
    }

    /// What was billed for a prompt bounds those that extend it. A prompt that cost nothing says nothing.
    fn remember(&self, request: &Request, input_tokens: Option<u64>) {
        if let Some(tokens) = input_tokens.filter(|tokens| *tokens > 0) {
            self.job.prompts.remember(&request.turns, tokens);
        }
    }

    fn prompt_bound(&self, request: &Request) -> u64 {
        if self.job.settings.bound_by_difference {
            self.job.prompts.bound(request)
        } else {
            prompt_bound(request)
        }
    }

    fn request(&self) -> Request {
        let Job { task, model, .. } = self.job;
        let role = Role::of(self.stage);
        Request {
            bead_id: task.bead_id.clone(),
            generation: task.generation,
            stage: self.stage,
            attempt_n: task.failures + 1,
            step_n: self.step_n,
            call_no: self.next_call,
            role,
            turns: self.turns.clone(),
            max_out: model.max_out(role),
        }
    }

    fn question(&self, request: &Request, try_no: u32) -> Ask {
        Ask {
            step_n: request.step_n,
            call_no: request.call_no,
            try_no,
            stage: request.stage,
            model: self.job.model.id().to_owned(),
            input_hash: hash(&request.turns),
            bounds: Bounds {
                prompt_tokens: self.prompt_bound(request),
                max_out: request.max_out,
                floor_out: FLOOR_OUT,
                price: self.job.model.price(),
            },
        }
    }

    /// Rests before the next try, or ends the attempt when that would not help.
    async fn rest(&self, error: &ModelError, failures: &mut u32) -> Result<(), Stop> {
        *failures += 1;
        let used_up = *failures >= TRIES;
        match error.kind {
            ErrorKind::RateLimited { retry_after_ms } => {
                let rest_ms = retry_after_ms.unwrap_or(USUAL_LIMIT_MS);
                if used_up || rest_ms > SHORT_LIMIT_MS {
                    return Err(self.snooze(FailureKind::RateLimited, rest_ms, error).into());
                }
                self.wait_out(rest_ms).await
            }
            ErrorKind::Transient if used_up => {
                Err(End::retry(FailureKind::Transient, format!("{TRIES} tries failed, the last: {error}"))
                    .into())
            }
            ErrorKind::Transient => {
                tokio::time::sleep(REST * 2_u32.pow(*failures - 1)).await;
                Ok(())
            }
            ErrorKind::Provider => Err(End::retry(FailureKind::Provider, error.to_string()).into()),
            ErrorKind::Credentials => Err(self.snooze(FailureKind::Credentials, LOGIN_REST_MS, error).into()),
        }
    }

    fn in_ms(&self, ms: u64) -> i64 {
        (self.job.clock)().saturating_add_unsigned(ms)
    }

    fn snooze(&self, failure: FailureKind, rest_ms: u64, error: &ModelError) -> End {
        let message = error.to_string();
        End::new(
            Outcome::Snoozed { failure, until_ms: self.in_ms(rest_ms), message: message.clone() },
            message,
        )
    }

    /// A settlement of somebody else ends a pause early, so it is asked for until the instant.
    async fn wait_out(&self, rest_ms: u64) -> Result<(), Stop> {
        let until_ms = self.in_ms(rest_ms);
        let reason = Reason::Snoozed { failure: FailureKind::RateLimited };
        let wait = Wait { reason, until_ms: Some(until_ms) };
        while (self.job.clock)() < until_ms {
            self.job.durable.pause(&wait).await?;
        }
        Ok(())
    }
}

/// Hashes everything that was said: the same conversation has the same continuation, which is paid once.
fn hash(turns: &[Turn]) -> String {
    let mut hash = Sha256::new();
    turns.iter().for_each(|turn| hash_turn(&mut hash, turn));
    hex(&hash.finalize())
}

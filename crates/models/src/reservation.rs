//! Money for one try, from its grant to its settlement. It can't be copied, and never gets lost.

use std::fmt;

use glitchlab_domain::command::Paid;
use glitchlab_domain::id::TryKey;
use glitchlab_domain::ledger::Grant;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::response::{Message, Response};

use crate::answer::Answer;
use crate::error::ModelError;

type Abandon = Box<dyn FnOnce(TryKey) + Send>;

/// The grant and its hook; both are there until [`Guard::release`].
struct Guard {
    grant: Grant,
    abandon: Option<Abandon>,
}

impl Guard {
    fn release(mut self) {
        self.abandon = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(abandon) = self.abandon.take() {
            abandon(self.grant.key().clone());
        }
    }
}

/// Money set aside for one try.
#[must_use = "a reservation that is dropped is settled at its bound"]
pub struct Reservation {
    guard: Guard,
}

impl Reservation {
    /// Takes a grant, and a hook that has the try settled at its bound. The hook runs at most once, when the money is
    /// dropped before [`Settlement::settled`]; it must not block.
    pub fn new(grant: Grant, abandon: impl FnOnce(TryKey) + Send + 'static) -> Self {
        Self { guard: Guard { grant, abandon: Some(Box::new(abandon)) } }
    }

    /// Returns which try may spend.
    #[must_use]
    pub const fn key(&self) -> &TryKey {
        self.guard.grant.key()
    }

    /// Returns the most that the try may cost.
    #[must_use]
    pub const fn bound(&self) -> MicroUsd {
        self.guard.grant.bound()
    }

    /// Returns the most prompt tokens that the try may be billed.
    #[must_use]
    pub const fn prompt_tokens(&self) -> u64 {
        self.guard.grant.prompt_tokens()
    }

    /// Returns the most output tokens that the try may ask for.
    #[must_use]
    pub const fn max_out(&self) -> u64 {
        self.guard.grant.max_out()
    }

    /// Ends the call: `paid` is what the provider billed, `None` when nobody knows.
    pub fn spent(self, paid: Option<Paid>, result: Result<Answer, ModelError>, latency_ms: i64) -> Spent {
        Spent { guard: self.guard, paid, result, latency_ms }
    }
}

/// A call that was made and is not written down yet.
#[must_use = "a call that is dropped is settled at its bound, and its reply is lost"]
pub struct Spent {
    guard: Guard,
    paid: Option<Paid>,
    result: Result<Answer, ModelError>,
    latency_ms: i64,
}

impl Spent {
    /// Returns the reply's text, or why there is none.
    pub fn result(&self) -> Result<&str, &ModelError> {
        self.result.as_ref().map(|answer| answer.text.as_str())
    }

    /// Returns what the provider says of the reply beside its text; none when there is no reply.
    pub fn response(&self) -> Option<&Response> {
        self.result.as_ref().ok().and_then(|answer| answer.response.as_ref())
    }

    /// Returns what was billed; `None` when nobody knows.
    #[must_use]
    pub const fn paid(&self) -> Option<Paid> {
        self.paid
    }

    /// Opens it for the store.
    pub fn into_settlement(self) -> Settlement {
        let (reply, response, error) = match self.result {
            Ok(Answer { text, response }) => (Some(text), response, None),
            Err(error) => (None, None, Some(error)),
        };
        Settlement {
            key: self.guard.grant.key().clone(),
            paid: self.paid,
            reply,
            response,
            prompt: Vec::new(),
            error,
            latency_ms: self.latency_ms,
            guard: self.guard,
        }
    }
}

/// What the store writes about a call. It still guards the money: whoever waits for the commit may be cancelled too.
#[must_use = "a settlement that is dropped before the store has it is settled at its bound"]
pub struct Settlement {
    /// Which try.
    pub key: TryKey,
    /// What was billed; `None` when nobody knows: the bound is charged.
    pub paid: Option<Paid>,
    /// The reply's text.
    pub reply: Option<String>,
    /// What the provider says of the reply beside its text.
    pub response: Option<Response>,
    /// What the model was given, as far as it is to be kept; nothing unless the caller puts it there.
    pub prompt: Vec<Message>,
    /// Why there is no reply.
    pub error: Option<ModelError>,
    /// How long the call took.
    pub latency_ms: i64,
    guard: Guard,
}

impl Settlement {
    /// Says that the store has it: the hook will not run.
    pub fn settled(self) {
        self.guard.release();
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reservation").field(&self.guard.grant).finish()
    }
}

impl fmt::Debug for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spent")
            .field("key", self.guard.grant.key())
            .field("paid", &self.paid)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Settlement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settlement").field("key", &self.key).field("paid", &self.paid).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::Mutex;

    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorKind;
    use crate::port::tests::grant;

    type Abandoned = Arc<Mutex<Vec<TryKey>>>;

    fn money(try_no: u32) -> (Reservation, Abandoned) {
        let abandoned = Abandoned::default();
        let seen = Arc::clone(&abandoned);
        let hook = move |key| seen.lock().unwrap().push(key);
        (Reservation::new(grant(try_no), hook), abandoned)
    }

    proptest! {
        #[test]
        fn money_that_is_dropped_anywhere_is_abandoned_exactly_once(
            calls in prop::collection::vec((0u8..4, any::<bool>(), any::<bool>()), 1..20),
        ) {
            for (try_no, (way, known, good)) in (0..).zip(calls) {
                let (money, abandoned) = money(try_no);
                let key = money.key().clone();
                let paid = known.then_some(Paid { cost: MicroUsd::new(1), input_tokens: 1, output_tokens: 0 });
                let result = if good { Ok("reply".to_owned().into()) } else { Err(ModelError::new(ErrorKind::Transient, "lost")) };
                match way {
                    0 => drop(money),
                    1 => drop(money.spent(paid, result, 1)),
                    2 => drop(money.spent(paid, result, 1).into_settlement()),
                    _ => money.spent(paid, result, 1).into_settlement().settled(),
                }
                let expected = if way < 3 { vec![key] } else { Vec::new() };
                prop_assert_eq!(&*abandoned.lock().unwrap(), &expected);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_aborted_task_gives_its_money_up() {
        let (money, abandoned) = money(0);
        let call = tokio::spawn(async move {
            std::future::pending::<()>().await;
            money.spent(None, Ok(String::new().into()), 0).into_settlement().settled();
        });
        tokio::task::yield_now().await;
        assert!(abandoned.lock().unwrap().is_empty());
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        assert_eq!(abandoned.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_settlement_says_what_the_call_said() {
        let (money, _) = money(3);
        let paid = Some(Paid { cost: MicroUsd::new(7), input_tokens: 5, output_tokens: 2 });
        let settlement =
            money.spent(paid, Err(ModelError::new(ErrorKind::Provider, "no")), 12).into_settlement();
        assert_eq!((settlement.key.try_no, settlement.paid, settlement.latency_ms), (3, paid, 12));
        assert_eq!(settlement.reply, None);
        assert_eq!(settlement.error.as_ref().unwrap().to_string(), "provider: no");
        settlement.settled();
    }
}

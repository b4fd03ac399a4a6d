//! When tasks would be admitted: the ledgers as a start would find them.

use glitchlab_domain::ledger::{Departures, Head, tokens_scope};
use glitchlab_domain::money::{MicroUsd, Price};
use glitchlab_domain::pacing::{Bucket, Flow};
use glitchlab_store::Reader;

use crate::compose;
use crate::config::Config;
use crate::standing::scope;

/// What admission depends on.
pub(super) struct Outlook {
    /// That of money first.
    pub(super) ledgers: Vec<Ledger>,
    pub(super) now_ms: i64,
}

/// One ledger under the caps of the settings.
#[derive(Clone, Copy)]
pub(super) struct Ledger {
    bucket: Bucket,
    flow: Flow,
    /// What a task is expected to cost.
    hold: MicroUsd,
    /// When its caps have room, ms UTC.
    free_ms: i64,
}

impl Outlook {
    /// Returns what a task is expected to cost, in money.
    pub(super) fn expected(&self) -> MicroUsd {
        self.ledgers.first().map_or(MicroUsd::ZERO, |ledger| ledger.hold)
    }

    /// Says when one task after the other is admitted, in seconds from now, if each costs what is expected and a slot is
    /// free.
    pub(super) fn admissions(self) -> impl Iterator<Item = i64> {
        let Self { mut ledgers, now_ms } = self;
        let mut at_ms = now_ms;
        std::iter::repeat_with(move || {
            at_ms = ledgers.iter().map(|ledger| ledger.next(at_ms)).max().unwrap_or(at_ms);
            ledgers.iter_mut().for_each(|ledger| ledger.take(at_ms));
            (at_ms - now_ms) / 1_000
        })
    }
}

impl Ledger {
    fn of(
        found: Option<(Head, Departures)>,
        (hour, day): (MicroUsd, MicroUsd),
        (repo_id, usual): (&str, MicroUsd),
        (config, now_ms): (&Config, i64),
    ) -> Self {
        let (mut head, departures) = found.unwrap_or_default();
        let spread = compose::money(config).spread;
        head.bucket = head.bucket.spread_over(spread, head.flow(), now_ms);
        (head.cap_hour, head.cap_day) = (hour, day);
        let hold = head.costs.expected(repo_id, None).unwrap_or(usual);
        let least = hold.min(MicroUsd::new(hour.min(day).micro() / 10)).max(MicroUsd::new(1));
        let free_ms = head.wait_for(least, &departures).and_then(|wait| wait.until_ms);
        Self { bucket: head.bucket, flow: head.flow(), hold, free_ms: free_ms.unwrap_or(now_ms) }
    }

    fn next(&self, at_ms: i64) -> i64 {
        let paced_ms = self.bucket.wait_for(self.flow, self.hold, at_ms);
        paced_ms.unwrap_or(at_ms).max(self.free_ms)
    }

    fn take(&mut self, at_ms: i64) {
        self.bucket = self.bucket.take(self.flow, self.hold, at_ms);
    }
}

/// Reads the ledger of money, and that of tokens where they have a cap.
///
/// # Errors
///
/// Returns what the store says.
pub(super) async fn ledgers(
    config: &Config,
    repo_id: &str,
    reader: Option<&Reader>,
    price: Price,
    now_ms: i64,
) -> anyhow::Result<Vec<Ledger>> {
    let rules = compose::money(config);
    let (usual, usual_tokens) = rules.usual_hold(price);
    let scope = scope(config, repo_id);
    let found = async |scope: &str| match reader {
        Some(reader) => reader.ledger(scope, now_ms).await,
        None => Ok(None),
    };
    let caps = (config.per_hour, config.per_day);
    let mut ledgers = vec![Ledger::of(found(&scope).await?, caps, (repo_id, usual), (config, now_ms))];
    if let Some(tokens) = rules.tokens_per_day {
        let [cap, usual] =
            [tokens, usual_tokens].map(|count| MicroUsd::new(i64::try_from(count).unwrap_or(i64::MAX)));
        let found = found(&tokens_scope(&scope)).await?;
        ledgers.push(Ledger::of(found, (cap, cap), (repo_id, usual), (config, now_ms)));
    }
    Ok(ledgers)
}

//! What the ledgers of tokens hold.

use glitchlab_domain::ledger::tokens_scope;
use glitchlab_domain::money::MicroUsd;
use glitchlab_store::Reader;
use serde::Serialize;

/// The rolling day of a ledger of tokens.
#[derive(Debug, Serialize)]
pub(super) struct Tokens {
    /// Set aside for calls that are under way.
    reserved: i64,
    /// Used within the rolling day.
    day: i64,
    /// Ever used.
    total: i64,
    /// The cap of the rolling day; none when it has been lifted since.
    cap_day: Option<i64>,
}

impl Tokens {
    /// Reads the ledger beside that of money, where there is one.
    pub(super) async fn of(reader: &Reader, scope: &str, now_ms: i64) -> anyhow::Result<Option<Self>> {
        let ledger = reader.ledger(&tokens_scope(scope), now_ms).await?;
        Ok(ledger.map(|head| {
            let usage = head.usage();
            let [reserved, day, total, cap] =
                [usage.reserved, usage.day, usage.total, usage.cap_day].map(MicroUsd::micro);
            Self { reserved, day, total, cap_day: Some(cap).filter(|cap| *cap < i64::MAX) }
        }))
    }

    pub(super) fn line(&self, name: &str) -> String {
        let cap = self.cap_day.map(|cap| format!(" of {cap}")).unwrap_or_default();
        format!("  {name} tokens: day {}{cap}, {} set aside", self.day, self.reserved)
    }
}

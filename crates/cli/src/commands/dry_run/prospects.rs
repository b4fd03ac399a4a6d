//! The ledgers as a start with these settings would find them.

use glitchlab_domain::ledger::{Prospect, tokens, tokens_scope};
use glitchlab_domain::money::Price;
use glitchlab_store::Reader;

use crate::compose;
use crate::config::Config;
use crate::standing::scope;

/// Reads the ledger of money, and that of tokens where they have a cap.
///
/// # Errors
///
/// Returns what the store says.
pub(super) async fn read(
    config: &Config,
    repo_id: &str,
    reader: Option<&Reader>,
    price: Price,
    now_ms: i64,
) -> anyhow::Result<Vec<Prospect>> {
    let rules = compose::money(config);
    let (usual, usual_tokens) = rules.usual_hold(price);
    let money = scope(config, repo_id);
    let mut wanted = vec![(money.clone(), (config.per_hour, config.per_day), usual)];
    wanted.extend(rules.tokens_per_day.map(|cap| {
        let cap = tokens(cap);
        (tokens_scope(&money), (cap, cap), tokens(usual_tokens))
    }));
    let mut prospects = Vec::new();
    for (scope, caps, usual) in wanted {
        let found = match reader {
            Some(reader) => reader.ledger_and_departures(&scope, now_ms).await?,
            None => None,
        };
        let ledger = found.unwrap_or_default();
        prospects.push(Prospect::of(ledger, caps, rules.spread, (repo_id, usual), now_ms));
    }
    Ok(prospects)
}

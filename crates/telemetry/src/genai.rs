//! The conventions of OpenTelemetry for generative models, as far as the engine keeps them.

use glitchlab_domain::money::MicroUsd;

/// Whose model it is, and which, of a name such as `simulated/fast`.
pub(crate) fn provider_and_model(name: &str) -> (&str, &str) {
    name.split_once('/').unwrap_or((name, name))
}

/// Dollars, as telemetry counts money.
#[must_use]
pub fn usd(money: MicroUsd) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "telemetry counts in floating dollars; the ledger does not"
    )]
    let micro = money.micro() as f64;
    micro / 1e6
}

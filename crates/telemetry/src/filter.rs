//! What of a program's lines and spans is kept from the receivers: an export must not be the reason for another one.

use tracing::{Level, Metadata};

/// What the names of the crates begin with that carry telemetry away, this one with them.
const CARRIERS: [&str; 8] =
    ["glitchlab_telemetry", "h2", "hyper", "opentelemetry", "reqwest", "rustls", "tonic", "tower"];

/// Tells whether something may be sent to a receiver: what the way there says of itself may not.
#[must_use]
pub fn is_exported(metadata: &Metadata<'_>) -> bool {
    !CARRIERS.iter().any(|carrier| metadata.target().starts_with(carrier))
}

/// Tells whether something is a span that lines inside it take their task from.
#[must_use]
pub fn is_carrier_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && *metadata.level() <= Level::INFO && metadata.target().starts_with("glitchlab")
}

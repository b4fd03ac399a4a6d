//! What scrapes the metrics of an engine.

use std::sync::Arc;

use anyhow::Context;
use glitchlab_telemetry::metrics;
use glitchlab_telemetry::providers::Reader;

/// Writes all metrics in Prometheus's text format; nothing when they cannot be written, which the log says.
pub(crate) type Scrape = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// Makes what reads the instruments of this process, and what writes down all that it reads.
///
/// # Errors
///
/// Returns why they cannot be scraped.
pub(crate) fn scrape() -> anyhow::Result<(Reader, Scrape)> {
    let (reader, scrape) = metrics::scrape().context("metrics cannot be scraped")?;
    let text = move || {
        let unreadable = |error: &_| tracing::warn!(event = "metrics.unreadable", "{error}");
        scrape.text().inspect_err(unreadable).ok()
    };
    Ok((reader, Arc::new(text)))
}

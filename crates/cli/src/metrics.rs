//! The metrics of an engine, and what scrapes them.

use std::sync::Arc;

use anyhow::Context;
use glitchlab_telemetry::metrics::{Alone, Conventions, Metrics};

use crate::config::semconv_opt_in;

/// Writes all metrics in Prometheus's text format; nothing when they cannot be written, which the log says.
pub(crate) type Scrape = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// Makes the instruments of this process.
///
/// # Errors
///
/// Returns why they cannot be scraped.
pub(crate) fn metrics() -> anyhow::Result<(Arc<Metrics>, Scrape)> {
    let conventions = Conventions::opted(&semconv_opt_in());
    let alone = Alone::new(conventions).context("metrics cannot be counted")?;
    let metrics = Arc::clone(&alone.metrics);
    let scrape = move || {
        let unreadable = |error: &_| tracing::warn!(event = "metrics.unreadable", "{error}");
        alone.text().inspect_err(unreadable).ok()
    };
    Ok((metrics, Arc::new(scrape)))
}

//! The metrics as Prometheus reads them, from the same instruments.

use opentelemetry_prometheus::PrometheusExporter;
use prometheus::proto::{MetricFamily, MetricType};
use prometheus::{Registry, TextEncoder};

/// Reads the instruments of the provider that its reader was given to.
#[derive(Clone, Debug)]
pub struct Scrape {
    registry: Registry,
}

/// Why the metrics cannot be written as text.
#[derive(Debug, thiserror::Error)]
#[error("the metrics cannot be written for Prometheus: {0}")]
pub struct Unreadable(String);

/// Makes a reader for a provider, and what writes down all that it reads. It is empty while there is no provider, and
/// after that has gone.
///
/// # Errors
///
/// Fails when the reader cannot be registered.
pub fn scrape() -> Result<(PrometheusExporter, Scrape), Unreadable> {
    let registry = Registry::new();
    // Our names carry their units and say what they count: what the exporter would append is only doubled.
    let exporter = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .without_counter_suffixes()
        .scope_info_enabled(false)
        .build()
        .map_err(|error| Unreadable(error.to_string()))?;
    Ok((exporter, Scrape { registry }))
}

impl Scrape {
    /// Returns all metrics in the text format 0.0.4.
    ///
    /// # Errors
    ///
    /// Fails when a metric cannot be written.
    pub fn text(&self) -> Result<String, Unreadable> {
        let mut families = self.registry.gather();
        families.iter_mut().for_each(rename);
        TextEncoder::new().encode_to_string(&families).map_err(|error| Unreadable(error.to_string()))
    }
}

/// Gives a family the name that Prometheus expects: a counter ends in `_total`, and no unit is said twice.
fn rename(family: &mut MetricFamily) {
    let name = family.name();
    let once = name.strip_suffix("_seconds").filter(|rest| rest.ends_with("_seconds")).unwrap_or(name);
    let is_counter = family.get_field_type() == MetricType::COUNTER;
    let suffix = if is_counter && !once.ends_with("_total") { "_total" } else { "" };
    let renamed = format!("{once}{suffix}");
    family.set_name(renamed);
}

//! Metrics that nobody but Prometheus reads.

use std::sync::Arc;

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::SdkMeterProvider;

use super::{Conventions, Metrics, Scrape, Unreadable, limited, scrape};
use crate::providers::SCOPE;

/// Instruments with their provider, and what reads them.
pub struct Alone {
    /// The instruments.
    pub metrics: Arc<Metrics>,
    scrape: Scrape,
    /// What it reads goes with it.
    _provider: SdkMeterProvider,
}

impl Alone {
    /// Makes instruments of their own provider.
    ///
    /// # Errors
    ///
    /// Fails when the reader cannot be registered.
    pub fn new(conventions: Conventions) -> Result<Self, Unreadable> {
        let (reader, scrape) = scrape()?;
        let provider = SdkMeterProvider::builder().with_reader(reader).with_view(limited).build();
        let metrics = Arc::new(Metrics::new(&provider.meter(SCOPE), conventions));
        Ok(Self { metrics, scrape, _provider: provider })
    }

    /// Returns all metrics in Prometheus's text format.
    ///
    /// # Errors
    ///
    /// Fails when a metric cannot be written.
    pub fn text(&self) -> Result<String, Unreadable> {
        self.scrape.text()
    }
}

//! What all processes of a world have counted, as one scrape.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use glitchlab_telemetry::metrics::{Alone, Conventions, Metrics};

/// Instruments that outlive each process, so that a total is that of the world.
pub struct Meters(Alone);

impl Default for Meters {
    fn default() -> Self {
        Self(Alone::new(Conventions::default()).expect("a registry of its own takes one reader"))
    }
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meters")
    }
}

impl Meters {
    /// Returns the instruments.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.0.metrics)
    }

    /// Returns every sample by its name and labels, as Prometheus writes them.
    ///
    /// # Panics
    ///
    /// When a sample is not written as Prometheus wants it.
    #[must_use]
    pub fn samples(&self) -> BTreeMap<String, f64> {
        let text = self.0.text().expect("metrics are text");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            (name.to_owned(), value.parse().expect("a number"))
        };
        lines.map(sample).collect()
    }
}

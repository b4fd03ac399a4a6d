//! Makes instruments of their entries in the list of names.

use opentelemetry::metrics::{Counter, Histogram, Meter};

use crate::names::metric::Metric;

pub(super) fn counter(meter: &Meter, metric: Metric) -> Counter<u64> {
    meter.u64_counter(metric.name).with_unit(metric.unit).with_description(metric.help).build()
}

pub(super) fn counter_f64(meter: &Meter, metric: Metric) -> Counter<f64> {
    meter.f64_counter(metric.name).with_unit(metric.unit).with_description(metric.help).build()
}

pub(super) fn histogram(meter: &Meter, metric: Metric, bounds: &[f64]) -> Histogram<u64> {
    let made = meter.u64_histogram(metric.name).with_unit(metric.unit).with_description(metric.help);
    made.with_boundaries(bounds.to_vec()).build()
}

pub(super) fn histogram_f64(meter: &Meter, metric: Metric, bounds: &[f64]) -> Histogram<f64> {
    let made = meter.f64_histogram(metric.name).with_unit(metric.unit).with_description(metric.help);
    made.with_boundaries(bounds.to_vec()).build()
}

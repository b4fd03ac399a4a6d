//! Exporters whose results are noted in the state of the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use prost::Message as _;

use crate::client::{Answer, Answers};
use crate::health::Health;
use crate::signal::Signal;

/// An exporter of one signal.
#[derive(Debug)]
pub(crate) struct Watched<E> {
    pub(crate) inner: E,
    pub(crate) signal: Signal,
    pub(crate) answers: Answers,
    pub(crate) health: Health,
    /// How many records it was given so far.
    pub(crate) taken: Arc<AtomicU64>,
}

impl<E> Watched<E> {
    /// Notes what came of an export, and how many records are given up if it failed.
    pub(crate) fn note(&self, result: &OTelSdkResult, answer: Option<Answer>, records: usize) {
        match (result, answer) {
            (Ok(()), answer) => {
                self.health.arrived(self.signal);
                if let Some((records, why)) = answer.and_then(refused) {
                    self.health.refused(self.signal, records, &why);
                }
            }
            (Err(error), answer) => {
                let what = answer.map_or_else(|| error.to_string(), |answer| answer.to_string());
                self.health.failed(self.signal, &what, records as u64);
            }
        }
    }

    fn noted(&self, result: OTelSdkResult, records: usize) -> OTelSdkResult {
        self.note(&result, self.answers.take(), records);
        result
    }

    fn took(&self, records: usize) {
        self.taken.fetch_add(records as u64, Relaxed);
    }
}

/// Returns how many records a receiver that took the request refused, and why. The answers of all signals have the same
/// shape. Of an answer that could not be read nobody knows how many.
fn refused(answer: Answer) -> Option<(u64, String)> {
    let Answer::Status { body, unread, .. } = answer else { return None };
    if let Some(why) = unread {
        return Some((0, format!("something that cannot be read, so it may have refused records: {why}")));
    }
    let partial = ExportTraceServiceResponse::decode(body).ok()?.partial_success?;
    let records = u64::try_from(partial.rejected_spans).unwrap_or(0);
    (records > 0 || !partial.error_message.is_empty()).then_some((records, partial.error_message))
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let records = batch.len();
        self.took(records);
        let result = self.inner.export(batch).await;
        self.noted(result, records)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E: LogExporter> LogExporter for Watched<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let records = batch.iter().count();
        self.took(records);
        let result = self.inner.export(batch).await;
        self.noted(result, records)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Watched<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let result = self.inner.export(metrics).await;
        // The next one says the same and more: nothing is lost.
        self.noted(result, 0)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.inner.temporality()
    }
}

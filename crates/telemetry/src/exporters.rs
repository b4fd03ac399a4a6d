//! Exporters made for one destination. All that the standard variables may say is given to the builders explicitly, since
//! these would read the environment themselves.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use opentelemetry_otlp::{
    ExporterBuildError, LogExporter, MetricExporter, Protocol, RetryPolicy, SpanExporter, WithExportConfig,
    WithHttpConfig,
};
use tokio::runtime::Handle;

use crate::client::{Answers, Poster, Wire};
use crate::config::Destination;
use crate::health::Health;
use crate::signal::Signal;
use crate::watched::Watched;

/// What all exporters share.
pub(crate) struct Exporters {
    wire: Wire,
    #[cfg_attr(not(feature = "otlp-grpc"), expect(dead_code, reason = "only gRPC needs it"))]
    on: Handle,
    health: Health,
}

impl Exporters {
    pub(crate) fn new(on: &Handle, health: Health) -> Self {
        Self { wire: Wire::new(on.clone()), on: on.clone(), health }
    }

    /// Makes an exporter of finished spans that tries once: whoever sends them decides what comes next.
    pub(crate) fn spans(&self, to: &Destination) -> Result<Watched<SpanExporter>, ExporterBuildError> {
        let answers = Answers::default();
        let inner = match to.protocol {
            #[cfg(feature = "otlp-grpc")]
            crate::config::Protocol::Grpc => {
                let _runtime = self.on.enter();
                grpc(SpanExporter::builder().with_tonic(), to, RetryPolicy::disabled()).build()?
            }
            _ => self
                .http(SpanExporter::builder().with_http(), to, &answers, RetryPolicy::disabled())
                .build()?,
        };
        Ok(self.watched(inner, Signal::Traces, answers))
    }

    /// Makes an exporter of metrics that tries once: the next export says the same and more.
    pub(crate) fn metrics(&self, to: &Destination) -> Result<Watched<MetricExporter>, ExporterBuildError> {
        let answers = Answers::default();
        let inner = match to.protocol {
            #[cfg(feature = "otlp-grpc")]
            crate::config::Protocol::Grpc => {
                let _runtime = self.on.enter();
                grpc(MetricExporter::builder().with_tonic(), to, RetryPolicy::disabled()).build()?
            }
            _ => self
                .http(MetricExporter::builder().with_http(), to, &answers, RetryPolicy::disabled())
                .build()?,
        };
        Ok(self.watched(inner, Signal::Metrics, answers))
    }

    /// Makes an exporter of log records, which tries again within its timeout.
    pub(crate) fn logs(&self, to: &Destination) -> Result<Watched<LogExporter>, ExporterBuildError> {
        let answers = Answers::default();
        let inner = match to.protocol {
            #[cfg(feature = "otlp-grpc")]
            crate::config::Protocol::Grpc => {
                let _runtime = self.on.enter();
                grpc(LogExporter::builder().with_tonic(), to, RetryPolicy::recommended()).build()?
            }
            _ => self
                .http(LogExporter::builder().with_http(), to, &answers, RetryPolicy::recommended())
                .build()?,
        };
        Ok(self.watched(inner, Signal::Logs, answers))
    }

    fn http<B: WithHttpConfig + WithExportConfig>(
        &self,
        builder: B,
        to: &Destination,
        answers: &Answers,
        retry: RetryPolicy,
    ) -> B {
        // The builder takes values for percent encoding; these are plain.
        let text = |value: &http::HeaderValue| value.to_str().unwrap_or_default().replace('%', "%25");
        let headers = to.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
        let agent = ("User-Agent".to_owned(), concat!("glitchlab/", env!("CARGO_PKG_VERSION")).to_owned());
        let headers: HashMap<_, _> = std::iter::once(agent).chain(headers).collect();
        let wire =
            to.trusted.as_ref().map_or_else(|| self.wire.clone(), |trusted| self.wire.trusting(trusted));
        builder
            .with_http_client(Poster::new(wire, to.timeout, answers.clone()))
            .with_headers(headers)
            .with_retry_policy(retry)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(to.endpoint.to_string())
            .with_timeout(to.timeout)
    }

    fn watched<E>(&self, inner: E, signal: Signal, answers: Answers) -> Watched<E> {
        let taken = Arc::new(AtomicU64::new(0));
        Watched { inner, signal, answers, health: self.health.clone(), taken }
    }
}

/// Sets a gRPC exporter up. Left to itself it would trust nobody.
#[cfg(feature = "otlp-grpc")]
fn grpc<B>(builder: B, to: &Destination, retry: RetryPolicy) -> B
where
    B: opentelemetry_otlp::WithTonicConfig + WithExportConfig,
{
    use opentelemetry_otlp::tonic_types::metadata::MetadataMap;
    use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig};

    let tls = match &to.trusted {
        Some(trusted) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&trusted.pem)),
        None => ClientTlsConfig::new().with_native_roots(),
    };
    let builder =
        if to.endpoint.scheme_str() == Some("https") { builder.with_tls_config(tls) } else { builder };
    builder
        .with_retry_policy(retry)
        .with_protocol(Protocol::Grpc)
        .with_metadata(MetadataMap::from_headers(to.headers.iter().cloned().collect()))
        .with_endpoint(to.endpoint.to_string())
        .with_timeout(to.timeout)
}

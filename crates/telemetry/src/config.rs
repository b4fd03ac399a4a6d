//! Where telemetry is sent and what it says of this program: from the program's own setting and the standard variables
//! of OpenTelemetry, which are handed in. Nothing here reads the environment.

mod certificate;
mod endpoint;
mod variables;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};

pub use self::certificate::Trusted;
use self::variables::Variables;
use crate::metrics::Conventions;
use crate::signal::Signal;

/// What every process calls itself unless somebody says otherwise.
const SERVICE: &str = "glitchlab";
/// How long one export may take, as the specification of OTLP has it.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often metrics are sent, as the specification of the SDK has it.
const METRIC_INTERVAL: Duration = Duration::from_secs(60);

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The receiver's address from the command line or this program's own variable: it wins over the standard variables.
    pub firm: Option<String>,
    /// The receiver's address from a file: the standard variables win over it.
    pub fallback: Option<String>,
    /// Of so many chains of actor messages one is traced live; 0 is none.
    pub messages: u32,
    /// The variables of the environment that begin with `OTEL_`.
    pub variables: BTreeMap<String, String>,
}

/// Where each signal is sent, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where spans go; none when they are not sent.
    pub traces: Option<Destination>,
    /// Where metrics go.
    pub metrics: Option<Destination>,
    /// Where log records go.
    pub logs: Option<Destination>,
    /// `service.name`.
    pub service: String,
    /// Further attributes of the resource, from the standard variable.
    pub attributes: Vec<(String, String)>,
    /// How often metrics are sent.
    pub metric_interval: Duration,
    /// Under which names the metrics of models go.
    pub conventions: Conventions,
    /// Of so many chains of actor messages one is traced live; 0 is none.
    pub messages: u32,
    /// What was asked for and does not count, one sentence each.
    pub notes: Vec<String>,
}

/// A receiver of one signal.
#[derive(Clone, PartialEq, Eq)]
pub struct Destination {
    /// The full address.
    pub endpoint: Uri,
    /// Headers of each request; they may hold secrets.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How long one export may take.
    pub timeout: Duration,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// What it is trusted by when the way is encrypted; the machine's certificates when there is none.
    pub trusted: Option<Trusted>,
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, timeout, protocol, .. } = self;
        f.debug_struct("Destination")
            .field("endpoint", endpoint)
            .field("timeout", timeout)
            .field("protocol", protocol)
            .finish_non_exhaustive()
    }
}

/// How a receiver is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Protobuf in HTTP.
    HttpProtobuf,
    /// gRPC, in builds with the feature `otlp-grpc`.
    Grpc,
}

/// Everything that is wrong, a line for each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Faults(pub Vec<String>);

impl Config {
    /// Puts together what was asked for.
    ///
    /// # Errors
    ///
    /// Returns every variable that is wrong, with what to write instead; never the value of one that may be secret.
    pub fn read(given: &Given) -> Result<Self, Faults> {
        let mut variables = Variables::new(&given.variables);
        let is_off = variables.switch("OTEL_SDK_DISABLED");
        let mut destination =
            |signal| if is_off { None } else { Destination::read(given, signal, &mut variables) };
        let [traces, metrics, logs] = Signal::ALL.map(&mut destination);
        let mut attributes = variables.pairs("OTEL_RESOURCE_ATTRIBUTES");
        let named = attributes.iter().position(|(key, _)| key == "service.name");
        let named = named.map(|place| attributes.remove(place).1);
        let service = variables.text("OTEL_SERVICE_NAME").map(str::to_owned).or(named);
        let metric_interval = variables.millis("OTEL_METRIC_EXPORT_INTERVAL").unwrap_or(METRIC_INTERVAL);
        let conventions =
            Conventions::opted(variables.text("OTEL_SEMCONV_STABILITY_OPT_IN").unwrap_or_default());
        if [&traces, &metrics, &logs].into_iter().any(Option::is_some) {
            variables.note_unused();
        }
        let (notes, faults) = variables.end();
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        let service = service.unwrap_or_else(|| SERVICE.to_owned());
        let messages = given.messages;
        Ok(Self { traces, metrics, logs, service, attributes, metric_interval, conventions, messages, notes })
    }

    /// Returns where a signal goes.
    #[must_use]
    pub const fn destination(&self, signal: Signal) -> Option<&Destination> {
        match signal {
            Signal::Traces => self.traces.as_ref(),
            Signal::Metrics => self.metrics.as_ref(),
            Signal::Logs => self.logs.as_ref(),
        }
    }

    /// Tells whether anything is sent.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.traces.is_some() || self.metrics.is_some() || self.logs.is_some()
    }
}

/// Names the receivers: `traces, metrics, logs to localhost:4318`. What may be secret in an address is left out.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut places: Vec<(&str, Vec<&str>)> = Vec::new();
        for signal in Signal::ALL {
            let Some(to) = self.destination(signal) else { continue };
            let place = to.endpoint.authority().map_or("", http::uri::Authority::as_str);
            match places.iter_mut().find(|(known, _)| *known == place) {
                Some((_, signals)) => signals.push(signal.name()),
                None => places.push((place, vec![signal.name()])),
            }
        }
        let said = places.iter().map(|(place, signals)| format!("{} to {place}", signals.join(", ")));
        f.write_str(&said.collect::<Vec<_>>().join("; "))
    }
}

impl Destination {
    fn read(given: &Given, signal: Signal, variables: &mut Variables<'_>) -> Option<Self> {
        if !variables.wants(signal) {
            return None;
        }
        let protocol = variables.protocol(signal);
        let endpoint = Self::endpoint(given, signal, protocol, variables)?;
        let trusted = variables.trusted(signal);
        if trusted.is_some() && endpoint.scheme_str() == Some("http") {
            variables
                .note(format!("{endpoint} is spoken to in the clear: the certificate does not count there"));
        }
        Some(Self {
            endpoint,
            headers: variables.headers(signal),
            timeout: variables.timeout(signal).unwrap_or(TIMEOUT),
            protocol,
            trusted,
        })
    }

    fn endpoint(
        given: &Given,
        signal: Signal,
        protocol: Protocol,
        variables: &mut Variables<'_>,
    ) -> Option<Uri> {
        const GENERAL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
        let setting = "telemetry.otlp_endpoint (--otlp-endpoint)";
        let own = variables::for_signal(signal, "ENDPOINT");
        let (name, text, is_base) = if let Some(firm) = set(given.firm.as_deref()) {
            (setting, firm.to_owned(), true)
        } else if let Some(text) = variables.text(&own) {
            (own.as_str(), text.to_owned(), false)
        } else if let Some(text) = variables.text(GENERAL) {
            (GENERAL, text.to_owned(), true)
        } else {
            (setting, set(given.fallback.as_deref())?.to_owned(), true)
        };
        let path = if is_base && protocol == Protocol::HttpProtobuf { signal.path() } else { "" };
        let read = endpoint::read(&text, path);
        read.map_err(|why| variables.fault(format!("{name}: {why}"))).ok()
    }
}

fn set(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;

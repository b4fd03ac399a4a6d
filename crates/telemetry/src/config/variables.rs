//! The standard variables, typed. What is wrong with one is gathered, so that all is told at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::{Protocol, Trusted};
use crate::signal::Signal;

/// What one reading of the variables found.
pub(super) struct Variables<'a> {
    all: &'a BTreeMap<String, String>,
    notes: Vec<String>,
    faults: Vec<String>,
}

/// What is known to the specification and has no effect here.
const UNUSED: &[(&str, &str)] = &[
    ("CLIENT_CERTIFICATE", "this program shows no certificate of its own"),
    ("CLIENT_KEY", "this program shows no certificate of its own"),
    ("COMPRESSION", "what is sent is not compressed"),
    ("INSECURE", "the address says whether the way is encrypted: write https:// or http://"),
];

/// Families of variables of the SDK that have no effect here, by how their names begin.
const UNUSED_FAMILIES: &[(&str, &str)] = &[
    (
        "OTEL_BSP_",
        "finished spans are made from the store's rows and sent behind a bookmark, not from a queue",
    ),
    ("OTEL_BLRP_", "the queue of log records holds 2048 and is sent each second, or by 512"),
    (
        "OTEL_TRACES_SAMPLER",
        "the spans of every task are sent; telemetry.messages says how many messages are traced",
    ),
    ("OTEL_METRIC_EXPORT_TIMEOUT", "an export of metrics may take OTEL_EXPORTER_OTLP_TIMEOUT"),
    ("OTEL_METRICS_EXEMPLAR_FILTER", "metrics have no exemplars"),
    ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "histograms have bounds of their own"),
    ("OTEL_LOGRECORD_", "log records have few attributes, which nothing limits"),
    ("OTEL_PROPAGATORS", "agents are given TRACEPARENT, as W3C Trace Context has it"),
    ("OTEL_SPAN_", "spans have few attributes and no limit but that of a text, 4096 bytes"),
    ("OTEL_ATTRIBUTE_", "spans have few attributes and no limit but that of a text, 4096 bytes"),
];

/// Headers that the client of HTTP writes itself; with another's value no request could be read.
const OWN_HEADERS: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Names a variable of one signal, such as `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`.
pub(super) fn for_signal(signal: Signal, what: &str) -> String {
    format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.name().to_uppercase())
}

fn for_all(what: &str) -> String {
    format!("OTEL_EXPORTER_OTLP_{what}")
}

impl<'a> Variables<'a> {
    pub(super) const fn new(all: &'a BTreeMap<String, String>) -> Self {
        Self { all, notes: Vec::new(), faults: Vec::new() }
    }

    /// Returns a variable; an empty one is not set.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.all.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    /// Adds a fault; each is told once, however many signals meet it.
    pub(super) fn fault(&mut self, fault: String) {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// Returns the notes and the faults.
    pub(super) fn end(self) -> (Vec<String>, Vec<String>) {
        (self.notes, self.faults)
    }

    /// Reads yes or no; the specification takes anything but `true` as no.
    pub(super) fn switch(&mut self, name: &str) -> bool {
        let Some(text) = self.text(name) else { return false };
        let is_on = text.eq_ignore_ascii_case("true");
        if !is_on && !text.eq_ignore_ascii_case("false") {
            self.notes.push(format!("{name} is neither true nor false and counts as false"));
        }
        is_on
    }

    pub(super) fn millis(&mut self, name: &str) -> Option<Duration> {
        let text = self.text(name)?;
        let millis = text.parse::<u64>().ok().filter(|millis| *millis > 0);
        if millis.is_none() {
            self.fault(format!("{name}: `{text}` is no time in ms; write such as 10000"));
        }
        millis.map(Duration::from_millis)
    }

    /// Tells whether a signal is to be sent.
    pub(super) fn wants(&mut self, signal: Signal) -> bool {
        let name = format!("OTEL_{}_EXPORTER", signal.name().to_uppercase());
        match self.text(&name) {
            None | Some("otlp") => true,
            Some("none") => false,
            Some(other) => {
                self.fault(format!("{name}: `{other}` is not known here; write otlp or none"));
                false
            }
        }
    }

    pub(super) fn timeout(&mut self, signal: Signal) -> Option<Duration> {
        let name = self.nearest(signal, "TIMEOUT")?;
        self.millis(&name)
    }

    pub(super) fn protocol(&mut self, signal: Signal) -> Protocol {
        let Some(name) = self.nearest(signal, "PROTOCOL") else { return Protocol::HttpProtobuf };
        match self.text(&name).unwrap_or_default() {
            "http/protobuf" => return Protocol::HttpProtobuf,
            "grpc" if cfg!(feature = "otlp-grpc") => return Protocol::Grpc,
            "grpc" => self.fault(format!(
                "{name}: this build does not speak grpc; write http/protobuf, whose usual port is 4318, or build with --features otlp-grpc"
            )),
            other => {
                self.fault(format!("{name}: `{other}` is not spoken here; write http/protobuf"));
            }
        }
        Protocol::HttpProtobuf
    }

    pub(super) fn headers(&mut self, signal: Signal) -> Vec<(HeaderName, HeaderValue)> {
        let Some(name) = self.nearest(signal, "HEADERS") else { return Vec::new() };
        let header = |(key, value): (String, String)| {
            Some((HeaderName::try_from(key).ok()?, HeaderValue::try_from(value).ok()?))
        };
        let pairs = self.pairs(&name);
        let headers: Option<Vec<_>> = pairs.into_iter().map(header).collect();
        if headers.is_none() {
            self.fault(format!("{name}: an entry is no header of HTTP; write name=value,name=value"));
        }
        let headers = headers.unwrap_or_default();
        for (header, _) in headers.iter().filter(|(header, _)| OWN_HEADERS.contains(&header.as_str())) {
            self.fault(format!(
                "{name}: `{header}` is written with each request as it must be; leave it out"
            ));
        }
        headers
    }

    pub(super) fn trusted(&mut self, signal: Signal) -> Option<Trusted> {
        let name = self.nearest(signal, "CERTIFICATE")?;
        let read = Trusted::read(Path::new(self.text(&name)?));
        read.map_err(|why| self.fault(format!("{name}: {why}"))).ok()
    }

    /// Reads `key=value,key=value` with values in percent encoding, as in the headers of W3C Baggage.
    pub(super) fn pairs(&mut self, name: &str) -> Vec<(String, String)> {
        let pair = |entry: &str| {
            let (key, value) = entry.split_once('=')?;
            let key = key.trim();
            (!key.is_empty()).then_some((key.to_owned(), decoded(value.trim())?))
        };
        let entries = self.text(name).unwrap_or_default().split(',').map(str::trim);
        let pairs: Option<Vec<_>> = entries.filter(|entry| !entry.is_empty()).map(pair).collect();
        if pairs.is_none() {
            self.fault(format!("{name}: an entry is not name=value; write name=value,name=value"));
        }
        pairs.unwrap_or_default()
    }

    /// Notes what somebody set and this program does not use.
    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    pub(super) fn note_unused(&mut self) {
        for (what, why) in UNUSED {
            let names = Signal::ALL.map(|signal| for_signal(signal, what)).into_iter().chain([for_all(what)]);
            let set = names.filter(|name| self.text(name).is_some_and(|text| text != "none"));
            let notes: Vec<_> = set.map(|name| format!("{name} does not count: {why}")).collect();
            self.notes.extend(notes);
        }
        let all = self.all;
        for (name, _) in all.iter().filter(|(_, text)| !text.trim().is_empty()) {
            let why = UNUSED_FAMILIES.iter().find(|(begins, _)| name.starts_with(begins));
            self.notes.extend(why.map(|(_, why)| format!("{name} does not count: {why}")));
        }
    }

    /// Names the variable that counts for a signal: its own, else that of all.
    fn nearest(&self, signal: Signal, what: &str) -> Option<String> {
        [for_signal(signal, what), for_all(what)].into_iter().find(|name| self.text(name).is_some())
    }
}

/// Takes the percent encoding out of a text; none when what it spells is no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let spelled = after.get(..2).filter(|_| *first == b'%');
        let spelled = spelled.and_then(|digits| std::str::from_utf8(digits).ok());
        match spelled.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

//! A receiver of OTLP over HTTP on this machine, that behaves as it is told and keeps what it took.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// How a receiver behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// It takes everything.
    Takes,
    /// It answers so, and asks to be left alone for so many seconds.
    Answers(u16, Option<u32>),
    /// It reads and never answers.
    IsSilent,
    /// It takes everything, so late.
    IsSlow(Duration),
    /// It takes requests, refuses so many of their records for good, and says why in so many bytes.
    TakesBut(i64, usize),
}

/// One request that was read.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    body: Vec<u8>,
    is_taken: bool,
}

#[derive(Debug)]
struct Shared {
    manner: Mutex<Manner>,
    posted: Mutex<Vec<Posted>>,
}

/// The receiver; it ends with the process.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

impl Receiver {
    /// Listens on a free port.
    pub(crate) fn new(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared { manner: Mutex::new(manner), posted: Mutex::default() });
        let accepted = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&accepted);
                std::thread::spawn(move || serve(&stream, &shared));
            }
        });
        Self { address, shared }
    }

    /// Returns its address as a setting.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes how it behaves.
    pub(crate) fn behave(&self, manner: Manner) {
        *self.shared.manner.lock().expect("no handler panics") = manner;
    }

    /// Returns every request that was read so far, whatever it was answered.
    pub(crate) fn posted(&self) -> Vec<Posted> {
        self.shared.posted.lock().expect("no handler panics").clone()
    }

    /// Returns all that it took for one path.
    pub(crate) fn taken<M: Message + Default>(&self, path: &str) -> Vec<M> {
        let decode = |posted: &Posted| M::decode(posted.body.as_slice()).expect("it is what the path says");
        self.posted().iter().filter(|posted| posted.is_taken && posted.path == path).map(decode).collect()
    }

    /// Returns the log records that it took, each with its scope's name, which is the target.
    pub(crate) fn logs(&self) -> Vec<(String, LogRecord)> {
        let requests = self.taken::<ExportLogsServiceRequest>("/v1/logs");
        let resources = requests.into_iter().flat_map(|request| request.resource_logs);
        let scopes = resources.flat_map(|resource| resource.scope_logs);
        let named = |scope: opentelemetry_proto::tonic::logs::v1::ScopeLogs| {
            let name = scope.scope.map(|scope| scope.name).unwrap_or_default();
            scope.log_records.into_iter().map(move |record| (name.clone(), record))
        };
        scopes.flat_map(named).collect()
    }

    /// Returns the spans that it took.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let requests = self.taken::<ExportTraceServiceRequest>("/v1/traces");
        let resources = requests.into_iter().flat_map(|request| request.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    /// Returns the resources of the log records.
    pub(crate) fn resources(&self) -> Vec<Resource> {
        let requests = self.taken::<ExportLogsServiceRequest>("/v1/logs");
        requests
            .into_iter()
            .flat_map(|request| request.resource_logs)
            .filter_map(|logs| logs.resource)
            .collect()
    }
}

/// Returns the text of an attribute.
pub(crate) fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.clone()?.value? {
        any_value::Value::StringValue(text) => Some(text),
        any_value::Value::IntValue(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Reads requests until the other side has had enough.
fn serve(stream: &TcpStream, shared: &Shared) {
    let mut reader = BufReader::new(stream);
    while let Some(mut posted) = read(&mut reader) {
        let manner = *shared.manner.lock().expect("no handler panics");
        posted.is_taken = matches!(manner, Manner::Takes | Manner::IsSlow(_) | Manner::TakesBut(..));
        shared.posted.lock().expect("no handler panics").push(posted);
        let mut body = Vec::new();
        let head = match manner {
            Manner::IsSilent => continue,
            Manner::TakesBut(rejected_spans, bytes) => {
                let partial = ExportTracePartialSuccess { rejected_spans, error_message: "x".repeat(bytes) };
                body = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
                "200 OK\r\n".to_owned()
            }
            Manner::Takes => "200 OK\r\n".to_owned(),
            Manner::IsSlow(time) => {
                wait(time);
                "200 OK\r\n".to_owned()
            }
            Manner::Answers(status, rest) => {
                let rest = rest.map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
                format!("{status} Said\r\n{rest}")
            }
        };
        let head = format!("HTTP/1.1 {head}Content-Length: {}\r\n\r\n", body.len());
        if (&*stream).write_all(&[head.as_bytes(), &body].concat()).is_err() {
            return;
        }
    }
}

fn wait(time: Duration) {
    let (_never, ends) = mpsc::channel::<()>();
    let _ = ends.recv_timeout(time);
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Posted> {
    let mut line = || {
        let mut text = String::new();
        reader.read_line(&mut text).ok().filter(|count| *count > 0).map(|_| text.trim_end().to_owned())
    };
    let path = line()?.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    while let Some((name, value)) = line()?.split_once(':') {
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Posted { path, headers, body, is_taken: false })
}

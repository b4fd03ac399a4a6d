//! A receiver that speaks gRPC, as far as exporters need it: one message up, one message and a status down.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use glitchlab_telemetry::health::State;
use glitchlab_telemetry::outlet::Unsent;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::case::Case;
use crate::encrypted::{CERTIFICATE, identity};

/// Codes of gRPC.
const OK: u32 = 0;
const INVALID_ARGUMENT: u32 = 3;
const UNAVAILABLE: u32 = 14;

/// What stands before a message: it is not compressed, and so long.
const PREFIX: usize = 5;

struct Called {
    path: String,
    headers: HeaderMap,
    message: Vec<u8>,
}

/// The receiver; it ends with the process.
struct Receiver {
    address: SocketAddr,
    code: Arc<AtomicU32>,
    calls: Arc<Mutex<Vec<Called>>>,
}

impl Receiver {
    fn new() -> Self {
        Self::listen(None)
    }

    /// Listens on a free port; `tls` is how it encrypts, if it does.
    fn listen(tls: Option<TlsAcceptor>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("it is a socket");
        let address = listener.local_addr().expect("it is bound");
        let (code, calls) = (Arc::new(AtomicU32::new(OK)), Arc::default());
        let (answered, taken) = (Arc::clone(&code), Arc::clone(&calls));
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).expect("it does not block");
                while let Ok((stream, _)) = listener.accept().await {
                    let (answered, taken, tls) = (Arc::clone(&answered), Arc::clone(&taken), tls.clone());
                    tokio::spawn(async move {
                        match tls {
                            None => serve(stream, answered, taken).await,
                            Some(tls) => {
                                // Whoever does not trust it hangs up.
                                let Ok(stream) = tls.accept(stream).await else { return };
                                serve(stream, answered, taken).await;
                            }
                        }
                    });
                }
            });
        });
        Self { address, code, calls }
    }

    /// Opens a process that sends everything here.
    fn case(&self) -> Case {
        let variables =
            [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s3%25cret")];
        Case::new(&format!("http://{}", self.address), &variables)
    }

    /// Returns the messages of calls to a service.
    fn taken<M: Message + Default>(&self, service: &str) -> Vec<M> {
        let path = format!("/opentelemetry.proto.collector.{service}/Export");
        let calls = self.calls.lock().expect("no handler panics");
        let calls = calls.iter().filter(|call| call.path == path);
        calls.map(|call| M::decode(call.message.as_slice()).expect("it is what the path says")).collect()
    }
}

async fn serve<S>(stream: S, code: Arc<AtomicU32>, calls: Arc<Mutex<Vec<Called>>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, answer))) = connection.accept().await {
        let (code, calls) = (Arc::clone(&code), Arc::clone(&calls));
        tokio::spawn(async move {
            let called = read(request).await.expect("the request is whole");
            calls.lock().expect("no handler panics").push(called);
            reply(answer, code.load(SeqCst)).expect("somebody waits for it");
        });
    }
    let _ = poll_fn(|context| connection.poll_closed(context)).await;
}

async fn read(request: Request<RecvStream>) -> Result<Called, h2::Error> {
    let (head, mut body) = request.into_parts();
    let mut message = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        message.extend(data);
    }
    assert_eq!(message[0], 0, "it is not compressed");
    let message = message.split_off(PREFIX);
    Ok(Called { path: head.uri.path().to_owned(), headers: head.headers, message })
}

/// The answer to each signal is an empty message.
fn reply(mut answer: SendResponse<Bytes>, code: u32) -> Result<(), h2::Error> {
    let head = Response::builder().header("content-type", "application/grpc").body(()).expect("it is sound");
    let mut stream = answer.send_response(head, false)?;
    if code == OK {
        stream.send_data(Bytes::from_static(&[0; PREFIX]), false)?;
    }
    let status = [(http::HeaderName::from_static("grpc-status"), HeaderValue::from(code))];
    stream.send_trailers(status.into_iter().collect())
}

#[test]
fn all_three_signals_arrive_by_grpc_with_the_headers() {
    let receiver = Receiver::new();
    let case = receiver.case();
    assert_eq!(case.send(), Ok(()));
    case.telemetry.meter().u64_counter("glitchlab.tasks.total").build().add(1, &[]);
    case.logging(|| tracing::info!(event = "task.claimed", "a line"));
    case.end(Duration::from_secs(3));

    let spans = receiver.taken::<ExportTraceServiceRequest>("trace.v1.TraceService");
    assert_eq!(spans[0].resource_spans[0].scope_spans[0].spans[0].name, "planner");
    let metrics = receiver.taken::<ExportMetricsServiceRequest>("metrics.v1.MetricsService");
    let named = &metrics[0].resource_metrics[0].scope_metrics[0].metrics[0].name;
    assert_eq!(named, "glitchlab.tasks.total");
    let logs = receiver.taken::<ExportLogsServiceRequest>("logs.v1.LogsService");
    assert_eq!(logs[0].resource_logs[0].scope_logs[0].log_records[0].event_name, "task.claimed");
    let calls = receiver.calls.lock().expect("no handler panics");
    let has_key = |call: &Called| call.headers.get("api-key").is_some_and(|key| key == "s3%cret");
    assert!(calls.iter().all(has_key), "{:?}", calls[0].headers);
    assert_eq!(case.telemetry.health().report().state, State::Ok);
}

#[test]
fn what_a_receiver_answers_by_grpc_decides_whether_spans_are_sent_again() {
    let receiver = Receiver::new();
    let case = receiver.case();
    receiver.code.store(UNAVAILABLE, SeqCst);
    assert!(matches!(case.send(), Err(Unsent::Later { .. })));
    assert_eq!(case.telemetry.health().report().state, State::Degraded);
    assert_eq!(case.telemetry.health().report().lost, 0, "they are kept by whoever sends them");
    receiver.code.store(INVALID_ARGUMENT, SeqCst);
    assert!(matches!(case.send(), Err(Unsent::Never(_))));
    assert_eq!(case.telemetry.health().report().lost, 1);
    receiver.code.store(OK, SeqCst);
    assert_eq!(case.send(), Ok(()));
    assert_eq!(case.telemetry.health().report().state, State::Ok);
}

#[test]
fn a_receiver_of_grpc_that_is_not_there_is_tried_again_later() {
    let case = Case::new("http://127.0.0.1:9", &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
    assert!(matches!(case.send(), Err(Unsent::Later { .. })));
}

#[test]
fn grpc_goes_encrypted_to_a_receiver_that_is_trusted_by_its_own_certificate_and_to_no_other() {
    let mut config = identity();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let receiver = Receiver::listen(Some(TlsAcceptor::from(Arc::new(config))));
    let endpoint = format!("https://localhost:{}", receiver.address.port());
    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    assert!(matches!(Case::new(&endpoint, &[grpc]).send(), Err(Unsent::Later { .. })));
    assert!(receiver.calls.lock().expect("no handler panics").is_empty());
    let case = Case::new(&endpoint, &[grpc, ("OTEL_EXPORTER_OTLP_CERTIFICATE", CERTIFICATE)]);
    assert_eq!(case.send(), Ok(()));
    assert_eq!(receiver.taken::<ExportTraceServiceRequest>("trace.v1.TraceService").len(), 1);
}

//! An encrypted way to a receiver whose certificate the machine does not know.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use glitchlab_telemetry::health::State;
use glitchlab_telemetry::outlet::Unsent;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::case::Case;

pub(crate) const CERTIFICATE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/tls/certificate.pem");
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/tls/key.pem");

/// The bodies that a receiver took.
type Bodies = Arc<Mutex<Vec<Vec<u8>>>>;

/// Returns how a receiver with that certificate encrypts.
pub(crate) fn identity() -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(CERTIFICATE).expect("a certificate")],
            PrivateKeyDer::from_pem_file(KEY).expect("a key"),
        )
        .expect("they belong together")
}

/// Takes every request that comes by TLS, and ends with the process.
fn receiver(host: &str) -> (SocketAddr, Bodies) {
    let listener = TcpListener::bind((host, 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (config, bodies) = (Arc::new(identity()), Bodies::default());
    let taken = Arc::clone(&bodies);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("the configuration is sound");
            // Whoever does not trust it hangs up.
            let _ = serve(StreamOwned::new(connection, stream), &taken);
        }
    });
    (address, bodies)
}

/// Reads one request and answers it.
fn serve(mut stream: StreamOwned<ServerConnection, TcpStream>, taken: &Bodies) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).expect("it is text").to_lowercase();
    assert!(head.starts_with("post /v1/traces "), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    stream.read_exact(&mut body)?;
    taken.lock().expect("no handler panics").push(body);
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    stream.flush()
}

#[test]
fn spans_go_encrypted_to_a_receiver_that_is_trusted_by_its_own_certificate() {
    let (address, bodies) = receiver("127.0.0.1");
    let endpoint = format!("https://localhost:{}", address.port());
    let case = Case::new(&endpoint, &[("OTEL_EXPORTER_OTLP_CERTIFICATE", CERTIFICATE)]);
    assert_eq!(case.send(), Ok(()));
    let bodies = bodies.lock().expect("no handler panics");
    let request = ExportTraceServiceRequest::decode(bodies[0].as_slice()).expect("it is a request");
    assert_eq!(request.resource_spans[0].scope_spans[0].spans[0].name, "planner");
}

#[test]
fn a_receiver_that_nobody_vouches_for_gets_nothing_and_is_told_as_such() {
    let (address, bodies) = receiver("127.0.0.1");
    let case = Case::new(&format!("https://localhost:{}", address.port()), &[]);
    let Err(Unsent::Later { what, .. }) = case.send() else { panic!("it is not trusted") };
    assert!(what.contains("certificate") && what.contains(&address.port().to_string()), "{what}");
    assert_eq!(case.telemetry.health().report().state, State::Degraded);
    assert!(bodies.lock().expect("no handler panics").is_empty());
}

#[test]
fn a_certificate_is_of_use_only_for_the_names_in_it() {
    let (address, bodies) = receiver("127.0.0.2");
    let endpoint = format!("https://{address}");
    let case = Case::new(&endpoint, &[("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", CERTIFICATE)]);
    let Err(Unsent::Later { what, .. }) = case.send() else { panic!("it has another name") };
    assert!(what.contains("not valid for name"), "{what}");
    assert!(bodies.lock().expect("no handler panics").is_empty());
}

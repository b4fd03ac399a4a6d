//! Addresses of receivers.

use http::Uri;

use crate::signal::Signal;

const WANTED: &str = "write an address such as http://localhost:4318";

/// Reads an address; one without a scheme is taken as plain HTTP. `path` is appended to its own.
///
/// # Errors
///
/// Says what to write instead. The address itself may hold a secret and is not repeated.
pub(super) fn read(text: &str, path: &str) -> Result<Uri, String> {
    let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let uri: Uri = full.parse().map_err(|_| format!("this is no address; {WANTED}"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(format!("its scheme is neither http nor https; {WANTED}"));
    }
    check_place(&uri)?;
    if path.is_empty() {
        return Ok(uri);
    }
    if uri.query().is_some() {
        return Err(format!("a path is appended to it, so it cannot have a query; {WANTED}"));
    }
    let base = full.trim_end_matches('/');
    if let Some(signal) = Signal::ALL.into_iter().find(|signal| base.ends_with(signal.path())) {
        return Err(format!(
            "it ends in {}, and such a path is appended for each signal; leave it out here, or name the receiver of one \
             signal in {}",
            signal.path(),
            super::variables::for_signal(signal, "ENDPOINT")
        ));
    }
    format!("{base}{path}").parse().map_err(|_| format!("this is no address; {WANTED}"))
}

/// Checks host and port: the parser takes for a port whatever follows the host.
fn check_place(uri: &Uri) -> Result<(), String> {
    let host = uri.host().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| format!("it names no host; {WANTED}"))?;
    let place = uri.authority().map_or("", http::uri::Authority::as_str);
    if place.contains('@') {
        return Err("it holds a user or a password; put them into OTEL_EXPORTER_OTLP_HEADERS".to_owned());
    }
    let port = place.strip_prefix(host).unwrap_or(place);
    let is_port = |text: &str| text.parse::<u16>().is_ok_and(|port| port > 0);
    if port.is_empty() || port.strip_prefix(':').is_some_and(is_port) {
        return Ok(());
    }
    Err(format!("what follows its host is no port from 1 to 65535; {WANTED}"))
}

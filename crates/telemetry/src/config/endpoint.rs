//! Addresses of receivers.

use http::Uri;

/// Reads an address; one without a scheme is taken as plain HTTP. `path` is appended to its own.
///
/// # Errors
///
/// Says what to write instead. The address itself may hold a secret and is not repeated.
pub(super) fn read(text: &str, path: &str) -> Result<Uri, String> {
    const WANTED: &str = "write an address such as http://localhost:4318";
    let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let uri: Uri = full.parse().map_err(|_| format!("this is no address; {WANTED}"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(format!("its scheme is neither http nor https; {WANTED}"));
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err(format!("it names no host; {WANTED}"));
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("it holds a user or a password; put them into OTEL_EXPORTER_OTLP_HEADERS".to_owned());
    }
    if path.is_empty() {
        return Ok(uri);
    }
    if uri.query().is_some() {
        return Err(format!("a path is appended to it, so it cannot have a query; {WANTED}"));
    }
    let whole = format!("{}{path}", full.trim_end_matches('/'));
    whole.parse().map_err(|_| format!("this is no address; {WANTED}"))
}

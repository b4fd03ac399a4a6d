//! What stands before every route: the Host allow-list, the two allowed methods, and the headers of every response.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HOST, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::Refused;

/// Forbids everything that the pages do not need: nothing inline, nothing from elsewhere, no frames, no forms out.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The headers of every response, refusals included.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Who may ask, and how many may listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The `Host` values that are answered, ports included, such as `127.0.0.1:3000`; anything else gets 421, so that
    /// a foreign name that resolves to this machine cannot read the pages.
    pub allowed_hosts: Vec<String>,
    /// Live streams at once, in all; the next one gets 503 with `Retry-After`.
    pub max_streams: usize,
    /// Live streams at once for one browser: it opens only six connections to a host and needs one for the pages.
    pub max_streams_per_browser: usize,
}

impl Guard {
    /// Allows the three names of the loopback interface with this port, 100 streams, and 5 for each browser.
    #[must_use]
    pub fn loopback(port: u16) -> Self {
        let allowed_hosts = ["127.0.0.1", "localhost", "[::1]"].map(|host| format!("{host}:{port}")).to_vec();
        Self { allowed_hosts, max_streams: 100, max_streams_per_browser: 5 }
    }

    /// Allows the address that the listener is bound to, and the names of the loopback interface with its port.
    #[must_use]
    pub fn bound_to(address: SocketAddr) -> Self {
        let mut guard = Self::loopback(address.port());
        guard.allowed_hosts.push(address.to_string());
        guard
    }

    fn allows(&self, host: &str) -> bool {
        self.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
    }

    /// Tells whether the request names exactly one host and that is allowed, in the header and in the target if any.
    fn admits(&self, request: &Request) -> bool {
        let target = request.uri().authority().is_none_or(|authority| self.allows(authority.as_str()));
        target && only_host(request.headers()).is_some_and(|host| self.allows(host))
    }
}

fn only_host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next()?;
    if hosts.next().is_some() { None } else { host.to_str().ok() }
}

/// Refuses foreign hosts with 421 and all methods but GET and HEAD with 405, and sets [`HEADERS`] on every response.
pub(crate) async fn stand(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let mut response = if !guard.admits(&request) {
        Refused::Host.into_response()
    } else if !matches!(*request.method(), Method::GET | Method::HEAD) {
        Refused::Method.into_response()
    } else {
        next.run(request).await
    };
    response.headers_mut().extend(HEADERS);
    response
}

//! The style sheet, the one script and the icon, all inside the program.

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

/// One file that is served as it is.
pub(crate) struct Asset {
    name: &'static str,
    content_type: &'static str,
    body: &'static str,
    /// A hash of the body, quoted as an `ETag`.
    tag: u64,
}

impl Asset {
    const fn new(name: &'static str, content_type: &'static str, body: &'static str) -> Self {
        Self { name, content_type, body, tag: fnv(body.as_bytes()) }
    }

    /// Returns the path with the content's hash, which may be kept forever.
    pub(crate) fn href(&self) -> String {
        format!("/assets/{}?v={:016x}", self.name, self.tag)
    }
}

pub(crate) static STYLE: Asset =
    Asset::new("app.css", "text/css; charset=utf-8", include_str!("assets/app.css"));

/// htmx, its SSE extension and our own few lines in one file: as two deferred files, the extension is often too late
/// for the first element that needs it.
pub(crate) static SCRIPT: Asset = Asset::new(
    "app.js",
    "text/javascript; charset=utf-8",
    concat!(
        include_str!("assets/htmx-4.0.1/htmx.min.js"),
        "\n",
        include_str!("assets/htmx-4.0.1/hx-sse.min.js"),
        "\n",
        include_str!("assets/live.js"),
    ),
);

pub(crate) static ICON: Asset = Asset::new("icon.svg", "image/svg+xml", include_str!("assets/icon.svg"));

static ALL: [&Asset; 3] = [&STYLE, &SCRIPT, &ICON];

/// Serves one asset: forever when the query names its present content, else to be asked for again by its `ETag`.
pub(crate) async fn serve(Path(name): Path<String>, uri: Uri, headers: HeaderMap) -> Response {
    let Some(asset) = ALL.into_iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let tag = format!("\"{:016x}\"", asset.tag);
    let named = uri.query().is_some_and(|query| query == format!("v={:016x}", asset.tag));
    let keep = if named { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(IF_NONE_MATCH).is_some_and(|known| *known == *tag);
    let head = [(ETAG, tag.as_str()), (CACHE_CONTROL, keep), (CONTENT_TYPE, asset.content_type)];
    if known { (StatusCode::NOT_MODIFIED, head).into_response() } else { (head, asset.body).into_response() }
}

/// FNV-1a: only tells one build's content from another's, at compile time.
const fn fnv(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

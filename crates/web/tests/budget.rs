//! What a browser has to load, compressed as a proxy would.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::sample::live;
use crate::site::{NOW_MS, Site};

fn gzip(text: &str) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory").len()
}

#[tokio::test]
async fn script_style_and_first_page_stay_within_their_budgets() {
    let site = Site::new(live(NOW_MS));
    let script = gzip(&site.get("/assets/app.js").await.body);
    let style = gzip(&site.get("/assets/app.css").await.body);
    let page = site.get("/").await.body;
    assert!(script <= 20_000, "the script has {script} bytes");
    assert!(style <= 8_000, "the style sheet has {style} bytes");
    let first = script + style + page.len();
    assert!(first <= 60_000, "the first page has {first} bytes, {} of them uncompressed HTML", page.len());
}

//! What a line and a record say of whose they are.

use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::filter;

/// Keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Returns the lines that work writes at `info` and above.
fn lines(work: impl FnOnce()) -> Vec<serde_json::Value> {
    use tracing_subscriber::filter::FilterExt as _;
    let kept = Kept::default();
    let wanted = LevelFilter::INFO.or(filter_fn(filter::is_carrier_span));
    let written = tracing_subscriber::fmt::layer().with_writer(kept.clone()).event_format(JsonLines);
    let carrying = Carrying.with_filter(filter_fn(filter::is_carrier_span));
    let subscriber = tracing_subscriber::registry().with(carrying).with(written.with_filter(wanted));
    tracing::subscriber::with_default(subscriber, work);
    let bytes = kept.0.lock().expect("no writer panics").clone();
    let text = String::from_utf8(bytes).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn a_line_says_what_its_event_and_the_spans_around_it_know() {
    let lines = lines(|| {
        let _attempt =
            tracing::info_span!("attempt", task = "gl-1", attempt = "a1", trace = "t1", span = "s1")
                .entered();
        tracing::warn!(event = "worktree.left", files = 3, "two\nlines");
        let _stage = tracing::info_span!("stage", span = "s2").entered();
        tracing::info!(event = "agent.started", agent = "claude", "");
        tracing::info!(event = "task.claimed", task = "gl-2", trace = "t2", "another's");
    });
    assert_eq!(lines[0]["event"], "worktree.left");
    assert_eq!(lines[0]["message"], "two\nlines");
    assert_eq!(lines[0]["files"], 3);
    assert_eq!((&lines[0]["trace_id"], &lines[0]["span_id"]), (&"t1".into(), &"s1".into()));
    assert_eq!(
        (&lines[1]["task"], &lines[1]["attempt"], &lines[1]["span_id"]),
        (&"gl-1".into(), &"a1".into(), &"s2".into())
    );
    assert_eq!((&lines[2]["task"], &lines[2]["trace_id"]), (&"gl-2".into(), &"t2".into()));
    assert_eq!(lines[2].get("span_id"), None, "a span of another trace is not its own");
}

#[test]
fn a_line_has_its_own_keys_once_and_in_order() {
    let lines = lines(|| tracing::info!(event = "x.y", level = "mine", empty = "", ok = true, "z"));
    let keys: Vec<_> = lines[0].as_object().expect("an object").keys().cloned().collect();
    assert_eq!(keys, ["event", "level", "level_", "message", "ok", "ts"], "sorted by the reader");
    assert_eq!((&lines[0]["level"], &lines[0]["level_"]), (&"INFO".into(), &"mine".into()));
}

#[test]
fn an_event_without_a_name_has_that_of_its_place() {
    let lines = lines(|| tracing::info!("hello"));
    assert_eq!(lines[0]["event"], module_path!());
}

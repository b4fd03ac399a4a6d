//! Live updates: each published state is rendered once and shared by all who listen.
//!
//! A message is one unnamed event with all regions that changed, as `<hx-partial>`s, so that the browser swaps them in
//! one batch and no two regions disagree. A subscriber holds no queue: it sees the newest [`Frame`], and when it has
//! missed one, it gets all regions instead of the changes. So a stalled client costs nothing and delays no one.

mod frame;
mod message;
mod renderer;
mod subscriber;

pub(crate) use frame::Frame;
pub(crate) use message::Regions;
pub(crate) use renderer::Renderer;
pub(crate) use subscriber::Subscriber;

/// Renders an event of the stream, each line of the data prefixed. The format also ends a line at a carriage return.
fn event(id: &str, data: &str) -> String {
    let mut text = format!("id: {id}\n");
    for line in data.split(['\n', '\r']).filter(|line| !line.is_empty()) {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    text
}

//! The regions of a page, and the message that brings a browser from one state of them to the next.

use askama::Template;

use crate::view::feed::{Feed, Row};
use crate::view::render;

/// More new rows than this come without the fade: many at once cost a quarter of a core.
const FADING_ROWS: usize = 3;

/// Everything that a page shows at one instant, rendered.
#[derive(Clone, Debug)]
pub(crate) struct Regions {
    pub(crate) title: String,
    /// What a screen reader is told when it changes.
    pub(crate) say: String,
    /// Each region's id and its markup.
    pub(crate) units: Vec<(&'static str, String)>,
    /// The feed, on a page that has one.
    pub(crate) feed: Option<Feed>,
}

impl Regions {
    /// Writes all regions: for a new connection and for one that missed something.
    pub(crate) fn whole(&self) -> String {
        let mut text = title(&self.title);
        for (id, html) in &self.units {
            text.push_str(&morph(id, html));
        }
        if let Some(feed) = &self.feed {
            text.push_str(&morph("feed", &render(feed)));
        }
        text
    }

    /// Writes what differs from `before`; empty when nothing does.
    pub(crate) fn changes(&self, before: &Self) -> String {
        let mut text = String::new();
        if self.title != before.title {
            text.push_str(&title(&self.title));
        }
        if self.say != before.say {
            text.push_str(&partial("#say", "innerHTML", &self.say));
        }
        for ((id, html), (_, old)) in self.units.iter().zip(&before.units) {
            if html != old {
                text.push_str(&morph(id, html));
            }
        }
        if let (Some(feed), Some(old)) = (&self.feed, &before.feed) {
            text.push_str(&feed_changes(&feed.rows, &old.rows));
        }
        text
    }
}

/// The document's title; it repeats the sentence, which may quote a task, so it is escaped like everything else.
#[derive(Template)]
#[template(source = "<title>{{ text }}</title>\n", ext = "html")]
struct Title<'a> {
    text: &'a str,
}

fn title(text: &str) -> String {
    render(&Title { text })
}

fn morph(id: &str, html: &str) -> String {
    partial(&format!("#{id}"), "outerMorph", html)
}

fn partial(target: &str, swap: &str, html: &str) -> String {
    format!("<hx-partial hx-target=\"{target}\" hx-swap=\"{swap}\">{html}</hx-partial>\n")
}

/// Puts new rows on top and takes the oldest away; a list that went on in any other way is sent whole.
fn feed_changes(rows: &[Row], old: &[Row]) -> String {
    if rows == old {
        return String::new();
    }
    let fresh = old.first().and_then(|newest| rows.iter().position(|row| row == newest)).unwrap_or(0);
    if fresh > 0 && old.starts_with(&rows[fresh..]) {
        prepend(&rows[..fresh], rows.len() - fresh, old.len())
    } else {
        morph("feed", &render(&Feed { rows: rows.to_vec() }))
    }
}

/// Targets are found before anything is swapped, so the rows to go are counted in the old list.
fn prepend(fresh: &[Row], kept: usize, old: usize) -> String {
    let mut markup = String::new();
    for row in fresh {
        markup.push_str(&render(&Row { new: fresh.len() <= FADING_ROWS, ..row.clone() }));
    }
    let mut text = partial("#feed", "afterbegin", &markup);
    if kept < old {
        text.push_str(&partial(&format!("#feed > li:nth-child(n+{})", kept + 1), "delete", ""));
    }
    text
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;

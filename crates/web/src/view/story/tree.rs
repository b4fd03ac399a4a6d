//! The decomposition that a task is part of, with costs rolled up to the parents.

use askama::Template;
use glitchlab_domain::story::{Branch, Story};

use crate::view::glyph::Glyph;
use crate::view::{link, state, text};

/// No row is indented deeper.
const DEEPEST: usize = 3;

/// The table.
#[derive(Clone, Debug, Template)]
#[template(path = "fragments/parts_tree.html")]
pub(crate) struct PartsTree {
    pub(crate) note: String,
    pub(crate) rows: Vec<TreeRow>,
}

/// One task.
#[derive(Clone, Debug)]
pub(crate) struct TreeRow {
    pub(crate) depth: usize,
    pub(crate) guides: Vec<char>,
    pub(crate) href: String,
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) is_me: bool,
    pub(crate) glyph: Glyph,
    pub(crate) word: &'static str,
    /// Blank before it was attempted.
    pub(crate) own: String,
    pub(crate) whole: String,
    pub(crate) took: String,
}

impl PartsTree {
    /// Draws the tree; none when nothing was split.
    pub(crate) fn new(story: &Story) -> Option<Self> {
        let root = story.tree.first()?;
        let deepest = story.tree.iter().map(|branch| branch.depth).max().unwrap_or(0);
        let cut = if story.tree_is_cut { ", more tasks are not shown" } else { "" };
        let note = format!("{} for the whole tree, {} levels{cut}", root.whole_cost, deepest + 1);
        let mut lines = Vec::new();
        Some(Self { note, rows: story.tree.iter().map(|branch| row(branch, &mut lines)).collect() })
    }
}

/// `lines` has a guide for each level above the row: `v` where its line goes on.
fn row(branch: &Branch, lines: &mut Vec<char>) -> TreeRow {
    let depth = usize::try_from(branch.depth).unwrap_or(DEEPEST);
    lines.truncate(depth.saturating_sub(1));
    let mut guides = lines.clone();
    if depth > 0 {
        guides.push(if branch.is_last { 'l' } else { 't' });
        lines.push(if branch.is_last { 'o' } else { 'v' });
    }
    let skipped = guides.len().saturating_sub(DEEPEST);
    let (glyph, word) = state::of(branch.state, None);
    let tried = |value: String| if branch.attempts == 0 { String::new() } else { value };
    TreeRow {
        depth: depth.min(DEEPEST),
        guides: guides.split_off(skipped),
        href: link::task(branch.bead_id.as_str()),
        id: branch.bead_id.to_string(),
        title: branch.title.clone(),
        is_me: branch.is_me,
        glyph,
        word,
        own: tried(branch.cost.to_string()),
        whole: tried(branch.whole_cost.to_string()),
        took: branch.took_ms.map_or(String::new(), text::took),
    }
}

//! The list of tasks: a form, a table, and the way to the next page. All of it works without a script.

pub(crate) mod ask;
pub(crate) mod csv;
pub(crate) mod lead;

use askama::Template;
use glitchlab_domain::history::{OrderBy, TaskLine, TaskPage};
use glitchlab_domain::outcome::Size;
use glitchlab_domain::task::TaskState;

use self::ask::{Ask, Range};
use super::glyph::Glyph;
use super::text::{self, Clock};
use super::{link, state};

/// The form and the table.
#[derive(Clone, Debug, Template)]
#[template(path = "fragments/rows.html")]
pub(crate) struct Rows {
    pub(crate) words: String,
    pub(crate) states: Vec<Choice>,
    pub(crate) models: Vec<Choice>,
    pub(crate) sizes: Vec<Choice>,
    pub(crate) ranges: Vec<Choice>,
    /// Fields of the URL that the form does not show.
    pub(crate) kept: Vec<(&'static str, String)>,
    pub(crate) shown: String,
    pub(crate) csv: String,
    pub(crate) json: String,
    pub(crate) columns: [Column; 5],
    pub(crate) lines: Vec<Line>,
    pub(crate) first: Option<String>,
    pub(crate) older: Option<String>,
    pub(crate) empty: Option<Empty>,
}

/// One value of a menu, or one link of a row of links.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// The value, or the address.
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) chosen: bool,
}

/// A column that can be sorted by.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) href: String,
    /// `ascending`, `descending`, or empty.
    pub(crate) sorted: &'static str,
}

/// One task.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) glyph: Glyph,
    pub(crate) word: &'static str,
    pub(crate) href: String,
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) attempts: u32,
    pub(crate) tokens: String,
    pub(crate) cost: String,
    /// The cost's share of the largest cost of the page.
    pub(crate) bar: Option<String>,
    pub(crate) took: String,
    pub(crate) ended: Option<Clock>,
    pub(crate) result: String,
    pub(crate) link: Option<String>,
}

/// What stands instead of lines, with a way back.
#[derive(Clone, Debug)]
pub(crate) struct Empty {
    pub(crate) title: String,
    pub(crate) clear: Option<String>,
    pub(crate) wider: Option<String>,
}

impl Rows {
    pub(crate) fn new(ask: &Ask, page: &TaskPage, now_ms: i64) -> Self {
        let most = page.lines.iter().map(|line| line.cost).max().unwrap_or_default();
        let sorts = [OrderBy::Attempts, OrderBy::Tokens, OrderBy::Cost, OrderBy::Took, OrderBy::Ended];
        Self {
            words: ask.words.clone(),
            states: states(ask),
            models: models(ask, page),
            sizes: sizes(ask),
            ranges: Range::ALL.map(|range| range_link(ask, range)).into(),
            kept: kept(ask),
            shown: lead::shown(page),
            csv: ask.href("/api/v1/tasks.csv"),
            json: ask.href("/api/v1/tasks"),
            columns: sorts.map(|by| column(ask, by)),
            lines: page.lines.iter().map(|line| Line::new(line, most.micro(), now_ms)).collect(),
            first: ask.after.as_ref().map(|_| ask.first().href("/tasks")),
            older: page.next.clone().map(|place| ask.from(place).href("/tasks")),
            empty: page.lines.is_empty().then(|| empty(ask)),
        }
    }
}

impl Line {
    fn new(line: &TaskLine, most_micro: i64, now_ms: i64) -> Self {
        let (glyph, word) = state::of(line.state, line.waits.as_ref());
        let running = if line.ended_ms.is_none() { now_ms - line.claimed_ms } else { 0 };
        let share = line.cost.micro().saturating_mul(10_000).checked_div(most_micro);
        let result = result(line);
        Self {
            glyph,
            word,
            href: link::task(line.bead_id.as_str()),
            id: line.bead_id.to_string(),
            title: line.title.clone(),
            attempts: line.attempts,
            tokens: text::tokens(line.tokens),
            cost: line.cost.to_string(),
            bar: share.filter(|share| *share > 0).map(text::percent),
            took: text::took(line.took_ms + running),
            ended: line.ended_ms.map(|at| text::moment(at, now_ms)),
            link: link::outside(&result),
            result,
        }
    }
}

fn result(line: &TaskLine) -> String {
    match (&line.merged, &line.request) {
        (Some(commit), _) => format!("merged {}", commit.get(..10).unwrap_or(commit)),
        (None, Some(request)) => request.clone(),
        (None, None) => String::new(),
    }
}

fn states(ask: &Ask) -> Vec<Choice> {
    let one = |state: TaskState| Choice {
        value: state.name().to_owned(),
        label: state::of(state, None).1.to_owned(),
        chosen: ask.state == Some(state),
    };
    any("Any status", ask.state.is_none()).chain(state::STATES.map(one)).collect()
}

fn models(ask: &Ask, page: &TaskPage) -> Vec<Choice> {
    let unknown = ask.model.iter().filter(|model| !page.models.contains(model));
    let one = |model: &String| Choice {
        value: model.clone(),
        label: model.clone(),
        chosen: ask.model.as_ref() == Some(model),
    };
    any("Any model", ask.model.is_none()).chain(page.models.iter().chain(unknown).map(one)).collect()
}

fn sizes(ask: &Ask) -> Vec<Choice> {
    let one = |size: Size| Choice {
        value: size.name().to_owned(),
        label: size.name().to_owned(),
        chosen: ask.size == Some(size),
    };
    any("Any size", ask.size.is_none()).chain([Size::S, Size::M, Size::L, Size::Xl].map(one)).collect()
}

fn any(label: &str, chosen: bool) -> impl Iterator<Item = Choice> {
    std::iter::once(Choice { value: String::new(), label: label.to_owned(), chosen })
}

fn range_link(ask: &Ask, range: Range) -> Choice {
    let value = ask.over(range).href("/tasks");
    Choice { value, label: range.label().to_owned(), chosen: ask.range == range }
}

/// The order and the range stay when the form is sent.
fn kept(ask: &Ask) -> Vec<(&'static str, String)> {
    let href = Ask { words: String::new(), state: None, model: None, size: None, ..ask.first() }.href("");
    let pairs = href.trim_start_matches('?').split('&').filter_map(|pair| pair.split_once('='));
    let name = |name: &str| ["range", "sort", "dir"].into_iter().find(|known| *known == name);
    pairs.filter_map(|(key, value)| Some((name(key)?, value.to_owned()))).collect()
}

fn column(ask: &Ask, by: OrderBy) -> Column {
    let sorted = match (ask.order.by == by, ask.order.ascending) {
        (false, _) => "",
        (true, true) => "ascending",
        (true, false) => "descending",
    };
    Column { href: ask.sorted(by).href("/tasks"), sorted }
}

fn empty(ask: &Ask) -> Empty {
    let title = match (ask.after.is_some(), ask.is_filtered()) {
        (true, _) => "Nothing older".to_owned(),
        (false, true) => format!("Nothing where {}", lead::filter(ask)),
        (false, false) => "Nothing yet".to_owned(),
    };
    let everything = Ask { range: ask.range, ..Ask::default() };
    Empty {
        title,
        clear: ask.is_filtered().then(|| everything.href("/tasks")),
        wider: (ask.range != Range::All).then(|| ask.over(Range::All).href("/tasks")),
    }
}

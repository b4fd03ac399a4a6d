//! The question that the URL of the list asks, and the URLs of its neighbours. Everything is in the URL.

use std::collections::HashMap;

use glitchlab_domain::history::{OrderBy, Place, TaskFilter, TaskOrder, TaskQuestion};
use glitchlab_domain::id::TaskKey;
use glitchlab_domain::outcome::Size;
use glitchlab_domain::task::TaskState;
use serde::de::DeserializeOwned;

use crate::view::link;

/// Lines of one page.
const LINES: u32 = 20;
/// The most lines of an export.
const EXPORTED: u32 = 500;
const DAY_MS: i64 = 86_400_000;

/// What the URL says, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) words: String,
    pub(crate) state: Option<TaskState>,
    pub(crate) model: Option<String>,
    pub(crate) size: Option<Size>,
    pub(crate) range: Range,
    pub(crate) order: TaskOrder,
    pub(crate) after: Option<Place>,
}

/// How far back the list goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    Day,
    Week,
    Month,
    All,
}

impl Range {
    pub(crate) const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::All];

    const fn name(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::All => "all",
        }
    }

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Day => "24 h",
            Self::Week => "7 d",
            Self::Month => "30 d",
            Self::All => "All",
        }
    }

    /// Says it in a sentence: "in the last 7 days".
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Day => "in the last 24 hours",
            Self::Week => "in the last 7 days",
            Self::Month => "in the last 30 days",
            Self::All => "since the beginning",
        }
    }

    fn since(self, now_ms: i64) -> Option<i64> {
        let days = match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 30,
            Self::All => return None,
        };
        Some(now_ms - days * DAY_MS)
    }
}

/// Columns that can be sorted by, with their names in the URL.
const COLUMNS: [(OrderBy, &str); 5] = [
    (OrderBy::Ended, "ended"),
    (OrderBy::Attempts, "attempts"),
    (OrderBy::Tokens, "tokens"),
    (OrderBy::Cost, "cost"),
    (OrderBy::Took, "took"),
];

const NEWEST: TaskOrder = TaskOrder { by: OrderBy::Ended, ascending: false };

impl Ask {
    /// Reads the query of a URL; none when a value is not one of ours.
    pub(crate) fn read(query: &HashMap<String, String>) -> Option<Self> {
        let value = |name: &str| query.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let range = value("range")
            .map_or(Some(Range::Week), |name| Range::ALL.into_iter().find(|range| range.name() == name))?;
        Some(Self {
            words: value("q").unwrap_or_default().chars().take(200).collect(),
            state: optional(value("status"))?,
            model: value("model").map(str::to_owned),
            size: optional(value("size"))?,
            range,
            order: order(value("sort"), value("dir"))?,
            after: value("after").map_or(Some(None), |text| place(text).map(Some))?,
        })
    }

    /// Returns the question for a page.
    pub(crate) fn question(&self, now_ms: i64) -> TaskQuestion {
        TaskQuestion {
            filter: TaskFilter {
                state: self.state,
                words: self.words.clone(),
                model: self.model.clone(),
                size: self.size,
                since_ms: self.range.since(now_ms),
            },
            order: self.order,
            after: self.after.clone(),
            limit: LINES,
        }
    }

    /// Returns the question for an export.
    pub(crate) fn export(&self, now_ms: i64) -> TaskQuestion {
        TaskQuestion { limit: EXPORTED, ..self.question(now_ms) }
    }

    /// Returns the URL of this list at a path.
    pub(crate) fn href(&self, path: &str) -> String {
        let TaskOrder { by, ascending } = self.order;
        let column = COLUMNS.iter().find(|(column, _)| *column == by).map_or("", |(_, name)| *name);
        let place = self.after.as_ref().map(|place| format!("{}.{}", place.value, place.task_key));
        link::with_query(
            path,
            [
                ("q", self.words.clone()),
                ("status", self.state.map(|state| state.name().to_owned()).unwrap_or_default()),
                ("model", self.model.clone().unwrap_or_default()),
                ("size", self.size.map(|size| size.name().to_owned()).unwrap_or_default()),
                ("range", given(self.range != Range::Week, self.range.name())),
                ("sort", given(self.order != NEWEST, column)),
                ("dir", given(ascending, "asc")),
                ("after", place.unwrap_or_default()),
            ],
        )
    }

    /// The same list from its start, in another order: the way turns when the column stays.
    pub(crate) fn sorted(&self, by: OrderBy) -> Self {
        let ascending = self.order.by == by && !self.order.ascending;
        Self { order: TaskOrder { by, ascending }, ..self.first() }
    }

    /// The same list from its start, over another range.
    pub(crate) fn over(&self, range: Range) -> Self {
        Self { range, ..self.first() }
    }

    /// The same list from its start.
    pub(crate) fn first(&self) -> Self {
        Self { after: None, ..self.clone() }
    }

    /// The same list from a place on.
    pub(crate) fn from(&self, place: Place) -> Self {
        Self { after: Some(place), ..self.clone() }
    }

    /// Tells whether anything but the range keeps tasks out.
    pub(crate) fn is_filtered(&self) -> bool {
        !self.words.is_empty() || self.state.is_some() || self.model.is_some() || self.size.is_some()
    }
}

/// The list as it opens.
impl Default for Ask {
    fn default() -> Self {
        Self {
            words: String::new(),
            state: None,
            model: None,
            size: None,
            range: Range::Week,
            order: NEWEST,
            after: None,
        }
    }
}

fn given(is_given: bool, value: &str) -> String {
    if is_given { value.to_owned() } else { String::new() }
}

/// Reads a word that one of our enums is written as; no word is no value, another word is none of ours.
fn optional<T: DeserializeOwned>(word: Option<&str>) -> Option<Option<T>> {
    let Some(word) = word else { return Some(None) };
    serde_json::from_value(serde_json::Value::String(word.to_owned())).ok().map(Some)
}

fn order(sort: Option<&str>, way: Option<&str>) -> Option<TaskOrder> {
    let by = match sort {
        None => OrderBy::Ended,
        Some(sort) => COLUMNS.iter().find(|(_, name)| *name == sort).map(|(by, _)| *by)?,
    };
    match way {
        None | Some("desc") => Some(TaskOrder { by, ascending: false }),
        Some("asc") => Some(TaskOrder { by, ascending: true }),
        Some(_) => None,
    }
}

fn place(text: &str) -> Option<Place> {
    let (value, key) = text.split_once('.')?;
    Some(Place { value: value.parse().ok()?, task_key: TaskKey::new(key) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Option<Ask> {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Ask::read(&pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[test]
    fn a_list_and_its_url_say_the_same() {
        for query in [
            "",
            "q=ledger&status=needs_human&model=m&size=XL&range=30d&sort=cost&dir=asc&after=12.abc",
            "range=all&sort=took",
            "dir=asc&sort=ended",
        ] {
            let ask = read(query).expect("it is one of ours");
            let href = ask.href("/tasks");
            let again = href.split_once('?').map_or("", |(_, query)| query);
            assert_eq!(read(again), Some(ask), "{href}");
        }
        assert_eq!(read("").expect("the default").href("/tasks"), "/tasks");
    }

    #[test]
    fn a_value_that_is_none_of_ours_is_refused_and_an_empty_field_is_no_value() {
        for query in ["status=gone", "size=XXL", "range=9d", "sort=title", "dir=up", "after=x", "after=1"] {
            assert_eq!(read(query), None, "{query}");
        }
        assert_eq!(read("q=&status=&model=&size=&range=&sort="), Some(Ask::default()));
    }

    #[test]
    fn sorting_by_the_same_column_turns_the_way_and_starts_over() {
        let ask = read("sort=cost&after=12.abc").expect("ours");
        assert_eq!(ask.sorted(OrderBy::Cost).href("/tasks"), "/tasks?sort=cost&dir=asc");
        assert_eq!(ask.sorted(OrderBy::Took).href("/tasks"), "/tasks?sort=took");
    }
}

//! The command line of an agent, with places for what it is given.

use crate::money::MicroUsd;

/// What a place may be called.
const PLACES: [&str; 3] = ["prompt_file", "worktree", "budget_usd"];

/// A command line with places, checked: a program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<String>,
}

/// What the places stand for.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// The file with what is to be done.
    pub prompt_file: &'a str,
    /// The directory to work in.
    pub worktree: &'a str,
    /// What the run may cost.
    pub budget: MicroUsd,
}

/// Why a command line cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    /// There is no program.
    #[error("it is empty; write the program and its arguments, such as [\"my-agent\", \"{{prompt_file}}\"]")]
    Empty,
    /// A place that nobody fills.
    #[error(
        "it has {{{place}}}, which nothing fills; the places are {{prompt_file}}, {{worktree}} and {{budget_usd}}"
    )]
    Place {
        /// Its name.
        place: String,
    },
    /// The agent is never told what to do.
    #[error("no argument has {{prompt_file}}, so the agent would not know what to do")]
    NoPrompt,
}

impl Template {
    /// Takes a program and its arguments.
    ///
    /// # Errors
    ///
    /// Says what is missing or unknown.
    pub fn new(parts: Vec<String>) -> Result<Self, BadTemplate> {
        if parts.first().is_none_or(|program| program.trim().is_empty()) {
            return Err(BadTemplate::Empty);
        }
        let template = Self { parts };
        if let Some(place) = template.places().find(|place| !PLACES.contains(place)) {
            return Err(BadTemplate::Place { place: place.to_owned() });
        }
        let is_told = template.places().any(|place| place == PLACES[0]);
        if is_told { Ok(template) } else { Err(BadTemplate::NoPrompt) }
    }

    /// Returns the program.
    #[must_use]
    pub fn program(&self) -> &str {
        self.parts.first().map_or("", String::as_str)
    }

    /// Tells whether the agent hears what it may spend.
    #[must_use]
    pub fn passes_budget(&self) -> bool {
        self.places().any(|place| place == PLACES[2])
    }

    fn places(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().flat_map(|part| places(part))
    }

    /// Fills the places; what a value says is never taken for one.
    #[must_use]
    pub fn fill(&self, values: &Values<'_>) -> Vec<String> {
        let budget =
            format!("{}.{:06}", values.budget.micro() / 1_000_000, values.budget.micro() % 1_000_000);
        let budget = budget.strip_suffix("0000").unwrap_or(&budget);
        let fill = |part: &String| {
            let mut filled = String::new();
            let mut rest = part.as_str();
            while let Some((before, place, after)) = next_place(rest) {
                filled.push_str(before);
                filled.push_str(match place {
                    "prompt_file" => values.prompt_file,
                    "worktree" => values.worktree,
                    _ => budget,
                });
                rest = after;
            }
            filled + rest
        };
        self.parts.iter().map(fill).collect()
    }
}

fn places(part: &str) -> impl Iterator<Item = &str> {
    let mut rest = part;
    std::iter::from_fn(move || {
        let (_, place, after) = next_place(rest)?;
        rest = after;
        Some(place)
    })
}

/// Finds the next `{name}`; braces around anything else, as in JSON, are text.
fn next_place(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(open) = text[from..].find('{').map(|at| from + at) {
        let name = text[open + 1..].split('}').next().unwrap_or_default();
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let end = open + 1 + name.len();
        if is_name && text[end..].starts_with('}') {
            return Some((&text[..open], name, &text[end + 1..]));
        }
        from = open + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(parts: &[&str]) -> Result<Template, BadTemplate> {
        Template::new(parts.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn places_are_filled_once_and_other_braces_are_text() {
        let template =
            template(&["agent", "-f={prompt_file}", "{worktree}/{worktree}", r#"{"max":{budget_usd}}"#])
                .unwrap();
        let values = Values { prompt_file: "/p{worktree}", worktree: "/w", budget: MicroUsd::new(2_000_000) };
        assert_eq!(template.fill(&values), ["agent", "-f=/p{worktree}", "/w//w", r#"{"max":2.00}"#]);
        assert!(template.passes_budget());
    }

    #[test]
    fn a_budget_keeps_all_its_decimals() {
        let template = template(&["agent", "{prompt_file}", "{budget_usd}"]).unwrap();
        let of = |micro| {
            let values = Values { prompt_file: "p", worktree: "w", budget: MicroUsd::new(micro) };
            template.fill(&values)[2].clone()
        };
        assert_eq!((of(1_234_567), of(500_000), of(0)), ("1.234567".into(), "0.50".into(), "0.00".into()));
    }

    #[test]
    fn what_cannot_work_is_refused_with_what_to_write() {
        assert_eq!(template(&[]), Err(BadTemplate::Empty));
        assert_eq!(template(&["agent", "now"]), Err(BadTemplate::NoPrompt));
        let error = template(&["agent", "{prompt_file}", "{promt}"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "it has {promt}, which nothing fills; the places are {prompt_file}, {worktree} and {budget_usd}"
        );
    }
}

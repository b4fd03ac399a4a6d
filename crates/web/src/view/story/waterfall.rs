//! The stages of every attempt on one time axis, waits included.

use askama::Template;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::stage::Stage;
use glitchlab_domain::story::{AttemptStory, StepStory, Story};

use super::{AT_REST_S, WHILE_RUNNING_S};
use crate::view::glyph::Glyph;
use crate::view::state;
use crate::view::text::{self, Clock};

/// A gap shorter than this is not a wait, ms.
const WAIT_MS: i64 = 2_000;
/// The narrowest bar that can be seen, in 1/10 000 of the axis.
const NARROWEST: i64 = 35;

/// The table.
#[derive(Clone, Debug, Template)]
#[template(path = "fragments/stages.html")]
pub(crate) struct Waterfall {
    pub(crate) as_of: Clock,
    /// How often the page asks again, seconds.
    pub(crate) every_s: u32,
    pub(crate) ticks: Vec<String>,
    pub(crate) groups: Vec<Group>,
    pub(crate) earlier: u32,
}

/// One attempt.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) n: u32,
    pub(crate) glyph: Glyph,
    pub(crate) word: &'static str,
    pub(crate) text: String,
    pub(crate) rows: Vec<Row>,
}

/// One step, or one wait.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) glyph: Glyph,
    pub(crate) name: String,
    pub(crate) says: String,
    pub(crate) model: String,
    pub(crate) tokens: String,
    pub(crate) cost: String,
    pub(crate) took: String,
    pub(crate) bars: Vec<Bar>,
}

/// A part of the axis.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) class: &'static str,
    pub(crate) x: String,
    pub(crate) width: String,
}

/// The time that the table spans, ms UTC.
#[derive(Clone, Copy)]
struct Axis {
    from: i64,
    to: i64,
}

impl Axis {
    fn of(story: &Story, now_ms: i64) -> Self {
        let from = story.attempts.first().map_or(now_ms, |first| first.started_ms);
        let ends = story.attempts.iter().map(|attempt| attempt.ended_ms.unwrap_or(now_ms));
        Self { from, to: ends.max().unwrap_or(now_ms).max(from + 1) }
    }

    fn bar(self, class: &'static str, from: i64, to: i64) -> Bar {
        let share = |at: i64| (at - self.from).clamp(0, self.to - self.from) * 10_000 / (self.to - self.from);
        let width = (share(to) - share(from)).max(NARROWEST);
        let x = share(from).min(10_000 - width);
        Bar { class, x: text::percent(x), width: text::percent(width) }
    }

    fn ticks(self) -> Vec<String> {
        let length = self.to - self.from;
        std::iter::once("0".to_owned()).chain((1..5).map(|n| text::took(length * n / 4))).collect()
    }
}

impl Waterfall {
    pub(crate) fn new(story: &Story, now_ms: i64) -> Self {
        let axis = Axis::of(story, now_ms);
        let mut before: Option<&AttemptStory> = None;
        let mut groups = Vec::new();
        for attempt in &story.attempts {
            groups.push(group(attempt, before, axis, now_ms));
            before = Some(attempt);
        }
        let runs = story.attempts.last().is_some_and(|last| last.ended_ms.is_none());
        Self {
            as_of: text::clock(now_ms),
            every_s: if runs { WHILE_RUNNING_S } else { AT_REST_S },
            ticks: axis.ticks(),
            groups,
            earlier: story.earlier_attempts,
        }
    }
}

fn group(attempt: &AttemptStory, before: Option<&AttemptStory>, axis: Axis, now_ms: i64) -> Group {
    let (glyph, word) = state::of_attempt(attempt.status, attempt.waits.as_ref());
    let mut rows = Vec::new();
    let mut at = before.and_then(|before| before.ended_ms).unwrap_or(attempt.started_ms);
    let mut why = "before this attempt".to_owned();
    rows.extend(gap(&why, at, attempt.started_ms, axis));
    at = attempt.started_ms;
    for step in &attempt.steps {
        "between two stages".clone_into(&mut why);
        rows.extend(gap(&why, at, step.started_ms, axis));
        rows.push(row(step, attempt, axis, now_ms));
        at = step.ended_ms.unwrap_or(now_ms);
    }
    if let Some(wait) = &attempt.waits {
        rows.push(Row { took: String::new(), ..waiting(&wait.reason.chip(), Vec::new()) });
    } else if attempt.ended_ms.is_none() {
        rows.extend(gap("since the last stage", at, now_ms, axis));
    }
    Group { n: attempt.n, glyph, word, text: words(attempt), rows }
}

/// Says how the attempt went in a few words: its failure, its cost, how it was simulated or lost.
fn words(attempt: &AttemptStory) -> String {
    let mut parts = vec![attempt.cost.to_string()];
    parts.extend(attempt.failure.map(|failure| failure.name().to_owned()));
    parts.extend(Some(attempt.detail.clone()).filter(|detail| !detail.is_empty()));
    parts.extend((attempt.crashes > 0).then(|| format!("lost {} times", attempt.crashes)));
    parts.join(", ")
}

fn gap(why: &str, from: i64, to: i64, axis: Axis) -> Option<Row> {
    let long = to - from >= WAIT_MS;
    long.then(|| Row { took: text::took(to - from), ..waiting(why, vec![axis.bar("wt", from, to)]) })
}

fn waiting(why: &str, bars: Vec<Bar>) -> Row {
    Row {
        glyph: Glyph::Wait,
        name: "waiting".to_owned(),
        says: why.to_owned(),
        model: String::new(),
        tokens: String::new(),
        cost: String::new(),
        took: String::new(),
        bars,
    }
}

fn row(step: &StepStory, attempt: &AttemptStory, axis: Axis, now_ms: i64) -> Row {
    let end = step.ended_ms.unwrap_or(now_ms);
    let settled: Vec<_> = step.calls.iter().filter_map(|call| call.cost).collect();
    let tokens = step.calls.iter().map(|call| call.input_tokens + call.output_tokens).sum();
    let known = |value: String| if settled.is_empty() { String::new() } else { value };
    let (glyph, class) = look(step, attempt);
    let mut bars = vec![axis.bar(class, step.started_ms, end)];
    bars.extend(waits(step, end).into_iter().map(|(from, to)| axis.bar("wt", from, to)));
    Row {
        glyph,
        name: step.stage.name().to_owned(),
        says: if step.ended_ms.is_some() { step.summary.clone() } else { "running".to_owned() },
        model: models(step),
        tokens: known(text::tokens(tokens)),
        cost: known(settled.iter().copied().sum::<MicroUsd>().to_string()),
        took: text::took(end - step.started_ms),
        bars,
    }
}

fn look(step: &StepStory, attempt: &AttemptStory) -> (Glyph, &'static str) {
    match (step.ended_ms, step.ok) {
        (None, _) if attempt.ended_ms.is_some() => (Glyph::Stop, "mut"),
        (None, _) => (Glyph::Run, "b1"),
        (Some(_), false) => (Glyph::Fail, "bad"),
        (Some(_), true) if matches!(step.stage, Stage::Test | Stage::PullRequest) => (Glyph::Ok, "ok"),
        (Some(_), true) => (Glyph::Ok, "b1"),
    }
}

fn models(step: &StepStory) -> String {
    let mut models: Vec<&str> = step.calls.iter().map(|call| call.model.as_str()).collect();
    models.sort_unstable();
    models.dedup();
    models.join(", ")
}

/// Returns the times within a step that asks models in which none was asked: money, a provider or a restart was waited
/// for.
fn waits(step: &StepStory, end: i64) -> Vec<(i64, i64)> {
    if step.calls.is_empty() {
        return Vec::new();
    }
    let mut asked: Vec<_> =
        step.calls.iter().map(|call| (call.created_ms, call.settled_ms.unwrap_or(end))).collect();
    asked.sort_unstable();
    let mut waits = Vec::new();
    let mut at = step.started_ms;
    for (from, to) in asked.into_iter().chain([(end, end)]) {
        waits.extend(Some((at, from)).filter(|_| from - at >= WAIT_MS));
        at = at.max(to);
    }
    waits
}

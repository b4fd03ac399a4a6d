//! The plan, the tests, the changed files, the review, and what each attempt learned.

use askama::Template;
use glitchlab_domain::outcome::Learned;
use glitchlab_domain::story::{AttemptStory, Edits, FileDelta, Output, Plan, Review, Story, Tests};

use crate::view::glyph::Glyph;
use crate::view::text::{self, Clock, UNKNOWN, count};
use crate::view::{state, text::percent};

/// All of them, each from the last attempt that has it.
#[derive(Clone, Debug, Template)]
#[template(path = "fragments/parts.html")]
pub(crate) struct Parts {
    pub(crate) plan: Option<(u32, Plan)>,
    pub(crate) tests: Vec<TestRun>,
    pub(crate) review: Option<Review>,
    pub(crate) changes: Option<Changes>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) lessons: Vec<Learned>,
}

/// One run of the tests.
#[derive(Clone, Debug)]
pub(crate) struct TestRun {
    pub(crate) id: String,
    pub(crate) attempt: u32,
    pub(crate) glyph: Glyph,
    pub(crate) word: &'static str,
    pub(crate) verdict: String,
    pub(crate) took: String,
    pub(crate) output: String,
}

/// The changed files.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    pub(crate) note: String,
    pub(crate) files: Vec<File>,
}

/// One changed file; the bars are shares of the largest change.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) added: String,
    pub(crate) removed: String,
    pub(crate) bars: Option<Bars>,
}

/// Added lines, and after them removed lines.
#[derive(Clone, Debug)]
pub(crate) struct Bars {
    pub(crate) added: String,
    pub(crate) removed_x: String,
    pub(crate) removed: String,
}

/// One attempt in a line.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) glyph: Glyph,
    pub(crate) word: String,
    pub(crate) ended: Option<Clock>,
    pub(crate) approach: String,
    pub(crate) detail: String,
}

impl Parts {
    pub(crate) fn new(story: &Story, now_ms: i64) -> Self {
        Self {
            plan: last(story, |output| match output {
                Output::Plan(plan) => Some(plan),
                _ => None,
            }),
            tests: story.attempts.iter().flat_map(tests).rev().take(8).collect(),
            review: last(story, |output| match output {
                Output::Review(review) => Some(review),
                _ => None,
            })
            .map(|(_, review)| review),
            changes: changes(story),
            attempts: story.attempts.iter().map(|attempt| one(attempt, now_ms)).collect(),
            lessons: story.learned.clone(),
        }
    }
}

/// Finds the last output of a kind, and the attempt that it is of.
fn last<T: Clone>(story: &Story, read: impl Fn(&Output) -> Option<&T>) -> Option<(u32, T)> {
    story.attempts.iter().rev().find_map(|attempt| {
        let found = attempt.steps.iter().rev().find_map(|step| read(&step.output))?;
        Some((attempt.n, found.clone()))
    })
}

fn tests(attempt: &AttemptStory) -> Vec<TestRun> {
    let run = |step: &glitchlab_domain::story::StepStory| {
        let Output::Tests(Tests { passed, skipped, verdict, output, .. }) = &step.output else { return None };
        let (glyph, word) = match (passed, skipped) {
            (_, true) => (Glyph::Skip, "Skipped"),
            (true, false) => (Glyph::Ok, "Passed"),
            (false, false) => (Glyph::Fail, "Failed"),
        };
        let took = step.ended_ms.map_or(String::new(), |ended| text::took(ended - step.started_ms));
        let id = format!("test-{}-{}", attempt.n, step.n);
        let (verdict, output) = (verdict.clone(), output.clone());
        Some(TestRun { id, attempt: attempt.n, glyph, word, verdict, took, output })
    };
    attempt.steps.iter().filter_map(run).collect()
}

/// The last test run knows the true difference to the base; before one, the edits at least know which files.
fn changes(story: &Story) -> Option<Changes> {
    let tested = last(story, |output| match output {
        Output::Tests(tests) if !tests.changes.is_empty() => Some(&tests.changes),
        _ => None,
    });
    if let Some((_, files)) = tested {
        return Some(counted(&files));
    }
    let (_, edits) = last(story, |output| match output {
        Output::Edits(edits) if !edits.files.is_empty() => Some(edits),
        _ => None,
    })?;
    Some(touched(&edits))
}

fn counted(files: &[FileDelta]) -> Changes {
    let most = files.iter().map(|file| file.added + file.removed).max().unwrap_or(0).max(1);
    let share = |lines: u64| i64::try_from(lines * 9_800 / most).unwrap_or(0);
    let gap = |file: &FileDelta| if file.added > 0 { 150 } else { 0 };
    let file = |file: &FileDelta| File {
        path: file.path.clone(),
        added: format!("+{}", file.added),
        removed: format!("−{}", file.removed),
        bars: Some(Bars {
            added: percent(share(file.added)),
            removed_x: percent(share(file.added) + gap(file)),
            removed: percent(share(file.removed)),
        }),
    };
    let sum = |lines: fn(&FileDelta) -> u64| files.iter().map(lines).sum::<u64>();
    let n = count(u64::try_from(files.len()).unwrap_or(0), "file");
    let note = format!("{n}, +{} −{}", sum(|file| file.added), sum(|file| file.removed));
    Changes { note, files: files.iter().map(file).collect() }
}

fn touched(edits: &Edits) -> Changes {
    let file = |(path, removed): (&String, &bool)| File {
        path: if *removed { format!("{path} (removed)") } else { path.clone() },
        added: UNKNOWN.to_owned(),
        removed: UNKNOWN.to_owned(),
        bars: None,
    };
    let n = count(u64::try_from(edits.files.len()).unwrap_or(0), "file");
    Changes {
        note: format!("{n} edited, not compared with the base yet"),
        files: edits.files.iter().map(file).collect(),
    }
}

fn one(attempt: &AttemptStory, now_ms: i64) -> Attempt {
    let (glyph, word) = state::of_attempt(attempt.status, attempt.waits.as_ref());
    let word = attempt.failure.map_or(word, |failure| failure.name());
    let approach = attempt.steps.iter().rev().find_map(|step| match &step.output {
        Output::Plan(plan) => Some(plan.approach.clone()),
        _ => None,
    });
    let or_unknown = |text: String| if text.is_empty() { UNKNOWN.to_owned() } else { text };
    Attempt {
        glyph,
        word: format!("{}, {word}", attempt.n),
        ended: attempt.ended_ms.map(|at| text::moment(at, now_ms)),
        approach: or_unknown(approach.unwrap_or_default()),
        detail: or_unknown(attempt.detail.clone()),
    }
}

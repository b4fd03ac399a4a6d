//! The head of a task's page: id, state, title, what came of it, and its facts.

use askama::Template;
use glitchlab_domain::agent;
use glitchlab_domain::reason::ReasonKind;
use glitchlab_domain::story::{AttemptStory, Story};
use glitchlab_domain::task::TaskState;

use crate::view::glyph::Glyph;
use crate::view::text::{self, Clock, UNKNOWN, count};
use crate::view::why::{Part, parts};
use crate::view::{link, state};

/// The head.
#[derive(Clone, Debug, Template)]
#[template(path = "fragments/task_lead.html")]
pub(crate) struct TaskLead {
    pub(crate) id: String,
    pub(crate) glyph: Glyph,
    pub(crate) word: &'static str,
    /// The task above, with its address.
    pub(crate) parent: Option<(String, String)>,
    pub(crate) title: String,
    pub(crate) sentence: String,
    pub(crate) chip: Option<String>,
    /// What a person can do, when it waits for one.
    pub(crate) remedy: Vec<Part>,
    pub(crate) until: Option<Clock>,
    /// The request's address, when it has one that may be linked.
    pub(crate) link: Option<String>,
    pub(crate) cost: String,
    pub(crate) cost_label: String,
    pub(crate) facts: Vec<Fact>,
    pub(crate) trace: Option<(String, String)>,
    pub(crate) claimed: Option<Clock>,
    pub(crate) branch: Option<String>,
    pub(crate) body: String,
    pub(crate) labels: String,
}

/// A fact of one short value.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

impl TaskLead {
    pub(crate) fn new(story: &Story, now_ms: i64) -> Self {
        let last = story.attempts.last();
        let within = last.filter(|_| story.state == TaskState::Running).and_then(|last| last.waits.as_ref());
        let waits = within.or(story.waits.as_ref());
        let (glyph, word) = state::of(story.state, story.waits.as_ref());
        let parent = story.parent.as_ref();
        Self {
            id: story.bead_id.to_string(),
            glyph,
            word,
            parent: parent.map(|parent| (link::task(parent.as_str()), parent.to_string())),
            title: story.title.clone(),
            sentence: sentence(story, last),
            remedy: remedy(story),
            chip: waits.map(|wait| wait.reason.chip()),
            until: waits.and_then(|wait| wait.until_ms).map(|at| text::moment(at, now_ms)),
            link: story.request.as_deref().and_then(link::outside),
            cost: if story.runs == 0 { UNKNOWN.to_owned() } else { story.whole_cost.to_string() },
            cost_label: cost_label(story),
            facts: facts(story, now_ms),
            trace: story.trace_id.as_ref().map(|trace| (trace.clone(), short(trace))),
            claimed: last.map(|last| text::moment(last.started_ms, now_ms)),
            branch: last.map(|last| last.branch.clone()),
            body: story.body.clone(),
            labels: story.labels.join(", "),
        }
    }

    /// Returns the document's title.
    pub(crate) fn document(&self) -> String {
        format!("{} {}, {} · GLITCHLAB", self.id, self.word, self.cost)
    }
}

fn sentence(story: &Story, last: Option<&AttemptStory>) -> String {
    let detail = last.map(|last| last.detail.as_str()).filter(|detail| !detail.is_empty());
    let reason = story.waits.as_ref().map(|wait| wait.reason.to_string());
    match story.state {
        TaskState::Running => running(last),
        TaskState::InReview => match &story.request {
            Some(request) => format!("{request} is green and waits for a merge"),
            None => "Its branch waits for a merge".to_owned(),
        },
        TaskState::Completed => match &story.merged {
            Some(commit) => format!("Merged as {}", commit.get(..12).unwrap_or(commit)),
            None => detail.unwrap_or("It is done").to_owned(),
        },
        TaskState::Decomposed => {
            reason.or(detail.map(str::to_owned)).unwrap_or_else(|| "Split into sub-tasks".to_owned())
        }
        TaskState::Open if story.runs == 0 => reason.unwrap_or_else(|| "It was not attempted yet".to_owned()),
        TaskState::Open
        | TaskState::Blocked
        | TaskState::NeedsHuman
        | TaskState::Failed
        | TaskState::Dropped => reason.or(detail.map(str::to_owned)).unwrap_or_default(),
    }
}

fn remedy(story: &Story) -> Vec<Part> {
    let wait = story.waits.as_ref().filter(|wait| wait.reason.kind() == ReasonKind::NeedsHuman);
    wait.map(|wait| parts(&wait.reason.unblocks(story.bead_id.as_str()))).unwrap_or_default()
}

fn running(last: Option<&AttemptStory>) -> String {
    let Some(last) = last else { return "It runs".to_owned() };
    match (&last.waits, last.steps.last()) {
        (Some(wait), _) => format!("Attempt {} waits: {}", last.n, wait.reason),
        (None, Some(step)) => format!("Attempt {} is at {}, in {}", last.n, step.stage.name(), last.slot),
        (None, None) => format!("Attempt {} begins, in {}", last.n, last.slot),
    }
}

fn cost_label(story: &Story) -> String {
    let parts = story.tree.iter().skip_while(|branch| !branch.is_me);
    let my_depth = parts.clone().next().map_or(0, |me| me.depth);
    let below = parts.skip(1).take_while(|branch| branch.depth > my_depth).count();
    match u64::try_from(below).unwrap_or(0) {
        0 => "settled in all".to_owned(),
        n => format!("with {}", count(n, "sub-task")),
    }
}

fn facts(story: &Story, now_ms: i64) -> Vec<Fact> {
    let fact = |name, value| Fact { name, value };
    let last = story.attempts.last();
    let known = |value: String| if story.runs == 0 { UNKNOWN.to_owned() } else { value };
    let worked = story.attempts.iter().map(|it| it.ended_ms.unwrap_or(now_ms) - it.started_ms).sum();
    let size = story.attempts.iter().rev().find_map(|attempt| attempt.size);
    vec![
        fact("Attempts", story.runs.to_string()),
        fact("Tokens", known(text::tokens(story.tokens))),
        fact("Own cost", known(story.cost.to_string())),
        fact("Worked", known(text::span(worked))),
        fact("Size", size.map_or(UNKNOWN, |size| size.name()).to_owned()),
        fact("Model", last.map_or(UNKNOWN.to_owned(), |last| agent::label(&last.model))),
        fact("Priority", story.priority.to_string()),
        fact("Type", story.kind.clone()),
    ]
}

fn short(trace: &str) -> String {
    match (trace.get(..8), trace.get(28..)) {
        (Some(head), Some(tail)) => format!("{head}…{tail}"),
        _ => trace.to_owned(),
    }
}

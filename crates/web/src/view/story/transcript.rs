//! What models replied, call by call, as far as it is kept.

use askama::Template;
use glitchlab_domain::agent;
use glitchlab_domain::rows::CallState;
use glitchlab_domain::story::{AttemptStory, CallStory, StepStory, Story};

use crate::view::{link, text};

/// The list, the newest attempt first.
#[derive(Clone, Debug, Template)]
#[template(path = "fragments/transcript.html")]
pub(crate) struct Transcript {
    pub(crate) attempts: Vec<Said>,
}

/// What was said in one attempt.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) n: u32,
    pub(crate) calls: Vec<Call>,
}

/// One try of a call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) head: String,
    pub(crate) reply: String,
    pub(crate) is_cut: bool,
    /// Where all is that a program said.
    pub(crate) href: Option<String>,
}

impl Transcript {
    pub(crate) fn new(story: &Story) -> Self {
        let said = story.attempts.iter().rev().map(said).filter(|said| !said.calls.is_empty());
        Self { attempts: said.collect() }
    }
}

fn said(attempt: &AttemptStory) -> Said {
    let calls = attempt.steps.iter().flat_map(|step| step.calls.iter().map(move |call| (step, call)));
    Said { n: attempt.n, calls: calls.map(|(step, it)| call(attempt, step, it)).collect() }
}

fn call(attempt: &AttemptStory, step: &StepStory, call: &CallStory) -> Call {
    let is_program = agent::is_unmetered(&call.model);
    let reply = match (&call.reply, &call.error) {
        (Some(_), _) if is_program => "It worked in the worktree by itself.".to_owned(),
        (Some(reply), _) => reply.clone(),
        (None, Some(error)) => error.clone(),
        (None, None) if call.state == CallState::Open => "No reply yet.".to_owned(),
        (None, None) => "The reply is not kept.".to_owned(),
    };
    Call {
        id: format!("call-{}-{}-{}-{}", attempt.n, step.n, call.call_no, call.try_no),
        head: head(step, call),
        reply,
        is_cut: call.reply_is_cut && !is_program,
        href: (is_program && call.cost.is_some()).then(|| link::transcript(&attempt.attempt_id, step.n)),
    }
}

fn head(step: &StepStory, call: &CallStory) -> String {
    let mut parts = vec![format!("{} {}", step.stage.name(), call.call_no + 1), agent::label(&call.model)];
    parts.extend((call.try_no > 0).then(|| format!("try {}", call.try_no + 1)));
    match call.cost {
        None => parts.push("open".to_owned()),
        Some(cost) => parts.extend([
            format!(
                "{} in{}, {} out",
                text::tokens(call.input_tokens),
                of_cache(call),
                text::tokens(call.output_tokens)
            ),
            cost.to_string(),
            text::took(call.latency_ms),
        ]),
    }
    let is_cut = call.response.as_ref().is_some_and(|response| response.is_cut());
    parts.extend(is_cut.then(|| "cut at its limit".to_owned()));
    parts.extend((call.state == CallState::Unknown).then(|| "charged at its bound".to_owned()));
    parts.extend((call.cost.is_some() && !call.ok).then(|| "failed".to_owned()));
    parts.join(" · ")
}

/// How much of the prompt the provider knew already.
fn of_cache(call: &CallStory) -> String {
    let read =
        call.response.as_ref().and_then(|response| response.cache).map_or(0, |cache| cache.read_tokens);
    if read == 0 { String::new() } else { format!(" ({} cached)", text::tokens(read)) }
}

//! `glitchlab why [ID]`: why nothing starts, or why one task does not; from outside of the engine, whether it runs or not.

use std::process::ExitCode;

use anyhow::Context;
use glitchlab_domain::bead::BeadId;
use glitchlab_domain::reason::Reason;
use glitchlab_domain::story::Plan;
use glitchlab_domain::why::{
    Entry, Gate, GateState, Lines, TaskWhy, Why, explain, explain_task, no_such_task,
};
use glitchlab_pipeline::git::RepoOptions;
use glitchlab_store::{Reader, clock};
use serde::Serialize;

use super::alone;
use super::status::not_done;
use crate::args;
use crate::config::Config;
use crate::exit::{Code, OrStop, Stop};
use crate::output::{one_line, remark, say};
use crate::standing::Standing;
use crate::table::{Side, table};
use crate::{compose, config, here, times};

/// How many lines of a group are shown to a person.
const LINES: usize = 20;
/// How much of a title is shown, in characters.
const TITLE: usize = 40;

/// Runs the command.
///
/// # Errors
///
/// Returns why the repository, its backlog or its store cannot be read, or that there is no such task.
pub(crate) fn run(flags: &args::Why) -> Result<ExitCode, Stop> {
    alone(why(flags))?
}

async fn why(flags: &args::Why) -> Result<ExitCode, Stop> {
    let config = Config::load(&flags.place.settings(flags.backlog.as_ref())).or_stop(Code::Configuration)?;
    let repo = compose::git_repo(&config.repo, &RepoOptions::new(config::environment())).await?;
    let reader = here::reader(&config.store).await?;
    let now_ms = clock::wall()();
    let repo_id = compose::repo_id(&repo);
    let standing =
        Standing::read(&config, &repo_id, reader.as_ref(), now_ms).await.or_stop(Code::Configuration)?;
    standing.faults().iter().for_each(|fault| remark(&format!("backlog: {}", one_line(fault))));
    let Some(id) = &flags.id else { return tell(flags, &standing) };
    let told = match explain_task(&standing.facts(), &BeadId::from(id.as_str())) {
        Ok(why) => {
            let plan = plan(reader.as_ref(), &why).await.or_stop(Code::Configuration)?;
            TaskTold { why, plan }
        }
        Err(near) => {
            return Err(Stop::new(Code::Usage, anyhow::anyhow!(one_line(&no_such_task(id, &near)))));
        }
    };
    tell_task(flags, &told)
}

/// What the command says of one task; its JSON is stable.
#[derive(Debug, Serialize)]
struct TaskTold {
    #[serde(flatten)]
    why: TaskWhy,
    /// The plan of the attempt that waits for a person's word.
    plan: Option<Plan>,
}

/// Returns the plan that a person is asked about, or whose work.
async fn plan(reader: Option<&Reader>, why: &TaskWhy) -> anyhow::Result<Option<Plan>> {
    let asks = match why.entry.as_ref().map(|entry| &entry.reason) {
        Some(Reason::NeedsHuman { reason }) => reason.asks(),
        _ => None,
    };
    let (Some(reader), Some(asks)) = (reader, asks) else { return Ok(None) };
    let steps = reader.steps(&asks.attempt_id).await?;
    Ok(steps.iter().rev().find_map(Plan::of))
}

fn tell(flags: &args::Why, standing: &Standing) -> Result<ExitCode, Stop> {
    let why = explain(&standing.facts(), if flags.place.json { usize::MAX } else { LINES });
    if flags.place.json {
        say(&serde_json::to_string_pretty(&why).context("the answer is plain data")?);
    } else {
        say(&text(&why));
    }
    Ok(Code::Done.into())
}

fn tell_task(flags: &args::Why, told: &TaskTold) -> Result<ExitCode, Stop> {
    if flags.place.json {
        say(&serde_json::to_string_pretty(told).context("the answer is plain data")?);
    } else {
        say(&task_text(told));
    }
    Ok(Code::Done.into())
}

fn text(why: &Why) -> String {
    let headline = &why.headline;
    let until = headline.until_ms.map(|until| format!(", until {}", times::until(until, why.as_of_ms)));
    let mut parts = vec![format!("{}{}", headline.text, until.unwrap_or_default())];
    if !headline.detail.is_empty() {
        parts.push(headline.detail.clone());
    }
    parts.extend(why.said.iter().map(|said| not_done(said, why.as_of_ms)));
    parts.push(format!("\nWhere the queue stops\n{}", gates(&why.gates, why.as_of_ms)));
    parts.extend(why.groups.iter().map(|lines| group(lines, why.as_of_ms)));
    parts.join("\n")
}

fn gates(gates: &[Gate], now_ms: i64) -> String {
    let row = |gate: &Gate| {
        let until = gate.until_ms.map(|until| format!("; until {}", times::until(until, now_ms)));
        let word = match gate.state {
            GateState::Passed => "passes",
            GateState::Held => "HOLDS",
            GateState::NotReached => "",
        };
        let note = format!("{}{}", one_line(&gate.note), until.unwrap_or_default());
        vec![String::new(), gate.name.clone(), word.to_owned(), gate.count.clone(), note]
    };
    let head = [""; 5].map(|name| (name.to_owned(), Side::Left));
    let rows: Vec<_> = gates.iter().map(row).collect();
    table(&head, &rows).trim_start_matches('\n').to_owned()
}

fn group(lines: &Lines, now_ms: i64) -> String {
    let head = ["", "WHAT", "REASON", "SINCE", "UNTIL", "WHAT UNBLOCKS IT"];
    let rows: Vec<_> = lines.entries.iter().map(|entry| row(entry, now_ms)).collect();
    let shown: u64 = lines.entries.iter().map(|entry| entry.count).sum();
    let more = match lines.total.saturating_sub(shown) {
        0 => String::new(),
        more => format!("\n  and {more} more; --json lists all"),
    };
    let table = table(&head.map(|name| (name.to_owned(), Side::Left)), &rows);
    format!("\n{} ({})\n{table}{more}", lines.title, lines.total)
}

fn row(entry: &Entry, now_ms: i64) -> Vec<String> {
    let title: String = one_line(&entry.what).chars().take(TITLE).collect();
    let what =
        entry.task.as_ref().map_or_else(|| title.clone(), |id| format!("{} {title}", one_line(id.as_str())));
    vec![
        String::new(),
        what,
        one_line(&entry.chip),
        entry.since_ms.map_or_else(String::new, |since| times::span(now_ms - since)),
        entry.until_ms.map_or_else(|| entry.ends.clone(), |until| times::until(until, now_ms)),
        one_line(&entry.remedy()),
    ]
}

fn task_text(TaskTold { why, plan }: &TaskTold) -> String {
    let mut lines = vec![one_line(&why.headline)];
    let facts = facts(why).into_iter().map(|(name, text)| format!("  {name:<9} {}", one_line(&text)));
    lines.extend(facts);
    lines.extend(why.blockers.iter().map(|blocker| {
        let indent = "  ".repeat(usize::try_from(blocker.depth).unwrap_or(1));
        format!("  {indent}{}", one_line(&blocker.stands))
    }));
    lines.extend(plan.iter().flat_map(planned));
    lines.extend(why.said.iter().map(|said| format!("  {}", not_done(said, why.as_of_ms))));
    if !why.running {
        lines.push("  No engine runs: `glitchlab continuous` starts one".to_owned());
    }
    lines.join("\n")
}

/// A plan, a line for each step. It is text of a model.
fn planned(plan: &Plan) -> Vec<String> {
    let mut lines = vec![format!("  {:<9} {}", "plan", one_line(&plan.approach))];
    lines.extend((1..).zip(&plan.steps).map(|(n, step)| format!("  {n:>9}. {}", one_line(step))));
    if !plan.files.is_empty() {
        lines.push(format!("  {:<9} {}", "files", one_line(&plan.files.join(", "))));
    }
    lines
}

/// What is known of a task, each under its name.
fn facts(why: &TaskWhy) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("title", why.title.clone()),
        ("state", format!("{} here, {} in the backlog", why.state.name(), why.source_state)),
    ];
    facts.extend(why.entry.iter().flat_map(|entry| waits(entry, why.as_of_ms)));
    facts.extend(why.place.map(|place| ("queue", queue(place, &why.ahead))));
    facts.extend(why.gate.iter().map(|gate| ("gate", format!("{}: {}", gate.name, gate.note))));
    let (attempts, failures, deferrals) = (why.attempts, why.failures, why.deferrals);
    facts.push(("attempts", format!("{attempts}, {failures} failed, put back {deferrals} times")));
    facts.extend(why.request.iter().map(|request| ("branch", request.clone())));
    facts.extend(why.obstacle.iter().map(|obstacle| ("learned", obstacle.clone())));
    facts.extend(why.trace_id.iter().map(|trace_id| ("trace", trace_id.clone())));
    facts
}

fn waits(entry: &Entry, now_ms: i64) -> [(&'static str, String); 4] {
    let since = entry.since_ms.map_or_else(|| "—".to_owned(), |since| times::since(since, now_ms));
    let until = entry.until_ms.map_or_else(|| entry.ends.clone(), |until| times::until(until, now_ms));
    [("reason", entry.chip.clone()), ("since", since), ("until", until), ("unblocks", entry.remedy())]
}

fn queue(place: u64, ahead: &[BeadId]) -> String {
    match ahead {
        [] => format!("number {place}"),
        ahead => format!("number {place}, behind {}", list(ahead)),
    }
}

fn list(ids: &[BeadId]) -> String {
    ids.iter().map(|id| one_line(id.as_str())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use crate::config::keys;

    #[test]
    fn every_setting_that_unblocks_something_exists() {
        let sections = keys::sections();
        let named = include_str!("../../../../docs/reasons.md").split('`').skip(1).step_by(2);
        let settings: Vec<&str> = named
            .filter(|name| name.split_once('.').is_some_and(|(section, _)| sections.contains(&section)))
            .collect();
        assert!(settings.len() >= 8, "{settings:?}");
        for name in settings {
            assert!(keys::find(name).is_some(), "there is no setting {name}");
        }
    }
}

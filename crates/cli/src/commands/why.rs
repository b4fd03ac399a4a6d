//! `glitchlab why [ID]`: why nothing starts, or why one task does not; from outside of the engine, whether it runs or not.

use std::process::ExitCode;

use anyhow::Context;
use glitchlab_domain::bead::BeadId;
use glitchlab_domain::why::{
    Entry, Gate, GateState, Lines, TaskWhy, Why, explain, explain_task, no_such_task,
};
use glitchlab_pipeline::git::RepoOptions;
use glitchlab_store::clock;

use super::alone;
use crate::args::{self, Continuous};
use crate::config::Config;
use crate::config::flags::Flags;
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
    let config = Config::load(&settings(flags)).or_stop(Code::Configuration)?;
    let repo = compose::git_repo(&config.repo, &RepoOptions::new(config::environment())).await?;
    let reader = here::reader(&config.store).await?;
    let now_ms = clock::wall()();
    let repo_id = compose::repo_id(&repo);
    let standing =
        Standing::read(&config, &repo_id, reader.as_ref(), now_ms).await.or_stop(Code::Configuration)?;
    standing.faults().iter().for_each(|fault| remark(&format!("backlog: {}", one_line(fault))));
    match &flags.id {
        Some(id) => tell_task(flags, &standing, id),
        None => tell(flags, &standing),
    }
}

fn settings(flags: &args::Why) -> Continuous {
    let given = [("backlog.path", &flags.backlog), ("store.url", &flags.place.store)];
    let set = given.into_iter().filter_map(|(key, word)| Some((key, word.as_ref()?)));
    let keys = set.fold(Flags::default(), |keys, (key, word)| keys.or(key, word.clone()));
    Continuous { repo: flags.place.repo.clone(), keys, ..Continuous::default() }
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

fn tell_task(flags: &args::Why, standing: &Standing, id: &str) -> Result<ExitCode, Stop> {
    match explain_task(&standing.facts(), &BeadId::from(id)) {
        Ok(why) if flags.place.json => {
            say(&serde_json::to_string_pretty(&why).context("the answer is plain data")?);
        }
        Ok(why) => say(&task_text(&why)),
        Err(near) => {
            return Err(Stop::new(Code::Usage, anyhow::anyhow!(one_line(&no_such_task(id, &near)))));
        }
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

fn task_text(why: &TaskWhy) -> String {
    let mut lines = vec![one_line(&why.headline)];
    let facts = facts(why).into_iter().map(|(name, text)| format!("  {name:<9} {}", one_line(&text)));
    lines.extend(facts);
    lines.extend(why.blockers.iter().map(|blocker| {
        let indent = "  ".repeat(usize::try_from(blocker.depth).unwrap_or(1));
        format!("  {indent}{}", one_line(&blocker.stands))
    }));
    if !why.running {
        lines.push("  No engine runs: `glitchlab continuous` starts one".to_owned());
    }
    lines.join("\n")
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

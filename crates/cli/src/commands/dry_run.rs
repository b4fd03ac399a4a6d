//! `glitchlab continuous --dry-run`: what an engine would do and what it could cost at most. Nothing is claimed, written
//! or asked of a model; a store that is not there is not made.

mod prospects;

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context;
use glitchlab_domain::board::Board;
use glitchlab_domain::dispatch::full_of_requests;
use glitchlab_domain::ledger::{Prospect, admissions};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::task::TaskRow;
use glitchlab_domain::why::Facts;
use glitchlab_store::clock;
use serde::Serialize;

use super::alone;
use super::config::{SettingReport, reports, text as settings_text};
use crate::config::{Config, telemetry};
use crate::exit::{Code, OrStop, Stop};
use crate::output::{one_line, remark, say};
use crate::standing::Standing;
use crate::{compose, here, times};

/// How many tasks are named in their order.
const NAMED: usize = 20;
/// How many ids an exclusion names before it only counts.
const IDS: usize = 8;

/// What the command says; its JSON is stable.
#[derive(Debug, Serialize)]
struct Report {
    settings: Vec<SettingReport>,
    notes: Vec<String>,
    ready: usize,
    /// What lets none of them start, whatever money there is.
    held: Option<String>,
    /// The first of them, in the order in which they would start.
    order: Vec<Next>,
    /// Everything else that is open, by reason.
    excluded: BTreeMap<String, Vec<String>>,
    cost: Cost,
}

#[derive(Debug, Serialize)]
struct Next {
    id: String,
    priority: i64,
    title: String,
    /// How long after the start it is admitted, when every task costs what is expected, in seconds.
    admitted_s: i64,
}

/// What all that is ready may cost, in micro-dollars.
#[derive(Debug, Serialize)]
struct Cost {
    cap_hour: MicroUsd,
    cap_day: MicroUsd,
    /// The most that one task can cost; none is no limit.
    per_task: Option<MicroUsd>,
    /// The most that all ready tasks can cost, if each used up its limit.
    worst: Option<MicroUsd>,
    /// What one is expected to cost.
    expected_each: MicroUsd,
    /// What they are expected to cost.
    expected: MicroUsd,
    /// After how many minutes at full speed the day's cap is reached; none when the hours' caps never reach it.
    day_cap_after_min: Option<i64>,
    /// In how many hours at the least the caps let the worst case be spent.
    worst_hours: Option<i64>,
}

/// Says what a run with these settings would do.
///
/// # Errors
///
/// Returns what would not let it start.
pub(crate) fn run(config: &Config, as_json: bool) -> Result<ExitCode, Stop> {
    alone(look(config, as_json))?
}

async fn look(config: &Config, as_json: bool) -> Result<ExitCode, Stop> {
    let telemetry = telemetry::read(&config.effective, &config.sources).or_stop(Code::Configuration)?;
    let repo = compose::open_repo(config).await?;
    compose::check_tests(config)?;
    let model = compose::priced_model(config)?;
    let reader = here::reader(&config.store).await?;
    let repo_id = compose::repo_id(&repo);
    let now_ms = clock::wall()();
    let standing = Standing::read(config, &repo_id, reader.as_ref(), now_ms).await;
    let standing = standing.or_stop(Code::Configuration)?;
    standing.faults().iter().for_each(|fault| remark(&format!("backlog: {}", one_line(fault))));
    let facts = standing.facts();
    let prospects = prospects::read(config, &repo_id, reader.as_ref(), model.price(), now_ms).await;
    let mut report = report(config, &facts, prospects.or_stop(Code::Configuration)?);
    report.notes.extend(telemetry.notes);
    if as_json {
        say(&serde_json::to_string_pretty(&report).context("the report is plain data")?);
    } else {
        say(&text(config, &report));
    }
    Ok(Code::Done.into())
}

fn report(config: &Config, facts: &Facts<'_>, prospects: Vec<Prospect>) -> Report {
    let board = facts.board;
    let ready: Vec<&TaskRow> = board.startable().collect();
    let hold = prospects.first().map_or(MicroUsd::ZERO, Prospect::hold);
    let admitted = admissions(prospects, facts.now_ms).map(|at_ms| (at_ms - facts.now_ms) / 1_000);
    let next = |(task, admitted_s): (&&TaskRow, i64)| Next {
        id: task.bead_id.to_string(),
        priority: task.priority,
        title: task.title.clone(),
        admitted_s,
    };
    Report {
        settings: reports(&config.effective),
        notes: config.effective.notes.clone(),
        ready: ready.len(),
        held: held(config, facts),
        order: ready.iter().zip(admitted).take(NAMED).map(next).collect(),
        excluded: excluded(board),
        cost: cost(config, ready.len(), hold),
    }
}

/// Says what lets nothing start whatever money there is.
fn held(config: &Config, facts: &Facts<'_>) -> Option<String> {
    let gate = facts.gate.and_then(|gate| gate.wait(facts.now_ms)).map(|wait| {
        let until = wait.until_ms.map(|until| format!(", until {}", times::until(until, facts.now_ms)));
        format!("{}{}", wait.reason, until.unwrap_or_default())
    });
    let full = || full_of_requests(config.max_open, facts.board.in_review()).map(|reason| reason.to_string());
    gate.or_else(full)
}

fn excluded(board: &Board) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for task in board.tasks() {
        if let Some(reason) = board.why(&task.key) {
            groups.entry(one_line(&reason.to_string())).or_default().push(task.bead_id.to_string());
        }
    }
    groups.values_mut().for_each(|ids| ids.sort());
    groups
}

fn cost(config: &Config, ready: usize, hold: MicroUsd) -> Cost {
    let count = i64::try_from(ready).unwrap_or(i64::MAX);
    let times = |amount: MicroUsd| MicroUsd::new(amount.micro().saturating_mul(count));
    let (hour, day) = (config.per_hour.micro().max(1), config.per_day.micro().max(1));
    let per_task = config.effective.dollars("budget.per_task");
    let worst = per_task.map(times);
    Cost {
        cap_hour: config.per_hour,
        cap_day: config.per_day,
        per_task,
        worst,
        expected_each: hold,
        expected: times(hold),
        day_cap_after_min: (day < hour.saturating_mul(24)).then(|| day.saturating_mul(60) / hour),
        worst_hours: worst.map(|worst| hours(worst.micro(), hour, day)),
    }
}

/// In how many hours an amount can be spent at the least: whole days first, then by the hour.
fn hours(amount: i64, hour: i64, day: i64) -> i64 {
    let a_day = day.min(hour.saturating_mul(24));
    let (days, rest) = (amount / a_day, amount % a_day);
    days.saturating_mul(24).saturating_add((rest.saturating_add(hour - 1)) / hour)
}

fn text(config: &Config, report: &Report) -> String {
    let mut lines = vec![settings_text(&config.effective), String::new()];
    lines.push(format!("{} tasks are ready; the first would start in this order:", report.ready));
    lines.extend(report.held.iter().map(|held| format!("  but nothing starts: {}", one_line(held))));
    lines.extend(report.order.iter().map(|next| {
        let (id, title) = (one_line(&next.id), one_line(&next.title));
        let minutes = next.admitted_s / 60;
        format!("  {:>2}h{:02}  P{}  {id}  {title}", minutes / 60, minutes % 60, next.priority)
    }));
    if report.ready > report.order.len() {
        lines.push(format!("  and {} more", report.ready - report.order.len()));
    }
    lines.push("\nNot taken:".to_owned());
    lines.extend(report.excluded.iter().map(|(reason, ids)| {
        let more = ids.len().saturating_sub(IDS);
        let named = ids.iter().take(IDS).map(|id| one_line(id)).collect::<Vec<_>>().join(", ");
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("  {:>5}  {reason}: {named}{more}", ids.len())
    }));
    lines.push(String::new());
    lines.extend(cost_lines(report.ready, &report.cost));
    lines.push("Dry run: nothing was claimed, written or asked of a model".to_owned());
    lines.join("\n")
}

fn cost_lines(ready: usize, cost: &Cost) -> Vec<String> {
    let mut lines =
        vec![format!("Cost: never more than {} in any hour and {} in any day", cost.cap_hour, cost.cap_day)];
    if let Some(minutes) = cost.day_cap_after_min {
        lines.push(format!(
            "  at full speed the day's cap is reached after {} h {:02} min",
            minutes / 60,
            minutes % 60
        ));
    }
    lines.push(match (cost.per_task, cost.worst, cost.worst_hours) {
        (Some(each), Some(worst), Some(hours)) => format!(
            "  at worst {worst}: {ready} tasks that each use up {each}; the caps let that happen in {hours} hours at the least"
        ),
        _ => "  at worst whatever the caps allow: no task has a limit of its own (budget.per_task is 0)".to_owned(),
    });
    lines.push(format!("  expected {}: {ready} tasks at {} each", cost.expected, cost.expected_each));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_takes_whole_days_and_then_hours() {
        assert_eq!(hours(0, 5, 40), 0);
        assert_eq!(hours(5, 5, 40), 1);
        assert_eq!(hours(41, 5, 40), 25);
        assert_eq!(hours(240, 5, 1_000), 48);
    }
}

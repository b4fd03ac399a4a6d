//! `glitchlab report`: what was spent, by task, model, stage or day.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context;
use glitchlab_domain::history::{EndedAttempt, EndedFilter, Spend};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::Status;
use serde::Serialize;

use super::alone;
use super::past::{self, Past};
use crate::args::{Dimension, Report};
use crate::exit::{Code, OrStop, Stop};
use crate::output::{one_line, say};
use crate::table::{Side, table};
use crate::times;

/// What the command says; its JSON is stable.
#[derive(Debug, Serialize)]
struct Said {
    since_ms: i64,
    by: Vec<&'static str>,
    rows: Vec<Row>,
    total: Sums,
}

#[derive(Debug, Serialize)]
struct Row {
    /// The values of the dimensions, by their names.
    key: BTreeMap<&'static str, String>,
    simulated: bool,
    #[serde(flatten)]
    sums: Sums,
}

/// Null is unknown: a file of lines knows no calls, and an attempt has no single stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct Sums {
    attempts: Option<u64>,
    succeeded: Option<u64>,
    calls: Option<u64>,
    failed_calls: Option<u64>,
    tokens: u64,
    #[serde(rename = "cost_micro")]
    cost: MicroUsd,
}

/// Runs the command.
///
/// # Errors
///
/// Returns why the store or the repository cannot be read.
pub(crate) fn run(flags: &Report) -> Result<ExitCode, Stop> {
    alone(report(flags))?
}

async fn report(flags: &Report) -> Result<ExitCode, Stop> {
    let since_ms = past::since(&flags.since).or_stop(Code::Usage)?;
    let past = Past::open(&flags.place).await?;
    let said = add_up(&past, since_ms, &flags.by).await.or_stop(Code::Configuration)?;
    if flags.place.json {
        say(&serde_json::to_string_pretty(&said).context("the report is plain data")?);
    } else {
        say(&text(&said));
    }
    Ok(Code::Done.into())
}

type Groups = BTreeMap<(Vec<String>, bool), Sums>;

async fn add_up(past: &Past, since_ms: i64, by: &[Dimension]) -> anyhow::Result<Said> {
    let filter = EndedFilter { since_ms: Some(since_ms), bead_id: None };
    let ended = past.ended(&filter, u32::MAX).await?;
    let has_stages = by.contains(&Dimension::Stage);
    let mut groups = Groups::new();
    match past {
        Past::Store(reader, repo_id) => {
            for spend in reader.spend(repo_id, since_ms).await? {
                groups.entry((spent_on(&spend, by), spend.simulated)).or_default().add_calls(&spend);
            }
        }
        Past::Lines(_) => anyhow::ensure!(
            !has_stages,
            "--by stage needs the store: a history file knows attempts, not their stages"
        ),
    }
    let knows_calls = matches!(past, Past::Store(..));
    for attempt in ended.iter().filter(|_| !has_stages) {
        let sums = groups.entry((ended_as(attempt, by), attempt.simulated)).or_default();
        sums.add_attempt(attempt, knows_calls);
    }
    Ok(Said::of(since_ms, by, groups))
}

fn spent_on(spend: &Spend, by: &[Dimension]) -> Vec<String> {
    let value = |dimension: &Dimension| match dimension {
        Dimension::Task => spend.bead_id.to_string(),
        Dimension::Model => spend.model.clone(),
        Dimension::Stage => spend.stage.name().to_owned(),
        Dimension::Day => times::day(spend.day_ms),
    };
    by.iter().map(value).collect()
}

fn ended_as(attempt: &EndedAttempt, by: &[Dimension]) -> Vec<String> {
    let value = |dimension: &Dimension| match dimension {
        Dimension::Task => attempt.bead_id.to_string(),
        Dimension::Model => attempt.model.clone(),
        Dimension::Stage => String::new(),
        Dimension::Day => times::day(attempt.ended_ms),
    };
    by.iter().map(value).collect()
}

impl Sums {
    fn add_calls(&mut self, spend: &Spend) {
        *self.calls.get_or_insert(0) += spend.calls;
        *self.failed_calls.get_or_insert(0) += spend.failed;
        self.tokens += spend.input_tokens + spend.output_tokens;
        self.cost += spend.cost;
    }

    /// Money and tokens are those of the calls where these are known; an attempt only counts itself then.
    fn add_attempt(&mut self, attempt: &EndedAttempt, knows_calls: bool) {
        let succeeded = matches!(attempt.status, Status::Completed | Status::PrCreated);
        *self.attempts.get_or_insert(0) += 1;
        *self.succeeded.get_or_insert(0) += u64::from(succeeded);
        if !knows_calls {
            self.tokens += attempt.tokens;
            self.cost += attempt.cost;
        }
    }

    fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.attempts, other.attempts),
            (&mut self.succeeded, other.succeeded),
            (&mut self.calls, other.calls),
            (&mut self.failed_calls, other.failed_calls),
        ];
        for (sum, more) in pairs {
            if let Some(more) = more {
                *sum.get_or_insert(0) += more;
            }
        }
        self.tokens += other.tokens;
        self.cost += other.cost;
    }
}

impl Said {
    /// Puts the dearest first.
    fn of(since_ms: i64, by: &[Dimension], groups: Groups) -> Self {
        let names: Vec<_> = by.iter().map(|dimension| dimension.name()).collect();
        let mut total = Sums::default();
        let mut rows = Vec::new();
        for ((values, simulated), sums) in groups {
            total.add(&sums);
            rows.push(Row { key: names.iter().copied().zip(values).collect(), simulated, sums });
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.sums.cost));
        Self { since_ms, by: names, rows, total }
    }
}

fn text(said: &Said) -> String {
    if said.rows.is_empty() {
        return "Nothing was spent and no attempt has ended in that time".to_owned();
    }
    let numbers = ["ATTEMPTS", "SUCCEEDED", "CALLS", "FAILED", "TOKENS", "COST"];
    let head: Vec<_> = said
        .by
        .iter()
        .map(|name| (name.to_uppercase(), Side::Left))
        .chain(numbers.map(|name| (name.to_owned(), Side::Right)))
        .chain([(String::new(), Side::Left)])
        .collect();
    let row = |row: &Row| {
        let keys = said.by.iter().map(|name| one_line(row.key.get(name).map_or("", String::as_str)));
        let mark = if row.simulated { "simulated" } else { "" };
        keys.chain(cells(&row.sums)).chain([mark.to_owned()]).collect::<Vec<_>>()
    };
    let mut rows: Vec<_> = said.rows.iter().map(row).collect();
    let mut total = vec![String::new(); said.by.len()];
    if let Some(first) = total.first_mut() {
        "total".clone_into(first);
    }
    total.extend(cells(&said.total));
    rows.push(total);
    table(&head, &rows)
}

fn cells(sums: &Sums) -> [String; 6] {
    let count = |n: Option<u64>| n.map_or("—".to_owned(), |n| n.to_string());
    [
        count(sums.attempts),
        count(sums.succeeded),
        count(sums.calls),
        count(sums.failed_calls),
        sums.tokens.to_string(),
        sums.cost.to_string(),
    ]
}

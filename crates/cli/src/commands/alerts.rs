//! `glitchlab alerts list` and `glitchlab alerts test`: what fires and what was told, and whether receivers can be told.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use futures_util::future::join_all;
use glitchlab_actors::tqm_alerter::webhook::{HttpTransport, Receiver, Receivers};
use glitchlab_domain::alert::delivery::{Answer, OutboxState};
use glitchlab_domain::alert::evaluate::Notice;
use glitchlab_domain::alert::format::Origin;
use glitchlab_domain::alert::overview::{Delivery, Overview};
use glitchlab_domain::alert::rows::{AlertRow, Evidence, Told};
use glitchlab_domain::alert::rules::{Condition, Rule};
use glitchlab_domain::alert::{Labels, Severity};
use glitchlab_store::clock;
use serde_json::json;

use super::alone;
use crate::args::{Alerts, Place, TestAlerts};
use crate::config::receivers::receivers;
use crate::config::{self, Config};
use crate::exit::{Code, OrStop, Stop};
use crate::here::Here;
use crate::output::{one_line, say};
use crate::records::overview;
use crate::table::{Side, table};

/// Runs the command.
///
/// # Errors
///
/// Returns why the store cannot be read, or which receiver is not set up.
pub(crate) fn run(what: &Alerts) -> Result<ExitCode, Stop> {
    match what {
        Alerts::List(place) => list(place),
        Alerts::Test(flags) => test(flags),
    }
}

fn list(place: &Place) -> Result<ExitCode, Stop> {
    let overview = alone(async {
        let here = Here::open(place).await?;
        match here.reader {
            Some(reader) => overview(&reader, &here.repo_id).await.or_stop(Code::Unexpected),
            None => Ok(Overview::new(Vec::new(), Vec::new(), clock::wall()())),
        }
    })??;
    if place.json {
        say(&serde_json::to_string(&overview).context("it is plain data").or_stop(Code::Unexpected)?);
    } else {
        print(&overview);
    }
    Ok(Code::Done.into())
}

fn print(overview: &Overview) {
    let firing = overview.firing;
    say(&match firing.all() {
        0 => "no alert fires".to_owned(),
        n => format!(
            "{n} firing: {} critical, {} warning, {} info",
            firing.critical, firing.warning, firing.info
        ),
    });
    for alert in &overview.alerts {
        say(&format!("{:9} {:8} {}", state(alert), alert.severity.name(), one_line(&alert.summary)));
    }
    let open: Vec<_> = overview.deliveries.iter().filter(|it| it.done_ms.is_none() || is_dead(it)).collect();
    if !open.is_empty() {
        let column = |name: &str| (name.to_owned(), Side::Left);
        let head = ["RECEIVER", "STATE", "TRIES", "LAST", "MESSAGE"].map(column);
        let rows: Vec<_> = open.into_iter().map(row).collect();
        say(&format!("\n{}", table(&head, &rows)));
    }
}

fn state(alert: &AlertRow) -> &'static str {
    if alert.inhibited_by.is_some() { "inhibited" } else { alert.state.name() }
}

fn is_dead(delivery: &Delivery) -> bool {
    delivery.state == OutboxState::Dead
}

fn row(delivery: &Delivery) -> Vec<String> {
    let answer = delivery.answer.as_deref().unwrap_or("");
    vec![
        delivery.receiver.clone(),
        delivery.state.name().to_owned(),
        delivery.tries.to_string(),
        one_line(answer),
        delivery.webhook_id.clone(),
    ]
}

/// Sends one message to each receiver and says what came back. Nothing is written: it works beside an engine and without
/// one.
fn test(flags: &TestAlerts) -> Result<ExitCode, Stop> {
    let repo = config::repo(flags.repo.as_deref()).or_stop(Code::Configuration)?;
    let sources = config::sources(&repo, flags.keys.clone());
    let config = Config::read(sources, repo.clone()).or_stop(Code::Configuration)?;
    let found = receivers(&config.webhooks).or_stop(Code::Configuration)?;
    if found.is_empty() {
        let error = anyhow::anyhow!(
            "no receiver is set up: write webhooks = [{{ url_env = \"HOOK_URL\", secret_env = \"HOOK_SECRET\" }}] under [alerts] in .glitchlab/config.toml"
        );
        return Err(Stop::new(Code::Configuration, error));
    }
    let origin = Origin {
        repository: repo.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        pages: String::new(),
    };
    let answers = alone(told(found, &origin))?;
    if flags.json {
        let report = |(receiver, answer): &(Receiver, Answer)| json!({ "receiver": receiver.endpoint.name, "format": receiver.endpoint.format, "ok": answer.is_taken(), "answer": answer.to_string() });
        say(&json!(answers.iter().map(report).collect::<Vec<_>>()).to_string());
    } else {
        for (receiver, answer) in &answers {
            let word = if answer.is_taken() { "taken" } else { "not taken" };
            say(&format!("{}: {word}: {}", receiver.endpoint.name, one_line(&answer.to_string())));
        }
    }
    let all_taken = answers.iter().all(|(_, answer)| answer.is_taken());
    Ok(if all_taken { Code::Done } else { Code::Unexpected }.into())
}

async fn told(found: Vec<Receiver>, origin: &Origin) -> Vec<(Receiver, Answer)> {
    let now_ms = clock::wall()();
    let notice = test_notice(now_ms);
    let id = format!("{}.test", notice.alert.incident_id);
    let all = Receivers::new(found.clone(), Arc::new(HttpTransport::new()));
    let sent = found.iter().map(|receiver| {
        let body = receiver.endpoint.format.body(&notice, origin);
        let (all, id) = (&all, &id);
        async move { all.post(receiver, id, &body, now_ms).await }
    });
    let answers = join_all(sent).await;
    found.into_iter().zip(answers).collect()
}

/// An alert that says that it is none, and is over in a minute.
fn test_notice(now_ms: i64) -> Notice {
    const MINUTE_MS: i64 = 60_000;
    let rule = Rule {
        name: "Test",
        severity: Severity::Info,
        fires_when: "Somebody says `glitchlab alerts test`",
        for_ms: 0,
        hold_ms: 0,
        inhibits: &[],
        kinds: &[],
        observe: |_, _| Vec::new(),
        standing: None,
    };
    let condition = Condition {
        labels: Labels::from([("component".to_owned(), "test".to_owned())]),
        summary: "A test: alerts reach you".to_owned(),
        evidence: Evidence::default().fact("Sent by", config::user()),
    };
    let begun = AlertRow::begin(&rule, "test", condition, (now_ms, 0));
    Notice { alert: AlertRow { ended_ms: Some(now_ms + MINUTE_MS), ..begun }, told: Told::Firing }
}

//! What fires, on what evidence, and whether it was delivered.

pub(crate) mod lead;

use askama::Template;
use glitchlab_domain::alert::Severity;
use glitchlab_domain::alert::delivery::OutboxState;
use glitchlab_domain::alert::overview::{Delivery, Overview, RuleNow, RuleState};
use glitchlab_domain::alert::rows::{AlertRow, AlertState, Told};
use jiff::Timestamp;

use super::banners::Since;
use super::glyph::Glyph;
use super::link;
use super::text::{self, Clock};

/// The incidents that fire and are heard, in full.
#[derive(Clone, Debug, Template)]
#[template(path = "fragments/firing.html")]
pub(crate) struct Firing {
    pub(crate) alerts: Vec<Alert>,
}

/// One incident that fires.
#[derive(Clone, Debug)]
pub(crate) struct Alert {
    pub(crate) glyph: Glyph,
    pub(crate) severity: &'static str,
    pub(crate) rule: String,
    pub(crate) since: Since,
    pub(crate) summary: String,
    pub(crate) facts: Vec<(String, Fact)>,
    /// Ids and addresses of tasks.
    pub(crate) tasks: Vec<(String, String)>,
    /// The first digits of a trace, and all of them.
    pub(crate) traces: Vec<(String, String)>,
    /// Addresses of pages of ours.
    pub(crate) pages: Vec<String>,
    /// What each receiver knows.
    pub(crate) told: Vec<String>,
}

/// What a fact says.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) text: String,
    /// The same, where it is an instant.
    pub(crate) at: Option<Clock>,
}

impl Fact {
    /// Receivers are told instants as programs write them; here they are shown as all others are.
    fn new(text: &str, now_ms: i64) -> Self {
        let at = text.parse::<Timestamp>().ok().map(|at| text::moment(at.as_millisecond(), now_ms));
        Self { text: text.to_owned(), at }
    }
}

impl Firing {
    pub(crate) fn new(overview: &Overview, now_ms: i64) -> Self {
        let mut heard: Vec<&AlertRow> = overview.alerts.iter().filter(|alert| alert.is_heard()).collect();
        heard.sort_by_key(|alert| std::cmp::Reverse(alert.severity));
        Self { alerts: heard.into_iter().map(|alert| Alert::new(alert, overview, now_ms)).collect() }
    }
}

impl Alert {
    fn new(alert: &AlertRow, overview: &Overview, now_ms: i64) -> Self {
        let evidence = &alert.evidence;
        let ours = overview.deliveries.iter().filter(|it| it.incident_id == alert.incident_id);
        Self {
            glyph: glyph(alert.severity),
            severity: word(alert.severity),
            rule: alert.rule.clone(),
            since: Since::of(alert.fired_ms.unwrap_or(alert.since_ms), now_ms),
            summary: alert.summary.clone(),
            facts: evidence
                .facts
                .iter()
                .map(|(name, value)| (name.clone(), Fact::new(value, now_ms)))
                .collect(),
            tasks: evidence.tasks.iter().map(|id| (id.to_string(), link::task(id.as_str()))).collect(),
            traces: evidence.traces.iter().map(|id| (id.chars().take(8).collect(), id.clone())).collect(),
            // Only our own pages are named there; anything else is no link.
            pages: evidence.pages.iter().filter(|path| is_ours(path)).cloned().collect(),
            told: ours.map(|it| format!("{} {}", it.receiver, progress(it, now_ms))).collect(),
        }
    }
}

fn is_ours(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("//")
}

/// Every rule with what it is at.
#[derive(Clone, Debug, Template)]
#[template(path = "fragments/rules.html")]
pub(crate) struct Rules {
    pub(crate) rules: Vec<Rule>,
    pub(crate) as_of: Clock,
}

/// One rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) glyph: Glyph,
    pub(crate) state: &'static str,
    pub(crate) severity: &'static str,
    pub(crate) active: u32,
    pub(crate) fires_when: &'static str,
}

impl Rules {
    pub(crate) fn new(overview: &Overview) -> Self {
        Self { rules: overview.rules.iter().map(rule).collect(), as_of: text::clock(overview.as_of_ms) }
    }
}

fn rule(rule: &RuleNow) -> Rule {
    let (glyph, state) = match rule.state {
        RuleState::Inactive => (Glyph::Todo, "Inactive"),
        RuleState::Pending => (Glyph::Wait, "Pending"),
        RuleState::Inhibited => (Glyph::Skip, "Inhibited"),
        RuleState::Firing => (glyph(rule.severity), "Firing"),
    };
    let severity = rule.severity.name();
    Rule { name: rule.name, glyph, state, severity, active: rule.active, fires_when: rule.fires_when }
}

/// The last incidents that are over.
#[derive(Clone, Debug, Template)]
#[template(path = "fragments/resolved.html")]
pub(crate) struct Resolved {
    pub(crate) alerts: Vec<Past>,
}

/// One incident that is over.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    pub(crate) rule: String,
    pub(crate) summary: String,
    pub(crate) lasted: String,
    pub(crate) ended: Clock,
}

impl Resolved {
    pub(crate) fn new(overview: &Overview, now_ms: i64) -> Self {
        let past = |alert: &AlertRow| {
            let ended_ms = alert.ended_ms.filter(|_| alert.state == AlertState::Resolved)?;
            Some(Past {
                rule: alert.rule.clone(),
                summary: alert.summary.clone(),
                lasted: text::span(ended_ms - alert.since_ms),
                ended: text::moment(ended_ms, now_ms),
            })
        };
        Self { alerts: overview.alerts.iter().filter_map(past).collect() }
    }
}

/// The last messages to receivers.
#[derive(Clone, Debug, Template)]
#[template(path = "fragments/deliveries.html")]
pub(crate) struct Deliveries {
    pub(crate) rows: Vec<Sent>,
}

/// One message.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) receiver: String,
    pub(crate) glyph: Glyph,
    pub(crate) state: &'static str,
    pub(crate) told: &'static str,
    pub(crate) tries: u32,
    pub(crate) answer: String,
    pub(crate) next: Option<Clock>,
    pub(crate) queued: Clock,
    pub(crate) id: String,
}

impl Deliveries {
    pub(crate) fn new(overview: &Overview, now_ms: i64) -> Self {
        Self { rows: overview.deliveries.iter().map(|delivery| sent(delivery, now_ms)).collect() }
    }
}

fn sent(delivery: &Delivery, now_ms: i64) -> Sent {
    let (glyph, state) = match delivery.state {
        OutboxState::Queued if delivery.tries == 0 => (Glyph::Todo, "Queued"),
        OutboxState::Queued => (Glyph::Again, "Tried again"),
        OutboxState::Delivered => (Glyph::Ok, "Delivered"),
        OutboxState::Dropped => (Glyph::Skip, "Dropped"),
        OutboxState::Dead => (Glyph::Fail, "Given up"),
    };
    Sent {
        receiver: delivery.receiver.clone(),
        glyph,
        state,
        told: if delivery.told == Told::Resolved { "resolved" } else { "firing" },
        tries: delivery.tries,
        answer: delivery.answer.clone().unwrap_or_default(),
        next: delivery.next_ms.filter(|next| *next > now_ms).map(|next| text::moment(next, now_ms)),
        queued: text::moment(delivery.created_ms, now_ms),
        id: delivery.webhook_id.clone(),
    }
}

/// Says in a few words what a receiver knows.
fn progress(delivery: &Delivery, now_ms: i64) -> String {
    let answer = delivery.answer.as_deref().unwrap_or_default();
    match (delivery.state, delivery.next_ms, delivery.done_ms) {
        (OutboxState::Delivered, _, Some(done)) => format!("delivered {}", text::moment(done, now_ms).text),
        (OutboxState::Queued, Some(next), _) if delivery.tries > 0 => {
            format!("try {} at {}, {answer}", delivery.tries + 1, text::moment(next, now_ms).text)
        }
        (OutboxState::Queued, ..) => "is being told".to_owned(),
        (OutboxState::Dead, ..) => format!("given up, {answer}"),
        (OutboxState::Dropped | OutboxState::Delivered, ..) => delivery.state.name().to_owned(),
    }
}

fn glyph(severity: Severity) -> Glyph {
    match severity {
        Severity::Critical => Glyph::Crit,
        Severity::Warning => Glyph::Warn,
        Severity::Info => Glyph::Idle,
    }
}

const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "Critical",
        Severity::Warning => "Warning",
        Severity::Info => "Info",
    }
}

#[cfg(test)]
mod tests;

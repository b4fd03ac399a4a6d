//! The sentence of the page of alerts: is something wrong, and since when.

use glitchlab_domain::alert::overview::Overview;
use glitchlab_domain::alert::rows::{AlertRow, AlertState};
use glitchlab_domain::alert::{Firing, Severity};

use super::glyph;
use crate::view::glyph::Glyph;
use crate::view::lead::{Figure, Lead};
use crate::view::text;

/// Says what fires.
pub(crate) fn lead(overview: &Overview, now_ms: i64) -> Lead {
    let heard = overview.alerts.iter().filter(|alert| alert.is_heard());
    let Some(worst) = heard.max_by_key(|alert| (alert.severity, std::cmp::Reverse(alert.since_ms))) else {
        return Lead::says(Glyph::Ok, "Nothing is wrong", calm(overview, now_ms));
    };
    let since_ms = worst.fired_ms.unwrap_or(worst.since_ms);
    let sentence =
        format!("{} since {}: {}.", worst.rule, text::moment(since_ms, now_ms).text, worst.summary);
    let mut lead = Lead::says(glyph(worst.severity), heading(overview.firing, worst.severity), sentence);
    lead.figures = vec![Figure { value: text::span(now_ms - since_ms), label: "firing".to_owned() }];
    lead
}

fn heading(firing: Firing, worst: Severity) -> String {
    let (count, noun) = match worst {
        Severity::Critical => (firing.critical, "critical alert"),
        Severity::Warning => (firing.warning, "warning"),
        Severity::Info => (firing.info, "notice"),
    };
    let verb = if count == 1 { "is" } else { "are" };
    format!("{} {verb} firing", text::count(u64::from(count), noun))
}

fn calm(overview: &Overview, now_ms: i64) -> String {
    let pending = overview.alerts.iter().filter(|alert| alert.state == AlertState::Pending).count();
    let now = match pending {
        0 => "No alert is firing or pending.".to_owned(),
        n => format!("{} pending.", text::count(n as u64, "alert")),
    };
    let ended = |alert: &&AlertRow| alert.ended_ms.filter(|_| alert.state == AlertState::Resolved);
    let last = overview.alerts.iter().filter(|alert| ended(alert).is_some()).max_by_key(ended);
    match last.and_then(|alert| Some((alert, ended(&alert)?))) {
        Some((alert, ended_ms)) => {
            format!("{now} The last one, {}, was over {} ago.", alert.rule, text::span(now_ms - ended_ms))
        }
        None => now,
    }
}

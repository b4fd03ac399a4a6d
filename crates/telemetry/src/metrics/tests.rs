use std::sync::atomic::{AtomicU64, Ordering};

use glitchlab_domain::alert::Severity;
use glitchlab_domain::event::{About, EventId};
use glitchlab_domain::id::BootId;
use glitchlab_domain::ledger::Usage;
use glitchlab_domain::money::MicroUsd;

use super::*;
use crate::names::metric::{ALL, GEN_AI_LATEST, GEN_AI_RELEASED, Kind, Metric};

/// Instruments, and what is read of them.
struct Desk(Alone);

impl Desk {
    fn new(conventions: Conventions) -> Self {
        Self(Alone::new(conventions).unwrap())
    }

    fn observe(&self, kinds: impl IntoIterator<Item = EventKind>) {
        kinds.into_iter().for_each(|kind| self.0.metrics.observe(&event(kind)));
    }

    fn lines(&self) -> Vec<String> {
        self.0.text().unwrap().lines().map(str::to_owned).collect()
    }

    fn has(&self, line: &str) -> bool {
        self.lines().iter().any(|other| other == line)
    }

    fn assert(&self, lines: &[&str]) {
        for line in lines {
            assert!(self.has(line), "{line}\nis not in\n{}", self.lines().join("\n"));
        }
    }
}

fn event(kind: EventKind) -> Event {
    static SEQ: AtomicU64 = AtomicU64::new(1);
    let id = EventId { boot_id: BootId::from("b"), seq: SEQ.fetch_add(1, Ordering::Relaxed) };
    Event { id, at_ms: 0, about: About::default(), kind }
}

fn ended(status: Status, failure: Option<FailureKind>, size: Option<Size>, took_ms: i64) -> EventKind {
    EventKind::TaskFinished {
        status,
        detail: String::new(),
        until_ms: None,
        tokens: 0,
        cost: MicroUsd::ZERO,
        took_ms,
        attempts: 1,
        failure,
        size,
    }
}

fn usage(hour: i64, reserved: i64) -> Usage {
    let [hour, reserved, cap] = [hour, reserved, 40_000_000].map(MicroUsd::new);
    Usage { reserved, hour, day: hour, total: hour, cap_hour: cap, cap_day: cap, debt: MicroUsd::ZERO }
}

fn call(model: &str, stage: Stage, ok: bool) -> EventKind {
    EventKind::BudgetSettled {
        key: None,
        model: model.to_owned(),
        stage: Some(stage),
        bound: MicroUsd::new(500_000),
        actual: MicroUsd::new(250_000),
        input_tokens: 1_000,
        output_tokens: 20,
        charged_tokens: 1_020,
        latency_ms: 1_500,
        ok,
        unknown: false,
        usage: usage(250_000, 500_000),
    }
}

/// A reservation that was given up, or whose process died.
fn abandoned(model: &str) -> EventKind {
    EventKind::BudgetSettled {
        key: None,
        model: model.to_owned(),
        stage: Some(Stage::Review),
        bound: MicroUsd::new(500_000),
        actual: MicroUsd::new(500_000),
        input_tokens: 0,
        output_tokens: 0,
        charged_tokens: 9_000,
        latency_ms: 0,
        ok: false,
        unknown: true,
        usage: usage(750_000, 0),
    }
}

fn fired(rule: &str) -> EventKind {
    EventKind::AlertFiring {
        incident_id: "i".to_owned(),
        rule: rule.to_owned(),
        severity: Severity::Warning,
        summary: String::new(),
    }
}

fn gate(decision: Decision) -> EventKind {
    EventKind::StageFinished {
        stage: Stage::BudgetGate,
        n: 2,
        ok: true,
        summary: String::new(),
        took_ms: 3,
        size: None,
        decision: Some(decision),
    }
}

/// At least one event of each kind that counts.
fn some_of_each() -> Vec<EventKind> {
    let merged = EventKind::EffectDone { effect: "merge".to_owned(), result: "abc".to_owned() };
    let closed = |merged| EventKind::TaskClosed { why: String::new(), merged };
    let breach = EventKind::SystemicFailure {
        supervisor: "glitchlab/work".to_owned(),
        child: "scheduler".to_owned(),
        reasons: Vec::new(),
        within_ms: 60_000,
    };
    vec![
        ended(Status::Completed, None, Some(Size::S), 61_000),
        ended(Status::PrCreated, None, None, 500),
        ended(Status::Retried, Some(FailureKind::Parse), Some(Size::Xl), 90_000_000),
        EventKind::TaskDecomposed { subtasks: Vec::new(), depth: 2 },
        gate(Decision::Replan),
        call("simulated/fast", Stage::Planner, true),
        call("simulated/fast", Stage::Replan, false),
        abandoned("simulated/fast"),
        call("agent/editor", Stage::Implement, true),
        merged,
        closed(true),
        closed(false),
        breach,
        fired("ModelDegradation"),
        fired("HumanNeeded"),
    ]
}

#[test]
fn every_event_is_counted_under_its_labels() {
    let desk = Desk::new(Conventions::default());
    desk.observe(some_of_each());
    desk.assert(&[
        r#"glitchlab_tasks_total{status="completed"} 1"#,
        r#"glitchlab_tasks_total{status="pr_created"} 1"#,
        r#"glitchlab_tasks_total{status="retried"} 1"#,
        r#"glitchlab_tasks_total{status="failed"} 0"#,
        r#"glitchlab_failures_total{category="parse"} 1"#,
        r#"glitchlab_failures_total{category="credentials"} 0"#,
        r#"glitchlab_tasks_duration_seconds_bucket{size="S",le="60"} 0"#,
        r#"glitchlab_tasks_duration_seconds_bucket{size="S",le="120"} 1"#,
        r#"glitchlab_tasks_duration_seconds_bucket{size="unknown",le="1"} 1"#,
        r#"glitchlab_tasks_duration_seconds_bucket{size="XL",le="7200"} 0"#,
        r#"glitchlab_tasks_duration_seconds_sum{size="XL"} 90000"#,
        "glitchlab_decompositions_total 1",
        r#"glitchlab_decompositions_depth_bucket{le="1"} 0"#,
        r#"glitchlab_decompositions_depth_bucket{le="2"} 1"#,
        r#"glitchlab_budget_gate_decisions_total{decision="replan"} 1"#,
        r#"glitchlab_budget_gate_decisions_total{decision="pass"} 0"#,
        "glitchlab_prs_created_total 1",
        "glitchlab_prs_merged_total 2",
        r#"glitchlab_supervisor_breaches_total{supervisor="glitchlab/work"} 1"#,
        r#"glitchlab_tqm_patterns_total{pattern="ModelDegradation"} 1"#,
        r#"glitchlab_tqm_patterns_total{pattern="ScopeCreep"} 0"#,
    ]);
    assert!(!desk.lines().iter().any(|line| line.contains("HumanNeeded")), "an alert that is no pattern");
}

#[test]
fn money_and_tokens_are_counted_for_every_settlement_and_time_for_calls_that_were_made() {
    let desk = Desk::new(Conventions::default());
    desk.observe(some_of_each());
    desk.assert(&[
        r#"glitchlab_tokens_used_total{model="simulated/fast",role="planner"} 2040"#,
        r#"glitchlab_tokens_used_total{model="simulated/fast",role="reviewer"} 9000"#,
        r#"glitchlab_cost_usd_total{model="simulated/fast",role="planner"} 0.5"#,
        r#"glitchlab_cost_usd_total{model="agent/editor",role="implementer"} 0.25"#,
        r#"glitchlab_model_errors_total{model="simulated/fast"} 1"#,
        r#"glitchlab_model_latency_seconds_bucket{model="simulated/fast",le="1.28"} 0"#,
        r#"glitchlab_model_latency_seconds_bucket{model="simulated/fast",le="2.56"} 2"#,
        r#"glitchlab_model_latency_seconds_count{model="simulated/fast"} 2"#,
        r#"glitchlab_budget_used_usd{window="hour"} 0.75"#,
        r#"glitchlab_budget_limit_usd{window="day"} 40"#,
    ]);
}

#[test]
fn what_this_process_will_likely_count_begins_at_nothing() {
    let desk = Desk::new(Conventions::default());
    let models: [(&str, &[Role]); 1] = [("m/one", &Role::ALL)];
    desk.0.metrics.expect(&Expected { models: &models, supervisors: &["glitchlab", "glitchlab/work"] });
    desk.assert(&[
        r#"glitchlab_tokens_used_total{model="m/one",role="architect"} 0"#,
        r#"glitchlab_cost_usd_total{model="m/one",role="reviewer"} 0"#,
        r#"glitchlab_model_errors_total{model="m/one"} 0"#,
        r#"glitchlab_supervisor_breaches_total{supervisor="glitchlab"} 0"#,
        "glitchlab_prs_merged_total 0",
        "glitchlab_decompositions_total 0",
    ]);
    for pattern in PATTERNS {
        desk.assert(&[&format!("glitchlab_tqm_patterns_total{{pattern=\"{pattern}\"}} 0")]);
    }
}

#[test]
fn a_level_that_nobody_told_is_not_shown_and_a_told_one_can_fall() {
    let desk = Desk::new(Conventions::default());
    assert!(!desk.lines().iter().any(|line| line.starts_with("glitchlab_queue")));
    assert!(!desk.lines().iter().any(|line| line.starts_with("glitchlab_budget_used")));
    desk.0.metrics.levels().queue(3, 2);
    desk.0.metrics.levels().budget(&usage(5_000_000, 1_000_000));
    desk.assert(&["glitchlab_queue_depth 3", "glitchlab_queue_blocked 2"]);
    desk.assert(&[r#"glitchlab_budget_used_usd{window="day"} 6"#]);
    desk.0.metrics.levels().budget(&usage(0, 0));
    desk.assert(&[r#"glitchlab_budget_used_usd{window="day"} 0"#]);
}

#[test]
fn released_and_latest_gen_ai_metrics_exclude_each_other() {
    let released = Desk::new(Conventions::opted("http"));
    released.observe(some_of_each());
    let of_call =
        r#"gen_ai_operation_name="chat",gen_ai_provider_name="simulated",gen_ai_request_model="fast""#;
    let of_program =
        r#"gen_ai_operation_name="invoke_agent",gen_ai_provider_name="agent",gen_ai_request_model="editor""#;
    released.assert(&[
        &format!(r#"gen_ai_client_token_usage_sum{{{of_call},gen_ai_token_type="input"}} 2000"#),
        &format!(r#"gen_ai_client_token_usage_count{{{of_program},gen_ai_token_type="output"}} 1"#),
        &format!(r#"gen_ai_client_operation_duration_seconds_count{{error_type="_OTHER",{of_call}}} 1"#),
        &format!(r#"gen_ai_client_operation_duration_seconds_sum{{{of_call}}} 1.5"#),
    ]);
    let latest = Desk::new(Conventions::opted("http, gen_ai_latest_experimental"));
    latest.observe(some_of_each());
    latest.assert(&[
        &format!(
            r#"gen_ai_client_inference_usage_input_tokens_total{{{of_call},gen_ai_token_modality="text"}} 2000"#
        ),
        &format!(r#"gen_ai_client_inference_operation_output_tokens_sum{{{of_call}}} 20"#),
        &format!(r#"gen_ai_client_inference_duration_seconds_count{{error_type="_OTHER",{of_call}}} 1"#),
    ]);
    let says = |desk: &Desk, metrics: &[Metric]| {
        let text = desk.lines().join("\n");
        metrics.iter().filter(|metric| text.contains(&of_prometheus(metric))).count()
    };
    assert_eq!((says(&released, &GEN_AI_RELEASED), says(&released, &GEN_AI_LATEST)), (2, 0));
    assert_eq!((says(&latest, &GEN_AI_RELEASED), says(&latest, &GEN_AI_LATEST)), (0, 5));
}

/// The name as Prometheus writes it, without its last part.
fn of_prometheus(metric: &Metric) -> String {
    metric.name.replace('.', "_")
}

#[test]
fn every_metric_of_the_list_has_its_kind_its_description_and_its_labels() {
    let desk = Desk::new(Conventions::default());
    desk.observe(some_of_each());
    desk.0.metrics.levels().queue(0, 0);
    let lines = desk.lines();
    for metric in ALL.iter().chain(&GEN_AI_RELEASED) {
        let name = of_prometheus(metric);
        let described = |line: &&String| line.starts_with(&format!("# HELP {name}"));
        let help = lines.iter().find(described).unwrap_or_else(|| panic!("{name} has no description"));
        assert!(help.ends_with(metric.help), "{help}");
        let typed = |line: &&String| line.starts_with(&format!("# TYPE {name}"));
        assert!(lines.iter().find(typed).unwrap().ends_with(metric.kind.name()), "{name}");
        let values = lines.iter().filter(|line| line.starts_with(&name));
        let used: Vec<String> = values.flat_map(|line| labels_of(line)).collect();
        for label in metric.labels {
            assert!(used.contains(&label.replace('.', "_")), "{name} lacks {label}: {used:?}");
        }
        let wanted = |used: &String| metric.labels.iter().any(|label| label.replace('.', "_") == *used);
        assert!(used.iter().all(|used| used == "le" || wanted(used)), "{name} has {used:?}");
    }
}

fn labels_of(line: &str) -> Vec<String> {
    let inside =
        line.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).map_or("", |(inside, _)| inside);
    inside.split("\",").filter_map(|pair| Some(pair.split_once('=')?.0.to_owned())).collect()
}

#[test]
fn names_say_each_thing_once() {
    let desk = Desk::new(Conventions::default());
    desk.observe(some_of_each());
    let lines = desk.lines();
    let names: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, _)| name)
        .collect();
    assert!(names.len() > ALL.len(), "{names:?}");
    for name in names {
        let words: Vec<&str> = name.split('_').collect();
        assert!(words.windows(2).all(|pair| pair[0] != pair[1]), "{name}");
        assert!(!name.contains("_total_"), "{name}");
    }
}

#[test]
fn a_model_too_many_is_counted_as_overflow() {
    let desk = Desk::new(Conventions::default());
    let models = u64::try_from(LIMIT).unwrap() + 50;
    desk.observe((0..models).map(|n| call(&format!("p/{n}"), Stage::Review, true)));
    let lines = desk.lines();
    let calls: Vec<&String> =
        lines.iter().filter(|line| line.starts_with("glitchlab_tokens_used_total{")).collect();
    assert!(calls.len() <= LIMIT + 1, "{}", calls.len());
    let overflow = calls.iter().find(|line| line.contains(r#"otel_metric_overflow="true""#));
    assert!(overflow.is_some(), "no overflow among {} sets of labels", calls.len());
    let value = |line: &&String| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap();
    assert_eq!(calls.iter().map(value).sum::<u64>(), models * 1_020, "nothing is lost");
}

#[test]
fn histograms_say_their_bounds() {
    let desk = Desk::new(Conventions::default());
    desk.observe(some_of_each());
    let lines = desk.lines();
    for metric in ALL.iter().filter(|metric| metric.kind == Kind::Histogram) {
        let bucket = format!("{}_bucket", of_prometheus(metric));
        assert!(
            !lines.iter().any(|line| line.starts_with(&bucket) && line.contains(r#"le="10000""#)),
            "{bucket}"
        );
    }
}

//! What the metrics say of whole runs. That every total is what the rows add up to is checked after every run of every
//! world; here are runs that have each kind of event.

use std::collections::BTreeMap;
use std::sync::Arc;

use glitchlab_actors::Engine;
use glitchlab_domain::rows::StepRow;
use glitchlab_domain::stage::Stage;
use glitchlab_models::simulated::Profile;
use glitchlab_pipeline::attempt::Merge;
use glitchlab_store::Reader;
use glitchlab_testkit::{Act, End, Kill, Ran, Trip, Units, World, beads, check};

/// A world that draws everything from its seed: how the provider behaves, who merges, and what is killed.
fn drawn(seed: u64) -> World {
    let world = World::seed(seed).backlog(beads::tasks(10)).workers(2);
    let world = match seed % 3 {
        0 => world.model(Profile::Fast),
        1 => world.model(Profile::Realistic),
        _ => world.model(Profile::Subscription),
    };
    let world = if seed % 4 == 3 { world.merge(Merge::Never) } else { world };
    (0..seed % 5).fold(world, |world, kill| world.at_touch(7 + seed + 31 * kill, Trip::Kill))
}

/// Adds up the samples of a metric, whatever their labels.
fn sum(samples: &BTreeMap<String, f64>, name: &str) -> f64 {
    let of_name = |key: &&String| key.split('{').next() == Some(name);
    samples.iter().filter(|(key, _)| of_name(key)).map(|(_, value)| value).sum()
}

fn steps(ran: &Ran) -> Vec<StepRow> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let reader = Reader::Memory(ran.outside.memory.clone());
    runtime.block_on(async {
        let mut steps = Vec::new();
        for attempt in &ran.attempts {
            steps.extend(reader.steps(&attempt.attempt_id).await.unwrap());
        }
        steps
    })
}

/// What the gate's own outputs say, under the words of the metric.
fn verdicts(ran: &Ran) -> BTreeMap<String, u32> {
    let mut verdicts = BTreeMap::new();
    for step in steps(ran).iter().filter(|step| step.stage == Stage::BudgetGate) {
        let output: serde_json::Value = serde_json::from_str(step.output.as_deref().unwrap_or("{}")).unwrap();
        let Some(verdict) = output["went"]["verdict"].as_str() else { continue };
        let decision = if verdict == "too_deep" { "reject" } else { verdict };
        *verdicts.entry(decision.to_owned()).or_default() += 1;
    }
    verdicts
}

#[test]
fn drawn_runs_count_what_the_rows_and_the_outside_world_say() {
    let mut seen = BTreeMap::<String, f64>::new();
    for seed in 0..24 {
        let ran = drawn(seed).run(2.days());
        let samples = ran.outside.meters.samples();
        assert_eq!(
            sum(&samples, "glitchlab_prs_merged_total"),
            ran.outside.repo.merges().len() as f64,
            "{seed}"
        );
        for (decision, count) in verdicts(&ran) {
            let name = format!("glitchlab_budget_gate_decisions_total{{decision=\"{decision}\"}}");
            assert_eq!(samples[&name], f64::from(count), "seed {seed}: {decision}");
        }
        let queue = ran.board().queue();
        assert_eq!(samples["glitchlab_queue_depth"], queue.pending as f64, "seed {seed}");
        assert_eq!(samples["glitchlab_queue_blocked"], queue.blocked as f64, "seed {seed}");
        samples.into_iter().for_each(|(name, value)| *seen.entry(name).or_default() += value);
    }
    // Each kind of event was really there.
    for name in [
        r#"glitchlab_tasks_total{status="completed"}"#,
        r#"glitchlab_tasks_total{status="pr_created"}"#,
        r#"glitchlab_tasks_total{status="decomposed"}"#,
        r#"glitchlab_tasks_total{status="retried"}"#,
        r#"glitchlab_failures_total{category="parse"}"#,
        r#"glitchlab_failures_total{category="review_rejected"}"#,
        r#"glitchlab_budget_gate_decisions_total{decision="decompose"}"#,
        r#"glitchlab_model_errors_total{model="simulated/realistic"}"#,
        r#"glitchlab_tokens_used_total{model="simulated/subscription",role="reviewer"}"#,
        "glitchlab_decompositions_total",
        "glitchlab_prs_created_total",
        "glitchlab_prs_merged_total",
    ] {
        assert!(seen.get(name).is_some_and(|total| *total > 0.0), "{name} was never counted: {seen:#?}");
    }
}

#[test]
fn a_request_that_a_person_merges_is_counted_when_the_forge_is_asked() {
    let world = || World::seed(2).backlog(beads::tasks(3)).workers(1).merge(Merge::Never);
    let before = world().run(1.hours()).outside.meters.samples();
    assert_eq!((before["glitchlab_prs_created_total"], before["glitchlab_prs_merged_total"]), (3.0, 0.0));
    let after = world().at(1.hours(), Act::merge_by_hand()).run(3.hours()).outside.meters.samples();
    assert_eq!((after["glitchlab_prs_created_total"], after["glitchlab_prs_merged_total"]), (3.0, 1.0));
    assert_eq!(after[r#"glitchlab_tasks_total{status="pr_created"}"#], 3.0);
    assert_eq!(after[r#"glitchlab_tasks_total{status="completed"}"#], 0.0, "an attempt is counted once");
}

#[test]
fn the_last_attempt_that_fails_is_failed_and_those_before_it_are_retried() {
    let ran = World::seed(1)
        .backlog(beads::tasks(1))
        .tests(1.secs(), |_| false)
        .set(|setup| setup.retry.attempts = 3)
        .run(2.days());
    let samples = ran.outside.meters.samples();
    assert_eq!(samples[r#"glitchlab_tasks_total{status="retried"}"#], 2.0);
    assert_eq!(samples[r#"glitchlab_tasks_total{status="failed"}"#], 1.0);
    assert_eq!(samples[r#"glitchlab_failures_total{category="tests_failed"}"#], 3.0);
}

#[test]
fn what_leaves_a_window_leaves_its_gauge_although_nothing_happens() {
    let quiet = |_: Arc<Engine>| async {};
    let run = |until: std::time::Duration| {
        let world = World::seed(3).backlog(beads::tasks(4)).caps(20.usd(), 50.usd());
        world.at(until, Act::look(quiet)).run(2.days()).outside.meters.samples()
    };
    let used = |samples: &BTreeMap<String, f64>, window: &str| {
        samples[&format!("glitchlab_budget_used_usd{{window=\"{window}\"}}")]
    };
    let soon = run(5.minutes());
    assert!(used(&soon, "hour") > 0.0 && used(&soon, "hour") <= 20.0);
    assert_eq!(used(&soon, "hour"), used(&soon, "day"));
    assert_eq!(soon[r#"glitchlab_budget_limit_usd{window="hour"}"#], 20.0);
    assert_eq!(soon[r#"glitchlab_budget_limit_usd{window="day"}"#], 50.0);
    let later = run(90.minutes());
    assert_eq!(used(&later, "hour"), 0.0, "the hour is over");
    assert_eq!(used(&later, "day"), used(&soon, "day"));
    assert_eq!(used(&run(25.hours()), "day"), 0.0, "the day is over");
}

#[test]
fn a_supervisor_that_gives_up_is_counted_by_its_path() {
    let world = World::seed(4).backlog(beads::tasks(2));
    let kills =
        (0..4).fold(world, |world, n| world.at((10 + n).secs(), Kill::actor("glitchlab/work/scheduler")));
    let ran = kills.run(1.days()).check(check::happened("supervisor.breach", 1));
    let samples = ran.outside.meters.samples();
    assert_eq!(samples[r#"glitchlab_supervisor_breaches_total{supervisor="glitchlab/work"}"#], 1.0);
    assert_eq!(samples[r#"glitchlab_supervisor_breaches_total{supervisor="glitchlab/views"}"#], 0.0);
    assert_eq!(ran.end, End::Quiet);
}

/// Every supervisor of the tree has a zero, so that an alert sees its first breach.
#[test]
fn every_supervisor_begins_at_no_breach() {
    let ran = World::seed(1).backlog(Vec::new()).at(1.minutes(), Act::look(supervisors)).run(1.hours());
    let samples = ran.outside.meters.samples();
    let zeros = samples.iter().filter(|(name, _)| name.starts_with("glitchlab_supervisor_breaches_total{"));
    assert_eq!(zeros.map(|(_, value)| *value).collect::<Vec<_>>(), [0.0; 4]);
}

async fn supervisors(engine: Arc<Engine>) {
    fn paths(node: &glitchlab_runtime::NodeSnapshot, found: &mut Vec<String>) {
        if node.supervision.is_some() {
            found.push(node.path.clone());
        }
        node.children.iter().for_each(|child| paths(child, found));
    }
    let mut found = Vec::new();
    paths(&engine.tree.snapshot().unwrap().root, &mut found);
    found.sort();
    assert_eq!(found, ["glitchlab", "glitchlab/views", "glitchlab/work", "glitchlab/work/workers"]);
}

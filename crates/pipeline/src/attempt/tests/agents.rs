//! Attempts whose edits are made by a program: what it costs, what ends it, and interruptions at any point.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use glitchlab_domain::agent::{Clocks, Pointers, Template};
use glitchlab_domain::command::TaskCaps;
use glitchlab_domain::outcome::{FailureKind, HumanReason, Outcome};
use glitchlab_domain::rows::{CallRow, CallState};
use tempfile::TempDir;

use super::super::*;
use super::world::{World, dollars};
use crate::fakes::{FakeRun, Files, Fuse};
use crate::implementer::{Agent, Artifacts, Implementer};
use crate::process::redact::Redactor;

const SECRET: &str = "hunter2hunter2";

/// A world with an agent, and where it keeps its files.
struct Shop {
    world: World,
    folder: TempDir,
}

fn shop(does: impl Fn(&mut Files) -> FakeRun + Send + Sync + 'static) -> Shop {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new();
    world.workspace = world.workspace.with_agent(does);
    let command = Template::new(vec!["mender".into(), "{prompt_file}".into()]).unwrap();
    world.settings.implementer = Implementer::Command(Arc::new(Agent {
        name: "agent/mender".into(),
        command,
        cap: dollars("2"),
        overshoot: dollars("0.5"),
        tokens: 1_000_000,
        pointers: Pointers { cost: Some("/cost".into()), ..Pointers::default() },
        clocks: Clocks { silence_ms: 300_000, idle_ms: 1_800_000, wall_ms: 7_200_000 },
        artifacts: Artifacts::new(folder.path().to_owned()),
        secrets: Redactor::new([SECRET.to_owned()]),
    }));
    Shop { world, folder }
}

impl Shop {
    fn runs(&self) -> Vec<CallRow> {
        let calls = self.world.log.rows().calls;
        calls.into_values().filter(|call| call.model == "agent/mender").collect()
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join("attempt-1").join(name)).unwrap_or_default()
    }
}

fn mend(files: &mut Files) {
    files.insert("sum.rs".into(), "fn sum(a: i32, b: i32) -> i32 {\n    a + b\n}\n".into());
}

fn says(text: &str) -> FakeRun {
    FakeRun { says: text.into(), ..FakeRun::default() }
}

fn failure(ended: &Ended) -> FailureKind {
    match ended.outcome {
        Outcome::Retryable { failure, .. } => failure,
        ref other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_mends_it_is_merged_and_charged_what_it_says() {
    let shop = shop(|files| {
        mend(files);
        says("on it\n{\"cost\": 0.25}\n")
    });
    let ended = shop.world.run().await;
    assert!(matches!(ended.outcome, Outcome::Completed { .. }), "{ended:?}");
    assert!(shop.world.repo.file("sum.rs").unwrap().contains("a + b"));
    let runs = shop.runs();
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].state, runs[0].bound), (CallState::Settled, dollars("2.5")));
    assert_eq!(runs[0].actual, Some(dollars("0.25")));
    assert!(shop.file("3-prompt.md").contains("Mend the sum"));
    assert!(shop.file("3-output.txt").contains("on it"));
}

#[tokio::test(start_paused = true)]
async fn red_tests_are_handed_to_the_agent_again_with_what_they_say() {
    let runs = AtomicUsize::new(0);
    let shop = shop(move |files| {
        if runs.fetch_add(1, Ordering::SeqCst) == 0 {
            files.insert("note.md".into(), "a first try".into());
        } else {
            mend(files);
        }
        says("done")
    });
    let ended = shop.world.run().await;
    assert!(matches!(ended.outcome, Outcome::Completed { .. }), "{ended:?}");
    assert!(shop.file("5-prompt.md").contains("test failed"), "{}", shop.file("5-prompt.md"));
    assert_eq!(shop.world.repo.file("note.md").as_deref(), Some("a first try"));
    assert_eq!(shop.runs().len(), 2);
    assert!(shop.runs().iter().all(|run| run.state == CallState::Unknown && run.actual == Some(run.bound)));
}

#[tokio::test(start_paused = true)]
async fn success_without_a_change_is_no_progress() {
    let ended = shop(|_| says("all done!")).world.run().await;
    assert_eq!(failure(&ended), FailureKind::NoProgress);
    assert!(ended.detail.contains("all done!"), "{}", ended.detail);
}

#[tokio::test(start_paused = true)]
async fn a_failing_agent_whose_change_is_good_has_done_its_work() {
    let shop = shop(|files| {
        mend(files);
        FakeRun { code: 3, ..FakeRun::default() }
    });
    assert!(matches!(shop.world.run().await.outcome, Outcome::Completed { .. }));
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_not_there_is_a_matter_for_a_person() {
    let shop = shop(|_| FakeRun { says: "sh: mender: not found\n".into(), code: 127, ..FakeRun::default() });
    let ended = shop.world.run().await;
    let Outcome::NeedsHuman { reason: HumanReason::Permanent { why } } = &ended.outcome else {
        panic!("{ended:?}");
    };
    assert!(why.contains("mender") && why.contains("not found"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_agent_is_stalled_after_five_minutes_and_charged_its_bound() {
    let shop = shop(|files| {
        mend(files);
        FakeRun { says: "{\"cost\": 0.01}\n".into(), takes: Duration::from_secs(24 * 3_600), code: 0 }
    });
    let began = tokio::time::Instant::now();
    let ended = shop.world.run().await;
    assert_eq!(failure(&ended), FailureKind::Stalled);
    assert!((300..330).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    let learned = ended.learned.unwrap();
    assert!(learned.obstacle.contains("said nothing for 300 s"), "{learned:?}");
    assert!(learned.discoveries.iter().any(|found| found.contains("sum.rs")), "{learned:?}");
    assert_eq!(shop.runs()[0].actual, Some(dollars("2.5")));
    assert_eq!(shop.world.reserved(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_the_agent_says_and_changes_is_kept_without_secrets() {
    let shop = shop(|files| {
        mend(files);
        says(&format!("the password is {SECRET}\n"))
    });
    shop.world.run().await;
    assert!(shop.file("3-output.txt").contains("the password is [redacted]"));

    let leak = self::shop(|files| {
        files.insert("env.txt".into(), format!("TOKEN={SECRET}\n"));
        says("dumped")
    });
    let ended = leak.world.run().await;
    assert_eq!(failure(&ended), FailureKind::Boundary);
    assert!(ended.detail.contains("env.txt"), "{}", ended.detail);
}

#[tokio::test(start_paused = true)]
async fn protected_files_are_refused_as_from_any_implementer() {
    let shop = shop(|files| {
        mend(files);
        files.insert(".github/ci.yml".into(), "mine".into());
        says("done")
    });
    assert_eq!(failure(&shop.world.run().await), FailureKind::Boundary);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_no_cap_allows_goes_to_a_person_before_it_begins() {
    let mut shop = shop(|_| panic!("it must not run"));
    let caps = World::with_caps(dollars("2"), dollars("100"));
    shop.world.log = caps.log;
    let ended = shop.world.run().await;
    let Outcome::NeedsHuman { reason: HumanReason::ExceedsCap { bound_micro, cap_micro } } = ended.outcome
    else {
        panic!("{ended:?}");
    };
    assert_eq!((bound_micro, cap_micro), (2_500_000, 2_000_000));
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_money_is_used_up_by_its_agent_goes_to_a_person() {
    let mut shop = shop(|files| {
        files.insert("note.md".into(), "red".into());
        says("done")
    });
    let caps = TaskCaps { money: Some(dollars("4")), tokens: None };
    shop.world.log = shop.world.log.with_task_caps(caps);
    let ended = shop.world.run().await;
    let human = matches!(ended.outcome, Outcome::NeedsHuman { reason: HumanReason::TaskCap { .. } });
    assert!(human, "{ended:?}");
}

/// Adds a line with each run, so that a run over what another one left half done shows.
fn careless() -> Shop {
    shop(|files| {
        let text = files.get("sum.rs").cloned().unwrap_or_default();
        files.insert("sum.rs".into(), text.replace("a - b", "a * b") + "// once\n");
        if text.contains("a * b") {
            files.insert("sum.rs".into(), text.replace("a * b", "a + b") + "// twice\n");
            files.remove("half.txt");
        } else {
            files.insert("half.txt".into(), "half".into());
        }
        says("done\n{\"cost\": 0.10}\n")
    })
}

#[tokio::test(start_paused = true)]
async fn an_interruption_at_any_point_changes_neither_the_result_nor_pays_a_finished_run_again() {
    let expected = careless();
    let fuse = Fuse::never();
    let ended = run(&expected.world.job(&expected.world.claim(), &fuse)).await.unwrap();
    let (wanted, points) = (expected.world.repo.file("sum.rs"), fuse.passed());
    assert!(wanted.as_ref().unwrap().ends_with("// once\n// twice\n"), "{wanted:?}");
    for (point, lose) in (0..points).flat_map(|point| [(point, false), (point, true)]) {
        let shop = careless();
        let fuse = Fuse::at(point);
        let claimed = shop.world.claim();
        let job = shop.world.job(&claimed, &fuse);
        let finished = tokio::select! {
            ended = run(&job) => Some(ended.unwrap()),
            () = fuse.blown() => None,
        };
        drop(job);
        if lose {
            shop.world.workspace.lose_worktrees();
        }
        let again = shop.world.log.take_over(&claimed);
        let end = match finished {
            Some(ended) => ended,
            None => run(&shop.world.job(&again, &Fuse::never())).await.unwrap(),
        };
        assert_eq!(end.outcome, ended.outcome, "point {point}");
        assert_eq!(shop.world.repo.file("sum.rs"), wanted, "point {point}");
        assert_eq!(shop.world.repo.file("half.txt"), None, "point {point}");
        assert_eq!(shop.world.reserved(), 0, "point {point}");
        assert!(shop.runs().len() <= 3, "point {point}: {:?}", shop.runs());
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_talks_and_changes_nothing_makes_no_progress() {
    let folder = tempfile::tempdir().unwrap();
    let mut shop = shop(|_| FakeRun { takes: Duration::from_secs(24 * 3_600), ..FakeRun::default() });
    if let Implementer::Command(agent) = &shop.world.settings.implementer {
        let clocks = Clocks { silence_ms: u64::MAX / 4, ..agent.clocks };
        let artifacts = Artifacts::new(folder.path().to_owned());
        let agent = Agent { clocks, artifacts, ..Agent::clone(agent) };
        shop.world.settings.implementer = Implementer::Command(Arc::new(agent));
    }
    let ended = shop.world.run().await;
    assert_eq!(failure(&ended), FailureKind::NoProgress);
    assert!(ended.detail.contains("changed nothing for 1800 s"), "{}", ended.detail);
}

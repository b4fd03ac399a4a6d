//! Proves the content without the engine: the backlog can be worked off, and every recorded change is red or green as
//! its script says.

mod almanac;
mod backlog;

use std::collections::BTreeMap;
use std::path::Path;

use glitchlab_domain::outcome::Size;
use glitchlab_domain::policy::Limits;
use glitchlab_domain::stage::Stage;
use glitchlab_models::reply::{Plan, Verdict};

use super::*;
use almanac::Almanac;
use backlog::{Backlog, Replies};

#[test]
fn every_change_is_red_or_green_as_its_script_says() {
    let parent = tempfile::tempdir().unwrap();
    let almanac = Almanac::new(prepare(parent.path()).unwrap());
    let (mut red, mut rejected, mut asleep) = (Vec::new(), Vec::new(), usize::MAX);
    for id in Backlog::read().work_order() {
        let replies = Replies::of(&id);
        if !replies.has(Stage::Implement) {
            continue;
        }
        for attempt in 1.. {
            almanac.apply(&replies.rounds(Stage::Implement, attempt));
            if replies.has(Stage::Debug) {
                assert!(!almanac.test().green, "{id} is green before it is debugged");
                red.push(id.to_string());
                almanac.apply(&replies.rounds(Stage::Debug, attempt));
            }
            let run = almanac.test();
            assert!(run.green, "{id} stays red:\n{}", run.output);
            asleep = run.ignored;
            if replies.review(attempt).verdict == Verdict::Approve {
                break;
            }
            rejected.push((id.to_string(), attempt));
            almanac.undo();
        }
        almanac.commit(&id);
    }
    assert_eq!(asleep, 0, "tests that no bead has woken");
    assert_eq!(red, ["al-4", "al-1.1", "al-7"]);
    assert_eq!(rejected, [("al-5".to_owned(), 1)]);
}

#[test]
fn every_test_that_sleeps_is_red_before_its_bead_is_done() {
    let parent = tempfile::tempdir().unwrap();
    let almanac = Almanac::new(prepare(parent.path()).unwrap());
    let run = almanac.run(&["--", "--ignored"]);
    assert_eq!((run.passed, run.failed), (0, 24), "{}", run.output);
}

#[test]
fn a_prepared_repository_is_clean_and_by_its_own_author() {
    let parent = tempfile::tempdir().unwrap();
    let demo = prepare(parent.path()).unwrap();
    let author = demo.author.clone();
    let almanac = Almanac::new(demo);
    assert!(almanac.test().green);
    assert_eq!(almanac.git(&["status", "--porcelain"]), "");
    assert_eq!(almanac.git(&["log", "--format=%an <%ae> %cn <%ce>"]), format!("{author} {author}"));
    assert_eq!(almanac.git(&["branch", "--show-current"]), "main");
}

#[test]
fn a_place_without_room_for_the_demo_is_named_with_a_way_out() {
    let parent = tempfile::tempdir().unwrap();
    let told = prepare(&parent.path().join("nowhere")).unwrap_err().to_string();
    assert!(told.contains("nowhere") && told.contains("TMPDIR"), "{told}");
}

#[test]
fn every_task_has_its_replies_and_every_reply_its_task() {
    let backlog = Backlog::read();
    let order = backlog.work_order();
    let script = script::script().unwrap();
    for entry in &script.replies {
        assert!(order.contains(&entry.bead), "{} is no task", entry.bead);
    }
    for id in &order {
        let replies = Replies::of(id);
        let asking = replies.stages_that_ask();
        for stage in &asking {
            assert!(replies.has(*stage), "{id} has no reply for {}", stage.name());
        }
        for stage in replies.stages() {
            let asks = asking.contains(&stage) || stage == Stage::Debug;
            assert!(asks, "{id} is never asked for {}", stage.name());
        }
    }
}

#[test]
fn the_gate_splits_one_task_and_passes_the_others() {
    let limits = Limits::default();
    let mut split = Vec::new();
    for id in Backlog::read().work_order() {
        let replies = Replies::of(&id);
        let budget = match replies.triage().size {
            Size::S => limits.size_tokens[0],
            Size::M => limits.size_tokens[1],
            Size::L => limits.size_tokens[2],
            Size::Xl => {
                split.push(id.to_string());
                continue;
            }
        };
        let plans = replies.all::<Plan>(Stage::Planner);
        assert!(plans.iter().all(|plan| plan.estimated_tokens <= budget), "{id} would be split");
    }
    assert_eq!(split, ["al-6"]);
}

#[test]
fn the_demo_is_worked_off_but_for_what_needs_a_person() {
    let backlog = Backlog::read();
    let order = backlog.work_order();
    let place = |id: &str| order.iter().position(|other| other.as_str() == id).unwrap();
    assert_eq!(backlog.left_over(), ["al-12"]);
    assert!(place("al-2") < place("al-3") && place("al-3") < place("al-1.1"));
    assert!(place("al-6.s1") < place("al-6.s3") && place("al-6.s2") < place("al-6.s3"));
    for part in ["al-1.1", "al-1.2", "al-1.3", "al-3", "al-4", "al-5", "al-6.s3", "al-7", "al-9"] {
        assert!(place(part) < place("al-10"), "{part} is not on the base when the page is printed");
    }
}

#[test]
fn the_money_is_about_a_dollar_and_the_time_leaves_room_in_two_minutes() {
    let script = script::script().unwrap();
    let cost: i64 = script
        .replies
        .iter()
        .map(|entry| &entry.recorded)
        .map(|reply| script.price.cost(reply.input_tokens, reply.output_tokens).micro())
        .sum();
    assert!((800_000..1_200_000).contains(&cost), "{cost}");
    let slow: Vec<_> =
        script.replies.iter().filter(|entry| !(300..=2_500).contains(&entry.recorded.latency_ms)).collect();
    assert!(slow.is_empty(), "{slow:?}");
    let all_ms: u64 = script.replies.iter().map(|entry| entry.recorded.latency_ms).sum();
    assert!(all_ms / 2 < 60_000, "two workers wait {all_ms} ms for the model");
}

#[test]
fn every_file_of_the_demo_is_in_the_program() {
    for (folder, known) in [("almanac", content::FILES), ("script", content::SCRIPTS)] {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo").join(folder);
        let mut known: BTreeMap<_, _> = known.iter().copied().collect();
        for path in almanac::files(&top) {
            assert!(known.remove(path.as_str()).is_some(), "{path} is not in content.rs");
        }
    }
}

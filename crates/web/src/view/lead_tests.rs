use glitchlab_domain::bead::BeadId;
use glitchlab_domain::outcome::FailureKind;
use glitchlab_domain::reason::{Reason, Window};

use super::*;
use crate::sample::live;
use crate::view::NOW_MS;

/// An engine with nothing in flight and nothing to say.
fn quiet(activity: Activity) -> Snapshot {
    let mut snapshot = live(NOW_MS);
    snapshot.activity = activity;
    snapshot.admission = None;
    snapshot.lanes.iter_mut().for_each(|lane| lane.task = None);
    snapshot
}

fn waiting_for(reason: Reason) -> Snapshot {
    let admission = Some(Wait { reason, until_ms: Some(NOW_MS + 108_000) });
    Snapshot { admission, ..quiet(Activity::Waiting) }
}

fn said(snapshot: &Snapshot) -> (Glyph, String) {
    let lead = Lead::live(snapshot, NOW_MS);
    (lead.glyph, lead.heading)
}

#[test]
fn each_activity_has_its_sentence() {
    let mut one = live(NOW_MS);
    one.lanes.truncate(1);
    let draining = |mut snapshot: Snapshot| {
        snapshot.activity = Activity::Draining;
        snapshot
    };
    let cases = [
        (quiet(Activity::Starting), Glyph::Run, "Starting"),
        (live(NOW_MS), Glyph::Run, "Working on 2 tasks"),
        (one, Glyph::Run, "Working on 1 task"),
        (quiet(Activity::Idle), Glyph::Idle, "No task is ready"),
        (quiet(Activity::Waiting), Glyph::Wait, "Waiting to start the next task"),
        (draining(live(NOW_MS)), Glyph::Pause, "Finishing 2 tasks, then stopping"),
        (quiet(Activity::Draining), Glyph::Pause, "Stopping"),
        (quiet(Activity::Stopped), Glyph::Stop, "The engine is stopped"),
    ];
    for (snapshot, glyph, heading) in cases {
        assert_eq!(said(&snapshot), (glyph, heading.to_owned()), "{:?}", snapshot.activity);
    }
}

#[test]
fn a_wait_names_its_typed_reason_and_its_instant() {
    let failure = FailureKind::Parse;
    let cases = [
        (Reason::CapReached { window: Window::Hour }, Glyph::Wait, "Waiting for money", "CapReached: hour"),
        (
            Reason::AfterSettlement { window: Window::Day },
            Glyph::Wait,
            "Waiting for a settlement",
            "AfterSettlement: day",
        ),
        (
            Reason::Backoff { failure, attempts: 2 },
            Glyph::Wait,
            "Resting before the next attempt",
            "Backoff: parse",
        ),
        (Reason::BreakerOpen { failure }, Glyph::Crit, "Dispatch is stopped", "BreakerOpen: parse"),
        (
            Reason::TooManyOpenRequests { open: 5, limit: 5 },
            Glyph::You,
            "Waiting for merges",
            "TooManyOpenRequests: 5 of 5",
        ),
        (
            Reason::BlockedBy { on: vec![BeadId::from("gl-1")] },
            Glyph::Block,
            "Everything left is blocked",
            "BlockedBy: gl-1",
        ),
        (
            Reason::DiskLow { free_bytes: 1, limit_bytes: 2 },
            Glyph::Crit,
            "The disk is almost full",
            "DiskLow",
        ),
        (Reason::NoFreeWorker, Glyph::Wait, "Waiting for a free worker", "NoFreeWorker"),
    ];
    for (reason, glyph, heading, chip) in cases {
        let lead = Lead::live(&waiting_for(reason), NOW_MS);
        let until = lead.until.expect("the wait has an instant");
        assert_eq!((lead.glyph, lead.heading.as_str(), lead.chip.as_deref()), (glyph, heading, Some(chip)));
        assert_eq!((until.left.as_str(), until.at.text.as_str()), ("1:48", "14:33:55"));
        assert!(lead.text.starts_with("336 tasks are in the queue, and "), "{}", lead.text);
    }
}

#[test]
fn a_free_worker_says_why_it_takes_nothing() {
    let lead = Lead::live(&live(NOW_MS), NOW_MS);
    assert_eq!(lead.text, "1 free worker waits: the cap of the rolling hour has no room.");
    assert_eq!(lead.until.map(|until| until.left).as_deref(), Some("1:48"));
}

#[test]
fn a_critical_trouble_wins_until_the_engine_has_stopped() {
    let trouble = Trouble { since_ms: NOW_MS, critical: true, what: "the journal cannot write".to_owned() };
    let with = |mut snapshot: Snapshot| {
        snapshot.troubles = vec![trouble.clone()];
        snapshot
    };
    assert_eq!(said(&with(live(NOW_MS))), (Glyph::Crit, "In trouble, 2 tasks still run".to_owned()));
    assert_eq!(said(&with(quiet(Activity::Idle))), (Glyph::Crit, "In trouble, nothing runs".to_owned()));
    assert_eq!(said(&with(quiet(Activity::Stopped))), (Glyph::Stop, "The engine is stopped".to_owned()));
    assert_eq!(Lead::live(&with(live(NOW_MS)), NOW_MS).text, "The journal cannot write.");
}

#[test]
fn a_lesser_trouble_leaves_the_sentence_alone() {
    let trouble = Trouble { since_ms: NOW_MS, critical: false, what: "line 14 is wrong".to_owned() };
    let snapshot = Snapshot { troubles: vec![trouble], ..live(NOW_MS) };
    assert_eq!(said(&snapshot), (Glyph::Run, "Working on 2 tasks".to_owned()));
}

#[test]
fn the_title_repeats_the_sentence_and_the_number() {
    let lead = Lead::live(&live(NOW_MS), NOW_MS);
    assert_eq!(lead.title(), "Working on 2 tasks, $3.31 committed of $5.00 this hour · GLITCHLAB");
}

#[test]
fn what_is_not_known_yet_is_never_a_zero() {
    let lead = Lead::live(&Snapshot::default(), NOW_MS);
    assert!(lead.figures.iter().all(|figure| figure.value == UNKNOWN), "{:?}", lead.figures);
}

#[test]
fn an_idle_engine_says_what_is_still_open() {
    let lead = Lead::live(&quiet(Activity::Idle), NOW_MS);
    assert_eq!(lead.text, "Still open: 3 in review, 91 blocked, 2 waiting for you, 29 skipped on purpose.");
    let mut done = quiet(Activity::Idle);
    done.queue = glitchlab_domain::snapshot::Queue::default();
    assert_eq!(Lead::live(&done, NOW_MS).text, "Everything in the backlog is done.");
}

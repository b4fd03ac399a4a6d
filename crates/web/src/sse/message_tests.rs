use glitchlab_domain::event::EventKind;
use glitchlab_domain::snapshot::{Activity, Snapshot};

use super::*;
use crate::pages::View;
use crate::sample::{event, live};
use crate::view::{NOW_MS, moment};

fn regions(snapshot: &Snapshot) -> Regions {
    View::Live.regions(&moment(snapshot.clone()))
}

fn with_events(mut snapshot: Snapshot, events: std::ops::Range<u64>) -> Snapshot {
    for seq in events {
        snapshot.apply(&event(seq, NOW_MS, "gl-1", EventKind::HumanNeeded { why: format!("number {seq}") }));
    }
    snapshot
}

fn targets(message: &str) -> Vec<&str> {
    message.split("hx-target=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn nothing_is_sent_when_nothing_changed() {
    let one = regions(&live(NOW_MS));
    assert_eq!(one.changes(&one), "");
}

#[test]
fn a_whole_message_has_every_region_once() {
    let whole = regions(&live(NOW_MS)).whole();
    assert_eq!(
        targets(&whole),
        ["#you", "#alarms", "#engine", "#banners", "#lead", "#now", "#money", "#queue", "#feed"]
    );
    assert!(whole.starts_with("<title>Working on 2 tasks, "));
    assert!(!whole.contains("class=\"new\""), "a list that is sent whole does not fade");
}

#[test]
fn only_what_changed_is_sent() {
    let before = live(NOW_MS);
    let mut after = before.clone();
    after.queue.completed += 1;
    assert_eq!(targets(&regions(&after).changes(&regions(&before))), ["#queue"]);
    after.activity = Activity::Draining;
    let changes = regions(&after).changes(&regions(&before));
    assert_eq!(targets(&changes), ["#say", "#engine", "#lead", "#now", "#queue"]);
}

#[test]
fn a_new_event_is_put_on_top_and_the_oldest_goes() {
    let before = with_events(live(NOW_MS), 100..120);
    let after = with_events(before.clone(), 120..121);
    let changes = regions(&after).changes(&regions(&before));
    assert_eq!(targets(&changes), ["#feed", "#feed > li:nth-child(n+20)"]);
    assert_eq!(changes.matches("<li").count(), 1);
    assert!(changes.contains("<li id=\"e-boot-120\" class=\"new\">"), "{changes}");
}

#[test]
fn a_list_that_still_grows_loses_nothing() {
    let before = with_events(Snapshot::default(), 1..3);
    let after = with_events(before.clone(), 3..4);
    assert_eq!(targets(&regions(&after).changes(&regions(&before))), ["#feed"]);
}

#[test]
fn many_new_events_come_without_the_fade_and_too_many_as_a_whole() {
    let before = with_events(live(NOW_MS), 100..120);
    let ten = regions(&with_events(before.clone(), 120..130)).changes(&regions(&before));
    assert_eq!(targets(&ten), ["#feed", "#feed > li:nth-child(n+11)"]);
    assert!(!ten.contains("class=\"new\""));
    let all = regions(&with_events(before.clone(), 120..140)).changes(&regions(&before));
    assert_eq!(targets(&all), ["#feed"]);
    assert!(all.contains("hx-swap=\"outerMorph\"><ol class=\"feed\" id=\"feed\">"));
}

#[test]
fn the_title_is_escaped_like_everything_else() {
    assert_eq!(title("</title><script>"), "<title>&#60;/title&#62;&#60;script&#62;</title>\n");
}

//! Golden markup of every fragment, in its usual state and in those that look different.

use std::sync::Arc;

use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::reason::{Reason, Wait, Window};
use glitchlab_domain::snapshot::{Activity, Snapshot, Trouble};
use insta::assert_snapshot;

use super::banners::Banners;
use super::engine::Engine;
use super::feed::Feed;
use super::lead::Lead;
use super::money::Money;
use super::now::Now;
use super::queue::Queue;
use super::tree::Tree;
use super::{Moment, NOW_MS, moment, render};
use crate::sample::{live, tree};

fn full() -> Moment {
    moment(live(NOW_MS))
}

fn starting() -> Moment {
    moment(Snapshot { as_of_ms: NOW_MS, ..Snapshot::default() })
}

#[test]
fn engine() {
    assert_snapshot!("engine", render(&Engine::new(&full())));
    assert_snapshot!("engine_starting", render(&Engine::new(&starting())));
}

#[test]
fn banners() {
    assert_snapshot!("banners", render(&Banners::new(&full())));
    let trouble =
        Trouble { since_ms: NOW_MS - 660_000, critical: true, what: "The breaker opened.".to_owned() };
    let health = crate::Health::Degraded("The collector is silent.".to_owned());
    let troubled = moment(Snapshot { troubles: vec![trouble], ..live(NOW_MS) });
    assert_snapshot!("banners_troubled", render(&Banners::new(&Moment { health, ..troubled })));
}

#[test]
fn lead() {
    assert_snapshot!("lead", render(&Lead::live(&live(NOW_MS), NOW_MS)));
}

#[test]
fn now() {
    assert_snapshot!("now", render(&Now::new(&full())));
    assert_snapshot!("now_starting", render(&Now::new(&starting())));
    let mut waiting = live(NOW_MS);
    let task = waiting.lanes[0].task.as_mut().unwrap();
    task.size = None;
    task.waiting = Some(Wait { reason: Reason::AfterSettlement { window: Window::Hour }, until_ms: None });
    assert_snapshot!("now_waiting", render(&Now::new(&moment(waiting))));
}

#[test]
fn money() {
    assert_snapshot!("money", render(&Money::new(&full())));
    assert_snapshot!("money_starting", render(&Money::new(&starting())));
    let mut over = live(NOW_MS);
    over.money.usage.hour = MicroUsd::new(5_120_000);
    over.money.usage.cap_day = MicroUsd::new(16_000_000);
    let over = render(&Money::new(&moment(over)));
    assert!(over.contains(r#"<div class="money over">"#) && over.contains(r#"<div class="money near">"#));
}

#[test]
fn queue() {
    assert_snapshot!("queue", render(&Queue::new(&full())));
    assert_snapshot!("queue_starting", render(&Queue::new(&starting())));
}

#[test]
fn feed() {
    assert_snapshot!("feed", render(&Feed::new(&live(NOW_MS))));
}

#[test]
fn tree_table() {
    let seen = Moment { tree: Some(Arc::new(tree())), ..full() };
    assert_snapshot!("tree", render(&Tree::new(&seen)));
    assert_snapshot!("tree_unavailable", render(&Tree::new(&full())));
}

#[test]
fn an_idle_engine_has_an_empty_state_instead_of_lanes() {
    let mut idle = live(NOW_MS);
    idle.activity = Activity::Idle;
    idle.lanes.clear();
    assert_snapshot!("now_idle", render(&Now::new(&moment(idle))));
}

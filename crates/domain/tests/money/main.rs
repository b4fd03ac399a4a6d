//! Money: random histories through `decide`, judged by the provider's own account and by recomputing the ledger from
//! the log of all calls.

mod audit;
mod desk;
mod history;
mod lowered;
mod oracle;
mod pace;
mod paced;
mod pages;
mod provider;
mod purse;
mod rules;
mod script;
mod tokens;
mod waits;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use script::Script;

/// Histories of one run of the suite; `GLITCHLAB_HISTORIES=1000000` runs as many as that.
const HISTORIES: u64 = 5_000;
/// Steps of one history.
const STEPS: usize = 40;
/// Long histories, where many settlements leave their windows.
const LONG_HISTORIES: u64 = 500;
/// Steps of a long one.
const LONG_STEPS: usize = 600;

#[test]
fn no_history_of_crashes_and_competing_workers_spends_more_than_a_cap() {
    run_all(0..histories(), STEPS);
}

#[test]
fn no_long_history_spends_more_than_a_cap_or_loses_count_of_what_left_a_window() {
    run_all(0..LONG_HISTORIES, LONG_STEPS);
}

#[test]
fn a_history_says_the_same_when_it_is_run_again() {
    let script = Script::random(7, 400);
    assert_eq!(history::run(&script), history::run(&script));
}

#[test]
fn the_histories_do_what_they_are_meant_to_do() {
    let mut deeds = history::Deeds::default();
    for seed in 0..2_000 {
        deeds += history::run(&Script::random(seed, STEPS)).expect("a history without a fault");
    }
    for (what, times) in deeds.named() {
        assert!(times >= 10, "{what} happened only {times} times in 2 000 histories");
    }
}

#[expect(clippy::disallowed_methods, reason = "a long run is asked for by a variable")]
fn histories() -> u64 {
    std::env::var("GLITCHLAB_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(HISTORIES)
}

/// Runs histories on every core; the first that goes wrong is made smaller and shown with its seed.
fn run_all(seeds: std::ops::Range<u64>, steps: usize) {
    let next = AtomicU64::new(seeds.start);
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    run_one(seed, steps);
                }
            });
        }
    });
}

fn run_one(seed: u64, steps: usize) {
    let script = Script::random(seed, steps);
    if let Err(fault) = history::run(&script) {
        let (script, fault) = script.smallest(fault);
        panic!("seed {seed} with {steps} steps: {fault}\n{}", history::tell(&script));
    }
}

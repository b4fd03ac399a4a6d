//! What happens in a history, as numbers that mean something in whatever state they meet: any part of a script is a
//! script, so that one that fails can be made smaller by leaving steps out.

use glitchlab_domain::command::TaskCaps;
use glitchlab_domain::money::MicroUsd;

use crate::history;

/// One step: which kind of thing happens, and two numbers that choose among what is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) kind: u32,
    pub(crate) a: u32,
    pub(crate) b: u32,
}

/// A history to be run.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// The store keeps a ledger's moved tails although nothing else was written (the in-memory store does, SQL does
    /// not).
    pub(crate) keeps_tails: bool,
    /// Decides each command a second time over nothing but the rows that it names, as an SQL store loads them.
    pub(crate) names_rows: bool,
    /// A task has caps of its own.
    pub(crate) caps_tasks: bool,
    pub(crate) steps: Vec<Step>,
}

impl Script {
    pub(crate) fn random(seed: u64, steps: usize) -> Self {
        let mut chance = Chance(seed);
        let step = |chance: &mut Chance| Step { kind: chance.next(), a: chance.next(), b: chance.next() };
        Self {
            keeps_tails: seed.is_multiple_of(2),
            names_rows: seed.is_multiple_of(8),
            caps_tasks: seed.is_multiple_of(3),
            steps: (0..steps).map(|_| step(&mut chance)).collect(),
        }
    }

    /// Returns what a task may cost in all.
    pub(crate) fn task_caps(&self) -> TaskCaps {
        if self.caps_tasks {
            TaskCaps { money: Some(MicroUsd::new(600)), tokens: Some(500) }
        } else {
            TaskCaps::default()
        }
    }

    /// Leaves out steps for as long as it still fails without them.
    pub(crate) fn smallest(mut self, mut fault: String) -> (Self, String) {
        while let Some((fewer, still)) = self.smaller() {
            (self, fault) = (fewer, still);
        }
        (self, fault)
    }

    fn smaller(&self) -> Option<(Self, String)> {
        (0..self.steps.len()).find_map(|place| {
            let mut fewer = self.clone();
            fewer.steps.remove(place);
            history::run(&fewer).err().map(|fault| (fewer, fault))
        })
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): every seed gives a full-period stream of its own.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((z ^ (z >> 31)) >> 32).expect("the upper half has 32 bits")
    }
}

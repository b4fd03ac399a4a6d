//! What work arrives when, and what it costs.

/// SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Draws a number from `low` to `high`.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let span = u64::try_from(high - low + 1).unwrap_or(1);
        low + i64::try_from((z ^ (z >> 31)) % span).unwrap_or(0)
    }
}

/// One call: what it costs, what must be set aside for it, and how long it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) cost_micro: i64,
    pub(super) bound_micro: i64,
    pub(super) takes_ms: i64,
}

/// The calls of one attempt; every attempt succeeds.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) calls: Vec<Call>,
}

impl Work {
    /// Makes so many calls of about `micro` each, with two and a half times as much set aside, of some seconds each.
    fn new(calls: i64, micro: i64, chance: &mut Chance) -> Self {
        let call = |_| {
            let cost_micro = chance.between(micro / 2, micro * 3 / 2);
            Call { cost_micro, bound_micro: cost_micro * 5 / 2, takes_ms: chance.between(2_000, 16_000) }
        };
        Self { calls: (0..calls).map(call).collect() }
    }

    /// An ordinary task: 6 cents, 15 cents or 36 cents on average.
    fn ordinary(chance: &mut Chance) -> Self {
        match chance.between(0, 9) {
            0..=4 => Self::new(5, 12_000, chance),
            5..=7 => Self::new(6, 25_000, chance),
            _ => Self::new(9, 40_000, chance),
        }
    }

    /// A task of 12 dollars.
    fn huge(chance: &mut Chance) -> Self {
        Self::new(150, 80_000, chance)
    }

    /// A task of two cents.
    fn tiny(chance: &mut Chance) -> Self {
        let work = Self::new(3, 7_000, chance);
        let calls = work.calls.into_iter().map(|call| Call { takes_ms: 200 + call.takes_ms / 20, ..call });
        Self { calls: calls.collect() }
    }
}

/// When how much work arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// There is always something to do.
    Steady,
    /// Eighty tasks at once, every four hours.
    Bursts,
    /// Always something to do for three hours, then nothing for three hours.
    Gaps,
    /// Always something to do, and one task that costs what the cap allows in two hours and a half.
    Huge,
    /// There are always very many tasks of two cents.
    Tiny,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Steady, Self::Bursts, Self::Gaps, Self::Huge, Self::Tiny];

    /// Returns its name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Bursts => "bursts",
            Self::Gaps => "gaps",
            Self::Huge => "huge",
            Self::Tiny => "tiny",
        }
    }

    /// Tells whether there is always enough to do.
    #[must_use]
    pub const fn has_enough(self) -> bool {
        matches!(self, Self::Steady | Self::Huge | Self::Tiny)
    }

    /// Returns what arrives in a minute, given how much waits.
    pub(super) fn arrivals(self, now_ms: i64, waiting: usize, chance: &mut Chance) -> Vec<Work> {
        let minute = now_ms / 60_000;
        let fill = |to: usize| to.saturating_sub(waiting);
        match self {
            Self::Steady => (0..fill(20)).map(|_| Work::ordinary(chance)).collect(),
            Self::Bursts if minute % 240 == 0 => (0..80).map(|_| Work::ordinary(chance)).collect(),
            Self::Gaps if (minute / 180) % 2 == 0 => (0..fill(20)).map(|_| Work::ordinary(chance)).collect(),
            Self::Bursts | Self::Gaps => Vec::new(),
            Self::Huge => {
                let huge = (minute == 120).then(|| Work::huge(chance));
                huge.into_iter().chain((0..fill(20)).map(|_| Work::ordinary(chance))).collect()
            }
            Self::Tiny => (0..fill(200)).map(|_| Work::tiny(chance)).collect(),
        }
    }
}

//! How the simulated models behave.

use glitchlab_domain::money::Price;

use crate::pricing;

/// A way to behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// No latency; a task costs between $0.001 and $0.02 and succeeds by its third attempt.
    Fast,
    /// As fast, and paid by a subscription: a call costs tokens and no dollars.
    Subscription,
    /// Seconds of latency, rate limits, lost connections, missing usage, unreadable replies, rejections.
    Realistic,
    /// As fast, but the first implementing call of each task hangs: a drill for the watchdog.
    Drill(Stall),
}

/// How a call hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stall {
    /// It waits for an answer that never comes.
    Awaits,
    /// It blocks its thread.
    Blocks,
    /// It blocks every thread of its runtime.
    BlocksAll,
}

/// What a profile means. Chances are so many of 1 000.
pub(super) struct Behaviour {
    pub(super) id: &'static str,
    pub(super) price: Price,
    /// The most output tokens that are of use.
    pub(super) max_out: u64,
    /// The least and most prompt tokens that are billed; a quarter of the bytes in between.
    pub(super) input_tokens: (u64, u64),
    /// The least and most output tokens that are billed.
    pub(super) output_tokens: (u64, u64),
    /// The shortest and the longest time of a reply.
    pub(super) latency_ms: (u64, u64),
    /// A try is told to wait.
    pub(super) rate_limited: u64,
    /// A try is lost.
    pub(super) transient: u64,
    /// A reply comes without its usage.
    pub(super) usage_missing: u64,
    /// An attempt has one reply that cannot be read; the next one can.
    pub(super) garbled: u64,
    /// An attempt fails because its plan is never readable.
    pub(super) unreadable: u64,
    /// An attempt fails because its review rejects it.
    pub(super) rejected: u64,
    /// From this attempt on none fails.
    pub(super) never_fails_from: u32,
    /// The first implementing call of each task hangs so.
    pub(super) stall: Option<Stall>,
}

const FAST: Behaviour = Behaviour {
    id: "simulated/fast",
    price: pricing::SIMULATED_FAST,
    max_out: 1_024,
    // Three calls cost at least $0.0013; three attempts of six calls at most $0.0159.
    input_tokens: (500, 1_200),
    output_tokens: (150, 250),
    latency_ms: (0, 0),
    rate_limited: 0,
    transient: 0,
    usage_missing: 0,
    garbled: 20,
    unreadable: 15,
    rejected: 35,
    never_fails_from: 3,
    stall: None,
};

const SUBSCRIPTION: Behaviour =
    Behaviour { id: "simulated/subscription", price: pricing::SUBSCRIPTION, ..FAST };

const REALISTIC: Behaviour = Behaviour {
    id: "simulated/realistic",
    price: pricing::SIMULATED_REALISTIC,
    max_out: 4_096,
    input_tokens: (0, u64::MAX),
    output_tokens: (200, 3_000),
    latency_ms: (1_000, 20_000),
    rate_limited: 30,
    transient: 40,
    usage_missing: 10,
    garbled: 60,
    unreadable: 20,
    rejected: 120,
    never_fails_from: u32::MAX,
    stall: None,
};

/// Nothing else goes wrong in a drill.
const fn drill(id: &'static str, stall: Stall) -> Behaviour {
    Behaviour { id, stall: Some(stall), garbled: 0, unreadable: 0, rejected: 0, ..FAST }
}

const AWAITS: Behaviour = drill("simulated/drill-awaits", Stall::Awaits);
const BLOCKS: Behaviour = drill("simulated/drill-blocks", Stall::Blocks);
const BLOCKS_ALL: Behaviour = drill("simulated/drill-blocks-all", Stall::BlocksAll);

impl Profile {
    /// Finds a profile by its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "fast" => Some(Self::Fast),
            "subscription" => Some(Self::Subscription),
            "realistic" => Some(Self::Realistic),
            "drill-awaits" => Some(Self::Drill(Stall::Awaits)),
            "drill-blocks" => Some(Self::Drill(Stall::Blocks)),
            "drill-blocks-all" => Some(Self::Drill(Stall::BlocksAll)),
            _ => None,
        }
    }

    pub(super) const fn behaviour(self) -> &'static Behaviour {
        match self {
            Self::Fast => &FAST,
            Self::Subscription => &SUBSCRIPTION,
            Self::Realistic => &REALISTIC,
            Self::Drill(Stall::Awaits) => &AWAITS,
            Self::Drill(Stall::Blocks) => &BLOCKS,
            Self::Drill(Stall::BlocksAll) => &BLOCKS_ALL,
        }
    }
}

//! How long each thing may take.

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
/// The longest time between two looks.
const TICK_MS: u64 = 10 * SECOND_MS;
/// The shortest.
const LEAST_TICK_MS: u64 = 50;

/// How long each thing may take, ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Without an answer of any supervisor.
    pub beat_ms: u64,
    /// One message of an actor.
    pub handler_ms: u64,
    /// Without progress: of an attempt, and of the engine when it has work and nothing runs.
    pub no_progress_ms: u64,
    /// One stage.
    pub stage_ms: u64,
    /// An agent without a change.
    pub work_product_ms: u64,
    /// An agent without a word.
    pub silence_ms: u64,
    /// A process that has a time limit of its own, such as a test run, without a word.
    pub process_ms: u64,
    /// The scheduler without a look: beyond it, what it says of waits is out of date.
    pub look_ms: u64,
    /// After the start, in which only [`beat_ms`](Self::beat_ms) counts.
    pub grace_ms: u64,
    /// What a measure may take to help, before the next one.
    pub patience_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            beat_ms: 10 * SECOND_MS,
            handler_ms: MINUTE_MS,
            no_progress_ms: 30 * MINUTE_MS,
            stage_ms: 120 * MINUTE_MS,
            work_product_ms: 30 * MINUTE_MS,
            silence_ms: 5 * MINUTE_MS,
            process_ms: 16 * MINUTE_MS,
            look_ms: 35 * MINUTE_MS,
            grace_ms: 5 * MINUTE_MS,
            patience_ms: 20 * SECOND_MS,
        }
    }
}

impl Limits {
    /// Returns the time between two looks: a fraction of the shortest limit.
    #[must_use]
    pub fn tick_ms(&self) -> u64 {
        let Self { beat_ms, handler_ms, no_progress_ms, stage_ms, work_product_ms, silence_ms, .. } = *self;
        let limits = [beat_ms, handler_ms, no_progress_ms, stage_ms, work_product_ms, silence_ms];
        let shortest = limits.into_iter().min().unwrap_or(beat_ms);
        (shortest / 10).clamp(LEAST_TICK_MS, TICK_MS)
    }
}

//! The time in which the watchdog was awake.

use serde::{Deserialize, Serialize};

/// A look may come so many ticks late before that is a gap.
const LATE_TICKS: u64 = 4;
/// It is never one below this, ms: a busy machine is late now and then.
const LEAST_GAP_MS: u64 = 1_000;
/// The wall clock may drift so far between two looks, ms.
const LEAST_JUMP_MS: u64 = 5_000;

/// Time that no clock counts: the machine slept, the process was stopped, or the wall clock was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// How long the watchdog did not look although the monotonic clock went on, ms.
    pub asleep_ms: u64,
    /// By how much the wall clock went further than the monotonic one, ms; negative when it was set back.
    pub jump_ms: i64,
}

/// Adds up the time in which looks came as they should.
#[derive(Clone, Debug, Default)]
pub(super) struct AwakeTime {
    awake_ms: u64,
    last: Option<(u64, i64)>,
}

impl AwakeTime {
    pub(super) const fn awake_ms(&self) -> u64 {
        self.awake_ms
    }

    /// Takes the clocks of one more look.
    pub(super) fn pass(&mut self, mono_ms: u64, wall_ms: i64, tick_ms: u64) -> Option<Gap> {
        let (last_mono, last_wall) = self.last.replace((mono_ms, wall_ms))?;
        let step_ms = mono_ms.saturating_sub(last_mono);
        let most_ms = (LATE_TICKS * tick_ms).max(LEAST_GAP_MS);
        let asleep_ms = if step_ms > most_ms { step_ms - tick_ms } else { 0 };
        self.awake_ms += step_ms - asleep_ms;
        let apart = wall_ms.saturating_sub(last_wall).saturating_sub_unsigned(step_ms);
        let jump_ms = if apart.unsigned_abs() >= LEAST_JUMP_MS { apart } else { 0 };
        (asleep_ms > 0 || jump_ms != 0).then_some(Gap { asleep_ms, jump_ms })
    }
}

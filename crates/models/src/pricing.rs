//! What models charge, in micro-dollars for a million tokens.

use glitchlab_domain::money::Price;

/// `simulated/fast`: so little that a task costs between a tenth of a cent and two cents.
pub const SIMULATED_FAST: Price = per_mtok(400_000, 1_600_000);

/// `simulated/realistic`: what large models charge.
pub const SIMULATED_REALISTIC: Price = per_mtok(3_000_000, 15_000_000);

/// `simulated/subscription`: what is paid by the month costs nothing by the call.
pub const SUBSCRIPTION: Price = per_mtok(0, 0);

/// A script that names no price of its own.
pub const SCRIPTED: Price = per_mtok(3_000_000, 15_000_000);

const fn per_mtok(input_per_mtok_micro: u64, output_per_mtok_micro: u64) -> Price {
    Price { input_per_mtok_micro, output_per_mtok_micro }
}

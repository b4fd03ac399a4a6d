//! Calls that hang, as a client library with a fault would: to see what the watchdog does about them.

use std::future::pending;
use std::thread::sleep;
use std::time::Duration;

use super::profile::Stall;

/// Longer than any watchdog waits; a thread that cannot be ended is not left for ever.
const LONG: Duration = Duration::from_secs(3_600);
/// More than a runtime has threads.
const THREADS: usize = 512;

/// Hangs.
pub(super) async fn hang(stall: Stall) {
    match stall {
        Stall::Awaits => pending().await,
        Stall::Blocks => block(),
        Stall::BlocksAll => {
            for _ in 0..THREADS {
                tokio::spawn(async { block() });
            }
            block();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a thread that is blocked is what this is for")]
fn block() {
    sleep(LONG);
}

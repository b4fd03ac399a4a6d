//! Compares a ledger with the log of all calls, with its caps and with the provider's account.

use glitchlab_domain::ledger::{Head, Unit};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::reason::Window;
use glitchlab_domain::rows::{CallRow, CallState, Rows};

use crate::oracle::{Fault, must};
use crate::provider::Provider;
use crate::world::World;

/// Judges a ledger, its tails moved to now, under the caps with which it last granted something.
pub(crate) fn inspect_ledger(
    head: &Head,
    caps: (i64, i64),
    world: &World,
    provider: &Provider,
) -> Result<(), Fault> {
    let (scope, unit, now_ms) = (&head.scope, head.unit(), world.now_ms());
    for (window, cap) in [(Window::Hour, caps.0), (Window::Day, caps.1)] {
        let name = window.name();
        let (open, settled) = recompute(&world.rows, unit, window, now_ms);
        let counted = (head.reserved.micro(), in_window(head, window));
        must!(counted == (open, settled), "{scope}, {name}: counted {counted:?}, the log {open}, {settled}");
        must!(open + settled <= cap, "{scope}, {name}: {open} open and {settled} settled, cap {cap}");
        let spent = provider.spent(unit, window, now_ms);
        must!(spent <= cap, "{scope}: the provider billed {spent} within one {name}, the cap was {cap}");
        must!(spent <= open + settled, "{scope}, {name}: {spent} billed, {} counted", open + settled);
    }
    let (billed, known) = (provider.total(unit), head.settled_total.micro() + head.reserved.micro());
    must!(billed <= known, "{scope}: the provider billed {billed} in all, we know of {known}");
    Ok(())
}

/// Adds up the whole log: what is open, and what settled within a window that ends now.
fn recompute(rows: &Rows, unit: Unit, window: Window, now_ms: i64) -> (i64, i64) {
    let (mut open, mut settled) = (0, 0);
    for call in rows.calls.values() {
        let (bound, charged) = match unit {
            Unit::Money => (call.bound.micro(), call.actual.map(MicroUsd::micro)),
            Unit::Tokens => (in_tokens(call.bound_tokens), Some(in_tokens(charged_tokens(call)))),
        };
        match (call.settled_ms, charged) {
            (Some(at), Some(charged)) if at > now_ms - window.length_ms() => settled += charged,
            (Some(_), Some(_)) => {}
            _ => open += bound,
        }
    }
    (open, settled)
}

/// What nobody knows counts as all that it could use.
const fn charged_tokens(call: &CallRow) -> u64 {
    match call.state {
        CallState::Unknown => call.bound_tokens,
        CallState::Open | CallState::Settled => call.input_tokens + call.output_tokens,
    }
}

fn in_tokens(count: u64) -> i64 {
    i64::try_from(count).expect("small")
}

const fn in_window(head: &Head, window: Window) -> i64 {
    match window {
        Window::Hour => head.sum_hour.micro(),
        Window::Day => head.sum_day.micro(),
    }
}

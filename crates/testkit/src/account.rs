//! What the provider's own account says about a run.

use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::reason::Window;
use glitchlab_models::account::Entry;

/// Returns the most that was billed within any rolling window, and when that window ends, ms UTC.
#[must_use]
pub fn most_within(entries: &[Entry], window: Window) -> (MicroUsd, i64) {
    let mut bills: Vec<(i64, i64)> = entries.iter().map(|entry| (entry.at_ms, entry.cost_micro)).collect();
    bills.sort_unstable();
    let (mut sum, mut first, mut most) = (0, 0, (MicroUsd::ZERO, 0));
    for (at_ms, cost_micro) in &bills {
        sum += cost_micro;
        while bills[first].0 <= at_ms - window.length_ms() {
            sum -= bills[first].1;
            first += 1;
        }
        most = most.max((MicroUsd::new(sum), *at_ms));
    }
    most
}

/// Returns all that was billed.
#[must_use]
pub fn total(entries: &[Entry]) -> MicroUsd {
    entries.iter().map(|entry| MicroUsd::new(entry.cost_micro)).sum()
}

/// Counts the calls that were billed more than once, each for every time too many. The key of a try is
/// `attempt/step/call/try`: tries of one call differ in their last part only.
#[must_use]
pub fn paid_again(entries: &[Entry]) -> usize {
    let call = |entry: &Entry| entry.key.rsplit_once('/').map(|(call, _)| call.to_owned());
    let calls: std::collections::BTreeSet<_> = entries.iter().filter_map(call).collect();
    entries.len() - calls.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, at_ms: i64, cost_micro: i64) -> Entry {
        Entry { key: key.into(), model: "m".into(), input_tokens: 0, output_tokens: 0, cost_micro, at_ms }
    }

    #[test]
    fn what_was_billed_leaves_the_window_exactly_when_it_has_passed() {
        let hour = Window::Hour.length_ms();
        let bills = [entry("a/0/0/0", 1, 5), entry("a/0/1/0", hour, 7), entry("a/0/2/0", hour + 1, 1)];
        assert_eq!(most_within(&bills, Window::Hour), (MicroUsd::new(12), hour));
        assert_eq!(total(&bills), MicroUsd::new(13));
    }

    #[test]
    fn a_second_try_of_a_call_was_paid_again() {
        let bills = [entry("a/0/0/0", 1, 5), entry("a/0/0/1", 2, 5), entry("a/0/1/0", 3, 5)];
        assert_eq!(paid_again(&bills), 1);
    }
}

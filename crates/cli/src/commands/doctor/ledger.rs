//! The ledger's running totals, recomputed from every call.

use glitchlab_domain::ledger::Head;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::rows::{CallRow, CallState};
use glitchlab_store::{Reader, StoreError};

use super::Check;

/// How often a ledger that changes meanwhile is read again.
const TRIES: usize = 5;

/// Compares the head of a scope with the sums of its calls; nothing when there is no ledger.
pub(super) async fn check(reader: &Reader, scope: &str) -> Option<Check> {
    for _ in 0..TRIES {
        match still(reader, scope).await {
            Ok(None) => return None,
            Ok(Some(Some((head, calls)))) => return Some(compared(scope, &head, &calls)),
            Ok(Some(None)) => {}
            Err(error) => return Some(Check::broken("ledger", &error)),
        }
    }
    let found = format!("{scope}: it changed at every look");
    Some(Check::warning("ledger", found, "an engine is busy with it; try again, or when it is stopped"))
}

/// Reads a head and its calls of one and the same moment; nothing inside when the head has changed in between.
async fn still(reader: &Reader, scope: &str) -> Result<Option<Option<(Head, Vec<CallRow>)>>, StoreError> {
    // As of the ledger's own time: nothing leaves a window by our looking.
    let Some((before, _)) = reader.ledger(scope, i64::MIN).await? else { return Ok(None) };
    let calls = reader.calls(scope).await?;
    let after = reader.ledger(scope, i64::MIN).await?.map(|(head, _)| head);
    let is_same = after.is_some_and(|after| after.nonce == before.nonce);
    Ok(Some(is_same.then_some((before, calls))))
}

fn compared(scope: &str, head: &Head, calls: &[CallRow]) -> Check {
    let wrong: Vec<String> = sums(head, calls)
        .into_iter()
        .filter(|(_, told, summed)| told != summed)
        .map(|(name, told, summed)| {
            format!("{name} is {} micro-dollars, its calls sum up to {}", told.micro(), summed.micro())
        })
        .collect();
    if wrong.is_empty() {
        let found =
            format!("{scope}: {} calls, {} in all, as its totals say", calls.len(), head.settled_total);
        return Check::ok("ledger", found);
    }
    let found = format!("{scope}: {}", wrong.join("; "));
    Check::failed("ledger", found, "stop the engine and keep a copy of the store: the caps can't be trusted")
}

/// The totals: their name, what the head says, and the sum of the calls.
fn sums(head: &Head, calls: &[CallRow]) -> [(&'static str, MicroUsd, MicroUsd); 4] {
    let open = calls.iter().filter(|call| call.state == CallState::Open).map(|call| call.bound).sum();
    let since = |tail_ms: i64| -> MicroUsd {
        let settled = calls.iter().filter(|call| call.settled_ms.is_some_and(|at| at > tail_ms));
        settled.filter_map(|call| call.actual).sum()
    };
    [
        ("what is set aside", head.reserved, open),
        ("the hour", head.sum_hour, since(head.tail_hour_ms)),
        ("the day", head.sum_day, since(head.tail_day_ms)),
        ("everything settled", head.settled_total, since(i64::MIN)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::Status;

    #[test]
    fn totals_that_no_call_explains_are_told_with_both_numbers() {
        let mut head = Head::new("real", MicroUsd::new(10), MicroUsd::new(100));
        assert_eq!(compared("real", &head, &[]).status, Status::Ok);
        head.settled_total = MicroUsd::new(5);
        let check = compared("real", &head, &[]);
        assert_eq!(check.status, Status::Failed);
        assert_eq!(check.found, "real: everything settled is 5 micro-dollars, its calls sum up to 0");
    }
}

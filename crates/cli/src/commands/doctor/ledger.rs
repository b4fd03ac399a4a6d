//! The ledger's running totals, recomputed from every call.

use glitchlab_domain::ledger::{Head, Unit, counted};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::rows::CallRow;
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
    let Some(before) = reader.ledger(scope, i64::MIN).await? else { return Ok(None) };
    let calls = reader.calls(counted(scope).0).await?;
    let after = reader.ledger(scope, i64::MIN).await?;
    let is_same = after.is_some_and(|after| after.nonce == before.nonce);
    Ok(Some(is_same.then_some((before, calls))))
}

fn compared(scope: &str, head: &Head, calls: &[CallRow]) -> Check {
    let unit = unit(head);
    let wrong: Vec<String> = sums(head, calls)
        .into_iter()
        .filter(|(_, told, summed)| told != summed)
        .map(|(name, told, summed)| {
            format!("{name} is {} {unit}, its calls sum up to {}", told.micro(), summed.micro())
        })
        .collect();
    if wrong.is_empty() {
        let total = match head.unit() {
            Unit::Money => head.settled_total.to_string(),
            Unit::Tokens => format!("{} tokens", head.settled_total.micro()),
        };
        let found = format!("{scope}: {} calls, {total} in all, as its totals say", calls.len());
        return Check::ok("ledger", found);
    }
    let found = format!("{scope}: {}", wrong.join("; "));
    Check::failed("ledger", found, "stop the engine and keep a copy of the store: the caps can't be trusted")
}

fn unit(head: &Head) -> &'static str {
    match head.unit() {
        Unit::Money => "micro-dollars",
        Unit::Tokens => "tokens",
    }
}

/// The totals: their name, what the head says, and the sum of the calls.
fn sums(head: &Head, calls: &[CallRow]) -> [(&'static str, MicroUsd, MicroUsd); 4] {
    let summed = Head::summed_up(&head.scope, calls.iter(), head.last_ms);
    [
        ("what is set aside", head.reserved, summed.reserved),
        ("the hour", head.sum_hour, summed.sum_hour),
        ("the day", head.sum_day, summed.sum_day),
        ("everything settled", head.settled_total, summed.settled_total),
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
    #[test]
    fn a_ledger_of_tokens_is_recomputed_in_tokens() {
        let mut head = Head::new("real#tokens", MicroUsd::new(10), MicroUsd::new(100));
        assert_eq!(
            compared("real#tokens", &head, &[]).found,
            "real#tokens: 0 calls, 0 tokens in all, as its totals say"
        );
        head.reserved = MicroUsd::new(7);
        let check = compared("real#tokens", &head, &[]);
        assert_eq!(check.found, "real#tokens: what is set aside is 7 tokens, its calls sum up to 0");
    }
}

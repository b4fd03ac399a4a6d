//! What an approval gives.

use super::{No, refused};
use crate::bead::argument;
use crate::money::MicroUsd;
use crate::outcome::HumanReason;
use crate::rows::{PurseRow, Rows};
use crate::task::TaskRow;

/// What an approval gives.
pub(super) struct Granted {
    /// What it means for the task.
    pub(super) words: String,
    /// Its purse, when it may spend more.
    pub(super) purse: Option<PurseRow>,
}

impl Granted {
    pub(super) fn nothing(words: &str) -> Self {
        Self { words: words.to_owned(), purse: None }
    }
}

/// Grants what a task waits for, and marks the task when that is how it is granted.
pub(super) fn grant(rows: &Rows, task: &mut TaskRow, reason: &HumanReason) -> Result<Granted, No> {
    match reason {
        HumanReason::ExceedsCap { bound_micro, .. } => Err(refused(format!(
            "{} needs {} for one call, and that is above a cap, which an approval cannot lift; start again with \
             `--budget-per-hour` and `--budget-per-day` at least as large, and it goes on by itself",
            task.bead_id,
            MicroUsd::new(*bound_micro)
        ))),
        HumanReason::ExceedsTokens { bound, .. } => Err(refused(format!(
            "{} needs {bound} tokens for one call, and that is above the cap of a day, which an approval cannot lift; \
             raise `budget.tokens_per_day` and `glitchlab retry {}`",
            task.bead_id,
            argument(task.bead_id.as_str())
        ))),
        HumanReason::GateRejected { why } => {
            task.approved = true;
            let words = format!("it goes on, and the budget gate lets its plan pass, although {why}");
            Ok(Granted { words, purse: None })
        }
        HumanReason::TooDeep => {
            task.approved = true;
            Ok(Granted::nothing("it goes on, and the budget gate lets its plan pass"))
        }
        HumanReason::DeferredTooOften => {
            task.deferrals = 0;
            Ok(Granted::nothing("it goes on, and may be put back as often as a new task"))
        }
        HumanReason::TaskCap { cap_micro, .. } => Ok(more_money(rows, task, MicroUsd::new(*cap_micro))),
        HumanReason::TaskTokens { cap, .. } => Ok(more_tokens(rows, task, *cap)),
        HumanReason::ApprovePlan { .. } => {
            task.goes_on = reason.asks();
            Ok(Granted::nothing("its plan goes on with the next free worker"))
        }
        HumanReason::ApproveRequest { .. } => {
            task.goes_on = reason.asks();
            Ok(Granted::nothing("its work is delivered with the next free worker"))
        }
        HumanReason::AttemptsUsed { .. } | HumanReason::Permanent { .. } => {
            Ok(Granted::nothing("it goes on"))
        }
    }
}

fn purse_of(rows: &Rows, task: &TaskRow) -> PurseRow {
    let fresh = || PurseRow { root_key: task.root_key.clone(), ..PurseRow::default() };
    rows.purses.get(&task.root_key).cloned().unwrap_or_else(fresh)
}

/// Grants as much as the cap of a task is without what was granted before.
fn more_money(rows: &Rows, task: &TaskRow, cap: MicroUsd) -> Granted {
    let purse = purse_of(rows, task);
    let granted = cap;
    let more = cap - purse.granted;
    let words = format!("it goes on, and may cost {more} more, {} in all", cap + more);
    Granted { words, purse: Some(PurseRow { granted, ..purse }) }
}

fn more_tokens(rows: &Rows, task: &TaskRow, cap: u64) -> Granted {
    let purse = purse_of(rows, task);
    let granted_tokens = cap;
    let more = cap.saturating_sub(purse.granted_tokens);
    let words = format!("it goes on, and may use {more} tokens more, {} in all", cap + more);
    Granted { words, purse: Some(PurseRow { granted_tokens, ..purse }) }
}

//! What the pace has let begin, told without its bucket: an attempt takes the larger of its hold and of what it has spent
//! while it runs, and what it has spent once it has ended. After any instant no more than a full bucket and what has flowed in
//! since may be taken before the next task starts.

use std::collections::BTreeMap;

use glitchlab_domain::command::{Command, Reply};
use glitchlab_domain::decide::Writes;
use glitchlab_domain::id::AttemptId;
use glitchlab_domain::ledger::{Head, Unit};
use glitchlab_domain::reason::Window;
use glitchlab_domain::rows::{AttemptRow, Write};

use crate::oracle::{Fault, must};
use crate::world::{LEDGERS, World};

const DAY_MS: i128 = Window::Day.length_ms() as i128;

/// What was taken at an instant, and how the bucket filled then.
struct Taken {
    at_ms: i64,
    amount: i128,
    depth: i128,
    /// What flows in within a day.
    rate: i128,
}

/// The pace of one ledger.
#[derive(Default)]
struct Pace {
    by_attempt: BTreeMap<AttemptId, i128>,
    taken: Vec<Taken>,
}

/// The paces of both ledgers.
#[derive(Default)]
pub(crate) struct Paces([Pace; 2]);

impl Paces {
    /// Judges a start before its hold is taken, and counts what a command has taken; to be called when it was applied.
    pub(crate) fn follow(&mut self, world: &World, command: &Command, writes: &Writes) -> Result<(), Fault> {
        for (pace, (scope, unit)) in self.0.iter_mut().zip(LEDGERS) {
            let head = world.rows.heads.get(scope);
            if let (Some(head), Reply::Claimed(claimed), Command::Claim(_)) = (head, &writes.reply, command)
                && !writes.rows.is_empty()
            {
                pace.judge(head, hold(&claimed.attempt, unit), world.now_ms())?;
            }
            for write in &writes.rows {
                match write {
                    Write::Attempt(row) => pace.take(head, row, unit, world.now_ms()),
                    Write::Head(row) if row.scope == scope => pace.turn(row, world.now_ms()),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

impl Pace {
    fn take(&mut self, head: Option<&Head>, row: &AttemptRow, unit: Unit, now_ms: i64) {
        let (hold, spent) = (hold(row, unit), spent(row, unit));
        let takes = if row.status.is_some() { spent } else { hold.max(spent) };
        let before = self.by_attempt.insert(row.attempt_id.clone(), takes).unwrap_or(0);
        if let Some(head) = head.filter(|head| head.flow().cap.micro() > 0 && takes != before) {
            self.taken.push(Taken::new(head, takes - before, now_ms));
        }
    }

    /// Another cap fills the bucket another way, since it was last looked at.
    fn turn(&mut self, head: &Head, now_ms: i64) {
        let new = Taken::new(head, 0, now_ms);
        let is_same = |last: &Taken| (last.depth, last.rate) == (new.depth, new.rate);
        if !self.taken.last().is_some_and(is_same) {
            self.taken.push(new);
        }
    }

    fn judge(&self, head: &Head, hold: i128, now_ms: i64) -> Result<(), Fault> {
        let now = Taken::new(head, 0, now_ms);
        if now.rate <= 0 {
            return Ok(());
        }
        let least = hold.min(now.depth);
        let (mut since, mut depth, mut rate) = (0, now.depth, now.rate);
        for taken in self.taken.iter().rev() {
            since += taken.amount;
            (depth, rate) = (depth.max(taken.depth), rate.max(taken.rate));
            let flowed = rate * i128::from(now_ms - taken.at_ms) / DAY_MS + 1;
            must!(
                since + least <= depth + flowed,
                "{}: {since} were taken since {}, a hold of {hold} starts at {now_ms} although a full bucket of {depth} and \
                 {flowed} that flowed in since do not pay for it",
                head.scope,
                taken.at_ms
            );
        }
        Ok(())
    }
}

impl Taken {
    fn new(head: &Head, amount: i128, at_ms: i64) -> Self {
        let flow = head.flow();
        let rate = i128::from(flow.cap.micro()) * (DAY_MS / i128::from(flow.window_ms));
        Self { at_ms, amount, depth: i128::from(flow.depth().micro()), rate }
    }
}

fn hold(row: &AttemptRow, unit: Unit) -> i128 {
    match unit {
        Unit::Money => i128::from(row.hold.micro()),
        Unit::Tokens => i128::from(row.hold_tokens),
    }
}

fn spent(row: &AttemptRow, unit: Unit) -> i128 {
    match unit {
        Unit::Money => i128::from(row.cost.micro()),
        Unit::Tokens => i128::from(row.tokens),
    }
}

//! What must be true after every step, judged without the ledger's running totals and without the fence check of
//! `decide`: from the provider's account, from the log of all calls, and from who was told to hold what.
//!
//! The cap in force is the one under which money was last granted. A cap that is lowered refunds nothing: what was
//! spent or granted under the higher one stays, and nothing new is granted until it fits under the lower one. All times
//! are the ledger's, which a clock that is turned back does not turn back.

use std::collections::BTreeMap;

use glitchlab_domain::command::{Bearer, Command, Finish, Refusal, Reply};
use glitchlab_domain::decide::Writes;
use glitchlab_domain::id::{AttemptId, EffectKey, Fence, TaskKey};
use glitchlab_domain::ledger::Head;
use glitchlab_domain::outcome::Status;
use glitchlab_domain::reason::Window;
use glitchlab_domain::rows::{CallState, ProcessRow, Rows, Write};

use crate::provider::Provider;
use crate::world::World;

pub(crate) type Fault = String;

/// Fails with a sentence when something is not so.
macro_rules! must {
    ($holds:expr, $($sentence:tt)+) => {
        if !$holds {
            return Err(format!($($sentence)+));
        }
    };
}
pub(crate) use must;

#[derive(Clone, Default)]
pub(crate) struct Oracle {
    /// The one fence of each claimed task, and whether it rests suspended.
    holders: BTreeMap<TaskKey, (Fence, bool)>,
    /// The caps when the last money was granted; what was spent before a cap was lowered stays spent.
    caps: (i64, i64),
    /// The fence that ended each attempt, and how.
    ended: BTreeMap<AttemptId, (Fence, Status)>,
    /// Results of effects that are done.
    effects: BTreeMap<EffectKey, String>,
}

impl Oracle {
    /// Tells whether a bearer is the one that may write for its task.
    pub(crate) fn holds(&self, by: &Bearer) -> bool {
        self.holders.get(&by.task_key).is_some_and(|(fence, suspended)| *fence == by.fence && !suspended)
    }

    /// Judges one decision before it is applied.
    pub(crate) fn judge(
        &mut self,
        rows: &Rows,
        command: &Command,
        answer: &Result<Writes, Refusal>,
    ) -> Result<(), Fault> {
        if let Command::Finish(finish) = command {
            self.judge_finish(finish, answer)?;
        }
        let Ok(writes) = answer else { return Ok(()) };
        if let Some(by) = bearer(command) {
            self.judge_fence(by, writes)?;
        }
        for write in &writes.rows {
            judge_write(rows, write)?;
        }
        if let Command::Settle(settle) = command
            && !settle.by.as_ref().is_some_and(|by| self.holds(by))
        {
            let keeps = |write: &Write| matches!(write, Write::Call(call) if call.reply.is_some());
            must!(!writes.rows.iter().any(keeps), "a reply was kept for {} without its fence", settle.key);
        }
        judge_caps(rows, command, writes)?;
        judge_deaths(command, writes)?;
        self.judge_effect(command, &writes.reply)?;
        self.follow(command, writes);
        Ok(())
    }

    fn judge_fence(&self, by: &Bearer, writes: &Writes) -> Result<(), Fault> {
        let holds = self.holds(by);
        must!(holds || writes.rows.is_empty(), "stale fence {} changed rows: {:?}", by.fence, writes.rows);
        let granted = matches!(writes.reply, Reply::Granted(_) | Reply::Act | Reply::Run);
        must!(holds || !granted, "stale fence {} was told {:?}", by.fence, writes.reply);
        Ok(())
    }

    /// Whoever ended an attempt is told the same again, and nobody else is.
    fn judge_finish(&mut self, finish: &Finish, answer: &Result<Writes, Refusal>) -> Result<(), Fault> {
        let attempt = &finish.by.attempt_id;
        let known = self.ended.get(attempt).filter(|(fence, _)| *fence == finish.by.fence);
        let told = match answer {
            Ok(Writes { reply: Reply::Finished { status, .. }, .. }) => Some(*status),
            _ => None,
        };
        if let Ok(writes) = answer
            && !writes.rows.is_empty()
        {
            must!(!self.ended.contains_key(attempt), "attempt {attempt} ended twice");
            let status = told.ok_or("an attempt ended without a status")?;
            self.ended.insert(attempt.clone(), (finish.by.fence.clone(), status));
            return Ok(());
        }
        let known = known.map(|(_, status)| *status);
        must!(told == known, "attempt {attempt} ended as {known:?} and its finish was answered {told:?}");
        Ok(())
    }

    fn judge_effect(&mut self, command: &Command, reply: &Reply) -> Result<(), Fault> {
        match (command, reply) {
            (Command::BeginEffect { key, .. }, Reply::Act) => {
                must!(!self.effects.contains_key(key), "effect {key} would be done a second time");
            }
            (Command::BeginEffect { key, .. }, Reply::EffectDone { result }) => {
                let known = self.effects.get(key);
                must!(known == Some(result), "effect {key} is {known:?} and was told as {result}");
            }
            (Command::FinishEffect { key, result, .. }, _) => {
                self.effects.entry(key.clone()).or_insert_with(|| result.clone());
            }
            _ => {}
        }
        Ok(())
    }

    /// Notes who holds what from now on, as the answers say it.
    fn follow(&mut self, command: &Command, writes: &Writes) {
        if writes.rows.is_empty() {
            return;
        }
        match command {
            Command::Claim(claim) if matches!(writes.reply, Reply::Claimed(_)) => {
                self.holders.insert(claim.task_key.clone(), (claim.fence.clone(), false));
            }
            Command::TakeOver(take) => {
                self.holders.insert(take.task_key.clone(), (take.fence.clone(), false));
            }
            Command::Suspend { by } => {
                self.holders.insert(by.task_key.clone(), (by.fence.clone(), true));
            }
            Command::Finish(finish) => drop(self.holders.remove(&finish.by.task_key)),
            _ => {}
        }
    }

    /// Judges the whole state after a step; `granted` says that the step set money aside.
    pub(crate) fn inspect(&mut self, world: &World, provider: &Provider, granted: bool) -> Result<(), Fault> {
        must!(world.unnamed.is_none(), "{:?}", world.unnamed);
        let Some(head) = world.head() else { return Ok(()) };
        let now_ms = world.now_ms();
        if granted {
            self.caps = (head.cap_hour.micro(), head.cap_day.micro());
        }
        for (window, cap) in [(Window::Hour, self.caps.0), (Window::Day, self.caps.1)] {
            let (open, settled) = recompute(&world.rows, window, now_ms);
            let counted = (head.reserved.micro(), in_window(&head, window));
            must!(
                counted == (open, settled),
                "{}: head counts {counted:?}, the log {:?}",
                window.name(),
                (open, settled)
            );
            must!(open + settled <= cap, "{}: {open} open and {settled} settled, cap {cap}", window.name());
            let spent = provider.spent(window, now_ms);
            must!(
                spent <= cap,
                "the provider billed {spent} within one {}, the cap was {cap}",
                window.name()
            );
            must!(spent <= open + settled, "{}: {spent} billed, {} counted", window.name(), open + settled);
        }
        let paid = head.settled_total.micro() + head.reserved.micro();
        must!(provider.total() <= paid, "the provider billed {} in all, we know of {paid}", provider.total());
        self.inspect_claims(&world.rows)
    }

    fn inspect_claims(&self, rows: &Rows) -> Result<(), Fault> {
        let held = rows.claims.values().map(|claim| (&claim.task_key, (&claim.fence, claim.suspended)));
        let told = self.holders.iter().map(|(key, (fence, suspended))| (key, (fence, *suspended)));
        must!(held.eq(told), "claims are {:?}, told was {:?}", rows.claims, self.holders);
        Ok(())
    }
}

/// While another process lives, a start does not raise a cap.
fn judge_caps(rows: &Rows, command: &Command, writes: &Writes) -> Result<(), Fault> {
    let Command::StartBoot { process, dead, .. } = command else { return Ok(()) };
    let is_other =
        |row: &ProcessRow| row.alive && row.boot_id != process.boot_id && !dead.contains(&row.boot_id);
    if !rows.processes.values().any(is_other) {
        return Ok(());
    }
    for write in &writes.rows {
        if let Write::Head(new) = write
            && let Some(old) = rows.heads.get(&new.scope)
        {
            let is_raised = new.cap_hour > old.cap_hour || new.cap_day > old.cap_day;
            must!(!is_raised, "{} raised a cap beside a live process", process.boot_id);
        }
    }
    Ok(())
}

/// All processes of a history share a host: a start ends only those that were seen to be dead.
fn judge_deaths(command: &Command, writes: &Writes) -> Result<(), Fault> {
    let Command::StartBoot { process, dead, .. } = command else { return Ok(()) };
    for write in &writes.rows {
        if let Write::Process(row) = write {
            let may_end = row.alive || dead.contains(&row.boot_id);
            must!(may_end, "{} declared {} dead, which lives", process.boot_id, row.boot_id);
        }
    }
    Ok(())
}

/// A call goes from open to settled once; an attempt that has ended stays as it ended.
fn judge_write(rows: &Rows, write: &Write) -> Result<(), Fault> {
    match write {
        Write::Call(new) => {
            let old = rows.calls.get(&new.key).map(|call| call.state);
            let allowed = match new.state {
                CallState::Open => old.is_none(),
                CallState::Settled | CallState::Unknown => old == Some(CallState::Open),
            };
            must!(allowed, "call {} went from {old:?} to {:?}", new.key, new.state);
        }
        Write::Attempt(new) => {
            let Some(old) = rows.attempts.get(&new.attempt_id).filter(|old| old.status.is_some()) else {
                return Ok(());
            };
            let same = (new.status, new.ended_ms, new.n, &new.detail)
                == (old.status, old.ended_ms, old.n, &old.detail);
            must!(same && new.cost >= old.cost, "attempt {} had ended and was changed", new.attempt_id);
        }
        _ => {}
    }
    Ok(())
}

/// Adds up the whole log: what is open, and what settled within a window that ends now.
fn recompute(rows: &Rows, window: Window, now_ms: i64) -> (i64, i64) {
    let (mut open, mut settled) = (0, 0);
    for call in rows.calls.values() {
        match (call.settled_ms, call.actual) {
            (Some(at), Some(actual)) if at > now_ms - window.length_ms() => settled += actual.micro(),
            (Some(_), Some(_)) => {}
            _ => open += call.bound.micro(),
        }
    }
    (open, settled)
}

const fn in_window(head: &Head, window: Window) -> i64 {
    match window {
        Window::Hour => head.sum_hour.micro(),
        Window::Day => head.sum_day.micro(),
    }
}

/// Returns the attempt whose right a command stands on; a settlement stands on none.
fn bearer(command: &Command) -> Option<&Bearer> {
    use glitchlab_domain::command::Authority;
    match command {
        Command::Suspend { by }
        | Command::NoteWait { by, .. }
        | Command::BeginStep { by, .. }
        | Command::StartChild { by, .. }
        | Command::BeginEffect { by: Authority::Attempt(by), .. }
        | Command::FinishEffect { by: Authority::Attempt(by), .. } => Some(by),
        Command::FinishStep(step) => Some(&step.by),
        Command::Reserve(reserve) => Some(&reserve.by),
        Command::Finish(finish) => Some(&finish.by),
        _ => None,
    }
}

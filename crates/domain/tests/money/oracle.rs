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
use glitchlab_domain::ledger::Unit;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::Status;
use glitchlab_domain::rows::{CallState, ProcessRow, Rows, Write};
use glitchlab_domain::task::TaskState;

use crate::audit::inspect_ledger;
use crate::pace::Paces;
use crate::provider::Provider;
use crate::script::Script;
use crate::world::{LEDGERS, World};

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

pub(crate) struct Oracle {
    /// The one fence of each claimed task, and whether it rests suspended.
    holders: BTreeMap<TaskKey, (Fence, bool)>,
    /// The caps of each ledger, hour and day, when it last granted something; what was spent before a cap was lowered
    /// stays spent. Tokens are without a cap until there is a ledger of them.
    caps: [(i64, i64); 2],
    /// What a task may cost in all.
    task_caps: [Option<i64>; 2],
    paces: Paces,
    /// The fence that ended each attempt, and how.
    ended: BTreeMap<AttemptId, (Fence, Status)>,
    /// Results of effects that are done.
    effects: BTreeMap<EffectKey, String>,
}

impl Oracle {
    pub(crate) fn new(script: &Script) -> Self {
        let caps = script.task_caps();
        let tokens = caps.tokens.map(|tokens| i64::try_from(tokens).expect("small"));
        Self {
            holders: BTreeMap::new(),
            caps: [(0, 0), (i64::MAX, i64::MAX)],
            task_caps: [caps.money.map(MicroUsd::micro), tokens],
            paces: Paces::default(),
            ended: BTreeMap::new(),
            effects: BTreeMap::new(),
        }
    }

    /// Tells whether a bearer is the one that may write for its task.
    pub(crate) fn holds(&self, by: &Bearer) -> bool {
        self.holders.get(&by.task_key).is_some_and(|(fence, suspended)| *fence == by.fence && !suspended)
    }

    /// Judges one decision before it is applied.
    pub(crate) fn judge(
        &mut self,
        world: &World,
        command: &Command,
        answer: &Result<Writes, Refusal>,
    ) -> Result<(), Fault> {
        let rows = &world.rows;
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
        judge_order(world, command, writes)?;
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

    /// Judges what a command has taken from the paces, and notes the caps under which something was granted; to be
    /// called when it was applied.
    pub(crate) fn applied(&mut self, world: &World, command: &Command, writes: &Writes) -> Result<(), Fault> {
        self.paces.follow(world, command, writes)?;
        if let Reply::Granted(grant) = &writes.reply
            && !writes.rows.is_empty()
        {
            // What costs nothing is granted under any cap.
            let grants = [grant.bound().micro() > 0, grant.prompt_tokens() + grant.max_out() > 0];
            for ((caps, (scope, _)), grants) in self.caps.iter_mut().zip(LEDGERS).zip(grants) {
                if let Some(head) = world.rows.heads.get(scope).filter(|_| grants) {
                    *caps = (head.cap_hour.micro(), head.cap_day.micro());
                }
            }
        }
        Ok(())
    }

    /// Judges the whole state after a step.
    pub(crate) fn inspect(&self, world: &World, provider: &Provider) -> Result<(), Fault> {
        must!(world.unnamed.is_none(), "{:?}", world.unnamed);
        for ((scope, unit), caps) in LEDGERS.into_iter().zip(self.caps) {
            if let Some(head) = world.head_of(scope) {
                inspect_ledger(&head, caps, world, provider)?;
            }
            self.inspect_purses(&world.rows, provider, unit)?;
        }
        self.inspect_claims(&world.rows)
    }

    /// Whatever its attempts and parts do, a task costs no more than its own cap.
    fn inspect_purses(&self, rows: &Rows, provider: &Provider, unit: Unit) -> Result<(), Fault> {
        let Some(cap) = self.task_caps[unit as usize] else { return Ok(()) };
        for root in rows.purses.keys() {
            let spent = provider.spent_on(unit, root);
            must!(spent <= cap, "the provider billed {spent} {unit:?} for {root}, a task's cap is {cap}");
        }
        Ok(())
    }

    fn inspect_claims(&self, rows: &Rows) -> Result<(), Fault> {
        let held = rows.claims.values().map(|claim| (&claim.task_key, (&claim.fence, claim.suspended)));
        let told = self.holders.iter().map(|(key, (fence, suspended))| (key, (fence, *suspended)));
        must!(held.eq(told), "claims are {:?}, told was {:?}", rows.claims, self.holders);
        Ok(())
    }
}

/// Nobody overtakes a task that waits for money right before it.
fn judge_order(world: &World, command: &Command, writes: &Writes) -> Result<(), Fault> {
    let Command::Claim(claim) = command else { return Ok(()) };
    let front = claim.ahead.as_ref().and_then(|ahead| world.rows.tasks.get(ahead));
    let (Some(front), Reply::Claimed(_), false) = (front, &writes.reply, writes.rows.is_empty()) else {
        return Ok(());
    };
    let waits = front.reason.as_ref().is_some_and(|reason| reason.kind().holds_admission());
    let lasts = front.until_ms.is_none_or(|until_ms| until_ms > world.now_ms());
    must!(
        front.state != TaskState::Open || !waits || !lasts,
        "{} overtook {}, which waits for {:?}",
        claim.task_key,
        front.key,
        front.reason
    );
    Ok(())
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

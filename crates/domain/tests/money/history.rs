//! Runs a script: boots, workers, crashes and a clock that is turned, all through `decide`.

mod steps;

use std::collections::BTreeMap;
use std::ops::AddAssign;

use glitchlab_domain::command::{Bearer, BootBearer, Command, Refusal, Reply};
use glitchlab_domain::id::{BootId, Fence, TryKey};
use glitchlab_domain::ledger::Grant;

use crate::oracle::{Fault, Oracle};
use crate::provider::Provider;
use crate::script::{Script, Step};
use crate::waits;
use crate::world::World;

/// How often what happened, in one history or in many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deeds(BTreeMap<&'static str, u64>);

/// What histories are meant to contain.
const MEANT: [&str; 24] = [
    "claimed",
    "granted",
    "granted to a resent request",
    "waits until",
    "waits for a settlement",
    "exceeds a cap",
    "answered from memory",
    "try number taken",
    "stale fence refused",
    "live holder protected",
    "settled as billed",
    "settled as unknown",
    "abandoned",
    "settled for a dead boot",
    "settled by a zombie",
    "billed to a zombie",
    "taken over",
    "suspended",
    "boot crashed",
    "cap changed",
    "clock turned back",
    "finished",
    "effect done",
    "resent",
];

impl Deeds {
    fn count(&mut self, what: &'static str) {
        debug_assert!(MEANT.contains(&what), "{what} is not in the list");
        *self.0.entry(what).or_default() += 1;
    }

    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        MEANT.into_iter().map(|what| (what, self.0.get(what).copied().unwrap_or(0)))
    }
}

impl AddAssign for Deeds {
    fn add_assign(&mut self, other: Self) {
        for (what, times) in other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }
}

/// One life of a process.
struct Boot {
    by: BootBearer,
    crashed: bool,
}

/// One incarnation of an attempt: the holder of a fence, or a zombie that lost it and does not know.
struct Worker {
    by: Bearer,
    boot: usize,
    call_no: u32,
    try_no: u32,
}

/// A try whose request may be on its way to the provider.
struct Flight {
    key: TryKey,
    by: Bearer,
    boot: usize,
    bound: i64,
    billed: Option<i64>,
}

/// A history while it runs.
struct Run {
    world: World,
    oracle: Oracle,
    provider: Provider,
    boots: Vec<Boot>,
    workers: Vec<Worker>,
    flights: Vec<Flight>,
    /// What was sent, and by which boot.
    sent: Vec<(usize, Command)>,
    made: u32,
    deeds: Deeds,
    diary: Option<Vec<String>>,
}

/// Runs a script to its end or to the first fault.
pub(crate) fn run(script: &Script) -> Result<Deeds, Fault> {
    let mut run = Run::new(script, None);
    run.play(script)?;
    Ok(run.deeds)
}

/// Tells what each step of a script did.
pub(crate) fn tell(script: &Script) -> String {
    let mut run = Run::new(script, Some(Vec::new()));
    let fault = run.play(script).err();
    let lines = run.diary.unwrap_or_default();
    format!("{}\n{}", lines.join("\n"), fault.unwrap_or_default())
}

impl Run {
    fn new(script: &Script, diary: Option<Vec<String>>) -> Self {
        Self {
            world: World::new(script.keeps_tails, script.names_rows),
            oracle: Oracle::default(),
            provider: Provider::default(),
            boots: Vec::new(),
            workers: Vec::new(),
            flights: Vec::new(),
            sent: Vec::new(),
            made: 0,
            deeds: Deeds::default(),
            diary,
        }
    }

    fn play(&mut self, script: &Script) -> Result<(), Fault> {
        script.steps.iter().try_for_each(|step| self.step(*step))
    }

    fn step(&mut self, step: Step) -> Result<(), Fault> {
        steps::play(self, step)?;
        self.oracle.inspect(&self.world, &self.provider, false)
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(diary) = &mut self.diary {
            diary.push(line());
        }
    }

    /// Sends a command, judges the decision, and applies it.
    fn send(&mut self, boot: usize, command: Command) -> Result<Result<Reply, Refusal>, Fault> {
        let decision = self.world.decide(&command);
        self.note(|| format!("{command:?}\n    -> {:?}", decision.as_ref().map(|writes| &writes.reply)));
        self.oracle.judge(&self.world.rows, &command, &decision)?;
        let answer = decision.map(|writes| {
            self.world.apply(writes.rows);
            writes.reply
        });
        if let Ok(Reply::Wait(wait)) = &answer {
            waits::judge(&mut self.world, &command, wait)?;
        }
        self.count(&command, &answer);
        self.follow(boot, &command, &answer)?;
        self.sent.push((boot, command));
        Ok(answer)
    }

    /// A caller acts on what it is told: a claim makes a worker, a grant a request.
    fn follow(
        &mut self,
        boot: usize,
        command: &Command,
        answer: &Result<Reply, Refusal>,
    ) -> Result<(), Fault> {
        match (command, answer) {
            (_, Ok(Reply::Claimed(claimed))) => {
                let by = Bearer {
                    task_key: claimed.task.key.clone(),
                    attempt_id: claimed.attempt.attempt_id.clone(),
                    fence: claimed.fence.clone(),
                };
                if !self.workers.iter().any(|worker| worker.by == by) {
                    self.workers.push(Worker { by, boot, call_no: 0, try_no: 0 });
                }
            }
            (Command::Reserve(reserve), Ok(Reply::Granted(grant))) => {
                self.take_off(boot, &reserve.by, grant)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The same holder that is granted the same try again sends its one request.
    fn take_off(&mut self, boot: usize, by: &Bearer, grant: &Grant) -> Result<(), Fault> {
        if self.flights.iter().any(|flight| flight.key == *grant.key() && flight.by == *by) {
            self.deeds.count("granted to a resent request");
            return Ok(());
        }
        self.deeds.count("granted");
        let (key, bound) = (grant.key().clone(), grant.bound().micro());
        self.flights.push(Flight { key, by: by.clone(), boot, bound, billed: None });
        self.oracle.inspect(&self.world, &self.provider, true)
    }

    fn count(&mut self, command: &Command, answer: &Result<Reply, Refusal>) {
        let what = match (command, answer) {
            (_, Ok(Reply::Wait(wait))) if wait.until_ms.is_some() => "waits until",
            (_, Ok(Reply::Wait(_))) => "waits for a settlement",
            (_, Ok(Reply::ExceedsCap { .. })) => "exceeds a cap",
            (_, Ok(Reply::Memo { .. })) => "answered from memory",
            (_, Ok(Reply::Finished { .. })) => "finished",
            (_, Ok(Reply::EffectDone { .. })) => "effect done",
            (Command::Claim(_), Ok(_)) => "claimed",
            (Command::TakeOver(_), Ok(_)) => "taken over",
            (Command::Suspend { .. }, Ok(_)) => "suspended",
            (_, Err(Refusal::TryTaken(_))) => "try number taken",
            (_, Err(Refusal::StaleFence(_))) => "stale fence refused",
            (_, Err(Refusal::HolderLives(_))) => "live holder protected",
            _ => return,
        };
        self.deeds.count(what);
    }

    /// Makes a text that was not used before.
    fn fresh(&mut self, what: &str) -> String {
        self.made += 1;
        format!("{what}{}", self.made)
    }

    fn fresh_fence(&mut self) -> Fence {
        Fence::new(self.fresh("f"))
    }

    fn fresh_boot(&mut self) -> BootBearer {
        let boot_id = BootId::new(self.fresh("b"));
        BootBearer { boot_id, fence: self.fresh_fence() }
    }
}

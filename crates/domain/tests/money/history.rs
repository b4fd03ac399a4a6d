//! Runs a script: boots, workers, crashes and a clock that is turned, all through `decide`.

mod boots;
mod calls;
mod steps;
mod work;

use std::collections::BTreeMap;
use std::ops::AddAssign;

use glitchlab_domain::command::{Bearer, BootBearer, Command, Refusal, Reply, Reserve, TaskCaps};
use glitchlab_domain::decide::Writes;
use glitchlab_domain::id::{BootId, Fence, TaskKey, TryKey};
use glitchlab_domain::ledger::Grant;
use glitchlab_domain::money::Price;
use glitchlab_domain::outcome::HumanReason;

use crate::oracle::{Fault, Oracle};
use crate::provider::{Bill, Provider};
use crate::script::{Script, Step};
use crate::waits;
use crate::world::World;

/// How often what happened, in one history or in many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deeds(BTreeMap<&'static str, u64>);

/// What histories are meant to contain.
const MEANT: [&str; 35] = [
    "claimed",
    "granted",
    "granted to a resent request",
    "waits until",
    "waits for a settlement",
    "waits for its task's other calls",
    "waits for tokens",
    "paced",
    "waits behind another",
    "exceeds a cap",
    "exceeds the cap of tokens",
    "exceeds its task's cap",
    "granted without dollars",
    "spent beyond its hold",
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
    "cap lowered while it runs",
    "tokens counted late",
    "clock turned back",
    "finished",
    "effect done",
    "resent",
    "answer lost",
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
    root_key: TaskKey,
    boot: usize,
    call_no: u32,
    try_no: u32,
}

/// A try whose request may be on its way to the provider.
struct Flight {
    key: TryKey,
    by: Bearer,
    root_key: TaskKey,
    boot: usize,
    grant: Granted,
    billed: Option<Bill>,
}

/// What a grant allows.
#[derive(Clone, Copy)]
struct Granted {
    price: Price,
    prompt_tokens: u64,
    max_out: u64,
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
    task_caps: TaskCaps,
    /// The answer of what is sent now is lost on its way: it is applied, and nobody acts on it.
    loses: bool,
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
            oracle: Oracle::new(script),
            provider: Provider::default(),
            boots: Vec::new(),
            workers: Vec::new(),
            flights: Vec::new(),
            sent: Vec::new(),
            made: 0,
            task_caps: script.task_caps(),
            loses: false,
            deeds: Deeds::default(),
            diary,
        }
    }

    fn play(&mut self, script: &Script) -> Result<(), Fault> {
        script.steps.iter().try_for_each(|step| self.step(*step))
    }

    fn step(&mut self, step: Step) -> Result<(), Fault> {
        self.loses = step.kind >> 28 == 0;
        steps::play(self, step)?;
        self.oracle.inspect(&self.world, &self.provider)
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
        self.oracle.judge(&self.world, &command, &decision)?;
        let answer = match decision {
            Ok(writes) => Ok(self.apply(&command, writes)?),
            Err(refusal) => Err(refusal),
        };
        if let Ok(Reply::Wait(wait)) = &answer {
            waits::judge(&mut self.world, &command, wait)?;
        }
        self.count(&command, &answer);
        if self.loses {
            self.deeds.count("answer lost");
        } else {
            self.follow(boot, &command, &answer);
        }
        self.sent.push((boot, command));
        Ok(answer)
    }

    fn apply(&mut self, command: &Command, writes: Writes) -> Result<Reply, Fault> {
        self.world.apply(&writes.rows);
        self.oracle.applied(&self.world, command, &writes)?;
        if !writes.rows.is_empty() && matches!(writes.reply, Reply::Granted(_)) {
            self.oracle.inspect(&self.world, &self.provider)?;
        }
        Ok(writes.reply)
    }

    /// A caller acts on what it is told: a claim makes a worker, a grant a request.
    fn follow(&mut self, boot: usize, command: &Command, answer: &Result<Reply, Refusal>) {
        match (command, answer) {
            (_, Ok(Reply::Claimed(claimed))) => {
                let by = Bearer {
                    task_key: claimed.task.key.clone(),
                    attempt_id: claimed.attempt.attempt_id.clone(),
                    fence: claimed.fence.clone(),
                };
                if !self.workers.iter().any(|worker| worker.by == by) {
                    let root_key = claimed.task.root_key.clone();
                    self.workers.push(Worker { by, root_key, boot, call_no: 0, try_no: 0 });
                }
            }
            (Command::Reserve(reserve), Ok(Reply::Granted(grant))) => {
                self.take_off(boot, reserve, grant);
            }
            _ => {}
        }
    }

    /// The same holder that is granted the same try again sends its one request.
    fn take_off(&mut self, boot: usize, ask: &Reserve, grant: &Grant) {
        if self.flights.iter().any(|flight| flight.key == *grant.key() && flight.by == ask.by) {
            self.deeds.count("granted to a resent request");
            return;
        }
        self.deeds.count("granted");
        let granted = Granted {
            price: ask.bounds.price,
            prompt_tokens: grant.prompt_tokens(),
            max_out: grant.max_out(),
        };
        if grant.bound().micro() == 0 && granted.prompt_tokens + granted.max_out > 0 {
            self.deeds.count("granted without dollars");
        }
        self.flights.push(Flight {
            key: grant.key().clone(),
            by: ask.by.clone(),
            root_key: ask.root_key.clone(),
            boot,
            grant: granted,
            billed: None,
        });
    }

    fn count(&mut self, command: &Command, answer: &Result<Reply, Refusal>) {
        let what = match (command, answer) {
            (_, Ok(Reply::Wait(wait))) => waits::named(&self.world, command, wait),
            (_, Ok(Reply::ExceedsCap { .. })) => "exceeds a cap",
            (_, Ok(Reply::Human(HumanReason::ExceedsTokens { .. }))) => "exceeds the cap of tokens",
            (_, Ok(Reply::Human(_))) => "exceeds its task's cap",
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

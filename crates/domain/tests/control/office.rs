//! A repository with a boot, tasks, and somebody who asks for things.

use glitchlab_domain::bead::BeadId;
use glitchlab_domain::command::{
    Bearer, BootBearer, Carry, Claim, Command, Finish, Refusal, Reply, Stamp, TakeOver,
};
use glitchlab_domain::decide::decide;
use glitchlab_domain::event::EventKind;
use glitchlab_domain::gate::GateRules;
use glitchlab_domain::id::{AttemptId, BootId, Fence, TaskKey};
use glitchlab_domain::ledger::Terms;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::{FailureKind, Outcome, Reference};
use glitchlab_domain::policy::RetryRules;
use glitchlab_domain::reason::Reason;
use glitchlab_domain::rows::{ControlRow, GateRow, ProcessRow, Rows, Verb};
use glitchlab_domain::task::{SourceTask, TaskRow, TaskState};
use glitchlab_domain::why::nearest;

pub(crate) const REPO: &str = "repo";
const SCOPE: &str = "real";

pub(crate) struct Office {
    pub(crate) rows: Rows,
    pub(crate) now_ms: i64,
    pub(crate) events: Vec<EventKind>,
    pub(crate) rules: GateRules,
    /// What a task is expected to cost.
    pub(crate) hold: MicroUsd,
    /// How often an attempt was claimed again: each time under another fence.
    pub(crate) fences: u32,
    said: u32,
}

/// What came of a verb.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) ok: bool,
    pub(crate) result: String,
}

impl Answer {
    /// Expects that it was done, and returns what was said.
    pub(crate) fn done(self) -> String {
        assert!(self.ok, "{}", self.result);
        self.result
    }

    /// Expects that it was refused, and returns why.
    pub(crate) fn refused(self) -> String {
        assert!(!self.ok, "{}", self.result);
        self.result
    }
}

impl Office {
    /// Opens with open tasks of these ids.
    pub(crate) fn open(ids: &[&str]) -> Self {
        let rules = GateRules::default();
        let mut office = Self {
            rows: Rows::default(),
            now_ms: 1_000_000,
            events: Vec::new(),
            rules,
            hold: MicroUsd::new(1),
            fences: 0,
            said: 0,
        };
        let (scope, cap) = (SCOPE.to_owned(), MicroUsd::new(1_000_000_000));
        let (process, dead) = (process(office.now_ms), Vec::new());
        office
            .ask(&Command::StartBoot {
                process,
                scope,
                cap_hour: cap,
                cap_day: cap,
                terms: Terms::default(),
                dead,
            })
            .unwrap();
        let beads = ids.iter().map(|id| bead(id)).collect();
        office.ask(&Command::Sync { beads }).unwrap();
        office
    }

    pub(crate) fn ask(&mut self, command: &Command) -> Result<Reply, Refusal> {
        let stamp = Stamp { now_ms: self.now_ms, nonce: "n".to_owned(), entropy: 0 };
        let writes = decide(&self.rows, command, &stamp)?;
        writes.rows.into_iter().for_each(|write| self.rows.apply(write));
        self.events.extend(writes.events.into_iter().map(|(_, kind)| kind));
        Ok(writes.reply)
    }

    pub(crate) fn pass(&mut self, ms: i64) {
        self.now_ms += ms;
    }

    pub(crate) fn task(&self, id: &str) -> &TaskRow {
        &self.rows.tasks[&key(id)]
    }

    /// Puts a task where an outcome would have put it.
    pub(crate) fn put(&mut self, id: &str, state: TaskState, reason: Option<Reason>) {
        self.rows.tasks.get_mut(&key(id)).unwrap().rest(state, reason, None);
    }

    pub(crate) fn gate(&self) -> GateRow {
        self.rows.gates.get(REPO).cloned().unwrap_or_default()
    }

    pub(crate) fn claim(&mut self, id: &str, attempt: &str) -> Result<Reply, Refusal> {
        let Command::Claim(claim) = claim(id, attempt) else { panic!("it is a claim") };
        let fence = self.bearer(id, attempt).fence;
        self.ask(&Command::Claim(Claim { hold: self.hold, fence, ..claim }))
    }

    pub(crate) fn finish(&mut self, id: &str, attempt: &str, outcome: Outcome) -> Result<Reply, Refusal> {
        let finish = Command::Finish(self.ending(id, attempt, outcome));
        self.ask(&finish)
    }

    fn bearer(&self, id: &str, attempt: &str) -> Bearer {
        let again = "+".repeat(usize::try_from(self.fences).unwrap());
        Bearer { fence: Fence::new(format!("f-{attempt}{again}")), ..bearer(id, attempt) }
    }

    pub(crate) fn ending(&self, id: &str, attempt: &str, outcome: Outcome) -> Finish {
        Finish {
            by: self.bearer(id, attempt),
            outcome,
            detail: "over".to_owned(),
            learned: None,
            files_changed: 0,
            rules: RetryRules { attempts: 1_000, ..RetryRules::default() },
            scope: SCOPE.to_owned(),
            repo_id: REPO.to_owned(),
            gate: self.rules,
        }
    }

    /// Claims and ends an attempt, whose cost was `micro`.
    pub(crate) fn run(&mut self, id: &str, attempt: &str, micro: i64, outcome: Outcome) {
        let task = self.rows.tasks.get_mut(&key(id)).unwrap();
        task.rest(TaskState::Open, None, None);
        assert!(matches!(self.claim(id, attempt), Ok(Reply::Claimed(_))), "{id} was not claimed");
        self.rows.attempts.get_mut(&AttemptId::from(attempt)).unwrap().cost = MicroUsd::new(micro);
        self.finish(id, attempt, outcome).unwrap();
    }

    pub(crate) fn say(&mut self, verb: Verb) -> Answer {
        let carry = self.carry(verb);
        self.carry_out(carry)
    }

    /// Prepares a verb as the engine does.
    pub(crate) fn carry(&mut self, verb: Verb) -> Carry {
        self.said += 1;
        let row = ControlRow {
            id: format!("c{}", self.said),
            repo_id: REPO.to_owned(),
            verb,
            by: "ana".to_owned(),
            at_ms: self.now_ms,
            done_ms: None,
            ok: false,
            result: None,
        };
        self.ask(&Command::Say(row.clone())).unwrap();
        let ids: Vec<BeadId> = self.rows.tasks.values().map(|task| task.bead_id.clone()).collect();
        let wanted = row.verb.bead_id().map(ToString::to_string).unwrap_or_default();
        let claim = row.task_key().and_then(|key| self.rows.claims.get(&key).cloned());
        let ending = claim.map(|claim| {
            let outcome = Outcome::Cancelled { why: "dropped".to_owned() };
            let finish = self.ending("", "", outcome);
            let by = Bearer { task_key: claim.task_key, attempt_id: claim.attempt_id, fence: claim.fence };
            Box::new(Finish { by, ..finish })
        });
        Carry {
            by: Some(boot()),
            root_key: row.task_key(),
            row,
            nearest: nearest(&ids, &wanted),
            scope: None,
            ending,
        }
    }

    pub(crate) fn carry_out(&mut self, carry: Carry) -> Answer {
        match self.ask(&Command::Carry(Box::new(carry))) {
            Ok(Reply::Carried { ok, result }) => Answer { ok, result },
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn told(&self, name: &str) -> usize {
        self.events.iter().filter(|kind| kind.name() == name).count()
    }
}

pub(crate) fn key(id: &str) -> TaskKey {
    TaskKey::of(REPO, &BeadId::from(id))
}

pub(crate) fn boot() -> BootBearer {
    BootBearer { boot_id: BootId::from("b"), fence: Fence::from("fence-of-b") }
}

pub(crate) fn bearer(id: &str, attempt: &str) -> Bearer {
    Bearer {
        task_key: key(id),
        attempt_id: AttemptId::from(attempt),
        fence: Fence::new(format!("f-{attempt}")),
    }
}

fn process(now_ms: i64) -> ProcessRow {
    let BootBearer { boot_id, fence } = boot();
    ProcessRow {
        boot_id,
        fence,
        host: "here".to_owned(),
        pid: 1,
        start_ticks: 1,
        repo_id: REPO.to_owned(),
        scope: SCOPE.to_owned(),
        listen: String::new(),
        started_ms: now_ms,
        lease_until_ms: i64::MAX,
        alive: true,
        rules: None,
        backlog: String::new(),
        begun: Vec::new(),
    }
}

fn bead(id: &str) -> SourceTask {
    SourceTask {
        key: key(id),
        repo_id: REPO.to_owned(),
        bead_id: BeadId::from(id),
        source: "file".to_owned(),
        parent: None,
        title: id.to_owned(),
        body: String::new(),
        priority: 1,
        kind: "task".to_owned(),
        labels: Vec::new(),
        created_ms: 0,
        state: "open".to_owned(),
        rev: "r".to_owned(),
    }
}

fn claim(id: &str, attempt: &str) -> Command {
    Command::Claim(Claim {
        by: boot(),
        task_key: key(id),
        attempt_id: AttemptId::from(attempt),
        fence: bearer(id, attempt).fence,
        slot: "worker-1".to_owned(),
        repo_id: REPO.to_owned(),
        scope: SCOPE.to_owned(),
        hold: MicroUsd::new(1),
        hold_tokens: 0,
        ahead: None,
        model: "m".to_owned(),
        simulated: false,
        max_attempts: 3,
        trace_id: "0".repeat(32),
        branch: "branch".to_owned(),
    })
}

/// Takes over an attempt that is thought to be lost.
pub(crate) fn take_over(id: &str, attempt: &str) -> Command {
    let Bearer { task_key, attempt_id, fence } = bearer(id, attempt);
    Command::TakeOver(TakeOver {
        by: boot(),
        task_key,
        attempt_id,
        old_fence: fence,
        old_boot: boot().boot_id,
        fence: Fence::from("other"),
        slot: "worker-2".to_owned(),
        max_attempts: 3,
    })
}

/// What the backlog says of a task whose text was changed.
pub(crate) fn changed_bead(id: &str) -> SourceTask {
    SourceTask { body: "more".to_owned(), rev: "another".to_owned(), ..bead(id) }
}

pub(crate) fn failed(failure: FailureKind) -> Outcome {
    Outcome::Retryable { failure, message: "no".to_owned() }
}

pub(crate) fn merged() -> Outcome {
    Outcome::Completed { reference: Reference::Merge { commit: "c".to_owned() } }
}

pub(crate) fn pause(until_ms: Option<i64>, now: bool) -> Verb {
    Verb::Pause { why: "lunch".to_owned(), until_ms, now }
}

pub(crate) fn approve(id: &str) -> Verb {
    Verb::Approve { bead_id: BeadId::from(id) }
}

pub(crate) fn retry(id: &str) -> Verb {
    Verb::Retry { bead_id: BeadId::from(id) }
}

pub(crate) fn put_away(id: &str) -> Verb {
    Verb::Drop { bead_id: BeadId::from(id), why: String::new() }
}

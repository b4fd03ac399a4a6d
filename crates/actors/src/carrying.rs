//! Carries out what people ask for: by the engine as its scheduler hears of it, and by the command itself where no engine
//! works. What is to happen is `domain::decide`'s; here is only what it needs to know.

use glitchlab_domain::bead::BeadId;
use glitchlab_domain::command::{Bearer, BootBearer, Carry, Command, Finish, Refusal, Reply};
use glitchlab_domain::gate::GateRules;
use glitchlab_domain::id::{BootId, TaskKey};
use glitchlab_domain::ledger::scope_of;
use glitchlab_domain::outcome::Outcome;
use glitchlab_domain::policy::RetryRules;
use glitchlab_domain::rows::{AttemptRow, ClaimRow, ControlRow, Verb};
use glitchlab_domain::why::nearest;
use glitchlab_runtime::Failure;
use glitchlab_store::clock::Clock;
use glitchlab_store::{Backend, Queue, Reader, Writer};

use crate::durable::insist;
use crate::engine::Engine;
use crate::ids::random;
use crate::recovery;

/// Who carries out, and by which rules.
pub struct Carrier {
    /// Reads the store.
    pub reader: Reader,
    /// Where commands are handed in.
    pub queue: Queue,
    /// The boot that does it; none when no engine works on the repository and the caller holds its lock.
    pub by: Option<BootBearer>,
    /// The repository.
    pub repo_id: String,
    /// The ledgers that may have lost their trust in a model.
    pub scopes: Vec<String>,
    /// For an attempt that is called back.
    pub retry: RetryRules,
    /// For an attempt that is called back.
    pub gate: GateRules,
}

/// What came of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// What was asked for.
    pub verb: Verb,
    /// It was done, not refused.
    pub ok: bool,
    /// What came of it, for people.
    pub result: String,
}

impl Carrier {
    /// Makes the carrier of an engine.
    #[must_use]
    pub fn of(engine: &Engine) -> Self {
        Self {
            reader: engine.reader.clone(),
            queue: engine.queue.clone(),
            by: Some(engine.boot.clone()),
            repo_id: engine.repo_id.clone(),
            scopes: vec![engine.scope.clone()],
            retry: engine.live.borrow().retry,
            gate: engine.settings.gate,
        }
    }

    /// Carries out everything that is asked for and not done, in the order in which it was said.
    ///
    /// # Errors
    ///
    /// Returns what the store says.
    pub async fn carry_open(&self) -> Result<Vec<Carried>, Failure> {
        let mut done = Vec::new();
        for row in self.reader.open_controls(&self.repo_id).await? {
            // What has changed hands just now is tried again at the next look.
            done.extend(self.carry(row).await?);
        }
        Ok(done)
    }

    /// Carries out one word; none when what it is about has changed hands just now.
    ///
    /// # Errors
    ///
    /// Returns what the store says.
    pub async fn carry(&self, row: ControlRow) -> Result<Option<Carried>, Failure> {
        let verb = row.verb.clone();
        let carry = Command::Carry(Box::new(self.prepare(row).await?));
        match insist(&self.queue, carry).await? {
            Ok(Reply::Carried { ok, result }) => Ok(Some(Carried { verb, ok, result })),
            Ok(_) | Err(Refusal::StaleFence(_)) => Ok(None),
            Err(refusal) => Err(refusal.into()),
        }
    }

    async fn prepare(&self, row: ControlRow) -> Result<Carry, Failure> {
        let task = match row.task_key() {
            Some(key) => self.reader.task(&key).await?,
            None => None,
        };
        let nearest = match row.verb.bead_id().filter(|_| task.is_none()) {
            Some(id) => self.nearest(id).await?,
            None => Vec::new(),
        };
        let ending = match (&row.verb, &task) {
            (Verb::Drop { .. } | Verb::Retry { .. }, Some(task)) => {
                self.ending(&task.key, format!("called back by {}", row.by)).await?
            }
            _ => None,
        };
        let scope = match &row.verb {
            Verb::Approve { bead_id } if task.is_none() => self.distrusting(bead_id.as_str()).await?,
            _ => None,
        };
        let root_key = task.map(|task| task.root_key);
        Ok(Carry { by: self.by.clone(), row, root_key, nearest, scope, ending })
    }

    /// Finds the ledger that does not trust a model of this name.
    async fn distrusting(&self, model: &str) -> Result<Option<String>, Failure> {
        for scope in &self.scopes {
            let head = self.reader.head(scope).await?;
            if head.is_some_and(|head| !head.trusts(model)) {
                return Ok(Some(scope.clone()));
            }
        }
        Ok(None)
    }

    async fn nearest(&self, id: &BeadId) -> Result<Vec<BeadId>, Failure> {
        let tasks = self.reader.tasks(&self.repo_id).await?;
        Ok(nearest(tasks.iter().map(|task| &task.bead_id), id.as_str()))
    }

    /// How the attempt that holds a task ends when it is called back, when one does.
    pub(crate) async fn ending(&self, key: &TaskKey, why: String) -> Result<Option<Box<Finish>>, Failure> {
        let claims = self.reader.claims(&self.repo_id).await?;
        let Some(claim) = claims.into_iter().find(|claim| claim.task_key == *key) else { return Ok(None) };
        let attempts = self.reader.attempts(key).await?;
        let is_it = |attempt: &&AttemptRow| attempt.attempt_id == claim.attempt_id;
        let is_simulated = attempts.iter().find(is_it).is_some_and(|attempt| attempt.simulated);
        let scope = scope_of(is_simulated, &self.repo_id);
        Ok(Some(Box::new(self.called_back(claim, why, scope))))
    }

    fn called_back(&self, claim: ClaimRow, detail: String, scope: String) -> Finish {
        Finish {
            by: Bearer { task_key: claim.task_key, attempt_id: claim.attempt_id, fence: claim.fence },
            outcome: Outcome::Cancelled { why: detail.clone() },
            detail,
            learned: None,
            files_changed: 0,
            rules: self.retry,
            scope,
            repo_id: self.repo_id.clone(),
            gate: self.gate,
        }
    }
}

/// Makes a word of somebody, which nobody has said before.
#[must_use]
pub fn word(repo_id: &str, verb: Verb, by: String, at_ms: i64) -> ControlRow {
    let repo_id = repo_id.to_owned();
    ControlRow { id: random(), repo_id, verb, by, at_ms, done_ms: None, ok: false, result: None }
}

/// Runs a writer of its own for as long as `work` takes: for a command beside an engine, or without one.
///
/// # Errors
///
/// Returns why the store cannot be written.
pub async fn writing<T>(
    backend: Backend,
    clock: Clock,
    work: impl AsyncFnOnce(Queue) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (writer, queue) = Writer::new(backend, BootId::new(random()), clock, WORDS);
    recovery::while_writing(writer, |_| {}, work(queue)).await?
}

/// How many commands may wait beside an engine.
const WORDS: usize = 16;

//! `glitchlab pause`, `resume`, `stop`, `approve`, `retry` and `drop`: a word to the engine of a repository, from another
//! terminal. It is a row of the store, so that it is not lost when the engine is killed before it has heard it. Where no
//! engine works, the command does it itself and holds the repository meanwhile.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use glitchlab_actors::carrying::{self, Carrier};
use glitchlab_domain::bead::BeadId;
use glitchlab_domain::command::Command;
use glitchlab_domain::gate::GateRules;
use glitchlab_domain::ledger::{REAL, simulated_scope};
use glitchlab_domain::policy::RetryRules;
use glitchlab_domain::rows::{ControlRow, Verb};
use glitchlab_pipeline::git::GitRepo;
use glitchlab_runtime::Failure;
use glitchlab_store::{Backend, Queue, Reader, Sqlite, clock};
use serde_json::json;
use tokio::time::Instant;

use super::alone;
use crate::args::{Drop, Named, Pause, Place};
use crate::boot::RepoHold;
use crate::config::{self, values};
use crate::exit::{Code, OrStop, Stop};
use crate::here::Here;
use crate::output::{one_line, say};

/// How long an engine may take to say what came of it.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(50);

/// Runs `pause`.
///
/// # Errors
///
/// Returns why the time cannot be read, or the store not be written; so do the others.
pub(crate) fn pause(flags: &Pause) -> Result<ExitCode, Stop> {
    let length = flags.length.as_deref().map(|text| values::duration("--for", text));
    let length = length.transpose().or_stop(Code::Usage)?;
    let until_ms = length.map(|length| clock::wall()() + i64::try_from(length.as_millis()).unwrap_or(0));
    tell(&flags.place, Verb::Pause { why: flags.reason.clone(), until_ms, now: flags.now })
}

/// Runs `resume`.
///
/// # Errors
///
/// Returns why the store cannot be written.
pub(crate) fn resume(place: &Place) -> Result<ExitCode, Stop> {
    tell(place, Verb::Resume)
}

/// Runs `stop`.
///
/// # Errors
///
/// Returns why the store cannot be written.
pub(crate) fn stop(place: &Place) -> Result<ExitCode, Stop> {
    tell(place, Verb::Stop)
}

/// Runs `approve`.
///
/// # Errors
///
/// Returns why the store cannot be written.
pub(crate) fn approve(named: &Named) -> Result<ExitCode, Stop> {
    tell(&named.place, Verb::Approve { bead_id: BeadId::from(named.id.as_str()) })
}

/// Runs `retry`.
///
/// # Errors
///
/// Returns why the store cannot be written.
pub(crate) fn retry(named: &Named) -> Result<ExitCode, Stop> {
    tell(&named.place, Verb::Retry { bead_id: BeadId::from(named.id.as_str()) })
}

/// Runs `drop`.
///
/// # Errors
///
/// Returns why the store cannot be written.
pub(crate) fn put_away(named: &Drop) -> Result<ExitCode, Stop> {
    let (bead_id, why) = (BeadId::from(named.id.as_str()), named.reason.clone());
    tell(&named.place, Verb::Drop { bead_id, why })
}

fn tell(place: &Place, verb: Verb) -> Result<ExitCode, Stop> {
    let name = verb.name();
    let answer = alone(async {
        let Here { repo, repo_id, store, reader } = Here::open(place).await?;
        match reader {
            Some(reader) => Ear { repo, repo_id, store, reader }.tell(verb).await.or_stop(Code::Unexpected),
            None => Ok(Answer::NobodyThere("no engine has ever run on this repository")),
        }
    })?;
    Ok(print(name, &answer?, place.json).into())
}

/// What came of a word.
enum Answer {
    /// It was carried out, or refused.
    Carried(ControlRow),
    /// It is written down, and nobody has done it yet.
    Unheard,
    /// It needs an engine.
    NobodyThere(&'static str),
}

fn print(name: &str, answer: &Answer, is_json: bool) -> Code {
    let unheard = "it is written down, but the engine has not answered within 5 s; it does it when it can";
    let (code, row, result) = match answer {
        Answer::Carried(row) => {
            let code = if row.ok { Code::Done } else { Code::Unexpected };
            (code, Some(row), row.result.as_deref().unwrap_or_default())
        }
        Answer::Unheard => (Code::Unexpected, None, unheard),
        Answer::NobodyThere(why) => (Code::NotRunning, None, *why),
    };
    let ok = row.is_some_and(|row| row.ok);
    if is_json {
        let (said_ms, done_ms) = (row.map(|row| row.at_ms), row.and_then(|row| row.done_ms));
        let told =
            json!({ "verb": name, "ok": ok, "result": result, "said_ms": said_ms, "done_ms": done_ms });
        say(&told.to_string());
    } else {
        let word = if ok { "done" } else { "not done" };
        say(&format!("{name}: {word}: {}", one_line(result)));
    }
    code
}

/// Where a word is heard.
struct Ear {
    repo: GitRepo,
    repo_id: String,
    store: PathBuf,
    reader: Reader,
}

impl Ear {
    async fn tell(self, verb: Verb) -> anyhow::Result<Answer> {
        if let (Verb::Stop, Ok(_)) = (&verb, RepoHold::try_take(&self.repo)?) {
            return Ok(Answer::NobodyThere("no engine works on this repository"));
        }
        let row = carrying::word(&self.repo_id, verb, config::user(), clock::wall()());
        let written = tokio::time::timeout(PATIENCE * 2, self.written(row)).await;
        written.context("nothing was done: another process writes the store and does not end; try again")?
    }

    async fn written(&self, row: ControlRow) -> anyhow::Result<Answer> {
        let backend = Backend::Sqlite(Box::new(Sqlite::open(&self.store).await?));
        let answer = carrying::writing(backend, clock::wall(), async |queue| self.heard(queue, row).await);
        answer.await.map_err(|failure| anyhow::anyhow!(failure))
    }

    /// Says it, and waits until somebody has done it: the engine, or this command when no engine is there.
    async fn heard(&self, queue: Queue, row: ControlRow) -> Result<Answer, Failure> {
        queue.submit(Command::Say(row.clone())).await??;
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Ok(_hold) = RepoHold::try_take(&self.repo)? {
                self.carrier(queue.clone()).carry_open().await?;
            }
            let said = self.reader.control(&row.id).await?;
            if let Some(row) = said.filter(|row| row.done_ms.is_some()) {
                return Ok(Answer::Carried(row));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(Answer::Unheard)
    }

    /// Carries out in the name of nobody.
    fn carrier(&self, queue: Queue) -> Carrier {
        Carrier {
            reader: self.reader.clone(),
            queue,
            by: None,
            repo_id: self.repo_id.clone(),
            scopes: vec![REAL.to_owned(), simulated_scope(&self.repo_id)],
            retry: RetryRules::default(),
            gate: GateRules::NEVER,
        }
    }
}

//! The store: whether it opens, and what it says of engines, leftovers and the clock.

use std::fs::OpenOptions;
use std::path::Path;

use glitchlab_actors::recovery;
use glitchlab_domain::id::BootId;
use glitchlab_domain::ledger::{REAL, simulated_scope, tokens_scope};
use glitchlab_domain::rows::ProcessRow;
use glitchlab_pipeline::git::GitRepo;
use glitchlab_pipeline::process::engine::Engine as Process;
use glitchlab_store::{Reader, Sqlite, StoreError, clock};

use super::{Check, ledger};
use crate::config::Config;
use crate::{compose, standing};

/// How far the ledger's clock may be ahead before it is said, in ms.
const AHEAD_MS: i64 = 60_000;

/// Looks at the store of a configuration.
pub(super) async fn look(config: &Config, repo: Option<&GitRepo>, checks: &mut Vec<Check>) {
    if !config.store.exists() {
        checks.push(absent(&config.store));
        return;
    }
    checks.push(schema(&config.store).await);
    let reader = match Sqlite::readers(&config.store).await {
        Ok(pool) => Reader::Sqlite(pool),
        Err(_) => return,
    };
    let repo_id = repo.map(compose::repo_id);
    let own = repo_id.as_deref().map(simulated_scope);
    for scope in std::iter::once(REAL.to_owned()).chain(own) {
        checks.extend(ledger::check(&reader, &scope).await);
        checks.extend(ledger::check(&reader, &tokens_scope(&scope)).await);
        checks.extend(time(&reader, &scope).await);
    }
    if let Some(repo_id) = &repo_id {
        checks.push(engine(&reader, repo_id).await);
    }
    checks.push(leftovers(&reader).await);
}

/// A store that is not there is made at the first start, if its folder lets it.
fn absent(store: &Path) -> Check {
    let there = store.ancestors().skip(1).find(|folder| folder.is_dir());
    let is_writable = there.is_some_and(|folder| tempfile::tempfile_in(folder).is_ok());
    if is_writable {
        return Check::ok("store", format!("none yet; the first start makes {}", store.display()));
    }
    let found = format!("none yet, and {} cannot be made", store.display());
    Check::failed("store", found, "allow writing there, or name another file with --store")
}

async fn schema(store: &Path) -> Check {
    let (found, known) = match Sqlite::schema(store).await {
        Ok(versions) => versions,
        Err(error) => return Check::broken("store", &error),
    };
    let place = format!("{}, schema {found}", store.display());
    if let Err(error) = OpenOptions::new().write(true).open(store) {
        return Check::failed(
            "store",
            format!("{place}, cannot be written: {error}"),
            "allow writing the file",
        );
    }
    if found < known {
        return Check::warning(
            "store",
            format!("{place}; this program knows {known}"),
            "the next start brings it up to date",
        );
    }
    Check::ok("store", place)
}

/// The ledger's time never runs back: a clock that was once ahead keeps settled money in its windows for longer.
async fn time(reader: &Reader, scope: &str) -> Option<Check> {
    let now_ms = clock::wall()();
    let head = reader.ledger(scope, i64::MIN).await.ok()??;
    let ahead_ms = head.last_ms.saturating_sub(now_ms);
    (ahead_ms > AHEAD_MS).then(|| {
        Check::warning(
            "clock",
            format!("the ledger of {scope} has seen a time {} min ahead of this clock", ahead_ms / 60_000),
            "set this machine's clock right; money of then leaves its windows that much later",
        )
    })
}

async fn engine(reader: &Reader, repo_id: &str) -> Check {
    match standing::running(reader, repo_id).await {
        Ok(Some(row)) => Check::ok("engine", format!("running, process {}, http://{}", row.pid, row.listen)),
        Ok(None) => Check::ok("engine", "not running"),
        Err(error) => Check::broken("engine", &error),
    }
}

/// What dead engines left: the next start ends and pays it.
async fn leftovers(reader: &Reader) -> Check {
    let host = &Process::current().host;
    let left = recovery::leftovers(reader, host).await;
    let open = dead_calls(reader, host).await;
    match (left, open) {
        (Ok(left), Ok(open)) if left.is_empty() && open == 0 => Check::ok("leftovers", "none"),
        (Ok(left), Ok(open)) => Check::warning(
            "leftovers",
            format!("{} processes and {open} open calls of engines that are gone", left.len()),
            "the next start ends the processes and charges the calls at their bounds",
        ),
        (Err(error), _) | (_, Err(error)) => Check::broken("leftovers", &error),
    }
}

async fn dead_calls(reader: &Reader, host: &str) -> Result<usize, StoreError> {
    let is_gone = |row: &ProcessRow| {
        row.host == host
            && !Process { host: row.host.clone(), pid: row.pid, start_ticks: row.start_ticks }.is_alive()
    };
    let living: Vec<_> = reader.alive_processes().await?.into_iter().filter(|row| !is_gone(row)).collect();
    let lives = |boot_id: &BootId| living.iter().any(|row| row.boot_id == *boot_id);
    Ok(reader.open_calls().await?.iter().filter(|call| !lives(&call.boot_id)).count())
}

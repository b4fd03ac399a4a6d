//! The one place that puts an engine together.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use glitchlab_actors::tqm_alerter::webhook::{HttpTransport, Receivers};
use glitchlab_actors::watchdog::WatchThread;
use glitchlab_actors::{Engine, Live, Parts, Settings, Tools};
use glitchlab_backlog::JsonlSource;
use glitchlab_domain::breaker::BreakerRules;
use glitchlab_domain::gate::GateRules;
use glitchlab_domain::id::TaskKey;
use glitchlab_domain::ledger::scope_of;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::pacing::Spread;
use glitchlab_domain::policy::MoneyRules;
use glitchlab_domain::rows::ProcessRow;
use glitchlab_domain::snapshot;
use glitchlab_models::catalog::{self, Choice};
use glitchlab_models::{Account, Model};
use glitchlab_pipeline::attempt;
use glitchlab_pipeline::forge::local::LocalForge;
use glitchlab_pipeline::git::{GitRepo, RepoError, RepoOptions};
use glitchlab_pipeline::implementer::Implementer;
use glitchlab_pipeline::process::RunLimits;
use glitchlab_pipeline::process::engine::Engine as Process;
use glitchlab_pipeline::workspace::Workspace;
use glitchlab_pipeline::workspace::git::{GitWorkspace, WorkspaceOptions};
use glitchlab_pipeline::workspace::protect::Protected;
use glitchlab_store::clock::{self, Clock};
use glitchlab_store::{Backend, Reader, Sqlite};

use crate::agents;
use crate::args::Merge;
use crate::boot::RepoHold;
use crate::config::receivers::receivers;
use crate::config::{self, Config};
use crate::exit::{Code, OrStop, Stop};
use crate::exports::Exports;
use crate::own_process::ThisProcess;
use crate::pages;

/// How long an attempt may take to end when it is told to.
const GRACE: Duration = Duration::from_secs(10);
/// What a task of the demo is expected to cost: its replies are recorded and small.
const DEMO_HOLD: MicroUsd = MicroUsd::new(50_000);
/// How much of a test run's output is kept.
const OUTPUT_BYTES: usize = 64 * 1024;

/// An engine that is ready to begin, and what the program keeps beside it.
pub(crate) struct Composed {
    pub(crate) engine: Arc<Engine>,
    pub(crate) process: ProcessRow,
    pub(crate) repo: GitRepo,
    pub(crate) workspace: Arc<GitWorkspace>,
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
    /// Held to the end of the process.
    pub(crate) hold: RepoHold,
    /// Held as long, for the watchdog.
    pub(crate) thread: WatchThread,
}

/// Opens everything that the settings name.
///
/// # Errors
///
/// Returns the first thing that does not allow a start, with its exit code and how to mend it.
pub(crate) async fn compose(config: &Config, exports: &Arc<Exports>) -> Result<Composed, Stop> {
    let repo = open_repo(config).await?;
    let hold = RepoHold::take(&repo).await.or_stop(Code::Locked)?;
    let source =
        JsonlSource::discover(&config.repo, config.backlog.as_deref()).or_stop(Code::Configuration)?;
    check_tests(config)?;
    let (listener, address) =
        pages::bind(&config.listen, config.listen_is_explicit).or_stop(Code::Configuration)?;
    let clock = clock::wall();
    let model = model(config, &clock)?;
    let implementer = agents::implementer(config)?;
    let sqlite = Sqlite::open(&config.store).await.or_stop(Code::Configuration)?;
    let reader = Reader::Sqlite(Sqlite::readers(&config.store).await.or_stop(Code::Configuration)?);
    let receivers = receivers(&config.webhooks).or_stop(Code::Configuration)?;
    let repo_id = repo_id(&repo);
    let workspace = Arc::new(workspace(config, &repo, &repo_id)?);
    let tools = Tools {
        workspace: Arc::clone(&workspace) as Arc<dyn Workspace>,
        forge: Arc::new(LocalForge::new(repo.clone())),
        stages: Arc::new(stages(config, &repo, implementer, exports)),
        model,
    };
    let scope = scope_of(tools.is_simulated(), &repo_id);
    let process = Process::current();
    let thread = WatchThread::start().context("the watchdog's thread cannot start")?;
    let engine = Engine::new(Parts {
        boot_id: exports.boot_id.clone(),
        host: process.host.clone(),
        repo_id,
        scope,
        settings: settings(config, &repo),
        live: live(config),
        workers: usize::try_from(config.workers).unwrap_or(1),
        backend: Backend::Sqlite(Box::new(sqlite)),
        reader,
        source: Arc::new(source),
        tools,
        receivers: Receivers::new(receivers, Arc::new(HttpTransport::new())),
        writer_clock: Arc::clone(&clock),
        metrics: exports.metrics(),
        clock,
        folder: absolute(state_of(config)).join("watchdog"),
        own: Arc::new(ThisProcess::new(address, Arc::clone(exports))),
        watch_on: Some(thread.runtime().clone()),
    });
    let process = engine.process_row(process.pid, process.start_ticks, address.to_string());
    Ok(Composed { engine, process, repo, workspace, listener, address, hold, thread })
}

/// Opens the repository that the settings name.
///
/// # Errors
///
/// Returns what it lacks, with its exit code and how to mend it.
pub(crate) async fn open_repo(config: &Config) -> Result<GitRepo, Stop> {
    let options = RepoOptions {
        base: config.base.clone(),
        author: config.author.clone(),
        ..RepoOptions::new(config.environment.clone())
    };
    git_repo(&config.repo, &options).await
}

/// Opens a repository.
///
/// # Errors
///
/// Returns why it cannot be opened; that git is not there has a code of its own.
pub(crate) async fn git_repo(path: &Path, options: &RepoOptions) -> Result<GitRepo, Stop> {
    GitRepo::open(path, options).await.map_err(|error| {
        let code = match error {
            RepoError::NoGit { .. } | RepoError::GitTooOld { .. } => Code::Unavailable,
            _ => Code::Configuration,
        };
        Stop::new(code, error)
    })
}

/// Checks that changes are tested, or may go untested.
///
/// # Errors
///
/// Returns how to name a test command.
pub(crate) fn check_tests(config: &Config) -> Result<(), Stop> {
    if config.test.is_some() || config.allow_untested {
        return Ok(());
    }
    let error = anyhow::anyhow!(
        "no test command: name the repository's own with --test or `test` under [work] in .glitchlab/config.toml, such as `cargo test`; or say --allow-untested"
    );
    Err(Stop::new(Code::Configuration, error))
}

fn choice(config: &Config) -> Result<Choice, Stop> {
    if config.model.is_empty() {
        let error = anyhow::anyhow!(
            "no model: name one with --model or `default` under [models]; this version knows {}",
            catalog::KNOWN
        );
        return Err(Stop::new(Code::Configuration, error));
    }
    config.model.parse().or_stop(Code::Configuration)
}

/// Opens the model for its prices alone: nothing that it would bill is written.
///
/// # Errors
///
/// Returns why there is no such model.
pub(crate) fn priced_model(config: &Config) -> Result<Arc<dyn Model>, Stop> {
    let account = Account::memory(clock::wall());
    choice(config)?.open(account, config.script.clone()).or_stop(Code::Configuration)
}

fn model(config: &Config, clock: &Clock) -> Result<Arc<dyn Model>, Stop> {
    let choice = choice(config)?;
    let folder = state_of(config);
    let path = folder.join("provider-account.jsonl");
    std::fs::create_dir_all(folder)
        .and_then(|()| Account::file(&path, Arc::clone(clock)))
        .with_context(|| format!("{} cannot be written", path.display()))
        .and_then(|account| Ok(choice.open(account, config.script.clone())?))
        .or_stop(Code::Configuration)
}

/// The folder of the store, where worktrees and accounts are too.
pub(crate) fn state_of(config: &Config) -> &Path {
    config.store.parent().unwrap_or(Path::new("."))
}

fn workspace(config: &Config, repo: &GitRepo, repo_id: &str) -> Result<GitWorkspace, Stop> {
    let folder = absolute(state_of(config));
    let is_inside = repo.checkout.as_ref().is_some_and(|checkout| folder.starts_with(checkout));
    let folder = if is_inside { config::state_folder().or_stop(Code::Configuration)? } else { folder };
    let mut options = WorkspaceOptions::new(config.environment.clone());
    options.protected = Protected::new(&config.protected);
    options.pass_to_agents = agents::passed(config);
    GitWorkspace::new(repo.clone(), &folder.join("worktrees").join(repo_id), options)
        .or_stop(Code::Configuration)
}

pub(crate) fn absolute(folder: &Path) -> PathBuf {
    std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())
}

/// A repository is known by where its objects are: two clones are two repositories.
pub(crate) fn repo_id(repo: &GitRepo) -> String {
    let place = repo.common_dir.to_string_lossy();
    TaskKey::of("repository", &place.as_ref().into()).as_str()[..16].to_owned()
}

/// The settings that a reload may change.
pub(crate) fn live(config: &Config) -> Live {
    Live {
        filter: config.filter.clone(),
        retry: config.retry,
        poll_interval: config.poll_interval,
        max_open: config.max_open,
    }
}

fn settings(config: &Config, repo: &GitRepo) -> Settings {
    Settings {
        close_epics: config.close_epics,
        money: money(config),
        min_free_bytes: config.min_free_bytes,
        watched_disks: watched_disks(config, Some(repo)),
        only: config.only.clone(),
        max_tasks: config.max_tasks,
        gate: gate(config),
        grace: GRACE,
        watchdog: config.watchdog,
        about: snapshot::Engine {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            repo: config.repo.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            base: repo.base.clone(),
            merge: match config.merge {
                Merge::Never => "never".to_owned(),
                Merge::WhenGreen => "when_green".to_owned(),
            },
            task_cap: money(config).per_task,
            size_tokens: config.limits.size_tokens,
            // The engine fills in its boot and its model.
            ..snapshot::Engine::default()
        },
    }
}

/// The disks that are written: the store's and its worktrees', and the repository's.
pub(crate) fn watched_disks(config: &Config, repo: Option<&GitRepo>) -> Vec<PathBuf> {
    let folder = absolute(state_of(config));
    // Before the first start the store's folder is not there: the one above it is on the same disk.
    let there = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(&folder).to_owned();
    std::iter::once(there).chain(repo.map(|repo| repo.common_dir.clone())).collect()
}

/// When the gate closes by itself.
fn gate(config: &Config) -> GateRules {
    let set = &config.effective;
    let ms = |name: &str| i64::try_from(set.time(name).as_millis()).unwrap_or(i64::MAX);
    let default = GateRules::default();
    let breaker = BreakerRules {
        failures: set.small("breaker.failures"),
        window_ms: ms("breaker.window"),
        cool_down_ms: ms("breaker.cool_down"),
        cool_down_max_ms: default.breaker.cool_down_max_ms.max(ms("breaker.cool_down")),
    };
    GateRules { breaker, stop_loss: set.dollars("budget.stop_loss").unwrap_or_default() }
}

/// What may be spent beside the caps of an hour and a day. Where a subscription pays, dollars say little: a task is then
/// limited to the tokens of all its attempts at the largest size as well.
pub(crate) fn money(config: &Config) -> MoneyRules {
    let set = &config.effective;
    let most_tokens = config.limits.size_tokens.into_iter().max().unwrap_or(0);
    let subscribed = set.text("budget.billing") == "subscription";
    MoneyRules {
        spread: if set.text("budget.spread") == "day" { Spread::Day } else { Spread::Hour },
        per_task: set.dollars("budget.per_task"),
        tokens_per_task: subscribed.then(|| most_tokens.saturating_mul(u64::from(config.retry.attempts))),
        tokens_per_day: Some(set.whole("budget.tokens_per_day")).filter(|tokens| *tokens > 0),
        hold: config.script.is_some().then_some(DEMO_HOLD).or_else(|| agents::hold(config)),
    }
}

fn stages(config: &Config, repo: &GitRepo, implementer: Implementer, exports: &Exports) -> attempt::Settings {
    attempt::Settings {
        limits: config.limits,
        implementer,
        bound_by_difference: true,
        keep_prompts: exports.wants_prompts(config).then(|| agents::secrets(config)),
        merge: match config.merge {
            Merge::Never => attempt::Merge::Never,
            Merge::WhenGreen => attempt::Merge::WhenGreen,
        },
        base: repo.base.clone(),
        test: config.test.clone(),
        allow_untested: config.allow_untested,
        approve: config.approve,
        test_limits: RunLimits { timeout: config.test_timeout, max_output_bytes: OUTPUT_BYTES },
        setup: config.setup.clone(),
        author: repo.author.clone(),
        merge_turn: attempt::MergeTurn::default(),
    }
}

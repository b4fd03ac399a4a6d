//! The settings: a flag wins over the environment, that over the repository's file, that over the user's own file, that
//! over the default. `keys` is the table of all of them; everything else reads it.

pub(crate) mod document;
pub(crate) mod effective;
pub(crate) mod environment;
pub(crate) mod flags;
pub(crate) mod keys;
pub(crate) mod kind;
pub(crate) mod layer;
pub(crate) mod place;
pub(crate) mod receivers;
pub(crate) mod schema;
pub(crate) mod suggest;
pub(crate) mod telemetry;
#[cfg(test)]
mod tests;
pub(crate) mod values;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use glitchlab_domain::bead::BeadId;
use glitchlab_domain::consent::Approval;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::Size;
use glitchlab_domain::policy::{Limits, RetryRules, WorkFilter};
use glitchlab_domain::watchdog;
use glitchlab_models::scripted::Script;
use glitchlab_pipeline::process::Environment;

pub(crate) use self::environment::{
    environment, is_managed_service, log_filter, own_arguments, search_path, state_folder, temporary_folder,
    unit_folder, user,
};

use self::effective::{Effective, Sources};
use self::flags::Flags;
use self::layer::Layer;
use self::receivers::Webhook;
use crate::args::{Continuous, Merge};
use crate::demo::Demo;

/// The demo is small: 200 MiB will do for its worktrees.
const DEMO_FREE_DISK: &str = "200MiB";
/// What the watchdog adds to limits that others keep.
const A_MINUTE_MS: u64 = 60_000;
/// The day's cap in hours' caps, when it is not set.
const HOURS_A_DAY: i64 = 8;

/// Everything that `continuous` needs to know, checked.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) repo: PathBuf,
    pub(crate) backlog: Option<PathBuf>,
    pub(crate) filter: WorkFilter,
    pub(crate) poll_interval: Duration,
    pub(crate) close_epics: bool,
    pub(crate) workers: u32,
    pub(crate) base: Option<String>,
    pub(crate) setup: Option<String>,
    pub(crate) test: Option<String>,
    pub(crate) allow_untested: bool,
    pub(crate) test_timeout: Duration,
    pub(crate) retry: RetryRules,
    pub(crate) limits: Limits,
    pub(crate) protected: Vec<String>,
    pub(crate) author: Option<String>,
    pub(crate) per_hour: MicroUsd,
    pub(crate) per_day: MicroUsd,
    pub(crate) model: String,
    pub(crate) merge: Merge,
    pub(crate) max_open: u32,
    pub(crate) max_tasks: u32,
    pub(crate) approve: Approval,
    pub(crate) listen: String,
    /// The address was asked for, so another one will not do.
    pub(crate) listen_is_explicit: bool,
    pub(crate) store: PathBuf,
    pub(crate) min_free_bytes: u64,
    pub(crate) drain: Duration,
    pub(crate) watchdog: watchdog::Limits,
    /// Who is told of alerts.
    pub(crate) webhooks: Vec<Webhook>,
    pub(crate) until_idle: bool,
    /// The one task to work on.
    pub(crate) only: Option<BeadId>,
    /// What the demo's model replies.
    pub(crate) script: Option<Script>,
    /// The environment of this process, handed on in parts.
    pub(crate) environment: Environment,
    /// Where all this was read, to be read again.
    pub(crate) sources: Sources,
    /// Every setting as it counts, with its origin.
    pub(crate) effective: Effective,
}

impl Config {
    /// Puts the settings together.
    ///
    /// # Errors
    ///
    /// Returns the settings that are wrong, with their place and what to write instead.
    pub(crate) fn load(flags: &Continuous) -> anyhow::Result<Self> {
        let repo = repo(flags.repo.as_deref())?;
        let config = Self::read(sources(&repo, flags.keys.clone()), repo)?;
        let only = flags.only.as_deref().map(BeadId::from);
        let workers = if only.is_some() { 1 } else { config.workers };
        Ok(Self { until_idle: flags.until_idle, only, workers, ..config })
    }

    /// Reads the sources as they now are.
    ///
    /// # Errors
    ///
    /// Returns the settings that are wrong, with their place and what to write instead.
    pub(crate) fn read(sources: Sources, repo: PathBuf) -> anyhow::Result<Self> {
        let effective = sources.read()?;
        let files = Places { top: place::main_checkout(&repo) };
        let (per_hour, per_day) = caps(&effective);
        Ok(Self {
            backlog: effective
                .some("backlog.path")
                .map(|path| files.resolve(&effective, "backlog.path", &path)),
            filter: filter(&effective),
            poll_interval: effective.time("backlog.poll_interval"),
            close_epics: effective.switch("backlog.close_epics"),
            workers: effective.small("work.workers"),
            base: effective.some("work.base"),
            setup: effective.some("work.setup"),
            test: effective.some("work.test"),
            allow_untested: effective.switch("work.allow_untested"),
            test_timeout: effective.time("work.test_timeout"),
            retry: RetryRules { attempts: effective.small("work.attempts"), ..RetryRules::default() },
            limits: limits(&effective),
            protected: effective.words("work.protected"),
            author: effective.some("work.author"),
            per_hour,
            per_day,
            model: effective.text("models.default").to_owned(),
            merge: merge(&effective),
            max_open: effective.small("forge.max_open"),
            max_tasks: effective.small("work.max_tasks"),
            approve: approval(effective.text("work.approve")),
            listen: effective.text("web.listen").to_owned(),
            listen_is_explicit: effective.get("web.listen").origin.layer != Layer::Default,
            store: files.store(&effective)?,
            min_free_bytes: effective.bytes("store.min_free_disk"),
            drain: effective.time("shutdown.drain"),
            watchdog: watchdog(&effective),
            webhooks: effective.webhooks("alerts.webhooks"),
            until_idle: false,
            only: None,
            script: None,
            environment: environment(),
            sources,
            effective,
            repo,
        })
    }

    /// Puts the demo's settings together: nothing of the user's is read. Flags still count.
    ///
    /// # Errors
    ///
    /// Returns the first flag that is wrong.
    pub(crate) fn of_demo(demo: &Demo, flags: &Continuous) -> anyhow::Result<Self> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let dollars =
            |amount: MicroUsd| format!("{}.{:06}", amount.micro() / 1_000_000, amount.micro() % 1_000_000);
        let given = flags.keys.clone();
        let given = given
            .or("store.url", text(&demo.store))
            .or("store.min_free_disk", DEMO_FREE_DISK)
            .or("backlog.path", text(&demo.backlog))
            .or("work.workers", demo.workers.to_string())
            .or("work.test", demo.test_command.clone())
            .or("work.author", demo.author.clone())
            .or("models.default", "scripted/demo")
            .or("forge.merge", "when_green")
            .or("forge.max_open", "0")
            .or("budget.per_hour", dollars(demo.cap_hour))
            .or("budget.per_day", dollars(demo.cap_day));
        // Nothing of a demo goes to a receiver that was not named for it.
        let is_sent = given.get("telemetry.otlp_endpoint").is_some();
        let standard = is_sent.then(environment::standard_variables).unwrap_or_default();
        let sources = Sources { flags: given, standard, ..Sources::default() };
        let config = Self::read(sources, demo.repo.clone())?;
        let only = flags.only.as_deref().map(BeadId::from);
        Ok(Self { script: Some(demo.script.clone()), until_idle: flags.until_idle, only, ..config })
    }
}

/// Returns the repository's directory: the named one, or this one.
///
/// # Errors
///
/// Says that there is none.
pub(crate) fn repo(flag: Option<&Path>) -> anyhow::Result<PathBuf> {
    let path = flag.unwrap_or(Path::new("."));
    let found = std::fs::canonicalize(path);
    let found = found.with_context(|| format!("--repo {}: there is no such directory", path.display()))?;
    anyhow::ensure!(
        found.is_dir(),
        "--repo {}: it is a file; name the repository's directory",
        path.display()
    );
    Ok(place::top(&found).to_owned())
}

/// Returns where the settings of a repository are read from.
pub(crate) fn sources(repo: &Path, flags: Flags) -> Sources {
    Sources {
        repo_file: Some(place::main_checkout(repo).join(place::FILE)),
        user_file: environment::user_file(),
        environment: environment::own_variables(),
        standard: environment::standard_variables(),
        flags,
    }
}

/// Where the paths of settings begin: on the command line and in the environment where the person stands, in a file at
/// the top of the repository.
struct Places {
    top: PathBuf,
}

impl Places {
    fn resolve(&self, effective: &Effective, key: &str, path: &str) -> PathBuf {
        let path = PathBuf::from(path);
        match effective.get(key).origin.layer {
            Layer::Flag | Layer::Environment => std::path::absolute(&path).unwrap_or(path),
            Layer::Default | Layer::User | Layer::Repository => self.top.join(path),
        }
    }

    fn store(&self, effective: &Effective) -> anyhow::Result<PathBuf> {
        match effective.some("store.url") {
            Some(url) => Ok(self.resolve(effective, "store.url", store_file(&url)?)),
            None => Ok(state_folder()?.join("state.db")),
        }
    }
}

/// Returns the file that an address of a store names.
fn store_file(url: &str) -> anyhow::Result<&str> {
    let path = url.strip_prefix("sqlite://").unwrap_or(url);
    anyhow::ensure!(
        !path.contains("://"),
        "store.url (--store) `{url}`: database servers are not supported yet; name a file"
    );
    Ok(path)
}

/// Returns the store's file of a repository: the given one, or the one that its settings name. A mistake elsewhere in
/// the settings is no reason not to look at the store.
///
/// # Errors
///
/// Refuses a repository that is not there, and an address of a database server, which this version cannot use.
pub(crate) fn store_of(repo_flag: Option<&Path>, given: Option<String>) -> anyhow::Result<PathBuf> {
    anyhow::ensure!(
        given.as_ref().is_none_or(|path| !path.trim().is_empty()),
        "store.url (--store) is empty; name a file"
    );
    let repo = repo(repo_flag)?;
    let flags = given.map_or_else(Flags::default, |path| Flags::default().or("store.url", path));
    let effective = sources(&repo, flags).read_what_is_sound();
    Places { top: place::main_checkout(&repo) }.store(&effective)
}

/// The day's cap is eight hours' caps unless it is set.
fn caps(effective: &Effective) -> (MicroUsd, MicroUsd) {
    let per_hour = effective.dollars("budget.per_hour").unwrap_or_default();
    let eight = MicroUsd::new(per_hour.micro().saturating_mul(HOURS_A_DAY));
    (per_hour, effective.dollars("budget.per_day").unwrap_or(eight))
}

fn limits(effective: &Effective) -> Limits {
    Limits {
        diff_lines: effective.small("work.max_diff_lines"),
        size_tokens: effective.sizes("budget.size_tokens"),
        ..Limits::default()
    }
}

fn approval(text: &str) -> Approval {
    match text {
        "plan" => Approval::Plan,
        "pr" => Approval::Request,
        "size:S" => Approval::Size(Size::S),
        "size:M" => Approval::Size(Size::M),
        "size:L" => Approval::Size(Size::L),
        _ => Approval::None,
    }
}

/// How long each thing may take. A test run may use its own limit up.
fn watchdog(effective: &Effective) -> watchdog::Limits {
    let ms = |name: &str| u64::try_from(effective.time(name).as_millis()).unwrap_or(u64::MAX);
    let no_progress_ms = ms("watchdog.no_progress");
    // A stage ends its own program at these limits, with what was learned; the watchdog is for one that does not.
    let is_kept_by_stage = effective.text("agent.kind") == "command";
    let last_ms = |name: &str| ms(name).saturating_add(if is_kept_by_stage { A_MINUTE_MS } else { 0 });
    watchdog::Limits {
        beat_ms: ms("watchdog.beat"),
        handler_ms: ms("watchdog.handler"),
        no_progress_ms,
        stage_ms: last_ms("watchdog.stage"),
        work_product_ms: last_ms("watchdog.work_product"),
        silence_ms: last_ms("watchdog.agent_silence"),
        process_ms: ms("work.test_timeout").saturating_add(A_MINUTE_MS),
        look_ms: no_progress_ms.saturating_add(A_MINUTE_MS),
        grace_ms: ms("watchdog.start_grace"),
        ..watchdog::Limits::default()
    }
}

fn merge(effective: &Effective) -> Merge {
    match effective.text("forge.merge") {
        "when_green" => Merge::WhenGreen,
        _ => Merge::Never,
    }
}

fn filter(effective: &Effective) -> WorkFilter {
    WorkFilter {
        types: effective.words("backlog.work_types"),
        include_labels: effective.words("backlog.include_labels"),
        exclude_labels: effective.words("backlog.exclude_labels"),
        max_priority: i64::from(effective.small("backlog.max_priority")),
    }
}

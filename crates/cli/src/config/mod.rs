//! The effective settings: a flag wins over the repository's file, the file over the default. The only reader of the
//! environment.

pub(crate) mod file;
pub(crate) mod values;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::policy::{Limits, RetryRules, WorkFilter};
use glitchlab_models::scripted::Script;
use glitchlab_pipeline::process::Environment;

use crate::args::{Continuous, Merge};
use crate::demo::Demo;

/// Where the pages are when nobody says otherwise.
const LISTEN: &str = "127.0.0.1:3000";
/// The demo is small: 200 MiB will do for its worktrees.
const DEMO_FREE_BYTES: u64 = 200 << 20;
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
    pub(crate) protected: Option<Vec<String>>,
    pub(crate) author: Option<String>,
    pub(crate) per_hour: MicroUsd,
    pub(crate) per_day: MicroUsd,
    pub(crate) model: String,
    pub(crate) merge: Merge,
    pub(crate) max_open: u32,
    pub(crate) listen: String,
    /// The address was asked for, so another one will not do.
    pub(crate) listen_is_explicit: bool,
    pub(crate) store: PathBuf,
    pub(crate) min_free_bytes: u64,
    pub(crate) drain: Duration,
    pub(crate) until_idle: bool,
    /// What the demo's model replies.
    pub(crate) script: Option<Script>,
    /// The environment of this process, handed on in parts.
    pub(crate) environment: Environment,
}

impl Config {
    /// Puts the settings together.
    ///
    /// # Errors
    ///
    /// Returns the first setting that is wrong, with its key and what to write instead.
    pub(crate) fn load(flags: &Continuous) -> anyhow::Result<Self> {
        let repo = repo(flags.repo.as_deref())?;
        let file = file::read(&repo.join(".glitchlab/config.toml"))?;
        Self::resolve(flags, file, repo)
    }

    fn resolve(flags: &Continuous, file: file::File, repo: PathBuf) -> anyhow::Result<Self> {
        let file::File { backlog, work, budget, models, forge, web, shutdown, store, .. } =
            with_flags(file, flags);
        let (per_hour, per_day) = caps(&budget)?;
        let min_free = store.min_free_disk.as_deref().unwrap_or("5GiB");
        let config = Self {
            poll_interval: time("backlog.poll_interval", backlog.poll_interval.as_deref(), "5m")?,
            close_epics: backlog.close_epics.unwrap_or(true),
            backlog: backlog.path.clone().map(|path| repo.join(path)),
            filter: filter(backlog),
            workers: work.workers.unwrap_or(1),
            base: some(work.base),
            setup: some(work.setup),
            test: some(work.test),
            allow_untested: work.allow_untested.unwrap_or(false),
            test_timeout: time("work.test_timeout", work.test_timeout.as_deref(), "15m")?,
            retry: RetryRules { attempts: work.attempts.unwrap_or(3).max(1), ..RetryRules::default() },
            limits: Limits { diff_lines: work.max_diff_lines.unwrap_or(1_500), ..Limits::default() },
            protected: work.protected,
            author: some(work.author),
            per_hour,
            per_day,
            model: models.default.unwrap_or_default(),
            merge: forge.merge.unwrap_or(Merge::Never),
            max_open: forge.max_open.unwrap_or(5),
            listen_is_explicit: web.listen.is_some(),
            listen: web.listen.unwrap_or_else(|| LISTEN.to_owned()),
            store: store_path(some(store.url))?,
            min_free_bytes: values::bytes("store.min_free_disk", min_free)?,
            drain: time("shutdown.drain", shutdown.drain.as_deref(), "10m")?,
            until_idle: flags.until_idle,
            script: None,
            environment: environment(),
            repo,
        };
        config.check()?;
        Ok(config)
    }

    /// Puts the demo's settings together: nothing of the user's is read. A few flags still count.
    ///
    /// # Errors
    ///
    /// Returns the first flag that is wrong.
    pub(crate) fn of_demo(demo: &Demo, flags: &Continuous) -> anyhow::Result<Self> {
        let own = Continuous {
            store: Some(demo.store.to_string_lossy().into_owned()),
            backlog: Some(demo.backlog.clone()),
            workers: flags.workers.or(Some(demo.workers)),
            model: Some("scripted/demo".to_owned()),
            merge: flags.merge.or(Some(Merge::WhenGreen)),
            max_open: flags.max_open.or(Some(0)),
            test: Some(demo.test_command.clone()),
            ..flags.clone()
        };
        let config = Self::resolve(&own, file::File::default(), demo.repo.clone())?;
        Ok(Self {
            author: Some(demo.author.clone()),
            per_hour: if flags.budget_per_hour.is_some() { config.per_hour } else { demo.cap_hour },
            per_day: if flags.budget_per_day.is_some() { config.per_day } else { demo.cap_day },
            min_free_bytes: DEMO_FREE_BYTES,
            script: Some(demo.script.clone()),
            ..config
        })
    }

    fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(self.workers >= 1, "work.workers (--workers) is 0; at least one worker is needed");
        anyhow::ensure!(
            self.workers <= 256,
            "work.workers (--workers) is {}; at most 256 make sense on one machine",
            self.workers
        );
        anyhow::ensure!(
            self.poll_interval >= Duration::from_millis(100),
            "backlog.poll_interval (--poll-interval) is under 100ms; the backlog would be read without end"
        );
        anyhow::ensure!(
            self.per_hour > MicroUsd::ZERO && self.per_day > MicroUsd::ZERO,
            "a budget of 0 lets nothing run; set budget.per_hour (--budget-per-hour) to some dollars, such as 5.00"
        );
        Ok(())
    }
}

fn repo(flag: Option<&Path>) -> anyhow::Result<PathBuf> {
    let path = flag.unwrap_or(Path::new("."));
    let found = std::fs::canonicalize(path);
    let found = found.with_context(|| format!("--repo {}: there is no such directory", path.display()))?;
    anyhow::ensure!(
        found.is_dir(),
        "--repo {}: it is a file; name the repository's directory",
        path.display()
    );
    Ok(found)
}

/// A flag is a key that wins.
fn with_flags(mut file: file::File, flags: &Continuous) -> file::File {
    fn set<T: Clone>(key: &mut Option<T>, flag: &Option<T>) {
        if flag.is_some() {
            key.clone_from(flag);
        }
    }
    // A path on the command line is meant from where the person stands, one in the file from the repository.
    let here = flags.backlog.as_ref().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()));
    set(&mut file.backlog.path, &here);
    set(&mut file.backlog.poll_interval, &flags.poll_interval);
    set(&mut file.budget.per_hour, &flags.budget_per_hour);
    set(&mut file.budget.per_day, &flags.budget_per_day);
    set(&mut file.work.workers, &flags.workers);
    set(&mut file.work.test, &flags.test);
    set(&mut file.work.allow_untested, &flags.allow_untested.then_some(true));
    set(&mut file.models.default, &flags.model);
    set(&mut file.forge.merge, &flags.merge);
    set(&mut file.forge.max_open, &flags.max_open);
    set(&mut file.web.listen, &flags.listen);
    set(&mut file.store.url, &flags.store);
    file
}

/// The day's cap is eight hours' caps unless it is set.
fn caps(budget: &file::Budget) -> anyhow::Result<(MicroUsd, MicroUsd)> {
    let per_hour = dollars("budget.per_hour", budget.per_hour.as_deref().unwrap_or("5.00"))?;
    let per_day = match budget.per_day.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => dollars("budget.per_day", text)?,
        None => MicroUsd::new(per_hour.micro().saturating_mul(HOURS_A_DAY)),
    };
    Ok((per_hour, per_day))
}

fn dollars(key: &str, text: &str) -> anyhow::Result<MicroUsd> {
    text.parse().with_context(|| key.to_owned())
}

fn time(key: &str, text: Option<&str>, default: &str) -> anyhow::Result<Duration> {
    values::duration(key, text.unwrap_or(default))
}

fn some(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

fn filter(backlog: file::Backlog) -> WorkFilter {
    let default = WorkFilter::default();
    WorkFilter {
        types: backlog.work_types.unwrap_or(default.types),
        include_labels: backlog.include_labels.unwrap_or(default.include_labels),
        exclude_labels: backlog.exclude_labels.unwrap_or(default.exclude_labels),
        max_priority: backlog.max_priority.unwrap_or(default.max_priority),
    }
}

/// Returns the store's file: the given one, or the user's.
///
/// # Errors
///
/// Refuses an address of a database server, which this version cannot use.
pub(crate) fn store_path(given: Option<String>) -> anyhow::Result<PathBuf> {
    match given {
        Some(address) if address.contains("://") && !address.starts_with("sqlite://") => {
            anyhow::bail!(
                "store.url (--store) `{address}`: database servers are not supported yet; name a file"
            )
        }
        Some(path) if path.trim().is_empty() => anyhow::bail!("store.url (--store) is empty; name a file"),
        Some(path) => {
            let path = PathBuf::from(path.strip_prefix("sqlite://").unwrap_or(&path));
            std::path::absolute(&path).with_context(|| format!("store.url (--store) {}", path.display()))
        }
        None => Ok(state_folder()?.join("state.db")),
    }
}

/// Returns the user's folder for state.
///
/// # Errors
///
/// Fails when neither XDG_STATE_HOME nor HOME is set.
#[expect(clippy::disallowed_methods, reason = "this is the reader of the environment")]
pub(crate) fn state_folder() -> anyhow::Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_STATE_HOME").filter(|path| path.is_absolute());
    base.or_else(|| set("HOME").map(|home| home.join(".local/state")))
        .map(|base| base.join("glitchlab"))
        .context("there is no place for the store: set HOME, or name a file with --store")
}

/// Returns which log lines are wanted.
#[expect(clippy::disallowed_methods, reason = "this is the reader of the environment")]
pub(crate) fn log_filter() -> Option<String> {
    std::env::var("GLITCHLAB_LOG").ok()
}

/// Returns the folder for temporary files.
#[must_use]
pub(crate) fn temporary_folder() -> PathBuf {
    std::env::temp_dir()
}

/// Takes the environment of this process.
#[must_use]
pub(crate) fn environment() -> Environment {
    Environment::new(std::env::vars_os())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(flags: &Continuous, text: &str) -> anyhow::Result<Config> {
        let flags = Continuous { store: Some("state.db".to_owned()), ..flags.clone() };
        Config::resolve(&flags, toml::from_str(text).expect("the file is sound"), PathBuf::from("/repo"))
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let text = "[work]\nworkers = 3\n[budget]\nper_hour = \"2.50\"\n";
        let flags = Continuous { workers: Some(7), ..Continuous::default() };
        let config = resolve(&flags, text).expect("the settings are sound");
        assert_eq!((config.workers, config.per_hour.micro(), config.max_open), (7, 2_500_000, 5));
    }

    #[test]
    fn the_day_is_eight_hours_caps_unless_it_is_set() {
        let config = resolve(&Continuous::default(), "[budget]\nper_hour = \"2\"\n").expect("sound");
        assert_eq!(config.per_day.micro(), 16_000_000);
        let config = resolve(&Continuous::default(), "[budget]\nper_day = \"3\"\n").expect("sound");
        assert_eq!(config.per_day.micro(), 3_000_000);
    }

    #[test]
    fn a_budget_that_is_no_amount_names_its_key() {
        let flags = Continuous { budget_per_hour: Some("five".to_owned()), ..Continuous::default() };
        let error = format!("{:#}", resolve(&flags, "").expect_err("five is no amount"));
        assert!(error.contains("budget.per_hour") && error.contains("5.00"), "{error}");
    }

    #[test]
    fn a_database_server_is_refused_with_the_reason() {
        let error = store_path(Some("mysql://somewhere/db".to_owned())).expect_err("not supported");
        assert!(error.to_string().contains("not supported yet"));
    }
}

//! Watches the configuration files while the engine runs. A change that is sound is taken over where it may be; one that
//! is not changes nothing, and is said in the log and at the top of every page until it is mended.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use glitchlab_actors::Engine;
use glitchlab_domain::command::Command;
use glitchlab_domain::ledger::Usage;
use glitchlab_domain::money::MicroUsd;
use glitchlab_runtime::{ChildSpec, Failure, Restart, Task, TaskScope};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::compose;
use crate::config::Config;
use crate::config::effective::{self, Effective};
use crate::config::keys::Reload;

/// How long a change may take to be complete: an editor writes a file in several steps.
const SETTLE: Duration = Duration::from_millis(200);
/// How often the files are read although nothing was seen to change: not every disk tells.
const LOOK: Duration = Duration::from_secs(5);

/// Describes the child that follows the files of a configuration for as long as the engine takes new work; nothing where
/// no file can say anything.
pub(crate) fn child(engine: &Arc<Engine>, config: &Config) -> Option<ChildSpec> {
    let files: Vec<PathBuf> =
        config.sources.repo_file.iter().chain(&config.sources.user_file).cloned().collect();
    let (engine, good) = (Arc::clone(engine), config.clone());
    let follow = move || {
        let (engine, good, files) = (Arc::clone(&engine), good.clone(), files.clone());
        let follower = Follower { engine, seen: None, good, is_unsound: false, files };
        Ok(Task::new("reload", |scope| follower.run(scope)))
    };
    let is_said = config.sources.repo_file.is_some() || config.sources.user_file.is_some();
    // Once it drains there is nothing more to follow.
    is_said.then(|| ChildSpec::task("configuration", follow).restart(Restart::Transient))
}

struct Follower {
    engine: Arc<Engine>,
    files: Vec<PathBuf>,
    /// What the files had when they were last read.
    seen: Option<Vec<Option<Vec<u8>>>>,
    /// The last settings that were sound.
    good: Config,
    /// What the files now say is not.
    is_unsound: bool,
}

impl Follower {
    async fn run(mut self, scope: TaskScope) -> Result<(), Failure> {
        let (told, mut changes) = mpsc::channel(1);
        let mut watch = Watch::new(told);
        let gate = self.engine.gate.clone();
        loop {
            watch.renew(&self.files);
            self.look().await;
            scope.progress();
            tokio::select! {
                () = gate.draining() => return Ok(()),
                () = scope.cancelled() => return Ok(()),
                () = tokio::time::sleep(LOOK) => {}
                Some(()) = changes.recv() => {
                    tokio::time::sleep(SETTLE).await;
                    // What came in between is read with this look.
                    let _ = changes.try_recv();
                }
            }
        }
    }

    /// Reads the files when they are not as they were.
    async fn look(&mut self) {
        let now: Vec<Option<Vec<u8>>> = self.files.iter().map(|path| std::fs::read(path).ok()).collect();
        if self.seen.as_ref() == Some(&now) {
            return;
        }
        let faults = match Config::read(self.good.sources.clone(), self.good.repo.clone()) {
            Ok(config) => self.take(config).await,
            Err(error) => {
                self.is_unsound = true;
                unsound(&error)
            }
        };
        match faults {
            Some(faults) => {
                self.seen = Some(now);
                self.engine.config_faults.send_replace(faults);
            }
            // The store did not answer: it is asked again at the next look.
            None => self.seen = None,
        }
    }

    /// Takes over what may change and says what may not. Returns what is still not as the files say, or nothing when the
    /// store did not answer.
    async fn take(&mut self, config: Config) -> Option<Vec<String>> {
        let refused = self.lower_caps(&config).await?;
        self.engine.take_live(&compose::live(&config));
        self.tell(&config.effective);
        for fault in &refused {
            tracing::warn!(event = "config.refused", "{fault}");
        }
        self.good = config;
        self.is_unsound = false;
        Some(refused)
    }

    /// Lowers the caps in the store where the files say less; says where they say more.
    async fn lower_caps(&self, config: &Config) -> Option<Vec<String>> {
        let engine = &self.engine;
        let head = engine.reader.ledger(&engine.scope, engine.now_ms()).await.ok()??;
        let (usage, wanted) = (head.usage(), (config.per_hour, config.per_day));
        if wanted.0 < usage.cap_hour || wanted.1 < usage.cap_day {
            let (by, scope) = (engine.boot.clone(), engine.scope.clone());
            let lower = Command::LowerCaps { by, scope, cap_hour: wanted.0, cap_day: wanted.1 };
            // A refusal means that this boot is no longer alive: there is nothing to lower for it.
            let _refused = engine.queue.submit(lower).await.ok()?;
        }
        Some(raises(&config.effective, &usage, wanted))
    }

    /// Says what has changed and when it counts.
    fn tell(&self, new: &Effective) {
        for key in effective::differ(&self.good.effective, new) {
            let setting = new.get(key.name);
            let when = match key.reload {
                Reload::Never => "counts from the next start",
                Reload::Live | Reload::Lowered => "was read",
            };
            tracing::info!(
                event = "config.changed",
                "{} = {} ({}) {when}",
                key.name,
                setting.value,
                setting.origin
            );
        }
        for note in new.notes.iter().filter(|note| !self.good.effective.notes.contains(note)) {
            tracing::warn!(event = "config.clamped", "{note}");
        }
        if self.is_unsound {
            tracing::info!(event = "config.sound", "the configuration is sound again");
        }
    }
}

/// Says that the last good settings stay.
fn unsound(error: &anyhow::Error) -> Option<Vec<String>> {
    let faults: Vec<String> = format!("{error:#}").lines().map(str::to_owned).collect();
    for fault in &faults {
        tracing::error!(event = "config.unsound", "the last good settings stay: {fault}");
    }
    let said = |fault: String| {
        format!("The configuration was changed and is not sound, the last good settings stay: {fault}")
    };
    Some(faults.into_iter().map(said).collect())
}

/// Caps of a running engine only go down.
fn raises(effective: &Effective, usage: &Usage, (hour, day): (MicroUsd, MicroUsd)) -> Vec<String> {
    let said = |name: &str, wanted: MicroUsd, cap: MicroUsd| {
        let origin = &effective.get(name).origin;
        (wanted > cap).then(|| {
            format!("{name} is {wanted} ({origin}), and {cap} counts until the next start: caps of a running engine only go down")
        })
    };
    let hour = said("budget.per_hour", hour, usage.cap_hour);
    hour.into_iter().chain(said("budget.per_day", day, usage.cap_day)).collect()
}

/// The watched folders: editors replace files, so that it is their folders that must be watched.
struct Watch {
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
}

impl Watch {
    fn new(told: mpsc::Sender<()>) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading the files is seen, too. One message that waits already is enough.
            if event.is_ok_and(|event| !event.kind.is_access()) {
                let _ = told.try_send(());
            }
        });
        if let Err(error) = &watcher {
            tracing::warn!(
                event = "config.unwatched",
                "the configuration files cannot be watched ({error}); they are read every {} s",
                LOOK.as_secs()
            );
        }
        Self { watcher: watcher.ok(), folders: BTreeSet::new() }
    }

    /// Watches the folders of the files as they now are; one that is missing is waited for in the one above it.
    fn renew(&mut self, files: &[PathBuf]) {
        let Some(watcher) = &mut self.watcher else { return };
        let wanted: BTreeSet<PathBuf> = files.iter().filter_map(|file| nearest_folder(file)).collect();
        for gone in self.folders.difference(&wanted) {
            // It may have been removed, and its watch with it.
            let _ = watcher.unwatch(gone);
        }
        let is_watched = |folder: &PathBuf| {
            self.folders.contains(folder) || watcher.watch(folder, RecursiveMode::NonRecursive).is_ok()
        };
        self.folders = wanted.into_iter().filter(is_watched).collect();
    }
}

fn nearest_folder(file: &Path) -> Option<PathBuf> {
    file.ancestors().skip(1).find(|folder| folder.is_dir()).map(Path::to_owned)
}

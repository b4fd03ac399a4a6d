//! `glitchlab continuous`: boots, works until it is told to stop or, when asked, until nothing is left, and goes down
//! in order.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use glitchlab_actors::watchdog::WatchThread;
use glitchlab_actors::{BoardView, Chosen, Engine, recovery, shutdown, tree};
use glitchlab_pipeline::process::leftovers;
use glitchlab_runtime::{ExitReason, Tree};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::dry_run;
use super::run::Before;
use crate::agents;
use crate::args::Continuous;
use crate::boot::RepoHold;
use crate::compose::{Composed, compose};
use crate::config::{self, Config, telemetry};
use crate::exit::{Code, OrStop, Stop};
use crate::exports::Exports;
use crate::history_file::HistoryFile;
use crate::output::{one_line, say};
use crate::progress::Foot;
use crate::standing::Standing;
use crate::summary::Summary;
use crate::{banner, boot, demo, log, pages, reload};

/// Runs the command.
///
/// # Errors
///
/// Returns why it could not start, or why it ended otherwise than it should.
pub(crate) fn run(flags: &Continuous) -> Result<ExitCode, Stop> {
    let foot = Foot::new();
    let (config, demo) = settings(flags)?;
    let format = telemetry::log_format(&config.effective);
    if flags.dry_run {
        log::start(config::log_filter(), format, foot, None);
        return dry_run::run(&config, flags.json);
    }
    let exports = Exports::start(&config)?;
    log::start(config::log_filter(), format, foot.clone(), Some(exports.telemetry()));
    exports.tell_notes();
    let code = on_a_runtime(&config, &foot, &exports);
    exports.end();
    if let Some(demo) = demo {
        say(&format!(
            "The demo stays in {}: `git -C {} log --graph`",
            demo.folder.display(),
            demo.repo.display()
        ));
    }
    code
}

fn on_a_runtime(config: &Config, foot: &Foot, exports: &Arc<Exports>) -> Result<ExitCode, Stop> {
    let threads = usize::try_from(config.workers).unwrap_or(1) + 4;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .context("the runtime cannot start")?;
    let code = runtime.block_on(work(config, foot, exports));
    foot.clear();
    // What still blocks a thread now was fenced off: it is not waited for.
    runtime.shutdown_background();
    code
}

fn settings(flags: &Continuous) -> Result<(Config, Option<demo::Demo>), Stop> {
    if !flags.demo {
        return Ok((Config::load(flags).or_stop(Code::Configuration)?, None));
    }
    let demo = demo::prepare(&config::temporary_folder()).or_stop(Code::Unavailable)?;
    let config = Config::of_demo(&demo, flags).or_stop(Code::Configuration)?;
    Ok((config, Some(demo)))
}

async fn work(config: &Config, foot: &Foot, exports: &Arc<Exports>) -> Result<ExitCode, Stop> {
    let mut signals = Signals::listen()?;
    let up = tokio::select! {
        up = start(config, foot, exports) => up?,
        name = signals.next() => return Ok(at_once(name, None).await),
    };
    let end = until_told(config, &up, &mut signals).await;
    tokio::select! {
        code = go_down(config, &up, end) => {
            up.history.end().await;
            Ok(code.into())
        }
        name = signals.next() => Ok(at_once(name, Some(&up.engine)).await),
    }
}

/// An engine at work.
struct Up {
    engine: Arc<Engine>,
    tree: Tree,
    history: HistoryFile,
    /// How the one task stood that it was started for.
    before: Option<Before>,
    foot: Foot,
    /// Held to the end of the process.
    _hold: RepoHold,
    _thread: WatchThread,
}

async fn start(config: &Config, foot: &Foot, exports: &Arc<Exports>) -> Result<Up, Stop> {
    let Composed { engine, process, repo, workspace, listener, address, hold, thread } =
        compose(config, exports).await?;
    log::follow(&engine.feed);
    exports.follow(&engine);
    let history = HistoryFile::keep(&engine, &repo).await;
    let caps = (config.per_hour, config.per_day);
    let found = boot::begin(&engine, process, caps, &repo, &workspace).await.or_stop(Code::Configuration)?;
    let before = Before::of(&engine).await?;
    let standing = Standing::read(config, &engine.repo_id, Some(&engine.reader), engine.now_ms()).await;
    let counts = standing.ok().map(|standing| standing.counts());
    say(&banner::text(config, &engine, &repo, &found, counts, exports.receivers(), address));
    let pages = pages::child(&engine, listener, agents::artifacts(config), exports.scrape());
    let beside = [Some(pages), reload::child(&engine, config), exports.traces(&engine, config)];
    let beside = beside.into_iter().flatten().collect();
    let tree = tree::start(&engine, beside).await.context("the supervision tree did not come up")?;
    foot.follow(engine.snapshot.subscribe());
    Ok(Up { engine, tree, history, before, foot: foot.clone(), _hold: hold, _thread: thread })
}

/// Why a run ends.
enum End {
    Idle,
    /// Somebody said `glitchlab stop`.
    Stopped,
    /// The one task is over.
    Chosen(Chosen),
    Signal(&'static str),
    Breach(ExitReason),
}

impl End {
    fn words(&self) -> String {
        match self {
            Self::Idle => "nothing is left to do".to_owned(),
            Self::Stopped => "told to stop".to_owned(),
            Self::Chosen(_) => "its task is over".to_owned(),
            Self::Signal(name) => (*name).to_owned(),
            Self::Breach(reason) => format!("a supervisor gave up: {reason}"),
        }
    }

    const fn code(&self) -> Code {
        match self {
            Self::Idle | Self::Stopped | Self::Chosen(_) | Self::Signal(_) => Code::Done,
            Self::Breach(_) => Code::Breach,
        }
    }
}

async fn until_told(config: &Config, up: &Up, signals: &mut Signals) -> End {
    let mut board = up.engine.board.subscribe();
    let idle = async {
        // The sender lives as long as the engine.
        let _ = board.wait_for(|view| config.until_idle && view.is_quiet).await;
    };
    let mut view = up.engine.board.subscribe();
    let over = async {
        let is_over = |view: &BoardView| view.chosen.as_ref().is_some_and(|chosen| chosen.is_over);
        let view = view.wait_for(is_over).await.ok();
        view.and_then(|view| view.chosen.clone())
    };
    tokio::select! {
        () = idle => End::Idle,
        Some(chosen) = over => End::Chosen(chosen),
        () = up.engine.gate.draining() => End::Stopped,
        name = signals.next() => End::Signal(name),
        reason = up.tree.wait() => End::Breach(reason),
    }
}

async fn go_down(config: &Config, up: &Up, end: End) -> Code {
    shutdown::close_admission(&up.engine);
    tracing::info!(
        event = "engine.draining",
        "{}; no new task starts, what runs may finish within {} s",
        end.words(),
        config.drain.as_secs()
    );
    let end = drain(config, up, end).await;
    let summary = Summary::of(&up.engine).await;
    let reason = match &end {
        // The journal is gone with its tree: the writer runs once more for the last words.
        End::Breach(reason) => recovery::writing(&up.engine, shutdown::note_end(&up.engine, &end.words()))
            .await
            .map_or_else(|error| error.to_string(), |()| reason.to_string()),
        _ => shutdown::end(&up.engine, &up.tree, &end.words()).await.to_string(),
    };
    tracing::info!(event = "engine.ended", "{reason}");
    up.foot.clear();
    match summary {
        Ok(summary) => say(&summary.to_string()),
        Err(error) => tracing::error!(event = "summary.failed", "{error:#}"),
    }
    match (&up.before, &end) {
        (Some(before), End::Chosen(chosen)) => outcome(before, up, chosen).await,
        _ => end.code(),
    }
}

/// Says what became of the one task.
async fn outcome(before: &Before, up: &Up, chosen: &Chosen) -> Code {
    match before.outcome(&up.engine, chosen).await {
        Ok((code, words)) => {
            say(&one_line(&words));
            code
        }
        Err(error) => {
            tracing::error!(event = "outcome.unread", "{error:#}");
            Code::Unexpected
        }
    }
}

/// Lets what runs finish. When a supervisor gives up nothing can finish: everything goes on at the next start.
async fn drain(config: &Config, up: &Up, end: End) -> End {
    if matches!(end, End::Breach(_)) {
        return end;
    }
    tokio::select! {
        reason = up.tree.wait() => End::Breach(reason),
        () = finish(config, &up.engine) => end,
    }
}

async fn finish(config: &Config, engine: &Engine) {
    if shutdown::drained(engine, config.drain).await {
        return;
    }
    let suspended = shutdown::suspend(engine).await;
    tracing::warn!(
        event = "engine.suspended",
        "{suspended} attempts were put down; they go on at the next start"
    );
}

/// A second signal, or one before there is anything to finish: what runs is killed with its process groups, what is
/// durable stays.
async fn at_once(name: &str, engine: Option<&Engine>) -> ExitCode {
    if let Some(engine) = engine {
        // A test run that we kill has not failed: nobody may write that it has.
        engine.queue.halt();
    }
    tracing::warn!(event = "engine.killed", "{name}: ending at once, what is durable stays");
    leftovers::kill_own().await;
    Code::Interrupted.into()
}

/// The signals that ask for an end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Stop> {
        let on = |kind| signal(kind).context("signals cannot be received");
        Ok(Self { interrupt: on(SignalKind::interrupt())?, terminate: on(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "interrupted",
            _ = self.terminate.recv() => "asked to terminate",
        }
    }
}

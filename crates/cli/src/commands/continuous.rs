//! `glitchlab continuous`: boots, works until it is told to stop or, when asked, until nothing is left, and goes down
//! in order.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use glitchlab_actors::{Engine, shutdown, tree};
use glitchlab_pipeline::process::leftovers;
use glitchlab_runtime::{ExitReason, Tree};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::Continuous;
use crate::compose::{Composed, compose};
use crate::config::{self, Config};
use crate::exit::{Code, OrStop, Stop};
use crate::output::say;
use crate::summary::Summary;
use crate::{banner, boot, demo, log, pages};

/// Runs the command.
///
/// # Errors
///
/// Returns why it could not start, or why it ended otherwise than it should.
pub(crate) fn run(flags: &Continuous) -> Result<ExitCode, Stop> {
    log::start();
    let (config, demo) = settings(flags)?;
    let threads = usize::try_from(config.workers).unwrap_or(1) + 4;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .context("the runtime cannot start")?;
    let code = runtime.block_on(work(config));
    // What still blocks a thread now was fenced off: it is not waited for.
    runtime.shutdown_background();
    if let Some(demo) = demo {
        say(&format!(
            "The demo stays in {}: `git -C {} log --graph`",
            demo.folder.display(),
            demo.repo.display()
        ));
    }
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

async fn work(config: Config) -> Result<ExitCode, Stop> {
    let mut signals = Signals::listen()?;
    let Composed { engine, process, repo, workspace, listener, address, hold: _hold } =
        compose(&config).await?;
    log::follow(&engine.feed);
    let caps = (config.per_hour, config.per_day);
    let found = boot::begin(&engine, process, caps, &repo, &workspace).await.or_stop(Code::Configuration)?;
    say(&banner::text(&config, &engine, &repo, &found, address));
    let pages = pages::child(&engine, listener);
    let tree = tree::start(&engine, vec![pages]).await.context("the supervision tree did not come up")?;
    let why = until_told(&config, &engine, &tree, &mut signals).await;
    go_down(&config, &engine, &tree, &mut signals, why).await
}

/// Why a run ends.
enum End {
    Idle,
    Signal(&'static str),
    Breach(ExitReason),
}

async fn until_told(config: &Config, engine: &Engine, tree: &Tree, signals: &mut Signals) -> End {
    let mut board = engine.board.subscribe();
    let idle = async {
        // The sender lives as long as the engine.
        let _ = board.wait_for(|view| config.until_idle && view.is_quiet).await;
    };
    tokio::select! {
        () = idle => End::Idle,
        name = signals.next() => End::Signal(name),
        reason = tree.wait() => End::Breach(reason),
    }
}

async fn go_down(
    config: &Config,
    engine: &Arc<Engine>,
    tree: &Tree,
    signals: &mut Signals,
    why: End,
) -> Result<ExitCode, Stop> {
    shutdown::close_admission(engine);
    let (words, code) = match why {
        End::Idle => ("nothing is left to do".to_owned(), Code::Done),
        End::Signal(name) => (name.to_owned(), Code::Done),
        End::Breach(reason) => (format!("a supervisor gave up: {reason}"), Code::Breach),
    };
    tracing::info!(
        event = "engine.draining",
        "{words}; no new task starts, what runs may finish within {} s",
        config.drain.as_secs()
    );
    tokio::select! {
        () = drain(config, engine, code) => {}
        name = signals.next() => return Ok(at_once(name).await),
    }
    let summary = Summary::of(engine).await?;
    let reason = shutdown::end(engine, tree, &words).await;
    tracing::info!(event = "engine.ended", "{reason}");
    say(&summary.to_string());
    Ok(code.into())
}

/// After a breach the tree is gone already: nothing can finish, everything goes on at the next start.
async fn drain(config: &Config, engine: &Engine, code: Code) {
    if code == Code::Breach || shutdown::drained(engine, config.drain).await {
        return;
    }
    let suspended = shutdown::suspend(engine).await;
    tracing::warn!(
        event = "engine.suspended",
        "{suspended} attempts were put down; they go on at the next start"
    );
}

/// The second signal: what runs is killed with its process groups, what is durable stays.
async fn at_once(name: &str) -> ExitCode {
    tracing::warn!(event = "engine.killed", "{name} again: ending at once, what is durable stays");
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

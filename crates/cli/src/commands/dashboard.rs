//! `glitchlab dashboard`: the pages of an engine in another process, whether it runs or not. Reads only.

use std::net::SocketAddr;
use std::process::ExitCode;

use glitchlab_web::Guard;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::alone;
use crate::args;
use crate::config::Config;
use crate::dashboard::Tail;
use crate::exit::{Code, OrStop, Stop};
use crate::here::Here;
use crate::output::say;
use crate::pages;

/// Runs the command.
///
/// # Errors
///
/// Returns why the repository or its store cannot be read, or the address cannot be had.
pub(crate) fn run(flags: &args::Dashboard) -> Result<ExitCode, Stop> {
    alone(dashboard(flags))?
}

async fn dashboard(flags: &args::Dashboard) -> Result<ExitCode, Stop> {
    let place = flags.place();
    let config = Config::load(&place.settings(flags.backlog.as_ref())).or_stop(Code::Configuration)?;
    let Here { repo_id, store, reader, .. } = Here::open(&place).await?;
    let Some(reader) = reader else {
        let error = anyhow::anyhow!(
            "no engine has run here: there is no store at {}; start one with `glitchlab continuous`",
            store.display()
        );
        return Err(Stop::new(Code::NotRunning, error));
    };
    // The engine has the address of the settings; unless one is asked for, the next free port will do.
    let listen = flags.listen.as_deref();
    let (listener, address) =
        pages::bind(listen.unwrap_or(&config.listen), listen.is_some()).or_stop(Code::Configuration)?;
    let listener = TcpListener::from_std(listener).or_stop(Code::Unexpected)?;
    let (tail, sources) = Tail::new(config, repo_id, reader);
    say(&format!("http://{address}\nCtrl-C ends it; an engine goes on"));
    serve(listener, address, tail, sources).await
}

async fn serve(
    listener: TcpListener,
    address: SocketAddr,
    tail: Tail,
    sources: glitchlab_web::Sources,
) -> Result<ExitCode, Stop> {
    let mut terminated = signal(SignalKind::terminate()).or_stop(Code::Unexpected)?;
    let shutdown = CancellationToken::new();
    let ended = shutdown.clone().drop_guard();
    let served = glitchlab_web::serve(listener, sources, Guard::bound_to(address), shutdown);
    tokio::select! {
        served = served => served.or_stop(Code::Unexpected)?,
        () = tail.run() => {}
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
    drop(ended);
    Ok(Code::Done.into())
}

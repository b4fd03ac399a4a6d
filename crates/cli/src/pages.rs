//! The web child serves the pages. The socket was bound once, before the tree, and is cloned into each incarnation, so
//! that a restarted one keeps its port.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use glitchlab_actors::Engine;
use glitchlab_pipeline::implementer::Artifacts;
use glitchlab_runtime::{ChildSpec, Failure, Task};
use glitchlab_web::{Guard, Health, Sources};

use crate::exports::Scrape;
use crate::records::StoreRecords;

/// Describes the web child of an engine on a bound socket, which also shows what programs said that edited.
pub(crate) fn child(
    engine: &Arc<Engine>,
    listener: TcpListener,
    artifacts: Artifacts,
    scrape: Scrape,
) -> ChildSpec {
    let sources = sources(engine, artifacts, scrape);
    ChildSpec::task("web", move || serving(sources.clone(), &listener))
}

fn serving(sources: Sources, listener: &TcpListener) -> Result<Task<()>, Failure> {
    let guard = Guard::bound_to(listener.local_addr()?);
    let listener = tokio::net::TcpListener::from_std(listener.try_clone()?)?;
    Ok(Task::new("pages", move |scope| async move {
        glitchlab_web::serve(listener, sources, guard, scope.token().clone()).await?;
        Ok(())
    }))
}

fn sources(engine: &Arc<Engine>, artifacts: Artifacts, scrape: Scrape) -> Sources {
    let (tree, about) = (engine.tree.clone(), Arc::clone(engine));
    Sources {
        snapshot: engine.snapshot.subscribe(),
        why: engine.why.subscribe(),
        tree: Arc::new(move || tree.snapshot()),
        health: Arc::new(move || health(&about)),
        metrics: Some(scrape),
        records: Arc::new(StoreRecords {
            reader: engine.reader.clone(),
            repo_id: engine.repo_id.clone(),
            artifacts,
        }),
        clock: Arc::clone(&engine.clock),
    }
}

/// Nothing that is impaired here loses work: the process itself is well.
fn health(engine: &Engine) -> Health {
    let stopped = engine.gate.closed().filter(|_| !engine.gate.is_draining());
    let stopped = stopped.map(|wait| format!("Nothing new starts: {}", wait.reason));
    let unreached = || Some(engine.telemetry.borrow().what.clone()).filter(|what| !what.is_empty());
    stopped.or_else(unreached).map_or(Health::Ok, Health::Degraded)
}

/// Binds the address; when it was not asked for, the next free port will do.
///
/// # Errors
///
/// Returns why the address cannot be had.
pub(crate) fn bind(address: &str, is_explicit: bool) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let asked: SocketAddr = address.parse().map_err(|_| {
        anyhow::anyhow!(
            "web.listen (--listen) `{address}` is not an address; write one such as 127.0.0.1:3000"
        )
    })?;
    anyhow::ensure!(
        asked.ip().is_loopback(),
        "web.listen (--listen) {asked} is reachable from other machines, and the pages have no login yet; use 127.0.0.1"
    );
    let ports = if is_explicit {
        asked.port()..=asked.port()
    } else {
        asked.port()..=asked.port().saturating_add(99)
    };
    let mut last = None;
    for port in ports {
        match TcpListener::bind(SocketAddr::new(asked.ip(), port)) {
            Ok(listener) => {
                listener.set_nonblocking(true)?;
                let bound = listener.local_addr()?;
                return Ok((listener, bound));
            }
            Err(error) => last = Some(error),
        }
    }
    let why = last.map(|error| error.to_string()).unwrap_or_default();
    anyhow::bail!(
        "web.listen (--listen) {asked} cannot be had: {why}; end what holds it, or name another address"
    )
}

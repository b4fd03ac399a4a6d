//! The thread that starts all processes.
//!
//! A parent-death signal is sent when the *thread* that started the child ends, and runtimes end idle threads; this
//! one lives as long as the engine.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{OnceLock, mpsc};
use std::thread;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// What a process does for those it leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Orphans {
    /// Its grandchildren stay its descendants when their parents end, so that a walk finds them. It is asked to end when
    /// the engine has ended, and ends them before.
    Adopt,
    /// They go where the system puts them.
    Leave,
}

/// Starts a process in its own group, which hears of it when the engine dies.
pub(super) async fn spawn(mut command: Command, orphans: Orphans) -> io::Result<Child> {
    command.process_group(0).kill_on_drop(true);
    die_with_parent(&mut command, orphans);
    let runtime = Handle::current();
    let (reply, spawned) = oneshot::channel();
    let job = Box::new(move || {
        let _within = runtime.enter();
        // Nobody waits any more when the caller was dropped; the child is killed with its handle.
        let _ = reply.send(command.spawn());
    });
    jobs()?.send(job).map_err(|_| io::Error::other("the thread that starts processes ended"))?;
    spawned.await.unwrap_or_else(|_| Err(io::Error::other("the runtime is shutting down")))
}

fn jobs() -> io::Result<&'static mpsc::Sender<Job>> {
    static JOBS: OnceLock<Result<mpsc::Sender<Job>, String>> = OnceLock::new();
    JOBS.get_or_init(|| start_thread().map_err(|error| error.to_string()))
        .as_ref()
        .map_err(|error| io::Error::other(format!("cannot start the thread that starts processes: {error}")))
}

fn start_thread() -> io::Result<mpsc::Sender<Job>> {
    let (sender, receiver) = mpsc::channel::<Job>();
    thread::Builder::new().name("spawner".into()).spawn(move || {
        for job in receiver {
            // A runtime that shuts down panics on new input sources. That is the caller's end, not this thread's.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    })?;
    Ok(sender)
}

#[expect(unsafe_code, reason = "only code between fork and exec can ask for the parent-death signal")]
fn die_with_parent(command: &mut Command, orphans: Orphans) {
    let engine = Pid::this();
    // Who adopts orphans outlives the engine for as long as it takes to end them: it must be there to find them by.
    let at_the_end = match orphans {
        Orphans::Adopt => Signal::SIGTERM,
        Orphans::Leave => Signal::SIGKILL,
    };
    let prepare = move || {
        prctl::set_pdeathsig(at_the_end)?;
        if orphans == Orphans::Adopt {
            prctl::set_child_subreaper(true)?;
        }
        // The engine may have died before the signal was asked for.
        if getppid() == engine { Ok(()) } else { Err(Errno::ESRCH.into()) }
    };
    // SAFETY: between fork and exec the closure makes three system calls and neither allocates nor takes a lock.
    unsafe {
        command.pre_exec(prepare);
    }
}

//! Programs that may leave children behind: tests and agents.
//!
//! Such a program runs behind a shim, a small shell script that leads its process group. The shim waits for one line
//! before the program begins (the gate), so that a record of it can be durable first; when the engine dies before
//! that, the shim reads the end of its input and exits. After the program ended the shim stays: as the adopter of
//! orphans it is the ancestor of everything the program started, also of what left the group and forgot its
//! environment, so a walk finds all of it. Only then does the shim go.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

use super::engine::Engine;
use super::output::Capture;
use super::spawner::{self, Orphans};
use super::tree::Tree;
use super::{ChildWatch, Command, Exit, MARKER, ProcessError, RunLimits, Stream};

/// Input 0 is a socket: the gate comes in by it, the program's status goes out. A caught signal, unlike an ignored
/// one, is not inherited, so the program still hears SIGTERM while the shim survives it; so it survives the end of the
/// engine, too, of which it is told by that signal.
///
/// The guard beside the program reads on: when the engine is gone, it kills what the shim has, as often as something is
/// there. What was killed leaves its own children to the shim, so in the end nothing is left, whatever session or
/// environment it has; then the group goes, the shim and the guard with it. Of zombies something is always there, hence
/// the bound.
const SHIM: &str = "\
read -r _ || exit 125
exec 3<&0
hunt() {
  read -r me _ </proc/self/stat
  n=0 found=1
  while [ -n \"$found\" ] && [ $n -lt 500 ]; do
    n=$((n + 1)) found=
    for t in /proc/$$/task/*/children; do
      kids=
      read -r kids <\"$t\"
      for kid in $kids; do
        [ \"$kid\" = \"$me\" ] || [ \"$kid\" = \"$1\" ] || { found=1; kill -KILL \"$kid\"; }
      done
    done
  done
  kill -KILL 0
}
(read -r _ <&3; hunt) </dev/null >/dev/null 2>&1 &
trap : TERM INT HUP PIPE
\"$@\" </dev/null 3<&-
echo \"$?\" >&0
read -r _ || hunt $! >/dev/null 2>&1
";

/// How long the output may stay open after everything that could write to it is gone.
const DRAIN_WAIT: Duration = Duration::from_secs(2);

/// How a contained program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// How it exited.
    pub exit: Exit,
    /// Why it ended.
    pub cause: Cause,
    /// How long it took, with the end of what it left behind.
    pub took: Duration,
    /// What it printed, both streams as they came, the middle left out when there was too much.
    pub output: String,
    /// Processes that could not be killed.
    pub survivors: Vec<u32>,
}

/// Why a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It was done.
    Itself,
    /// Its time was over.
    Timeout,
    /// Its watcher asked for it.
    Stopped,
}

/// Runs a program and ends all it started, however it ends. Dropping the future kills them too.
///
/// # Errors
///
/// Fails when it cannot be started, or when its watcher does not let it begin.
pub async fn run(
    command: &Command,
    limits: &RunLimits,
    grace: Duration,
    watch: &dyn ChildWatch,
) -> Result<Finished, ProcessError> {
    let began = Instant::now();
    let mut running = Running::start(command).await?;
    let process = running.tree.leader.clone();
    if let Err(source) = watch.started(&process).await {
        return Err(ProcessError::Refused { program: command.program.clone(), source });
    }
    let mut capture = Capture::head_and_tail(limits.max_output_bytes);
    let ending = running.drive(limits, grace, watch, &mut capture).await;
    watch.ended(&process).await;
    let (exit, cause, survivors) =
        ending.map_err(|source| ProcessError::Lost { program: command.program.clone(), source })?;
    if !survivors.is_empty() {
        tracing::warn!(pids = ?survivors, program = ?command.program, "processes could not be killed");
    }
    Ok(Finished { exit, cause, took: began.elapsed(), output: capture.into_text(), survivors })
}

/// A shim and the engine's end of its socket. The tree is dropped first: it finds the others through the shim.
struct Running {
    tree: Tree,
    shim: Child,
    control: UnixStream,
}

impl Running {
    async fn start(command: &Command) -> Result<Self, ProcessError> {
        let failed = |source| ProcessError::Spawn {
            program: command.program.clone(),
            directory: command.directory.clone(),
            source,
        };
        let marker = Engine::current().next_marker();
        let (ours, theirs) = StdUnixStream::pair().map_err(failed)?;
        ours.set_nonblocking(true).map_err(failed)?;
        let control = UnixStream::from_std(ours).map_err(failed)?;
        let shim = shim(command, &marker, theirs.into());
        let shim = spawner::spawn(shim, Orphans::Adopt).await.map_err(failed)?;
        let pid = shim.id().ok_or_else(|| failed(std::io::Error::other("it ended at once")))?;
        Ok(Self { tree: Tree::behind_shim(pid, marker), shim, control })
    }

    async fn drive(
        &mut self,
        limits: &RunLimits,
        grace: Duration,
        watch: &dyn ChildWatch,
        capture: &mut Capture,
    ) -> std::io::Result<(Exit, Cause, Vec<u32>)> {
        let (stdout, stderr) = (self.shim.stdout.take(), self.shim.stderr.take());
        let output = pump(stdout, stderr, capture, watch);
        tokio::pin!(output);
        let ending = self.supervise(limits.timeout, grace, watch);
        tokio::pin!(ending);
        tokio::select! {
            ended = &mut ending => {
                // Whoever still holds the output could not be killed; what it wrote until now is enough.
                let _ = timeout(DRAIN_WAIT, output).await;
                ended
            }
            () = &mut output => ending.await,
        }
    }

    /// Opens the gate, waits for the first reason to end, and ends everything.
    async fn supervise(
        &mut self,
        time: Duration,
        grace: Duration,
        watch: &dyn ChildWatch,
    ) -> std::io::Result<(Exit, Cause, Vec<u32>)> {
        // A shim that is gone already is seen by the read.
        let _ = self.control.write_all(b"\n").await;
        let mut control = BufReader::new(&mut self.control);
        let mut line = String::new();
        let cause = tokio::select! {
            _ = control.read_line(&mut line) => Cause::Itself,
            // Killed from inside; its end of the socket is still open in the guard.
            _ = self.shim.wait() => Cause::Itself,
            () = sleep(time) => Cause::Timeout,
            () = watch.stop_requested() => Cause::Stopped,
        };
        let survivors = self.tree.end(grace).await;
        if cause != Cause::Itself {
            // With the program gone the shim tells how it ended, unless the shim itself is gone.
            let _ = timeout(DRAIN_WAIT, control.read_line(&mut line)).await;
        }
        // An error says that the shim is gone already.
        let _ = self.shim.start_kill();
        let status = self.shim.wait().await?;
        let exit = line.trim().parse().map_or_else(|_| Exit::from(status), Exit::from_shell);
        Ok((exit, cause, survivors))
    }
}

fn shim(command: &Command, marker: &str, control: OwnedFd) -> tokio::process::Command {
    let mut shim = tokio::process::Command::new("sh");
    shim.args(["-c", SHIM, "glitchlab"])
        .arg(&command.program)
        .args(&command.arguments)
        .current_dir(&command.directory)
        .env_clear()
        .envs(command.environment.iter())
        .env(MARKER, marker)
        .stdin(Stdio::from(control))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    shim
}

/// Reads both streams until everyone who could write to them is gone.
async fn pump(
    stdout: Option<impl AsyncRead + Unpin>,
    stderr: Option<impl AsyncRead + Unpin>,
    capture: &mut Capture,
    watch: &dyn ChildWatch,
) {
    let (Some(mut stdout), Some(mut stderr)) = (stdout, stderr) else { return };
    let (mut out, mut err) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    let (mut out_open, mut err_open) = (true, true);
    while out_open || err_open {
        let (buffer, read, open, from) = tokio::select! {
            read = stdout.read(&mut out), if out_open => (&out, read, &mut out_open, Stream::Out),
            read = stderr.read(&mut err), if err_open => (&err, read, &mut err_open, Stream::Err),
        };
        match read {
            Ok(bytes @ 1..) => {
                capture.push(&buffer[..bytes]);
                watch.heard(from, &buffer[..bytes]);
            }
            Ok(0) | Err(_) => *open = false,
        }
    }
}

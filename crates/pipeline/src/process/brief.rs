//! Programs that end by themselves: git.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin};
use tokio::time::timeout;

use super::engine::Engine;
use super::output::Capture;
use super::spawner::{self, Orphans};
use super::tree::Tree;
use super::{Command, Exit, MARKER, ProcessError};

/// How much of the error stream is kept.
const STDERR_BYTES: usize = 16 * 1024;
const GRACE: Duration = Duration::from_secs(2);
/// How long the output is read after the program ended.
const DRAIN_WAIT: Duration = Duration::from_secs(1);

/// What a program said.
#[derive(Debug)]
pub struct Said {
    /// How it exited.
    pub exit: Exit,
    /// Its output.
    pub stdout: Capture,
    /// Its error output, the middle left out when there was too much.
    pub stderr: String,
}

/// Runs a program to its end. Dropping the future kills it with all it started.
///
/// # Errors
///
/// Fails when it cannot be started, or when its time is over; then it is ended with all it started.
pub async fn run(command: &Command, time: Duration, stdout: Capture) -> Result<Said, ProcessError> {
    let mut child = start(command).await?;
    let mut tree = Tree::direct(child.id().unwrap_or_default());
    let lost = |source| ProcessError::Lost { program: command.program.clone(), source };
    if let Ok(said) = timeout(time, listen(&mut child, &command.input, stdout)).await {
        tree.release();
        return said.map_err(lost);
    }
    tree.end(GRACE).await;
    child.wait().await.map_err(lost)?;
    Err(ProcessError::TimedOut { program: command.program.clone(), after_ms: time.as_millis() })
}

async fn start(command: &Command) -> Result<Child, ProcessError> {
    let mut process = tokio::process::Command::new(&command.program);
    process
        .args(&command.arguments)
        .current_dir(&command.directory)
        .env_clear()
        .envs(command.environment.iter())
        .env(MARKER, Engine::current().next_marker())
        .stdin(if command.input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    spawner::spawn(process, Orphans::Leave).await.map_err(|source| ProcessError::Spawn {
        program: command.program.clone(),
        directory: command.directory.clone(),
        source,
    })
}

async fn listen(child: &mut Child, input: &[u8], mut stdout: Capture) -> std::io::Result<Said> {
    let mut stderr = Capture::head_and_tail(STDERR_BYTES);
    let (to, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let exit = {
        let talk =
            async { tokio::join!(feed(to, input), read_all(out, &mut stdout), read_all(err, &mut stderr)) };
        tokio::pin!(talk);
        tokio::select! {
            exit = child.wait() => {
                // Something that a hook started may hold the output open for ever.
                let _ = timeout(DRAIN_WAIT, talk).await;
                exit?
            }
            _ = &mut talk => child.wait().await?,
        }
    };
    Ok(Said { exit: exit.into(), stdout, stderr: stderr.into_text() })
}

/// A program that does not read to the end tells so by its exit code, so errors don't matter here.
async fn feed(to: Option<ChildStdin>, input: &[u8]) {
    if let Some(mut to) = to {
        let _ = to.write_all(input).await;
    }
}

async fn read_all(from: Option<impl AsyncRead + Unpin>, capture: &mut Capture) {
    let Some(mut from) = from else { return };
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(bytes @ 1..) = from.read(&mut buffer).await {
        capture.push(&buffer[..bytes]);
    }
}

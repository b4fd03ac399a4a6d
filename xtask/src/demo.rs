//! Starts `glitchlab continuous --demo` as a person would, finds its address, and ends it by its own id.

use std::fs::{self, File};
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::process::{cargo, command, for_each_line, run, succeeds};
use crate::workspace;

const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(60);
const BASE: &str = "http://127.0.0.1:";

/// Which program is looked at.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Build the optimised program, not the one that the tests use
    #[arg(long)]
    release: bool,
    /// Use this program and build nothing
    #[arg(long, value_name = "PATH", conflicts_with = "release")]
    program: Option<PathBuf>,
}

impl Options {
    /// Takes the optimised program where no other is named.
    pub(crate) fn or_release(self) -> Self {
        Self { release: self.program.is_none(), ..self }
    }

    /// Builds the program where that is asked for, and returns its path.
    pub(crate) fn build(&self) -> Result<PathBuf> {
        match &self.program {
            Some(program) => {
                program.canonicalize().with_context(|| format!("no program at {}", program.display()))
            }
            None if self.release => built(&["build", "--release", "--package", "glitchlab"], "release"),
            // The tests' own build, so that the suite compiles the program once.
            None => built(&["test", "--workspace", "--no-run", "--quiet"], "debug"),
        }
    }
}

fn built(arguments: &[&str], profile: &str) -> Result<PathBuf> {
    run(&mut cargo(arguments))?;
    let program = workspace::target().join(profile).join("glitchlab");
    if !program.is_file() {
        bail!("`cargo {}` left no program at {}", arguments.join(" "), program.display());
    }
    Ok(program)
}

/// A running demo; dropping it kills the process.
pub(crate) struct Demo {
    child: Child,
    address: String,
    log: PathBuf,
}

impl Demo {
    /// Starts the demo on a free port and waits for the address that it prints; what it prints goes to a log file.
    pub(crate) fn start(program: &Path) -> Result<Self> {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        Self::run(command(program).args(["continuous", "--demo", "--listen", "127.0.0.1:0"]), &name)
    }

    /// Starts an engine that is described already, in the same way; `name` is for its log.
    pub(crate) fn run(engine: &mut Command, name: &str) -> Result<Self> {
        let log = log_file(name)?;
        let file = File::create(&log).with_context(|| format!("can't write {}", log.display()))?;
        engine.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = engine
            .spawn()
            .with_context(|| format!("can't start {}", engine.get_program().to_string_lossy()))?;
        let lines = follow(&mut child, file);
        let mut demo = Self { child, address: String::new(), log };
        demo.address = demo.wait_for_address(&lines)?;
        println!("demo at {}, log in {}", demo.address, demo.log.display());
        Ok(demo)
    }

    /// Returns where its pages are, without a slash at the end.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Asks the demo to end and waits until it has; anything but an orderly end is an error.
    pub(crate) fn stop(mut self) -> Result<()> {
        succeeds("sh", &["-c", &format!("kill -TERM {}", self.child.id())]);
        match self.wait(STOP)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => bail!("the demo did not drain: it ended with {status}\n{}", self.last_lines()),
            None => {
                bail!("the demo was still there {} s after SIGTERM\n{}", STOP.as_secs(), self.last_lines())
            }
        }
    }

    fn wait_for_address(&self, lines: &Receiver<String>) -> Result<String> {
        let deadline = Instant::now() + START;
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(address) = address_in(&line) {
                        return Ok(address);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    bail!("no address within {} s\n{}", START.as_secs(), self.last_lines())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("the demo ended before it printed an address\n{}", self.last_lines())
                }
            }
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a plain program without a runtime waits for another process"
    )]
    fn wait(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        let start = Instant::now();
        while start.elapsed() < limit {
            if let Some(status) = self.child.try_wait().context("lost sight of the demo")? {
                return Ok(Some(status));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(None)
    }

    fn last_lines(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(15)..].join("\n  ");
        format!("its last words, from {}:\n  {last}", self.log.display())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Both fail only for a process that is gone, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_file(name: &str) -> Result<PathBuf> {
    let folder = workspace::target().join("xtask");
    fs::create_dir_all(&folder).with_context(|| format!("can't create {}", folder.display()))?;
    Ok(folder.join(format!("{name}-demo.log")))
}

/// Copies both outputs to the file, and hands on their lines as long as someone listens.
fn follow(child: &mut Child, file: File) -> Receiver<String> {
    let file = Arc::new(Mutex::new(file));
    let (sender, receiver) = mpsc::channel();
    let stdout = child.stdout.take().expect("the standard output was asked for");
    let stderr = child.stderr.take().expect("the standard error was asked for");
    follow_one(stdout, Arc::clone(&file), sender.clone());
    follow_one(stderr, file, sender);
    receiver
}

fn follow_one(stream: impl Read + Send + 'static, file: Arc<Mutex<File>>, sender: Sender<String>) {
    thread::spawn(move || {
        for_each_line(stream, |line| {
            // A log that can't be written must not keep the demo's pipe from being read.
            let _ = writeln!(file.lock().unwrap_or_else(PoisonError::into_inner), "{line}");
            let _ = sender.send(line.to_owned());
        });
    });
}

fn address_in(line: &str) -> Option<String> {
    let rest = &line[line.find(BASE)? + BASE.len()..];
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (port.parse::<u16>().ok()? > 0).then(|| format!("{BASE}{port}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn program(name: &str, script: &str) -> PathBuf {
        let path = workspace::target().join("xtask").join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn the_address_is_found_in_whatever_surrounds_it() {
        let found = address_in("  dashboard  \u{1b}[1mhttp://127.0.0.1:40123/\u{1b}[0m  (Ctrl-C stops)");
        assert_eq!(found.as_deref(), Some("http://127.0.0.1:40123"));
        assert_eq!(address_in("http://127.0.0.1:0/"), None);
        assert_eq!(address_in("http://127.0.0.1:"), None);
        assert_eq!(address_in("no address here"), None);
    }

    #[test]
    fn a_demo_that_prints_its_address_and_drains_is_good() {
        let path = program(
            "drains",
            "trap 'exit 0' TERM\necho at http://127.0.0.1:4242/ >&2\nwhile :; do sleep 0.05; done",
        );
        let demo = Demo::start(&path).unwrap();
        assert_eq!(demo.address(), "http://127.0.0.1:4242");
        demo.stop().unwrap();
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_demo_that_ends_without_an_address_is_quoted() {
        let path = program("refuses", "echo 'unknown flag --demo' >&2\nexit 2");
        let error = Demo::start(&path).map(|_| ()).expect_err("it printed no address");
        assert!(error.to_string().contains("ended before it printed an address"), "{error}");
        assert!(error.to_string().contains("unknown flag --demo"), "{error}");
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_demo_that_ends_badly_is_an_error() {
        let path =
            program("fails", "trap 'exit 7' TERM\necho http://127.0.0.1:4242\nwhile :; do sleep 0.05; done");
        let error = Demo::start(&path).unwrap().stop().expect_err("it ended with 7");
        assert!(error.to_string().contains("exit status: 7"), "{error}");
        fs::remove_file(path).unwrap();
    }
}

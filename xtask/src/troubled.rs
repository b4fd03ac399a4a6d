//! An engine in trouble, for the page of alerts: its tests are red whatever is done, so that tasks wait for a person and
//! the dispatch breaker opens; one receiver takes what it is told, another one does not.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context as _, Result};

use crate::demo::Demo;
use crate::process::{command, run};
use crate::workspace;

const TASKS: u32 = 9;
/// Whom a person has given up on, so that an alert has ended.
const DROPPED: [&str; 2] = ["ops-1", "ops-2"];

/// A folder with a repository, removed when it is dropped.
pub(crate) struct Troubled {
    folder: PathBuf,
}

impl Troubled {
    /// Makes the repository and its backlog.
    pub(crate) fn prepare() -> Result<Self> {
        let folder = workspace::target().join("xtask").join(format!("troubled-{}", std::process::id()));
        let troubled = Self { folder };
        let settings = troubled.repo().join(".glitchlab");
        fs::create_dir_all(&settings).context("can't make a folder for the alerts")?;
        let write = |path: PathBuf, text: &str| {
            fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))
        };
        write(troubled.repo().join("README.md"), "A repository whose tests are red.\n")?;
        write(settings.join("config.toml"), SETTINGS)?;
        write(troubled.backlog(), &(1..=TASKS).map(bead).collect::<String>())?;
        for words in GIT {
            run(command("git").arg("-C").arg(troubled.repo()).args(*words))?;
        }
        Ok(troubled)
    }

    /// Starts the engine; its receivers listen as long as this program runs.
    pub(crate) fn start(&self, program: &Path) -> Result<Demo> {
        let mut engine = self.program(program, "continuous");
        engine.args(["--model", "simulated/fast", "--test", "false", "--listen", "127.0.0.1:0"]);
        engine.arg("--backlog").arg(self.backlog());
        engine.env("CHAT_HOOK", receiver("204 No Content")?).env("PAGER_HOOK", receiver("500 Broken")?);
        engine.env("HOOK_SECRET", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        Demo::run(&mut engine, "troubled")
    }

    /// Puts away two of the tasks that wait for a person.
    pub(crate) fn give_up_on_some(&self, program: &Path) -> Result<()> {
        DROPPED.iter().try_for_each(|task| run(self.program(program, "drop").arg(task)))
    }

    fn program(&self, program: &Path, verb: &str) -> Command {
        let mut command = command(program);
        command
            .arg(verb)
            .arg("--repo")
            .arg(self.repo())
            .arg("--store")
            .arg(self.folder.join("state/state.db"));
        command
    }

    fn repo(&self) -> PathBuf {
        self.folder.join("observatory")
    }

    fn backlog(&self) -> PathBuf {
        self.folder.join("backlog.jsonl")
    }
}

impl Drop for Troubled {
    fn drop(&mut self) {
        // What is left lies in the build folder and disturbs nobody.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

const SETTINGS: &str = r#"[alerts]
webhooks = [
  { url_env = "CHAT_HOOK", secret_env = "HOOK_SECRET", format = "json" },
  { url_env = "PAGER_HOOK", format = "alertmanager" },
]

[work]
attempts = 1

[store]
min_free_disk = "64MiB"
"#;

const GIT: &[&[&str]] = &[
    &["init", "--quiet", "-b", "main"],
    &["config", "user.name", "Glitchlab Demo"],
    &["config", "user.email", "demo@example.invalid"],
    &["add", "."],
    &["commit", "--quiet", "-m", "Begin"],
];

fn bead(n: u32) -> String {
    let at = "2026-01-01T00:00:00Z";
    let bead = serde_json::json!({
        "id": format!("ops-{n}"),
        "title": format!("Calibrate mirror {n}"),
        "description": "Its offset is wrong by a tenth of a degree.",
        "priority": 1,
        "issue_type": "task",
        "status": "open",
        "created_at": at,
        "updated_at": at,
    });
    format!("{bead}\n")
}

/// Listens for alerts, answers each in one way, and returns where.
fn receiver(answer: &'static str) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").context("can't listen for alerts")?;
    let address = listener.local_addr().context("a socket without an address")?;
    thread::spawn(move || {
        // A sender that breaks off tries again.
        listener.incoming().flatten().for_each(|stream| drop(take(stream, answer)));
    });
    Ok(format!("http://{address}/hook"))
}

fn take(mut stream: TcpStream, answer: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        let lower = line.to_ascii_lowercase();
        if let Some(said) = lower.strip_prefix("content-length:") {
            length = said.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    reader.read_exact(&mut vec![0; length])?;
    write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

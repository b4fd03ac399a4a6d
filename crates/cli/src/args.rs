//! The command line. Every flag is a configuration key too; a flag wins.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::config::flags::Flags;

/// Works through a software backlog on its own: supervised, within a budget, while you watch.
#[derive(Debug, Parser)]
#[command(name = "glitchlab", version, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Takes tasks from the backlog one by one, day and night, until it is stopped
    Continuous(Box<Continuous>),
    /// Says what the engine of a repository does and what it has spent
    Status(Place),
    /// Serves the pages of an engine in a process of its own, whether the engine runs or not
    Dashboard(Dashboard),
    /// Says why nothing starts, or why one task does not, and what unblocks it
    Why(Why),
    /// Draws the trace of a task: all its attempts, stages and model calls, and those of its sub-tasks
    Trace(Named),
    /// Works on one task of the backlog, then ends with its outcome
    Run(Box<Run>),
    /// Starts nothing new until it is resumed; what runs is finished
    Pause(Pause),
    /// Lets new tasks start again
    Resume(Place),
    /// Lets the engine finish what runs, then end
    Stop(Place),
    /// Lets a task that waits for you go on, with what it waits for granted
    Approve(Named),
    /// Begins a task again, or ends its rest
    Retry(Named),
    /// Puts a task away; if it runs, its attempt is called back
    Drop(Drop),
    /// Has the system keep an engine running
    Service(Service),
    /// Lists what fires and what was told, or tries whether receivers can be told
    Alerts {
        #[command(subcommand)]
        what: Alerts,
    },
    /// Says which settings count and where each was set
    Config(Config),
    /// Writes a commented configuration, with the test command that it finds
    Init(Init),
    /// Checks everything that an engine needs, and says what to do about what is wrong
    Doctor(Doctor),
    /// Lists the attempts that have ended, the newest first
    History(History),
    /// Adds up what was spent, by task, model, stage or day
    Report(Report),
}

#[derive(Clone, Debug, Default, Parser)]
pub(crate) struct Continuous {
    /// Works on a temporary repository with a scripted model: nothing real is touched, spent or needed
    #[arg(long, conflicts_with_all = ["repo", "backlog", "store", "model"])]
    pub(crate) demo: bool,
    /// The git repository to work on [default: the current directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) repo: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) keys: Flags,
    /// Ends with a summary when nothing is left to do or to wait for
    #[arg(long)]
    pub(crate) until_idle: bool,
    /// Says what would be done, in which order and for how much, and does nothing
    #[arg(long, conflicts_with = "demo")]
    pub(crate) dry_run: bool,
    /// Prints JSON
    #[arg(long, requires = "dry_run")]
    pub(crate) json: bool,
    /// The one task to work on.
    #[arg(skip)]
    pub(crate) only: Option<String>,
}

/// What becomes of a task whose tests and review are green.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merge {
    /// Leave a branch for a person to merge
    Never,
    /// Merge when tests and review are green
    WhenGreen,
}

#[derive(Clone, Debug, Default, Parser)]
pub(crate) struct Init {
    /// The git repository [default: the current directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) repo: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, Parser)]
pub(crate) struct Doctor {
    /// The git repository [default: the current directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) repo: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) keys: Flags,
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Alerts {
    /// Lists the alerts that fire and the last that are over, and the deliveries that wait or were given up
    List(Place),
    /// Sends one signed test alert to each receiver and says what came back
    Test(TestAlerts),
}

#[derive(Clone, Debug, Default, Parser)]
pub(crate) struct TestAlerts {
    /// The git repository [default: the current directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) repo: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) keys: Flags,
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Debug, Default, Parser)]
pub(crate) struct Config {
    /// The git repository [default: the current directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) repo: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) keys: Flags,
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Prints the JSON Schema of the configuration file
    #[arg(long, conflicts_with = "json")]
    pub(crate) schema: bool,
    /// Prints the table of all keys as Markdown
    #[arg(long, conflicts_with_all = ["json", "schema"])]
    pub(crate) markdown: bool,
}

#[derive(Clone, Debug, Default, Parser)]
pub(crate) struct Run {
    /// The task's id in the backlog
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) how: Continuous,
}

/// Whose engine is meant, and how the answer is printed.
#[derive(Clone, Debug, Default, Parser)]
pub(crate) struct Place {
    /// The git repository [default: the current directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) repo: Option<PathBuf>,
    /// The store [default: glitchlab/state.db in the user's state directory]
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<String>,
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Place {
    /// Returns the settings that count there, with the backlog that was named beside it.
    pub(crate) fn settings(&self, backlog: Option<&String>) -> Continuous {
        let given = [("backlog.path", backlog), ("store.url", self.store.as_ref())];
        let set = given.into_iter().filter_map(|(key, word)| Some((key, word?)));
        let keys = set.fold(Flags::default(), |keys, (key, word)| keys.or(key, word.clone()));
        Continuous { repo: self.repo.clone(), keys, ..Continuous::default() }
    }
}

#[derive(Clone, Debug, Default, Parser)]
pub(crate) struct Dashboard {
    /// The git repository [default: the current directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) repo: Option<PathBuf>,
    /// The store [default: glitchlab/state.db in the user's state directory]
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<String>,
    /// The beads file [default: that of the settings, else .beads/issues.jsonl in the repository]
    #[arg(long, value_name = "FILE")]
    pub(crate) backlog: Option<String>,
    /// Where the pages are served [default: the next free port from that of the settings on]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
}

impl Dashboard {
    /// Says where the engine is.
    pub(crate) fn place(&self) -> Place {
        Place { repo: self.repo.clone(), store: self.store.clone(), json: false }
    }
}

#[derive(Clone, Debug, Parser)]
pub(crate) struct Service {
    #[command(subcommand)]
    pub(crate) command: ServiceCommand,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// Writes a systemd unit of your own that starts the engine and starts it again when it fails or hangs
    Install(Install),
}

#[derive(Clone, Debug, Default, Parser)]
pub(crate) struct Install {
    /// The git repository [default: the current directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) repo: Option<PathBuf>,
    /// The unit's name without its ending [default: glitchlab- and the name of the repository]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Prints the unit and writes nothing
    #[arg(long)]
    pub(crate) print: bool,
    /// Replaces a unit that is there and says something else
    #[arg(long)]
    pub(crate) force: bool,
    /// Flags of `glitchlab continuous`, after `--`
    #[arg(last = true, value_name = "FLAGS")]
    pub(crate) flags: Vec<String>,
}

#[derive(Clone, Debug, Default, Parser)]
pub(crate) struct Pause {
    /// Why, for those who look later
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
    /// Resumes by itself after this time, such as 30m or 2h
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) length: Option<String>,
    /// Puts down what runs; it goes on where it was when the pause is over
    #[arg(long)]
    pub(crate) now: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Clone, Debug, Default, Parser)]
pub(crate) struct Named {
    /// The task's id in the backlog; for `approve` also a model that billed too much, for `trace` also a trace's id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Clone, Debug, Default, Parser)]
pub(crate) struct Drop {
    /// The task's id in the backlog
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Why, for those who look later
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Clone, Debug, Default, Parser)]
pub(crate) struct Why {
    /// The task's id in the backlog; without it, why nothing starts
    #[arg(value_name = "ID")]
    pub(crate) id: Option<String>,
    /// The beads file [default: that of the settings, else .beads/issues.jsonl in the repository]
    #[arg(long, value_name = "FILE")]
    pub(crate) backlog: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Clone, Debug, Parser)]
pub(crate) struct History {
    /// Only what ended within this time, such as 7d or 12h
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only this task
    #[arg(long, value_name = "ID")]
    pub(crate) task: Option<String>,
    /// The most attempts
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    /// Prints CSV
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Clone, Debug, Parser)]
pub(crate) struct Report {
    /// How far back, such as 7d or 12h
    #[arg(long, value_name = "TIME", default_value = "7d")]
    pub(crate) since: String,
    /// What to add up by, one or several
    #[arg(long, value_name = "LIST", value_enum, value_delimiter = ',', default_value = "task")]
    pub(crate) by: Vec<Dimension>,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// What a report adds up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dimension {
    /// The task
    Task,
    /// The model that was asked; attempts count for the one that implements
    Model,
    /// The stage that asked
    Stage,
    /// The day, UTC
    Day,
}

impl Dimension {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Model => "model",
            Self::Stage => "stage",
            Self::Day => "day",
        }
    }
}

//! The table of all settings. Reading, origins, flags, `glitchlab config`, the commented file of `init`, the page
//! `docs/configuration.md` and the JSON Schema all follow from it: a new setting is one entry here.

use super::kind::Kind;

/// One setting.
#[derive(Debug)]
pub(crate) struct Key {
    /// Section and name, such as `work.workers`.
    pub(crate) name: &'static str,
    /// What may be written.
    pub(crate) kind: Kind,
    /// The value when nobody sets it, as TOML.
    pub(crate) default: &'static str,
    /// The flag that sets it, and the name of its value.
    pub(crate) flag: Option<(&'static str, &'static str)>,
    /// Whether a running engine takes a change over.
    pub(crate) reload: Reload,
    /// The user's own file sets the most that any other place may ask for.
    pub(crate) is_ceiling: bool,
    /// What it means, one sentence without its end.
    pub(crate) doc: &'static str,
}

/// Whether a running engine takes a change over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reload {
    /// At the next start.
    Never,
    /// At once.
    Live,
    /// At once when it is lower, else at the next start.
    Lowered,
}

const fn key(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { name, kind, default, flag: None, reload: Reload::Never, is_ceiling: false, doc }
}

impl Key {
    const fn flag(self, name: &'static str, value: &'static str) -> Self {
        Self { flag: Some((name, value)), ..self }
    }

    const fn live(self) -> Self {
        Self { reload: Reload::Live, ..self }
    }

    const fn lowered(self) -> Self {
        Self { reload: Reload::Lowered, ..self }
    }

    const fn ceiling(self) -> Self {
        Self { is_ceiling: true, ..self }
    }

    /// Returns the section, empty for a key at the top.
    pub(crate) fn section(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(section, _)| section)
    }

    /// Returns the name within the section.
    pub(crate) fn own_name(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, name)| name)
    }

    /// Returns the variable of the environment that sets it.
    pub(crate) fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.replace('.', "_").to_uppercase())
    }
}

/// What the variables of this program begin with.
pub(crate) const PREFIX: &str = "GLITCHLAB_";

/// Returns a setting by its name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Returns the sections in order, without the top.
pub(crate) fn sections() -> Vec<&'static str> {
    let mut names: Vec<_> = KEYS.iter().map(Key::section).filter(|section| !section.is_empty()).collect();
    names.dedup();
    names
}

const COUNT: Kind = Kind::Whole { least: 0, most: 1_000_000 };
const FROM_ONE: Kind = Kind::Whole { least: 1, most: 1_000_000 };
const TIME: Kind = Kind::Time { least_ms: 1 };
/// A time that a watchdog can measure.
const SECONDS: Kind = Kind::Time { least_ms: 1_000 };
const CAP: Kind = Kind::Dollars { zero: false, empty: false };
const LIMIT: Kind = Kind::Dollars { zero: true, empty: false };

/// Every setting, section by section.
#[rustfmt::skip]
pub(crate) static KEYS: &[Key] = &[
    key("config_version", Kind::Version, "1", "The version of these keys"),

    key("backlog.path", Kind::Text, r#""""#, "The beads file, from the repository; empty is .beads/issues.jsonl; it is read and never written")
        .flag("backlog", "FILE"),
    key("backlog.include_labels", Kind::Words, "[]", "When not empty, a bead needs one of these labels").live(),
    key("backlog.exclude_labels", Kind::Words, r#"["human", "wip"]"#, "A bead with one of these labels is left to others").live(),
    key("backlog.work_types", Kind::Words, r#"["task", "bug", "feature", "chore"]"#, "Every other type is skipped, with the type as the reason").live(),
    key("backlog.max_priority", COUNT, "4", "The largest priority number that is taken; 0 is highest").live(),
    key("backlog.poll_interval", Kind::Time { least_ms: 100 }, r#""5m""#, "How often the backlog and open requests are looked at, such as 30s or 5m")
        .flag("poll-interval", "TIME").live(),
    key("backlog.close_epics", Kind::Switch, "true", "Close epics whose children are all closed"),

    key("work.workers", Kind::Whole { least: 1, most: 256 }, "1", "How many tasks are worked on at once").flag("workers", "N"),
    key("work.base", Kind::Text, r#""""#, "The branch that tasks start from and go to; empty is the remote's default branch, or the current one"),
    key("work.setup", Kind::Text, r#""""#, "A shell command that is run once in each new worktree"),
    key("work.test", Kind::Text, r#""""#, "The repository's test command, run by sh in each worktree").flag("test", "COMMAND"),
    key("work.allow_untested", Kind::Switch, "false", "Work without a test command: nothing then checks a change but the review")
        .flag("allow-untested", ""),
    key("work.test_timeout", TIME, r#""15m""#, "When a test run is ended"),
    key("work.attempts", FROM_ONE, "3", "Attempts that may fail before a person is asked").live(),
    key("work.approve", Kind::Choice(&["none", "plan", "pr", "size:S", "size:M", "size:L"]), r#""none""#, "What waits for `glitchlab approve`: every plan, plans of tasks of a size or larger, or finished work before its request or merge"),
    key("work.protected", Kind::Words, r#"[".github/**", ".glitchlab/**", ".beads/**"]"#, "Paths that no attempt may change"),
    key("work.author", Kind::Text, r#""""#, "Name <mail> of the commits; empty is the repository's user"),
    key("work.max_diff_lines", FROM_ONE, "1500", "The most added and removed lines of one diff"),
    key("work.max_tasks", COUNT, "0", "The most tasks that one run begins, with their sub-tasks; then it ends or waits; 0 is no limit"),

    key("budget.per_hour", CAP, r#""5.00""#, "Dollars that any rolling hour may cost at most, such as 5.00")
        .flag("budget-per-hour", "USD").lowered().ceiling(),
    key("budget.per_day", Kind::Dollars { zero: false, empty: true }, r#""""#, "Dollars that any rolling 24 hours may cost at most; empty is 8 times the hour's")
        .flag("budget-per-day", "USD").lowered().ceiling(),
    key("budget.spread", Kind::Choice(&["hour", "day"]), r#""hour""#, "Over which time new tasks are spread evenly: the hour's cap over the hour, or the day's over the day"),
    key("budget.per_task", LIMIT, r#""4.00""#, "Dollars that a task may cost with all its attempts and sub-tasks; 0 is no limit").ceiling(),
    key("budget.stop_loss", LIMIT, r#""10.00""#, "Dollars without one success after which the engine pauses and calls a person; 0 is no limit").ceiling(),
    key("budget.billing", Kind::Choice(&["metered", "subscription"]), r#""metered""#, "Whether calls are paid each, or by a subscription, which needs tokens_per_day"),
    key("budget.tokens_per_day", Kind::Whole { least: 0, most: 1_000_000_000_000 }, "0", "Tokens that any rolling 24 hours may use at most; 0 is no limit").ceiling(),
    key("budget.size_tokens", Kind::Sizes, "[20000, 60000, 90000]", "Tokens that a task of size S, M and L may use"),

    key("breaker.failures", FROM_ONE, "5", "So many failures of one kind within the window among twice as many outcomes stop all starts for a while"),
    key("breaker.window", TIME, r#""300s""#, "How far back those failures are counted"),
    key("breaker.cool_down", TIME, r#""10m""#, "How long nothing starts then, before one task is tried"),

    key("models.default", Kind::Text, r#""""#, "The model as provider/model: simulated/fast, simulated/realistic, simulated/subscription or scripted/<file>").flag("model", "MODEL"),

    key("agent.kind", Kind::Soon { now: &["builtin", "command"], later: &["acp", "claude-code"] }, r#""builtin""#, "Who does the edits: the model of the engine, or a program of your own; see docs/agents.md")
        .flag("agent", "KIND"),
    key("agent.command", Kind::Words, "[]", "The program and its arguments, started in the worktree; the places are {prompt_file}, {worktree} and {budget_usd}"),
    key("agent.max_usd_per_run", LIMIT, r#""2.00""#, "Dollars that one run of the program may cost; it is told by {budget_usd}, and nothing here can hold it to that").ceiling(),
    key("agent.overshoot", LIMIT, r#""0.50""#, "Dollars that are set aside for each run beyond that; a run whose cost nobody knows is charged both"),
    key("agent.max_tokens_per_run", Kind::Whole { least: 1, most: 1_000_000_000 }, "1000000", "Tokens that one run counts for until it has said its own, where tokens are limited"),
    key("agent.cost_pointer", Kind::Pointer, r#""""#, "Where the last JSON line that the program prints has its cost in dollars; empty: each run is charged in full"),
    key("agent.input_tokens_pointer", Kind::Pointer, r#""""#, "Where that line has the tokens of its prompts"),
    key("agent.output_tokens_pointer", Kind::Pointer, r#""""#, "Where that line has the tokens of its replies"),

    key("sandbox.pass_env", Kind::Words, "[]", "Variables that the agent's program gets beside the usual ones, such as its key; their values are kept out of what is stored"),

    key("forge.merge", Kind::Choice(&["never", "when_green"]), r#""never""#, "Whether a task whose tests and review are green is merged into the base, or left as a branch")
        .flag("merge", "WHEN"),
    key("forge.max_open", COUNT, "5", "Nothing new starts while so many branches wait for a merge; 0 is no limit").flag("max-open", "N").live(),

    key("web.listen", Kind::Text, r#""127.0.0.1:3000""#, "Where the pages are served; the next free port is taken only when nobody asked for one").flag("listen", "ADDRESS"),

    key("alerts.webhooks", Kind::Webhooks, "[]", "Who is told of alerts: url_env and secret_env name the variables of the environment that hold the address and the secret of a receiver, format is alertmanager, alertmanager-api or json"),

    key("shutdown.drain", TIME, r#""10m""#, "How long running attempts may go on after the first signal"),

    key("watchdog.no_progress", SECONDS, r#""30m""#, "Without progress for so long, what hangs is ended or restarted, and the process itself when that does not help")
        .flag("watchdog-no-progress", "TIME"),
    key("watchdog.stage", SECONDS, r#""2h""#, "The longest that one stage of an attempt may take, waits not counted"),
    key("watchdog.work_product", SECONDS, r#""30m""#, "The longest that an agent may work without a change to its worktree"),
    key("watchdog.agent_silence", SECONDS, r#""5m""#, "The longest that an agent may say nothing"),
    key("watchdog.handler", SECONDS, r#""60s""#, "The longest that an actor may be at one message"),
    key("watchdog.beat", SECONDS, r#""10s""#, "Without an answer of any supervisor for so long, every thread is blocked and the process restarts itself"),
    key("watchdog.start_grace", TIME, r#""5m""#, "After the start, for so long only watchdog.beat counts"),

    key("store.url", Kind::Text, r#""""#, "The store's file; empty is glitchlab/state.db in the user's state directory").flag("store", "FILE"),
    key("store.min_free_disk", Kind::Bytes, r#""5GiB""#, "Nothing new starts with less room than this on the disks that are written"),

    key("telemetry.otlp_endpoint", Kind::Text, r#""""#, "Where spans, metrics and log records are sent by OTLP, such as http://localhost:4318; empty is nowhere, unless the standard variables name a receiver")
        .flag("otlp-endpoint", "URL"),
    key("telemetry.prompts", Kind::Switch, "false", "Keep what models are asked, and send it and what they reply, redacted, with the spans of their calls"),
    key("telemetry.messages", Kind::Whole { least: 0, most: 1_000_000_000 }, "0", "Of so many chains of messages between actors one is sent as spans; 1 is all, 0 is none"),
    key("telemetry.log_format", Kind::Choice(&["auto", "human", "json"]), r#""auto""#, "How log lines are written; auto is for people on a terminal and JSON elsewhere")
        .flag("log-format", "FORMAT"),
];

/// What is drawn and not built yet: sections, and single keys. Each is refused by name instead of being ignored.
pub(crate) const PLANNED: &[&str] =
    &["backlog.source", "forge.draft", "forge.kind", "sandbox.mode", "sandbox.network", "tqm"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_grouped_by_section() {
        let mut names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KEYS.len());
        let mut groups = sections();
        groups.sort_unstable();
        groups.dedup();
        assert_eq!(groups.len(), sections().len(), "a section is not in one piece");
    }

    #[test]
    fn the_variable_follows_from_the_name() {
        let key = find("work.max_diff_lines").expect("it is in the table");
        assert_eq!(key.variable(), "GLITCHLAB_WORK_MAX_DIFF_LINES");
    }
}

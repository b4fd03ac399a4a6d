//! Programs that edit: real scripts, a real engine, real tests. Whatever such a program does, it is contained, charged
//! and reported, and nothing of it is left.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use glitchlab_domain::ledger::REAL;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::{FailureKind, Outcome};
use glitchlab_domain::rows::{AttemptRow, CallRow, CallState};
use glitchlab_domain::task::TaskState;

use crate::support::{Ended, Run, Scratch, bead, get, pause, text, wait_for};

/// What a run costs at most in these scenarios: the cap and the overshoot.
const BOUND: MicroUsd = MicroUsd::new(300_000);

/// A repository with an agent of its own.
struct Shop {
    scratch: Scratch,
    agent: PathBuf,
}

impl Shop {
    /// Writes the agent as a shell script, and the settings that name it. `more` are lines for its section.
    fn new(script: &str, more: &str) -> Self {
        let scratch = Scratch::new();
        let agent = scratch.path().join("agent.sh");
        fs::write(&agent, format!("#!/bin/sh\nprompt=$1 worktree=$2 budget=$3 out={}\n{script}", text(scratch.path())))
            .expect("the agent is written");
        fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).expect("it may be run");
        scratch.configure(&format!(
            "[agent]\nkind = \"command\"\ncommand = [\"{}\", \"{{prompt_file}}\", \"{{worktree}}\", \"{{budget_usd}}\"]\n\
             max_usd_per_run = \"0.25\"\novershoot = \"0.05\"\n{more}\n",
            text(&agent)
        ));
        scratch.backlog(&bead("a-1", 1, ""));
        Self { scratch, agent }
    }

    fn arguments(&self) -> Vec<String> {
        let backlog = self.scratch.path().join("backlog.jsonl");
        let given = [
            "--model", "simulated/fast", "--test", "grep -q fixed sum.txt", "--merge", "when_green", "--until-idle",
            "--budget-per-hour", "10", "--budget-per-day", "100", "--backlog", text(&backlog),
        ];
        given.iter().map(ToString::to_string).collect()
    }

    fn start(&self) -> Run {
        let arguments = self.arguments();
        self.scratch.start(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Lets the engine try the task once.
    fn run(&self) -> Ended {
        self.start().wait()
    }

    fn runs(&self) -> Vec<CallRow> {
        let calls = self.scratch.calls_of(REAL);
        calls.into_iter().filter(|call| call.model == "agent/agent.sh").collect()
    }

    fn attempts(&self) -> Vec<AttemptRow> {
        self.scratch.attempts_of("a-1")
    }

    /// Returns what the agent said in its last run.
    fn transcript(&self) -> String {
        let folder = self.scratch.path().join("state/agents");
        let attempt = self.attempts().pop().expect("an attempt").attempt_id;
        let mut files: Vec<PathBuf> = fs::read_dir(folder.join(attempt.as_str()))
            .expect("its files are there")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| text(path).ends_with("-output.txt"))
            .collect();
        files.sort();
        fs::read_to_string(files.pop().expect("a transcript")).expect("it is read")
    }

    /// Returns the processes that the agent wrote down.
    fn pids(&self) -> Vec<u32> {
        let list = fs::read_to_string(self.scratch.path().join("pids")).unwrap_or_default();
        list.lines().filter_map(|line| line.trim().parse().ok()).collect()
    }
}

fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

fn failure(attempt: &AttemptRow) -> Option<FailureKind> {
    match attempt.outcome {
        Some(Outcome::Retryable { failure, .. }) => Some(failure),
        _ => None,
    }
}

#[test]
fn an_agent_makes_the_change_the_tests_turn_green_and_it_is_merged() {
    let shop = Shop::new(
        "if [ -f sum.txt ]; then grep -q 'tests fail' \"$prompt\" && echo fixed >sum.txt; git commit -qam 'my own'; else\n\
         grep -q a-1 \"$prompt\" || exit 9; echo red >sum.txt; printf 'a\\0b' >logo.bin; echo 'exit 0' >run.sh; chmod +x run.sh; fi\n\
         echo \"told to spend $budget in $worktree\"\n\
         echo '{\"total_cost_usd\": 0.021, \"usage\": {\"in\": 100, \"out\": 20}}'\n",
        "cost_pointer = \"/total_cost_usd\"\ninput_tokens_pointer = \"/usage/in\"\noutput_tokens_pointer = \"/usage/out\"",
    );
    let run = shop.start();
    run.until_printed("UNBOUNDED");
    let ended = run.wait().expect_code(0);
    assert!(ended.stdout.contains("agent that edits and its money are real"), "{}", ended.stdout);

    assert_eq!(shop.scratch.tasks()[0].state, TaskState::Completed);
    assert_eq!(shop.scratch.git(&["show", "main:sum.txt"]), "fixed\n");
    assert!(shop.scratch.git(&["ls-tree", "main", "run.sh"]).starts_with("100755"), "its mode is kept");
    assert_eq!(shop.scratch.git(&["cat-file", "-s", "main:logo.bin"]), "3\n");
    assert!(!shop.scratch.git(&["log", "main"]).contains("my own"), "only the engine makes history");
    let runs = shop.runs();
    assert_eq!(runs.len(), 2, "the change, and its mending");
    for run in &runs {
        assert_eq!((run.state, run.bound, run.actual), (CallState::Settled, BOUND, Some(MicroUsd::new(21_000))));
        assert_eq!((run.input_tokens, run.output_tokens), (100, 20));
    }
    assert!(shop.transcript().contains("told to spend 0.25 in /"), "{}", shop.transcript());
    assert_eq!(shop.attempts()[0].model, "agent/agent.sh");
    assert_eq!(shop.scratch.worktrees(), Vec::<String>::new());
    let refs = shop.scratch.git(&["for-each-ref", "refs/glitchlab"]);
    assert_eq!(refs, "", "what was kept of its steps goes with the attempt");
}

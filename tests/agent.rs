//! Programs that edit: real scripts, a real engine, real tests. Whatever such a program does, it is contained, charged
//! and reported, and nothing of it is left.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use glitchlab_domain::ledger::REAL;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::FailureKind;
use glitchlab_domain::rows::{AttemptRow, CallRow, CallState};
use glitchlab_domain::task::TaskState;
use glitchlab_domain::trace;

use crate::support::{LIMIT, Run, Scratch, bead, get, text, wait_for};

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
        fs::write(
            &agent,
            format!("#!/bin/sh\nprompt=$1 worktree=$2 budget=$3 out={}\n{script}", text(scratch.path())),
        )
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
            "--model",
            "simulated/fast",
            "--test",
            "grep -q fixed sum.txt",
            "--merge",
            "when_green",
            "--until-idle",
            "--budget-per-hour",
            "10",
            "--budget-per-day",
            "100",
            "--backlog",
            text(&backlog),
        ];
        given.iter().map(ToString::to_string).collect()
    }

    fn start(&self) -> Run {
        let arguments = self.arguments();
        self.scratch.start(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Lets the engine try the task once, and returns the attempt.
    fn run(&self) -> AttemptRow {
        let ended = self.start().wait();
        let attempt = self.attempts().pop();
        attempt.unwrap_or_else(|| panic!("no attempt\n{}\n{}", ended.stdout, ended.stderr))
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

/// Starts three daemons: in a session of its own, without a parent, and without its environment; all ignore SIGTERM.
const DAEMONS: &str = "trap '' TERM; echo $$ >>$out/pids\n\
    setsid sh -c \"echo \\$\\$ >>$out/pids; exec sleep 1000\" &\n\
    (setsid sh -c \"echo \\$\\$ >>$out/pids; exec sleep 1000\" &)\n\
    (env -i setsid /bin/sh -c \"echo \\$\\$ >>$out/pids; exec /bin/sleep 1000\" &)\n\
    while [ $(wc -l <$out/pids) -lt 4 ]; do sleep 0.02; done\n";
/// One attempt, and clocks of a second.
const ONCE: &str = "[work]\nattempts = 1\n";

#[test]
fn an_agent_that_traces_itself_finds_the_span_of_its_run() {
    let shop = Shop::new("echo $TRACEPARENT >$out/traceparent; echo fixed >sum.txt\n", "");
    let attempt = shop.run();
    let run = shop.runs().pop().expect("it was run");
    let told = fs::read_to_string(shop.scratch.path().join("traceparent")).expect("the agent wrote it");
    let trace_id = attempt.trace_id.expect("a task has a trace");
    assert_eq!(Some(told.trim()), trace::traceparent(&trace_id, trace::call_span(&run.key)).as_deref());
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
        assert_eq!(
            (run.state, run.bound, run.actual),
            (CallState::Settled, BOUND, Some(MicroUsd::new(21_000)))
        );
        assert_eq!((run.input_tokens, run.output_tokens), (100, 20));
    }
    assert!(shop.transcript().contains("told to spend 0.25 in /"), "{}", shop.transcript());
    assert_eq!(shop.attempts()[0].model, "agent/agent.sh");
    let (repo, store) = (shop.scratch.repo(), shop.scratch.store());
    let history = ["history", "--repo", text(&repo), "--store", text(&store)];
    let told = shop.scratch.launch(&history).wait().expect_code(0).stdout;
    assert!(told.contains("agent/agent.sh UNBOUNDED") && told.contains("-output.txt"), "{told}");
    assert_eq!(shop.scratch.worktrees(), Vec::<String>::new());
    let refs = shop.scratch.git(&["for-each-ref", "refs/glitchlab"]);
    assert_eq!(refs, "", "what was kept of its steps goes with the attempt");
}

#[test]
fn daemons_that_ignore_sigterm_and_a_silent_agent_are_gone_within_its_clock_and_charged() {
    let shop = Shop::new(
        &format!("{DAEMONS} echo half >half.txt; exec sleep 1000"),
        &format!("{ONCE}[watchdog]\nagent_silence = \"1s\"\nstart_grace = \"1ms\""),
    );
    let attempt = shop.run();
    assert_eq!(attempt.failure, Some(FailureKind::Stalled), "{}", attempt.detail);
    assert!(attempt.detail.contains("said nothing for 1 s"), "{}", attempt.detail);
    let pids = shop.pids();
    assert_eq!(pids.len(), 4);
    assert!(!pids.iter().any(|pid| lives(*pid)), "{pids:?}");
    let runs = shop.runs();
    assert_eq!((runs.len(), runs[0].state, runs[0].actual), (1, CallState::Unknown, Some(BOUND)));
    let task = &shop.scratch.tasks()[0];
    let learned = &task.learned.last().expect("the next attempt is told").discoveries;
    assert!(learned.iter().any(|found| found.contains("half.txt")), "{learned:?}");
}

#[test]
fn an_agent_that_talks_and_changes_nothing_is_ended_by_the_other_clock() {
    let shop = Shop::new(
        "while :; do echo thinking; sleep 0.1; done",
        &format!("{ONCE}[watchdog]\nwork_product = \"1s\"\nstart_grace = \"1ms\""),
    );
    let attempt = shop.run();
    assert_eq!(attempt.failure, Some(FailureKind::NoProgress), "{}", attempt.detail);
    assert!(attempt.detail.contains("changed nothing for 1 s"), "{}", attempt.detail);
    assert!(shop.transcript().contains("thinking"));
}

#[test]
fn a_flood_is_cut_and_the_environment_it_prints_has_no_key_of_ours_and_none_that_can_be_read() {
    let shop = Shop::new(
        "env; printf 'first %s\\n' \"$MENDER_LOGIN\"; yes flood | head -c 20000000; echo last; echo fixed >sum.txt",
        "[sandbox]\npass_env = [\"MENDER_LOGIN\"]",
    );
    let arguments = shop.arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let limits = "export MENDER_LOGIN=correcthorsebattery OUR_API_KEY=staplestaplestaple";
    shop.scratch.start_under(limits, &arguments).wait().expect_code(0);
    assert_eq!(shop.scratch.tasks()[0].state, TaskState::Completed);
    let said = shop.transcript();
    assert!(said.len() < 2 * 1024 * 1024, "{} bytes", said.len());
    assert!(said.contains("bytes left out") && said.contains("last"));
    assert!(
        said.contains("MENDER_LOGIN=[redacted]") && said.contains("first [redacted]"),
        "{}",
        &said[..2_000]
    );
    assert!(!said.contains("correcthorse") && !said.contains("OUR_API_KEY") && !said.contains("staple"));
    let database = fs::read(shop.scratch.store()).expect("the store is read");
    let is_in = |secret: &[u8]| database.windows(secret.len()).any(|bytes| bytes == secret);
    assert!(!is_in(b"correcthorse") && !is_in(b"staplestaple"), "no secret is in the store");
}

#[test]
fn an_agent_that_says_it_is_done_and_changed_nothing_has_made_no_progress() {
    let shop = Shop::new("echo 'All tests pass!'; exit 0", ONCE);
    let attempt = shop.run();
    assert_eq!(attempt.failure, Some(FailureKind::NoProgress), "{}", attempt.detail);
    assert!(attempt.detail.contains("All tests pass!"), "{}", attempt.detail);
    assert_eq!(shop.runs()[0].actual, Some(BOUND));
}

#[test]
fn a_lie_about_the_cost_is_charged_at_the_bound_and_more_than_the_bound_in_full() {
    let charged = |cost: &str| {
        let script = format!("echo fixed >sum.txt; echo '{{\"cost\": {cost}}}'");
        let shop = Shop::new(&script, "cost_pointer = \"/cost\"");
        shop.run();
        let run = shop.runs().remove(0);
        (run.state, run.actual.map_or(0, MicroUsd::micro))
    };
    assert_eq!(charged("-3"), (CallState::Unknown, BOUND.micro()));
    assert_eq!(charged("0"), (CallState::Unknown, BOUND.micro()));
    assert_eq!(charged("0.9"), (CallState::Settled, 900_000));
}

#[test]
fn nothing_of_an_agent_survives_a_kill_of_the_engine_and_the_task_goes_on_without_its_half_work() {
    let shop = Shop::new(
        &format!(
            "if [ -f $out/pids ]; then cat half.txt 2>/dev/null; echo fixed >sum.txt; exit 0; fi\n\
             echo half >half.txt; git add .; git commit -qm half; {DAEMONS} exec sleep 1000"
        ),
        "",
    );
    let first = shop.start();
    wait_for(LIMIT, || (shop.pids().len() == 4).then_some(())).expect("the agent is at work");
    first.kill();
    let pids = shop.pids();
    let gone = wait_for(LIMIT, || (!pids.iter().any(|pid| lives(*pid))).then_some(()));
    assert!(gone.is_some(), "{pids:?} live on without an engine");

    let arguments = shop.arguments();
    let endless: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|flag| *flag != "--until-idle").collect();
    let second = shop.scratch.start(&endless);
    let is_done = || shop.scratch.tasks().first().is_some_and(|task| task.state == TaskState::Completed);
    wait_for(LIMIT, || is_done().then_some(())).expect("the task is done");
    let attempt = shop.attempts().pop().expect("the attempt").attempt_id;
    let page = get(&second.address(), "/tasks/a-1");
    let link = page.split("href=\"").find(|rest| rest.starts_with(&format!("/transcripts/{attempt}/")));
    let link = link.and_then(|rest| rest.split('"').next()).unwrap_or_else(|| panic!("no link\n{page}"));
    let said = get(&second.address(), link);
    assert!(page.contains("UNBOUNDED") && said.contains("text/plain") && said.contains("charged"), "{said}");
    assert!(get(&second.address(), "/transcripts/..%2f..%2fstate/1").starts_with("HTTP/1.1 404"));
    second.signal("TERM");
    let second = second.wait().expect_code(0);
    assert_eq!(shop.scratch.tasks()[0].state, TaskState::Completed, "{}", second.stdout);
    assert_eq!(shop.attempts().len(), 1, "the same attempt went on");
    let files = shop.scratch.git(&["ls-tree", "--name-only", "main"]);
    assert!(files.contains("sum.txt") && !files.contains("half.txt"), "{files}");
    assert!(!shop.transcript().contains("half"), "{}", shop.transcript());
    let states: Vec<_> = shop.runs().iter().map(|run| (run.state, run.actual)).collect();
    assert_eq!(states, [(CallState::Unknown, Some(BOUND)), (CallState::Unknown, Some(BOUND))]);
}

#[test]
fn a_program_that_is_not_there_and_a_command_that_says_nothing_are_refused_at_the_start() {
    let shop = Shop::new("", "");
    fs::remove_file(&shop.agent).expect("the agent is gone");
    let ended = shop.start().wait().expect_code(69);
    assert!(ended.stderr.contains("is not there"), "{}", ended.stderr);
    let repo = shop.scratch.repo();
    let doctor = ["doctor", "--repo", text(&repo), "--model", "simulated/fast", "--test", "true"];
    let found = shop.scratch.launch(&doctor).wait();
    assert!(found.stdout.contains("agent.sh` is not there"), "{}", found.stdout);
    shop.scratch.configure("[agent]\nkind = \"command\"\ncommand = [\"agent\"]\n");
    let ended = shop.start().wait().expect_code(78);
    assert!(ended.stderr.contains("no argument has {prompt_file}"), "{}", ended.stderr);
    let arguments = shop.arguments();
    let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    arguments.extend(["--agent", "acp"]);
    let ended = shop.scratch.start(&arguments).wait();
    assert!(ended.stderr.contains("does not know `acp` yet"), "{}", ended.stderr);
}

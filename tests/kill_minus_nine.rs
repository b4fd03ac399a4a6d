//! `kill -9` at random instants, again and again, then a run to the end: nothing lost, nothing done twice.

use std::time::Duration;

use glitchlab_domain::rows::CallState;
use glitchlab_domain::task::TaskState;

use crate::support::{Scratch, bead, blocked_by, pause, text};

/// How often the suite kills; `GLITCHLAB_KILLS` asks for more.
const KILLS: u32 = 25;

#[expect(clippy::disallowed_methods, reason = "a knob of this test alone")]
fn kills() -> u32 {
    std::env::var("GLITCHLAB_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS)
}

fn backlog(count: u32) -> String {
    let line = |n: u32| {
        let id = format!("k-{n}");
        let is_blocked = n.is_multiple_of(5) && n > 0;
        let more = if is_blocked { blocked_by(&id, &format!("k-{}", n - 1)) } else { String::new() };
        bead(&id, n % 4, &more)
    };
    (0..count).map(line).collect()
}

#[test]
fn after_every_kill_the_run_goes_on_without_losing_paying_or_merging_twice() {
    let scratch = Scratch::new();
    std::fs::write(scratch.repo().join("mine.txt"), "not committed\n").expect("a file is written");
    let before = scratch.git(&["status", "--porcelain"]);
    let backlog = scratch.backlog(&backlog(12 + 3 * kills()));
    let test = format!("sleep 0.05; test -f {}/repo/README.md", text(scratch.path()));
    let arguments = [
        "--model",
        "simulated/fast",
        "--test",
        &test,
        "--merge",
        "when_green",
        "--max-open",
        "0",
        "--workers",
        "4",
        "--budget-per-hour",
        "100",
        "--budget-per-day",
        "1000",
        "--until-idle",
        "--backlog",
        text(&backlog),
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for kill in 0..kills() {
        let run = scratch.start(&arguments);
        // Any instant will do: from before the first row to the middle of a merge.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        pause(Duration::from_millis(100 + seed % 1_900));
        eprintln!("kill {kill} of process {}", run.pid());
        run.kill();
    }
    let last = scratch.start(&arguments).wait().expect_code(0);

    let tasks = scratch.tasks();
    let undone: Vec<_> = tasks.iter().filter(|task| task.state != TaskState::Completed).collect();
    assert!(undone.is_empty(), "{undone:?}\n{}", last.stdout);
    for (task, count) in scratch.merges() {
        assert_eq!(count, 1, "{task} was merged {count} times");
    }
    let merged = tasks.iter().filter(|task| task.merged.is_some()).count();
    assert_eq!(scratch.merges().len(), merged);
    the_ledger_covers_the_account(&scratch);
    assert_eq!(scratch.git(&["status", "--porcelain"]), before, "the user's checkout is as it was");
    assert_eq!(scratch.locks(), Vec::<std::path::PathBuf>::new());
    assert_eq!(scratch.worktrees(), Vec::<String>::new(), "{}", last.stderr);
}

fn the_ledger_covers_the_account(scratch: &Scratch) {
    let account = scratch.account();
    let calls = scratch.calls();
    for call in &calls {
        let billed = account.get(&call.key.to_string()).copied();
        let charged = call.actual.expect("no call is open at the end").micro();
        match call.state {
            CallState::Settled => assert_eq!(billed, Some(charged), "{}", call.key),
            CallState::Unknown => assert!(charged >= billed.unwrap_or(0), "{}", call.key),
            CallState::Open => panic!("{} is open at the end", call.key),
        }
    }
    for key in account.keys() {
        assert!(
            calls.iter().any(|call| call.key.to_string() == *key),
            "{key} was billed and is not in the ledger"
        );
    }
    let unknown = calls.iter().filter(|call| call.state == CallState::Unknown).count();
    let most = 4 * usize::try_from(kills()).expect("a small number");
    assert!(unknown <= most, "{unknown} calls are unknown, more than the tries in flight at {most} kills");
}

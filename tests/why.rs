//! Why nothing starts: the page, its JSON and the command say it in the same words, whatever the reason is.

use std::time::Duration;

use glitchlab_domain::reason::{Group, Reason, ReasonKind};
use glitchlab_domain::why::{TaskWhy, Why};

use crate::support::{Ended, Run, Scratch, bead, blocked_by, get, text, wait_for};

const MODEL: [&str; 3] = ["--model", "simulated/fast?seed=3", "--allow-untested"];

/// Runs `glitchlab why` beside an engine, or without one.
fn ask(scratch: &Scratch, backlog: &std::path::Path, more: &[&str]) -> Ended {
    let (repo, store) = (scratch.repo(), scratch.store());
    let own = ["why", "--repo", text(&repo), "--store", text(&store), "--backlog", text(backlog)];
    let output = scratch.program(&[&own, more].concat()).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { status: output.status, stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

fn asked(scratch: &Scratch, backlog: &std::path::Path) -> Why {
    let json = ask(scratch, backlog, &["--json"]).expect_code(0).stdout;
    serde_json::from_str(&json).expect("it is JSON")
}

fn shown(run: &Run) -> Why {
    let answer = get(&run.address(), "/api/v1/why");
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    let from = body.find('{').expect("JSON");
    let to = body.rfind('}').expect("JSON");
    serde_json::from_str(&body[from..=to]).expect("it is JSON")
}

/// Looks again and again until the page says what is looked for.
fn until_shown(run: &Run, is_it: impl Fn(&Why) -> bool) -> Why {
    let look = || Some(shown(run)).filter(|why| is_it(why));
    let found = wait_for(Duration::from_secs(90), look);
    found.unwrap_or_else(|| panic!("it was never said\n{:#?}\n{}", shown(run), run.stderr()))
}

fn has(why: &Why, kind: ReasonKind) -> bool {
    why.groups.iter().flat_map(|lines| &lines.entries).any(|entry| entry.reason.kind() == kind)
}

#[test]
fn the_page_and_the_command_say_the_same_of_a_running_engine_and_the_command_of_a_dead_one() {
    let scratch = Scratch::new();
    let others = bead("c", 1, r#","labels":["human"]"#) + &bead("d", 2, "") + &bead("e", 2, "");
    let backlog = scratch.backlog(&(bead("a", 0, "") + &bead("b", 1, &blocked_by("b", "a")) + &others));
    let run = scratch.start(&[&MODEL[..], &["--max-open", "1", "--backlog", text(&backlog)]].concat());
    let page =
        until_shown(&run, |why| has(why, ReasonKind::TooManyOpenRequests) && has(why, ReasonKind::InReview));
    assert_eq!(page.headline.text, "The next task waits for merges");
    let said = Why { as_of_ms: page.as_of_ms, ..asked(&scratch, &backlog) };
    assert_eq!(said, page, "the same words, the same counts, the same instants");

    let words = ask(&scratch, &backlog, &[]).expect_code(0).stdout;
    let html = get(&run.address(), "/why");
    for needle in ["The next task waits for merges", "InReview", "BlockedBy: a", "Label: human"] {
        assert!(words.contains(needle) && html.contains(needle), "{needle}\n{words}\n{html}");
    }
    let you = get(&run.address(), "/why?group=you");
    assert!(you.contains("2 things wait for you") && !you.contains("Label: human"), "{you}");

    let json = ask(&scratch, &backlog, &["b", "--json"]).expect_code(0).stdout;
    let blocked: TaskWhy = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(blocked.headline, "b does not start: blocked by a");
    assert_eq!(blocked.blockers[0].stands, "a waits for you: its branch waits for a merge");

    run.kill();
    let dead = asked(&scratch, &backlog);
    assert_eq!((dead.running, dead.headline.text.as_str()), (false, "No engine runs"));
    // The limit was that engine's; the next one has that of the settings.
    assert!(dead.headline.detail.contains("If one ran: d starts next."), "{:?}", dead.headline);
    assert_eq!(dead.lines(Group::Tasks), page.lines(Group::Tasks));
}

#[test]
fn a_limit_that_a_reload_changed_is_said_with_its_new_number_on_the_page_and_by_the_command() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&["a", "b", "c"].map(|id| bead(id, 1, "")).concat());
    scratch.configure("[forge]\nmax_open = 1\n");
    let run = scratch.start(&[&MODEL[..], &["--backlog", text(&backlog)]].concat());
    let limit = |why: &Why| {
        let entries = why.groups.iter().flat_map(|lines| &lines.entries);
        entries.into_iter().find_map(|entry| match entry.reason {
            Reason::TooManyOpenRequests { limit, .. } => Some(limit),
            _ => None,
        })
    };
    until_shown(&run, |why| limit(why) == Some(1));
    scratch.configure("[forge]\nmax_open = 2\n");
    until_shown(&run, |why| limit(why) == Some(2));
    let heard = || (limit(&asked(&scratch, &backlog)) == Some(2)).then_some(());
    assert!(wait_for(Duration::from_secs(20), heard).is_some(), "{:#?}", asked(&scratch, &backlog));
    run.kill();
}

#[test]
fn without_an_engine_ever_it_says_what_would_start_and_an_unknown_task_is_a_usage_error() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&(bead("gl-9f2.4", 0, "") + &bead("gl-k2v", 1, "")));
    let why = asked(&scratch, &backlog);
    assert!(why.headline.detail.contains("If one ran: gl-9f2.4 starts next."), "{:?}", why.headline);
    assert!(!scratch.store().exists(), "a question writes nothing");
    let unknown = ask(&scratch, &backlog, &["gl-9f24"]).expect_code(2);
    assert!(
        unknown.stderr.contains("no task has the id gl-9f24; did you mean gl-9f2.4?"),
        "{}",
        unknown.stderr
    );
    let second = ask(&scratch, &backlog, &["gl-k2v"]).expect_code(0).stdout;
    assert!(second.contains("gl-k2v is ready, number 2 in the queue"), "{second}");
}

#[test]
fn a_full_disk_is_said() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&bead("a", 1, ""));
    scratch.configure("[store]\nmin_free_disk = \"900TiB\"\n");
    let run = scratch.start(&[&MODEL[..], &["--backlog", text(&backlog)]].concat());
    let page = until_shown(&run, |why| has(why, ReasonKind::DiskLow) && why.headline.reason.is_some());
    assert_eq!(page.headline.text, "The disk is almost full");
    let said = asked(&scratch, &backlog);
    assert_eq!(said.headline.text, page.headline.text);
    run.kill();
}

#[test]
fn a_store_that_takes_no_writes_is_said() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&bead("a", 1, r#","labels":["human"]"#));
    let arguments = [&MODEL[..], &["--backlog", text(&backlog)]].concat();
    let run = scratch.start_under("trap '' XFSZ", &arguments);
    until_shown(&run, |why| has(why, ReasonKind::Label));
    // From now on no file of the engine may grow, as on a full disk.
    let pid = run.pid().to_string();
    let limit = std::process::Command::new("prlimit").args(["--pid", &pid, "--fsize=16384"]).status();
    assert!(limit.expect("prlimit runs").success());
    let page = until_shown(&run, |why| has(why, ReasonKind::StoreUnavailable));
    assert_eq!(page.headline.text, "The store refuses writes");
    run.kill();
}

#[test]
fn a_drain_is_said() {
    let scratch = Scratch::new();
    let backlog = scratch.backlog(&(bead("a", 0, "") + &bead("b", 1, "")));
    let test = ["--model", "simulated/fast?seed=3", "--test", "sleep 30", "--backlog", text(&backlog)];
    let run = scratch.start(&test);
    until_shown(&run, |why| has(why, ReasonKind::NoFreeWorker));
    run.signal("TERM");
    let page = until_shown(&run, |why| has(why, ReasonKind::ShuttingDown));
    assert_eq!(page.headline.text, "The engine is shutting down");
    run.kill();
}

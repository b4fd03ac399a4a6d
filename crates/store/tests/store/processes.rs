//! Real processes on one file: each with its own idea of the caps, killed and started again, judged by what the provider
//! says it billed. The provider is a file that every process appends to: a line is written when a request is answered,
//! whatever becomes of the process that asked.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Program, Stdio};
use std::time::{Duration, Instant};

use glitchlab_domain::command::{Bearer, BootBearer, Command, Reply, Settle, TakeOver};
use glitchlab_domain::id::{BootId, Fence};
use glitchlab_domain::ledger::{Bounds, Head, tokens_scope};
use glitchlab_domain::money::{MicroUsd, Price};
use glitchlab_store::{Queue, Reader, Sqlite};
use tokio::task::JoinSet;

use crate::commands::{SCOPE, bead, bearer, boot, claim, reserve, settle, start};
use crate::open::{Hands, Open};

/// Says to this program that it is one of the processes: the folder, and what it is told.
const TOLD: &str = "GLITCHLAB_TEST_SPENDS";
/// How long the account has not changed when all that could be spent is spent.
const QUIET: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(120);
const WORKERS: usize = 8;
const FREE: Price = Price { input_per_mtok_micro: 0, output_per_mtok_micro: 0 };
const PRICED: Price = Price { input_per_mtok_micro: 1_000_000, output_per_mtok_micro: 1_000_000 };

/// What a process is told, as words.
#[derive(Clone)]
struct Told {
    folder: PathBuf,
    boot: &'static str,
    cap: i64,
    tokens: u64,
    dead: &'static str,
}

impl Told {
    fn begin(&self) -> Process {
        let words = format!("{} {} {} {}", self.boot, self.cap, self.tokens, self.dead);
        let mut program = Program::new(std::env::current_exe().unwrap());
        program.args(["--exact", "processes::a_process_that_spends", "--test-threads=1"]);
        program.env(TOLD, words).current_dir(&self.folder);
        program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let process = Process(program.spawn().unwrap());
        until(|| account(&self.folder).started.contains(self.boot));
        process
    }
}

/// A process that ends with the test at the latest.
struct Process(Child);

impl Process {
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    fn wait(mut self) {
        assert!(self.0.wait().unwrap().success(), "it did not end well");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LIMIT, "it never came");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// The account as it stands.
#[derive(Default)]
struct Account {
    started: BTreeSet<String>,
    micro: i64,
    tokens: i64,
    /// Of what was asked after somebody had lowered the cap.
    micro_after: i64,
}

fn account(folder: &Path) -> Account {
    let text = fs::read_to_string(folder.join("account")).unwrap_or_default();
    let (mut account, mut is_lowered, mut asked_after) = (Account::default(), false, BTreeSet::new());
    // The last line may be half written.
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["started", boot] => drop(account.started.insert(boot.to_owned())),
            ["lowered"] => is_lowered = true,
            ["asked", key] if is_lowered => drop(asked_after.insert(key.to_owned())),
            ["billed", key, micro, tokens] => {
                let micro: i64 = micro.parse().unwrap();
                account.micro += micro;
                account.tokens += tokens.parse::<i64>().unwrap();
                account.micro_after += if asked_after.contains(key) { micro } else { 0 };
            }
            _ => {}
        }
    }
    account
}

fn until_quiet(folder: &Path) {
    let (mut last, mut since) = (0, Instant::now());
    until(|| account(folder).tokens > 0);
    let began = Instant::now();
    while since.elapsed() < QUIET {
        assert!(began.elapsed() < LIMIT, "it spends for ever");
        let now = account(folder).tokens;
        if now != last {
            (last, since) = (now, Instant::now());
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// Lets everybody end, and compares both ledgers with the log of all calls.
fn end(folder: &Path, processes: impl IntoIterator<Item = Process>) {
    fs::write(folder.join("stop"), "").unwrap();
    processes.into_iter().for_each(Process::wait);
    run(async {
        let reader = Reader::Sqlite(Sqlite::readers(&folder.join("state.db")).await.unwrap());
        let calls = reader.calls(SCOPE).await.unwrap();
        for scope in [SCOPE.to_owned(), tokens_scope(SCOPE)] {
            let head = reader.ledger(&scope, i64::MIN).await.unwrap().unwrap();
            let summed = Head::summed_up(&scope, calls.iter(), head.last_ms);
            let totals = |head: &Head| (head.reserved, head.sum_hour, head.sum_day, head.settled_total);
            assert_eq!(totals(&head), totals(&summed), "{scope}");
        }
    });
}

#[test]
fn processes_that_are_killed_and_disagree_about_the_caps_keep_the_lower_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (cap, tokens) = (45_000, 120_000);
    let told = |boot, dead| Told { folder: folder.path().to_owned(), boot, cap, tokens, dead };
    let first = told("b1", "-").begin();
    // It asks for more, while another one lives.
    let second = Told { cap: 2 * cap, tokens: 2 * tokens, ..told("b2", "-") }.begin();
    until(|| account(folder.path()).micro > cap / 4);
    second.kill();
    let third = Told { cap: 2 * cap, ..told("b3", "b2") }.begin();
    until(|| account(folder.path()).micro > cap / 2);
    first.kill();
    let fourth = Told { tokens: 2 * tokens, ..told("b4", "b1") }.begin();
    until_quiet(folder.path());
    end(folder.path(), [third, fourth]);
    let account = account(folder.path());
    // What a killed process had on its way is charged at its bound, whether it was billed or not.
    assert!(account.micro <= cap && account.micro > cap * 9 / 10, "{} of {cap}", account.micro);
    let tokens = i64::try_from(tokens).unwrap();
    assert!(account.tokens <= tokens && account.tokens > tokens * 9 / 10, "{} of {tokens}", account.tokens);
}

#[test]
fn a_cap_that_one_process_lowers_counts_for_the_other_at_its_next_reservation() {
    let folder = tempfile::tempdir().unwrap();
    let told = |boot| Told {
        folder: folder.path().to_owned(),
        boot,
        cap: 1_000_000_000,
        tokens: 100_000,
        dead: "-",
    };
    let both = [told("b1").begin(), told("b2").begin()];
    until(|| account(folder.path()).micro > 10_000);
    fs::write(folder.path().join("lower"), "").unwrap();
    until_quiet(folder.path());
    end(folder.path(), both);
    let account = account(folder.path());
    assert_eq!(account.micro_after, 0, "{} in all", account.micro);
    assert!(account.tokens <= 100_000 && account.tokens > 90_000, "what costs no dollars went on");
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// The other side: it does nothing unless one of the tests above has started it.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test that starts itself again says so by a variable")]
fn a_process_that_spends() {
    let Ok(words) = std::env::var(TOLD) else { return };
    let [boot_id, cap, tokens, dead] = words.split(' ').collect::<Vec<_>>()[..] else { panic!("{words}") };
    let dead = Some(BootId::from(dead)).filter(|dead| dead.as_str() != "-");
    run(spend(boot(boot_id), cap.parse().unwrap(), tokens.parse().unwrap(), dead));
}

fn write(line: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open("account").unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

async fn spend(by: BootBearer, cap: i64, tokens: u64, dead: Option<BootId>) {
    let store = Open::sqlite(Path::new("state.db"), by.boot_id.as_str(), &Hands::new()).await;
    let mut begin = start(&by, SCOPE, (cap, cap), dead.as_slice());
    if let Command::StartBoot { terms, .. } = &mut begin {
        terms.tokens_per_day = Some(tokens);
    }
    store.ask(begin).await.unwrap();
    settle_for(&store, dead.as_ref()).await;
    let bearers = match &dead {
        Some(dead) => taken_over(&store, &by, dead).await,
        None => claimed(&store, &by).await,
    };
    let mut workers = JoinSet::new();
    for bearer in bearers {
        workers.spawn(work(store.queue.clone(), bearer));
    }
    write(&format!("started {}", by.boot_id));
    if by.boot_id.as_str() == "b1" {
        workers.spawn(lower(store.queue.clone(), by));
    }
    workers.join_all().await;
    drop(store.close().await);
}

fn names_of(boot_id: &BootId) -> impl Iterator<Item = String> {
    (0..WORKERS).map(move |n| format!("{boot_id}-{n}"))
}

async fn claimed(store: &Open, by: &BootBearer) -> Vec<Bearer> {
    let beads = names_of(&by.boot_id).map(|name| bead(&name, "a task")).collect();
    store.ask(Command::Sync { beads }).await.unwrap();
    let mut bearers = Vec::new();
    for name in names_of(&by.boot_id) {
        assert!(matches!(store.ask(claim(by, &name, &name, SCOPE, 0)).await, Ok(Reply::Claimed(_))));
        bearers.push(bearer(&name, &name));
    }
    bearers
}

async fn taken_over(store: &Open, by: &BootBearer, dead: &BootId) -> Vec<Bearer> {
    let mut bearers = Vec::new();
    for name in names_of(dead) {
        let old = bearer(&name, &name);
        let fence = Fence::new(format!("{name} of {}", by.boot_id));
        let take = TakeOver {
            by: by.clone(),
            task_key: old.task_key.clone(),
            attempt_id: old.attempt_id.clone(),
            old_fence: old.fence,
            old_boot: dead.clone(),
            fence: fence.clone(),
            slot: "worker-1".to_owned(),
            max_attempts: 3,
        };
        assert!(matches!(store.ask(Command::TakeOver(take)).await, Ok(Reply::Claimed(_))));
        bearers.push(Bearer { fence, ..bearer(&name, &name) });
    }
    bearers
}

/// What a dead process left open is charged at its bound.
async fn settle_for(store: &Open, dead: Option<&BootId>) {
    let left = store.reader.open_calls().await.unwrap();
    for call in left.into_iter().filter(|call| Some(&call.boot_id) == dead) {
        let unknown = Settle {
            by: None,
            key: call.key,
            task_key: call.task_key,
            root_key: call.root_key,
            scope: call.scope,
            paid: None,
            reply: None,
            error: None,
            latency_ms: 0,
            response: None,
            prompt: Vec::new(),
        };
        store.ask(Command::Settle(unknown)).await.unwrap();
    }
}

/// Every second call costs dollars; all use tokens.
async fn work(queue: Queue, by: Bearer) {
    // Each process numbers its calls from a place of its own.
    let mut call_no = (std::process::id() % 100_000) * 10_000;
    while !Path::new("stop").exists() {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let price = if call_no.is_multiple_of(2) { PRICED } else { FREE };
        let bounds = Bounds { prompt_tokens: 60, max_out: 40, floor_out: 20, price };
        let key = format!("{}/{call_no}", by.attempt_id);
        write(&format!("asked {key}"));
        let answer = queue.submit(reserve(&by, call_no, SCOPE, bounds)).await.expect("the store answers");
        if let Ok(Reply::Wait(_)) = answer {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if let Ok(Reply::Granted(grant)) = answer {
            let output = grant.max_out().min(30);
            let cost = price.cost(60, output);
            write(&format!("billed {key} {} {}", cost.micro(), 60 + output));
            let mut settle = settle(&by, call_no, SCOPE, Some(cost.micro()));
            if let Command::Settle(Settle { paid: Some(paid), .. }) = &mut settle {
                (paid.input_tokens, paid.output_tokens) = (60, output);
            }
            queue.submit(settle).await.expect("the store answers").expect("it pays");
        }
        call_no += 1;
    }
}

/// Lowers the cap in dollars to almost nothing when it is told to.
async fn lower(queue: Queue, by: BootBearer) {
    while !Path::new("stop").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if Path::new("lower").exists() {
            let cap = MicroUsd::new(1);
            let lower = Command::LowerCaps { by, scope: SCOPE.to_owned(), cap_hour: cap, cap_day: cap };
            queue.submit(lower).await.expect("the store answers").expect("it lives");
            write("lowered");
            return;
        }
    }
}

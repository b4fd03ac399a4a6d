//! Commands as tests write them.

use glitchlab_domain::command::{Bearer, BootBearer, Claim, Command, Paid, Reserve, Settle, TaskCaps};
use glitchlab_domain::id::{AttemptId, BootId, Fence, TaskKey, TryKey};
use glitchlab_domain::ledger::{Bounds, Terms};
use glitchlab_domain::money::{MicroUsd, Price};
use glitchlab_domain::response::{CacheUse, Message, Response, STOP};
use glitchlab_domain::rows::ProcessRow;
use glitchlab_domain::stage::Stage;
use glitchlab_domain::task::SourceTask;

pub(crate) const SCOPE: &str = "real";

pub(crate) fn boot(id: &str) -> BootBearer {
    BootBearer { boot_id: BootId::from(id), fence: Fence::new(format!("fence-of-{id}")) }
}

pub(crate) fn start(by: &BootBearer, scope: &str, caps: (i64, i64), dead: &[BootId]) -> Command {
    let process = ProcessRow {
        boot_id: by.boot_id.clone(),
        fence: by.fence.clone(),
        host: "here".to_owned(),
        pid: 1,
        start_ticks: 1,
        repo_id: "repo".to_owned(),
        scope: scope.to_owned(),
        listen: String::new(),
        started_ms: 0,
        lease_until_ms: i64::MAX,
        alive: true,
        rules: None,
        backlog: String::new(),
        begun: Vec::new(),
    };
    Command::StartBoot {
        process,
        scope: scope.to_owned(),
        cap_hour: MicroUsd::new(caps.0),
        cap_day: MicroUsd::new(caps.1),
        terms: Terms::default(),
        dead: dead.to_vec(),
    }
}

pub(crate) fn bead(id: &str, title: &str) -> SourceTask {
    SourceTask {
        key: TaskKey::from(id),
        repo_id: "repo".to_owned(),
        bead_id: format!("bead-{id}").as_str().into(),
        source: "file".to_owned(),
        parent: None,
        title: title.to_owned(),
        body: String::new(),
        priority: 1,
        kind: "task".to_owned(),
        labels: vec!["a".to_owned()],
        created_ms: 0,
        state: "open".to_owned(),
        rev: title.to_owned(),
    }
}

pub(crate) fn claim(by: &BootBearer, task: &str, attempt: &str, scope: &str, hold: i64) -> Command {
    Command::Claim(Claim {
        by: by.clone(),
        task_key: TaskKey::from(task),
        attempt_id: AttemptId::from(attempt),
        fence: bearer(task, attempt).fence,
        slot: "worker-1".to_owned(),
        repo_id: "repo".to_owned(),
        scope: scope.to_owned(),
        hold: MicroUsd::new(hold),
        hold_tokens: 0,
        ahead: None,
        model: "m".to_owned(),
        simulated: false,
        max_attempts: 3,
        trace_id: "0".repeat(32),
        branch: "branch".to_owned(),
    })
}

/// The right that a claim made by [`claim`] gives.
pub(crate) fn bearer(task: &str, attempt: &str) -> Bearer {
    let fence = Fence::new(format!("fence-of-{attempt}"));
    Bearer { task_key: TaskKey::from(task), attempt_id: AttemptId::from(attempt), fence }
}

/// A micro-dollar a token.
pub(crate) fn bounds(prompt_tokens: u64, max_out: u64, floor_out: u64) -> Bounds {
    let price = Price { input_per_mtok_micro: 1_000_000, output_per_mtok_micro: 1_000_000 };
    Bounds { prompt_tokens, max_out, floor_out, price }
}

pub(crate) fn reserve(by: &Bearer, call_no: u32, scope: &str, bounds: Bounds) -> Command {
    Command::Reserve(Reserve {
        by: by.clone(),
        key: key(by, call_no),
        scope: scope.to_owned(),
        root_key: by.task_key.clone(),
        task_caps: TaskCaps::default(),
        stage: Stage::Implement,
        model: "m".to_owned(),
        input_hash: format!("h{call_no}"),
        bounds,
    })
}

fn prompt(call_no: u32) -> Vec<Message> {
    let message = |text: &str| Message { role: "user".to_owned(), text: text.to_owned() };
    if call_no == 0 { Vec::new() } else { vec![message("what?"), message("and now?")] }
}

fn response(call_no: u32) -> Response {
    Response {
        id: format!("r{call_no}"),
        model: "m-1".to_owned(),
        finish_reasons: vec![STOP.to_owned()],
        cache: (call_no > 0).then_some(CacheUse { read_tokens: 1, written_tokens: 0 }),
    }
}

pub(crate) fn settle(by: &Bearer, call_no: u32, scope: &str, paid: Option<i64>) -> Command {
    Command::Settle(Settle {
        by: Some(by.clone()),
        key: key(by, call_no),
        task_key: by.task_key.clone(),
        root_key: by.task_key.clone(),
        scope: scope.to_owned(),
        paid: paid.map(|micro| Paid { cost: MicroUsd::new(micro), input_tokens: 2, output_tokens: 3 }),
        reply: Some(format!("reply to {call_no}")),
        error: None,
        latency_ms: 7,
        response: Some(Box::new(response(call_no))),
        prompt: prompt(call_no),
    })
}

pub(crate) fn key(by: &Bearer, call_no: u32) -> TryKey {
    TryKey { attempt_id: by.attempt_id.clone(), step_n: 0, call_no, try_no: 0 }
}

//! A ledger in miniature, so that tests have real grants: only `decide` makes them.

use glitchlab_domain::command::{Bearer, BootBearer, Claim, Command, Reply, Reserve, Stamp, TaskCaps};
use glitchlab_domain::decide::decide;
use glitchlab_domain::id::{AttemptId, BootId, Fence, TaskKey, TryKey};
use glitchlab_domain::ledger::{Bounds, Grant, Terms};
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::rows::{ProcessRow, Rows};
use glitchlab_domain::task::SourceTask;

use super::*;

fn apply(rows: &mut Rows, command: &Command) -> Reply {
    let stamp = Stamp { now_ms: 1_000, nonce: "nonce".into(), entropy: 0 };
    let writes = decide(rows, command, &stamp).unwrap();
    writes.rows.into_iter().for_each(|write| rows.apply(write));
    writes.reply
}

fn boot() -> Command {
    let process = serde_json::json!({
        "boot_id": "boot", "fence": "boot-fence", "host": "host", "pid": 1, "start_ticks": 1, "repo_id": "repo",
        "listen": "", "started_ms": 0, "lease_until_ms": 10_000, "alive": true,
    });
    let process: ProcessRow = serde_json::from_value(process).unwrap();
    let cap = MicroUsd::new(1_000_000_000);
    Command::StartBoot {
        process,
        scope: "s".into(),
        cap_hour: cap,
        cap_day: cap,
        terms: Terms::default(),
        dead: Vec::new(),
    }
}

fn bead() -> SourceTask {
    SourceTask {
        key: TaskKey::new("task"),
        repo_id: "repo".into(),
        bead_id: BeadId::from("gl-1"),
        source: "jsonl".into(),
        parent: None,
        title: "title".into(),
        body: String::new(),
        priority: 0,
        kind: "task".into(),
        labels: Vec::new(),
        created_ms: 0,
        state: "open".into(),
        rev: String::new(),
    }
}

fn claim() -> Claim {
    Claim {
        by: BootBearer { boot_id: BootId::new("boot"), fence: Fence::new("boot-fence") },
        task_key: TaskKey::new("task"),
        attempt_id: AttemptId::new("attempt"),
        fence: Fence::new("fence"),
        slot: "worker-1".into(),
        repo_id: "repo".into(),
        scope: "s".into(),
        hold: MicroUsd::new(1),
        hold_tokens: 1,
        ahead: None,
        model: "simulated/fast".into(),
        simulated: true,
        max_attempts: 3,
        trace_id: String::new(),
        branch: "branch".into(),
    }
}

/// Makes a grant of 1 000 prompt tokens and at most 4 096 output tokens.
pub(crate) fn grant(try_no: u32) -> Grant {
    let mut rows = Rows::default();
    apply(&mut rows, &boot());
    apply(&mut rows, &Command::Sync { beads: vec![bead()] });
    apply(&mut rows, &Command::Claim(claim()));
    let attempt_id = AttemptId::new("attempt");
    let ask = Reserve {
        by: Bearer {
            task_key: TaskKey::new("task"),
            attempt_id: attempt_id.clone(),
            fence: Fence::new("fence"),
        },
        key: TryKey { attempt_id, step_n: 0, call_no: 0, try_no },
        scope: "s".into(),
        root_key: TaskKey::new("task"),
        task_caps: TaskCaps::default(),
        stage: Stage::ArchitectTriage,
        model: "simulated/fast".into(),
        input_hash: String::new(),
        bounds: Bounds {
            prompt_tokens: 1_000,
            max_out: 4_096,
            floor_out: 512,
            price: Price { input_per_mtok_micro: 1_000_000, output_per_mtok_micro: 1_000_000 },
        },
    };
    match apply(&mut rows, &Command::Reserve(ask)) {
        Reply::Granted(grant) => grant,
        other => panic!("no grant but {other:?}"),
    }
}

/// Asks a question of the stage with so many bytes.
pub(crate) fn request(bead: &str, stage: Stage, bytes: usize) -> Request {
    Request {
        bead_id: BeadId::from(bead),
        generation: 0,
        stage,
        attempt_n: 1,
        step_n: 0,
        call_no: 0,
        role: Role::of(stage),
        turns: vec![Turn::user("x".repeat(bytes))],
        max_out: 4_096,
    }
}

/// Money whose loss nobody minds.
pub(crate) fn money(try_no: u32) -> Reservation {
    Reservation::new(grant(try_no), |_| {})
}

#[test]
fn the_bound_of_a_prompt_is_its_bytes_and_a_constant_for_each_message() {
    let mut request = request("gl-1", Stage::Planner, 0);
    request.turns = vec![Turn::system("abc"), Turn::user("dé")];
    assert_eq!(prompt_bound(&request), 3 + 3 + 3 * 16);
}

//! What is set aside for a conversation of 40 growing questions, and what it costs.

use std::fmt::Write as _;
use std::sync::Arc;

use glitchlab_domain::bead::BeadId;
use glitchlab_domain::ledger::Bounds;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::stage::Stage;
use glitchlab_models::simulated::{Profile, Simulated};
use glitchlab_models::{Account, Model, Prompts, Request, Role, Turn, prompt_bound};
use glitchlab_pipeline::durable::{Ask, Durable, Reserved};
use glitchlab_pipeline::fakes::{Fuse, MemoryDurable, MemoryLog};

const QUESTIONS: u32 = 40;
/// What a tool has to say after each reply.
const RESULT_BYTES: usize = 1_600;

#[derive(Default)]
struct Sums {
    prompt_reserved: u64,
    prompt_billed: u64,
    reserved: i64,
    settled: i64,
}

pub(crate) fn table() -> String {
    let mut table = "| model | prompts, reserved / billed: by bytes | by difference | money, reserved / settled: by bytes | by difference |\n|---|---|---|---|---|\n".to_owned();
    for profile in [Profile::Fast, Profile::Realistic] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without input and output needs nothing but threads");
        let (name, bytes) = runtime.block_on(converse(profile, false));
        let (_, difference) = runtime.block_on(converse(profile, true));
        let prompts = [&bytes, &difference].map(|sums| ratio(sums.prompt_reserved, sums.prompt_billed));
        let money = [&bytes, &difference]
            .map(|sums| ratio(sums.reserved.unsigned_abs(), sums.settled.unsigned_abs()));
        let _ =
            writeln!(table, "| `{name}` | {} | {} | {} | {} |", prompts[0], prompts[1], money[0], money[1]);
    }
    table
}

fn ratio(reserved: u64, settled: u64) -> String {
    let hundredths = reserved * 100 / settled.max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

async fn converse(profile: Profile, by_difference: bool) -> (String, Sums) {
    let clock: glitchlab_models::account::Clock = Arc::new(|| 1_772_366_400_000);
    let account = Account::memory(Arc::clone(&clock));
    let model = Simulated::new(profile, 1, account.clone());
    let cap = MicroUsd::new(1_000_000_000);
    let log = MemoryLog::new(clock, cap, cap);
    let durable = log.durable(&log.claim("gl-1", "A long talk", "attempt"), Fuse::never());
    let (prompts, mut sums) = (Prompts::default(), Sums::default());
    let mut turns = vec![Turn::system("Rules. ".repeat(200)), Turn::user("A task. ".repeat(300))];
    for call_no in 0..QUESTIONS {
        let request = Request {
            bead_id: BeadId::from("gl-1"),
            generation: 0,
            stage: Stage::Implement,
            attempt_n: 1,
            step_n: 0,
            call_no,
            role: Role::Implementer,
            turns: turns.clone(),
            max_out: model.max_out(Role::Implementer),
        };
        let bound = if by_difference { prompts.bound(&request) } else { prompt_bound(&request) };
        let reply = answered(&durable, &model, &request, bound, &prompts, &mut sums).await;
        turns.extend([Turn::assistant(reply), Turn::user("r".repeat(RESULT_BYTES))]);
    }
    (model.id().to_owned(), sums)
}

/// Asks until the question is answered and its bill is known.
async fn answered(
    durable: &MemoryDurable,
    model: &Simulated,
    request: &Request,
    bound: u64,
    prompts: &Prompts,
    sums: &mut Sums,
) -> String {
    for try_no in 0.. {
        let bounds =
            Bounds { prompt_tokens: bound, max_out: request.max_out, floor_out: 512, price: model.price() };
        let ask = Ask {
            step_n: 0,
            call_no: request.call_no,
            try_no,
            stage: request.stage,
            model: model.id().to_owned(),
            input_hash: format!("{}/{try_no}", request.call_no),
            bounds,
        };
        let Ok(Reserved::Granted(money)) = durable.reserve(ask).await else { continue };
        let reserved = money.bound().micro();
        let spent = model.call(money, request).await;
        let (result, paid) = (spent.result().ok().map(str::to_owned), spent.paid());
        if durable.settle(spent.into_settlement()).await.is_err() {
            continue;
        }
        if let (Some(text), Some(paid)) = (result, paid) {
            sums.prompt_reserved += bound;
            sums.prompt_billed += paid.input_tokens;
            sums.reserved += reserved;
            sums.settled += paid.cost.micro();
            prompts.remember(&request.turns, paid.input_tokens);
            return text;
        }
    }
    String::new()
}

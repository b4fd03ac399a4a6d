//! The line at the foot of a terminal that says where a run stands, for the person who watches it. Where stderr is no
//! terminal there is none, and log lines go out as they are.

use std::io::{self, Write};
use std::time::Duration;

use glitchlab_domain::snapshot::{Activity, Snapshot};
use glitchlab_store::clock;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::watch;
use tracing_subscriber::fmt::MakeWriter;

use crate::output::one_line;
use crate::times;

/// How often the line is written anew: what waits for an instant counts down.
const TICK: Duration = Duration::from_secs(1);
/// How often it may change in a second.
const RATE: u8 = 4;

/// The foot of the terminal. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Foot {
    bar: ProgressBar,
}

impl Foot {
    /// Prepares it; nothing shows before [`Foot::follow`].
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(RATE));
        bar.set_style(ProgressStyle::with_template("{wide_msg}").expect("the template is sound"));
        Self { bar }
    }

    /// Shows where the engine stands until the foot is cleared.
    pub(crate) fn follow(&self, mut snapshot: watch::Receiver<std::sync::Arc<Snapshot>>) {
        if self.bar.is_hidden() {
            return;
        }
        let bar = self.bar.clone();
        tokio::spawn(async move {
            while !bar.is_finished() {
                let line = line(&snapshot.borrow_and_update(), clock::wall()());
                bar.set_message(line);
                bar.tick();
                // The engine may end before its last word was shown.
                let changed = tokio::time::timeout(TICK, snapshot.changed()).await;
                if matches!(changed, Ok(Err(_))) {
                    return;
                }
            }
        });
    }

    /// Takes the line away for good: what follows are the last words.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// Writes log lines above the foot.
impl<'a> MakeWriter<'a> for Foot {
    type Writer = Above;

    fn make_writer(&'a self) -> Above {
        Above { bar: self.bar.clone() }
    }
}

/// Takes the foot away while it writes.
pub(crate) struct Above {
    bar: ProgressBar,
}

impl Write for Above {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.bar.suspend(|| io::stderr().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn line(snapshot: &Snapshot, now_ms: i64) -> String {
    let queue = &snapshot.queue;
    let mut parts = vec![doing(snapshot, now_ms)];
    parts.push(format!("{} done", queue.completed));
    let some = |count: u64, what: &str| (count > 0).then(|| format!("{count} {what}"));
    parts.extend(some(queue.in_review, "in review"));
    parts.extend(some(queue.pending, "to come"));
    parts.extend(some(queue.blocked, "blocked"));
    parts.extend(some(queue.needs_you, "need you"));
    let usage = &snapshot.money.usage;
    let simulated = if snapshot.engine.simulated { " SIMULATED" } else { "" };
    parts.push(format!("{} of {} this hour{simulated}", usage.hour + usage.reserved, usage.cap_hour));
    one_line(&parts.join(" · "))
}

/// What runs, or why nothing does.
fn doing(snapshot: &Snapshot, now_ms: i64) -> String {
    let running: Vec<String> = snapshot
        .lanes
        .iter()
        .filter_map(|lane| lane.task.as_ref())
        .map(|task| {
            let stage = task.waiting.as_ref().map_or_else(
                || task.stage.map_or("starts", |stage| stage.word()).to_owned(),
                |wait| format!("waits: {}", wait.reason),
            );
            format!("{} {stage}", task.bead_id)
        })
        .collect();
    let draining = if snapshot.activity == Activity::Draining { "finishing " } else { "" };
    if !running.is_empty() {
        return format!("{draining}{}", running.join(", "));
    }
    match (&snapshot.admission, snapshot.activity) {
        (Some(wait), _) => {
            let until = wait.until_ms.map(|until| format!(" until {}", times::until(until, now_ms)));
            format!("waits: {}{}", wait.reason, until.unwrap_or_default())
        }
        (None, Activity::Starting) => "starting".to_owned(),
        (None, Activity::Running) => "between two tasks".to_owned(),
        (None, Activity::Waiting) => "waiting".to_owned(),
        (None, Activity::Idle) => "nothing is ready".to_owned(),
        (None, Activity::Draining) => "finishing".to_owned(),
        (None, Activity::Stopped) => "stopped".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use glitchlab_domain::ledger::Usage;
    use glitchlab_domain::money::MicroUsd;
    use glitchlab_domain::reason::{Reason, Wait};
    use glitchlab_domain::snapshot::{Lane, LaneTask, Money, Queue};
    use glitchlab_domain::stage::Stage;

    use super::*;

    fn snapshot() -> Snapshot {
        let usage = Usage {
            hour: MicroUsd::new(410_000),
            reserved: MicroUsd::new(90_000),
            cap_hour: MicroUsd::new(5_000_000),
            ..Usage::default()
        };
        Snapshot {
            queue: Queue { completed: 3, pending: 2, needs_you: 1, ..Queue::default() },
            money: Money { usage, ..Money::default() },
            ..Snapshot::default()
        }
    }

    #[test]
    fn a_running_task_is_named_with_its_stage_beside_what_is_done_and_spent() {
        let lane = |task: LaneTask| Lane { slot: "worker-1".into(), task: Some(task) };
        let task = LaneTask { bead_id: "al-5".into(), stage: Some(Stage::Test), ..LaneTask::default() };
        let running = Snapshot { lanes: vec![lane(task)], activity: Activity::Running, ..snapshot() };
        assert_eq!(
            line(&running, 0),
            "al-5 test · 3 done · 2 to come · 1 need you · $0.50 of $5.00 this hour"
        );
    }

    #[test]
    fn a_wait_is_said_with_its_instant_and_hostile_text_stays_one_line() {
        let reason = Reason::Paused { by: "eve\n".into(), why: String::new() };
        let wait = Wait { reason, until_ms: Some(65_000) };
        let paused = Snapshot { admission: Some(wait), activity: Activity::Waiting, ..snapshot() };
        let line = line(&paused, 5_000);
        assert!(line.contains("until 00:01:05Z (in 1 m 00 s) · 3 done"), "{line}");
        assert!(!line.contains('\n'), "{line}");
    }
}

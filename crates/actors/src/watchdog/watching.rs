//! The watching: a look each tick, and whatever follows from it.

use std::sync::Arc;
use std::time::Duration;

use glitchlab_domain::event::EventKind;
use glitchlab_domain::watchdog::{Finding, Gap, Judgement, Measure, Watch};
use glitchlab_runtime::{TaskScope, TreeSnapshot};

use super::eyes::Eyes;
use super::measures;
use super::own_process::Said;
use super::record::{self, Record};
use crate::engine::Engine;

/// One life of the watching.
pub(super) struct Watching {
    engine: Arc<Engine>,
    eyes: Eyes,
    watch: Watch,
    /// The scheduler's looks when the service manager last heard of them.
    told_looks: u64,
}

impl Watching {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        let watch = Watch::new(engine.settings.watchdog);
        Self { eyes: Eyes::new(Arc::clone(&engine)), watch, told_looks: 0, engine }
    }

    /// Watches until it is told to end.
    pub(super) async fn run(mut self, scope: &TaskScope) {
        record::tell_untold(&self.engine);
        self.engine.own.say(Said::Ready);
        let tick = Duration::from_millis(self.watch.limits().tick_ms());
        loop {
            tokio::select! {
                () = scope.cancelled() => break,
                () = self.engine.gate.draining() => break,
                () = tokio::time::sleep(tick) => self.look(scope).await,
            }
        }
        self.engine.own.say(Said::Stopping);
        // The way down has limits of its own, but threads can be blocked on it as well.
        while !scope.is_cancelled() {
            tokio::select! {
                () = scope.cancelled() => return,
                () = tokio::time::sleep(tick) => self.look(scope).await,
            }
        }
    }

    async fn look(&mut self, scope: &TaskScope) {
        let Some((look, tree)) = self.eyes.look() else { return };
        let Judgement { gap, findings, is_well } = self.watch.look(&look);
        scope.progress();
        if let Some(gap) = gap {
            self.note_gap(gap);
        }
        for finding in findings {
            let seen = Record::new(&self.engine, finding, &look, &tree);
            self.act(seen).await;
        }
        self.tell(is_well, look.engine.looks, &tree);
    }

    async fn act(&self, seen: Record) {
        let Finding { clock, subject, detail, age_ms, measure, .. } = &seen.finding;
        let (seconds, trouble) = (age_ms / 1_000, clock.trouble());
        tracing::error!(event = "watchdog.found", "{subject} ({detail}): {trouble}, for {seconds} s");
        if *measure == Measure::Process {
            return measures::restart_process(&self.engine, seen).await;
        }
        // A subtree takes its time to stop, and the watching goes on meanwhile.
        let engine = Arc::clone(&self.engine);
        tokio::spawn(async move { measures::take(&engine, seen).await });
    }

    fn note_gap(&self, gap: Gap) {
        let Gap { asleep_ms, jump_ms } = gap;
        record::note(&self.engine, EventKind::ClockGap { asleep_ms, jump_ms });
    }

    /// Only a loop that has advanced is alive; an idle scheduler still looks now and then.
    fn tell(&mut self, is_well: bool, looks: u64, tree: &TreeSnapshot) {
        if is_well && looks != self.told_looks {
            self.told_looks = looks;
            let running = self.engine.slots.iter().filter(|slot| slot.task.running().is_some()).count();
            let line = format!("{running} tasks run, up for {} s", tree.as_of_ms / 1_000);
            self.engine.own.say(Said::Alive(&line));
        }
    }
}

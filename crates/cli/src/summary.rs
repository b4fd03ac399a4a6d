//! What was done and what is left, and why: the last words of a run.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use glitchlab_actors::Engine;
use glitchlab_backlog::Polled;
use glitchlab_domain::bead::BeadId;
use glitchlab_domain::board::{Board, SUBTASK};
use glitchlab_domain::ledger::Usage;
use glitchlab_domain::task::{TaskRow, TaskState};

use crate::output::one_line;

/// How many ids a line names before it only counts.
const NAMED: usize = 12;

/// The state of the backlog at the end of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Tasks of the backlog that were completed.
    pub(crate) completed: usize,
    /// Sub-tasks of ours that were completed.
    pub(crate) subtasks: usize,
    /// Epics that were closed.
    pub(crate) epics_closed: usize,
    /// Branches that wait for a merge.
    pub(crate) in_review: Vec<BeadId>,
    /// Tasks that wait for a person, each with its reason.
    pub(crate) needs_you: Vec<(BeadId, String)>,
    /// Everything else that is left, by reason.
    pub(crate) left: BTreeMap<String, Vec<BeadId>>,
    /// Circles of waiting.
    pub(crate) cycles: Vec<Vec<BeadId>>,
    /// The ledger.
    pub(crate) usage: Usage,
    /// Why nothing new could start.
    pub(crate) held: Vec<String>,
    /// The money is pretended.
    pub(crate) simulated: bool,
}

impl Summary {
    /// Looks at the store and the backlog.
    ///
    /// # Errors
    ///
    /// Returns what the store says.
    pub(crate) async fn of(engine: &Engine) -> anyhow::Result<Self> {
        let now_ms = engine.now_ms();
        let mut board = Board::new(engine.live.borrow().filter.clone(), now_ms);
        for task in engine.reader.tasks(&engine.repo_id).await? {
            board.take_task(task);
        }
        // A backlog that cannot be read now is left out; the log has said so.
        if let Ok(Polled::Changed(poll)) = engine.source.poll(None).await {
            poll.beads.iter().for_each(|bead| board.take_bead(bead));
        }
        let ledger = engine.reader.ledger(&engine.scope, now_ms).await?;
        let usage = ledger.map(|head| head.usage()).unwrap_or_default();
        let money = engine.board.borrow().held.as_ref().map(|wait| wait.reason.clone());
        let held =
            engine.gate.obstacles().into_iter().chain(money).map(|reason| reason.to_string()).collect();
        Ok(Self { held, simulated: engine.tools.is_simulated(), ..Self::from_board(&board, usage) })
    }

    fn from_board(board: &Board, usage: Usage) -> Self {
        let mut summary = Self { usage, ..Self::default() };
        let cycles = board.cycles();
        summary.cycles = cycles.into_iter().map(|cycle| [cycle.tasks, cycle.epics].concat()).collect();
        let circular: Vec<BeadId> = summary.cycles.iter().flatten().cloned().collect();
        let mut tasks: Vec<&TaskRow> = board.tasks().collect();
        tasks.sort_by(|a, b| a.bead_id.cmp(&b.bead_id));
        for task in tasks.into_iter().filter(|task| !circular.contains(&task.bead_id)) {
            summary.count(task, board);
        }
        summary
    }

    fn count(&mut self, task: &TaskRow, board: &Board) {
        let id = task.bead_id.clone();
        match task.state {
            TaskState::Completed if task.source == SUBTASK => self.subtasks += 1,
            TaskState::Completed if task.kind == "epic" => self.epics_closed += 1,
            TaskState::Completed => self.completed += 1,
            TaskState::InReview => self.in_review.push(id),
            TaskState::NeedsHuman | TaskState::Failed => {
                let why = task.reason.as_ref().map(ToString::to_string).unwrap_or_default();
                let last = task.learned.last().map(|learned| format!(" ({})", learned.obstacle));
                let why = why + &last.unwrap_or_default();
                self.needs_you.push((id, why));
            }
            _ if matches!(task.source_state.as_str(), "closed" | "tombstone") => {}
            _ => {
                let why =
                    board.why(&task.key).map_or_else(|| "ready".to_owned(), |reason| reason.to_string());
                self.left.entry(why).or_default().push(id);
            }
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Completed {} tasks and {} sub-tasks, closed {} epics. Spent {} in the last hour, {} in the last day{}.",
            self.completed,
            self.subtasks,
            self.epics_closed,
            self.usage.hour,
            self.usage.day,
            if self.simulated { ", all of it SIMULATED" } else { "" }
        )?;
        for why in &self.held {
            writeln!(f, "Nothing new could start: {why}")?;
        }
        if !self.in_review.is_empty() {
            writeln!(f, "Waiting for a merge, {}: {}", self.in_review.len(), named(&self.in_review))?;
        }
        for (id, why) in &self.needs_you {
            writeln!(f, "Needs you: {}: {}", one_line(id.as_str()), one_line(why))?;
        }
        for cycle in &self.cycles {
            writeln!(f, "Waits for itself and can never start: {}", named(cycle))?;
        }
        for (why, ids) in &self.left {
            writeln!(f, "Left, {}: {why}: {}", ids.len(), named(ids))?;
        }
        Ok(())
    }
}

fn named(ids: &[BeadId]) -> String {
    let mut text = ids.iter().take(NAMED).map(|id| one_line(id.as_str())).collect::<Vec<_>>().join(", ");
    if ids.len() > NAMED {
        // Writing to a string cannot fail.
        let _ = write!(text, " and {} more", ids.len() - NAMED);
    }
    text
}

//! What a batch changes in the list of tasks: an index over `attempt` and `task` with the sums of what has ended, costs of
//! sub-tasks added to those above. The rows stay the truth; a store that reads its maps needs none.

use std::collections::BTreeMap;

use glitchlab_domain::id::TaskKey;
use glitchlab_domain::outcome::Size;
use glitchlab_domain::rows::{AttemptRow, Rows, Write};
use glitchlab_domain::task::TaskRow;

/// How much of a task's id and title is searched, in characters.
const WORDS: usize = 300;

/// Returns what a list searches for words.
pub(crate) fn words(task: &TaskRow) -> String {
    let words: String = format!("{} {}", task.bead_id, task.title).chars().take(WORDS).collect();
    words.to_ascii_lowercase()
}

/// What is added to the line of each task.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) lines: BTreeMap<TaskKey, Change>,
    /// What tasks spent whose own rows the batch has not loaded, for the tasks above them.
    pub(crate) for_above: Vec<(TaskKey, Spent)>,
}

/// What is added to one line.
#[derive(Default)]
pub(crate) struct Change {
    /// The task as it is now, where that changed.
    pub(crate) task: Option<Seen>,
    /// The last attempt that was begun.
    pub(crate) begun: Option<Begun>,
    /// How many were begun.
    pub(crate) attempts: i64,
    pub(crate) size: Option<Size>,
    pub(crate) own: Spent,
    pub(crate) below: Spent,
    pub(crate) took_ms: i64,
    /// When the last attempt ended, ms UTC, if it did.
    pub(crate) ended_ms: Option<i64>,
}

/// What a line shows of its task.
pub(crate) struct Seen {
    pub(crate) repo_id: String,
    pub(crate) words: String,
    pub(crate) state: &'static str,
}

/// What a line shows of its last attempt.
pub(crate) struct Begun {
    pub(crate) model: String,
    pub(crate) at_ms: i64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) tokens: i64,
    pub(crate) micro: i64,
}

impl Spent {
    /// Returns what counts of an attempt: nothing until it has ended.
    fn of(attempt: Option<&AttemptRow>) -> Self {
        let ended = attempt.filter(|attempt| attempt.ended_ms.is_some());
        ended.map_or(Self::default(), |attempt| Self {
            tokens: i64::try_from(attempt.tokens).unwrap_or(i64::MAX),
            micro: attempt.cost.micro(),
        })
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.micro = self.micro.saturating_add(other.micro);
    }
}

impl Seen {
    fn of(task: &TaskRow) -> Self {
        Self { repo_id: task.repo_id.clone(), words: words(task), state: task.state.name() }
    }
}

impl Changes {
    /// Notes a write that `rows` do not hold yet.
    pub(crate) fn note(&mut self, rows: &Rows, write: &Write) {
        match write {
            Write::Task(task) => self.note_task(rows.tasks.get(&task.key), task),
            Write::Attempt(attempt) => self.note_attempt(rows, attempt),
            _ => {}
        }
    }

    fn note_task(&mut self, before: Option<&TaskRow>, task: &TaskRow) {
        if before.is_some_and(|before| before.state != task.state || before.title != task.title) {
            self.line(&task.key).task = Some(Seen::of(task));
        }
    }

    fn note_attempt(&mut self, rows: &Rows, attempt: &AttemptRow) {
        let before = rows.attempts.get(&attempt.attempt_id);
        if before.is_none() {
            self.begin(rows.tasks.get(&attempt.task_key), attempt);
        }
        let Some(ended_ms) = attempt.ended_ms else { return };
        let line = self.line(&attempt.task_key);
        line.size = attempt.size.or(line.size);
        if before.is_none_or(|before| before.ended_ms.is_none()) {
            line.took_ms += ended_ms - attempt.started_ms;
            line.ended_ms = Some(ended_ms);
        }
        let (was, is) = (Spent::of(before), Spent::of(Some(attempt)));
        self.spend(
            rows,
            &attempt.task_key,
            Spent { tokens: is.tokens - was.tokens, micro: is.micro - was.micro },
        );
    }

    fn begin(&mut self, task: Option<&TaskRow>, attempt: &AttemptRow) {
        let line = self.line(&attempt.task_key);
        line.task = task.map(Seen::of).or(line.task.take());
        line.begun = Some(Begun { model: attempt.model.clone(), at_ms: attempt.started_ms });
        line.attempts += 1;
        line.ended_ms = None;
    }

    /// What a sub-task costs, each task above it costs as well.
    fn spend(&mut self, rows: &Rows, key: &TaskKey, spent: Spent) {
        if spent == Spent::default() {
            return;
        }
        self.line(key).own.add(spent);
        match rows.tasks.get(key) {
            Some(task) => task.above.iter().for_each(|above| self.line(&above.key).below.add(spent)),
            None => self.for_above.push((key.clone(), spent)),
        }
    }

    fn line(&mut self, key: &TaskKey) -> &mut Change {
        self.lines.entry(key.clone()).or_default()
    }
}

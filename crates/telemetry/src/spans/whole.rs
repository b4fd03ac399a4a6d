//! The spans of tasks and attempts.

use glitchlab_domain::outcome::{FailureKind, Size, Status};
use glitchlab_domain::rows::AttemptRow;
use glitchlab_domain::stage::Stage;
use glitchlab_domain::task::{Round, TaskRow, TaskState};
use glitchlab_domain::trace::{accepted_span, attempt_span, step_span, task_span};

use super::{Attributes, Rows, Span, trace_id};
use crate::genai::usd;
use crate::names::{attribute, span};

impl Rows<'_> {
    /// The spans of the rounds of a task, the last of which may not be over.
    pub(super) fn task(&self, task: &TaskRow) -> Vec<Span> {
        let over = task.rounds.iter().filter_map(|round| self.round(task, round));
        let is_told = |accepted_ms: &i64| task.rounds.iter().all(|round| round.accepted_ms != *accepted_ms);
        let open =
            task.accepted_ms.filter(is_told).and_then(|accepted_ms| self.open_round(task, accepted_ms));
        over.chain(open).collect()
    }

    /// The span of a round that is over: whatever became of the task since, it stays as it was.
    pub(super) fn round(&self, task: &TaskRow, round: &Round) -> Option<Span> {
        let mut span = self.open_round(task, round.accepted_ms)?;
        let attributes = Attributes(span.attributes)
            .int(attribute::ATTEMPTS, round.runs)
            .maybe(attribute::SIZE, round.size.map(Size::name))
            .maybe(attribute::REQUEST, round.request.clone())
            .maybe(attribute::STATUS, status(round.state).map(Status::name))
            .maybe(attribute::ERROR, round.why.clone());
        span.attributes = attributes.0;
        span.end_ms = Some(round.over_ms);
        span.error.clone_from(&round.why);
        Some(span)
    }

    fn open_round(&self, task: &TaskRow, accepted_ms: i64) -> Option<Span> {
        let purse = self.purses.get(&task.root_key).filter(|_| task.key == task.root_key);
        let attributes = Attributes::default()
            .text(attribute::TASK_ID, task.bead_id.as_str())
            .maybe(attribute::GENAI_CONVERSATION, self.conversation(&task.root_key))
            .text(attribute::TITLE, &task.title)
            .text(attribute::KIND, &task.kind)
            .int(attribute::DEPTH, task.depth);
        let attributes = match purse {
            Some(purse) => attributes
                .int(attribute::TASK_TOKENS, purse.tokens)
                .float(attribute::TASK_COST_USD, usd(purse.settled)),
            None => attributes,
        };
        Some(Span {
            trace_id: trace_id(task.trace_id.as_deref())?,
            span_id: task_span(&task.key, accepted_ms),
            parent: task.made_by.as_ref().map(|attempt_id| step_span(attempt_id, Stage::Decompose, 0)),
            name: format!("{} {}", span::TASK, task.bead_id),
            is_client: false,
            start_ms: accepted_ms,
            end_ms: None,
            attributes: attributes.0,
            error: None,
        })
    }

    /// The mark that a task was accepted.
    pub(super) fn accepted(&self, task: &TaskRow) -> Option<Span> {
        let accepted_ms = task.accepted_ms?;
        let attributes = Attributes::default()
            .text(attribute::TASK_ID, task.bead_id.as_str())
            .maybe(attribute::GENAI_CONVERSATION, self.conversation(&task.root_key));
        Some(Span {
            trace_id: trace_id(task.trace_id.as_deref())?,
            span_id: accepted_span(&task.key, accepted_ms),
            parent: Some(task_span(&task.key, accepted_ms)),
            name: span::ACCEPTED.to_owned(),
            is_client: false,
            start_ms: accepted_ms,
            end_ms: Some(accepted_ms),
            attributes: attributes.0,
            error: None,
        })
    }

    /// The span of an attempt.
    pub(super) fn attempt(&self, row: &AttemptRow) -> Option<Span> {
        let error = row.failure.map(|_| row.detail.clone());
        let attributes = Attributes::default()
            .text(attribute::TASK_ID, row.bead_id.as_str())
            .maybe(attribute::GENAI_CONVERSATION, self.conversation(&row.root_key))
            .int(attribute::ATTEMPT, row.n)
            .text(attribute::ATTEMPT_ID, row.attempt_id.as_str())
            .text(attribute::SLOT, &row.slot)
            .text(attribute::BOOT_ID, row.boot_id.as_str())
            .text(attribute::MODEL, &row.model)
            .flag(attribute::SIMULATED, row.simulated)
            .maybe(attribute::SIZE, row.size.map(Size::name))
            .text(attribute::BRANCH, &row.branch)
            .int(attribute::FILES, row.files_changed)
            .int(attribute::TOKENS_TOTAL, row.tokens)
            .float(attribute::COST_USD, usd(row.cost))
            .maybe(attribute::STATUS, row.status.map(Status::name))
            .maybe(attribute::FAILURE, row.failure.map(FailureKind::name))
            .maybe(attribute::ERROR, error.clone());
        let attributes =
            if row.crashes > 0 { attributes.int(attribute::CRASHES, row.crashes) } else { attributes };
        Some(Span {
            trace_id: trace_id(row.trace_id.as_deref())?,
            span_id: attempt_span(&row.attempt_id),
            parent: row.accepted_ms.map(|accepted_ms| task_span(&row.task_key, accepted_ms)),
            name: span::ATTEMPT.to_owned(),
            is_client: false,
            start_ms: row.started_ms,
            end_ms: row.ended_ms,
            attributes: attributes.0,
            error,
        })
    }
}

/// The status of a task that we are done with.
const fn status(state: TaskState) -> Option<Status> {
    Some(match state {
        TaskState::InReview => Status::PrCreated,
        TaskState::Completed => Status::Completed,
        TaskState::NeedsHuman => Status::NeedsHuman,
        TaskState::Failed => Status::Failed,
        TaskState::Dropped => Status::Cancelled,
        TaskState::Decomposed => Status::Decomposed,
        TaskState::Blocked => Status::Blocked,
        TaskState::Open | TaskState::Running => return None,
    })
}

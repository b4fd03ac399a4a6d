//! The spans of tasks and attempts.

use glitchlab_domain::outcome::{FailureKind, Size, Status};
use glitchlab_domain::rows::AttemptRow;
use glitchlab_domain::stage::Stage;
use glitchlab_domain::task::{TaskRow, TaskState};
use glitchlab_domain::trace::{accepted_span, attempt_span, step_span, task_span};

use super::{Attributes, Rows, Span, trace_id};
use crate::genai::usd;
use crate::names::{attribute, span};

impl Rows<'_> {
    /// The span of a task that was accepted.
    pub(super) fn task(&self, task: &TaskRow) -> Option<Span> {
        let accepted_ms = task.accepted_ms?;
        let status = status(task.state);
        let error = task.over_ms.and(task.reason.as_ref()).map(ToString::to_string);
        let error = error.filter(|_| matches!(task.state, TaskState::Failed | TaskState::NeedsHuman));
        let purse = self.purses.get(&task.root_key).filter(|_| task.key == task.root_key);
        let attributes = Attributes::default()
            .text(attribute::TASK_ID, task.bead_id.as_str())
            .maybe(attribute::GENAI_CONVERSATION, self.conversation(&task.root_key))
            .text(attribute::TITLE, &task.title)
            .text(attribute::KIND, &task.kind)
            .int(attribute::DEPTH, task.depth)
            .int(attribute::ATTEMPTS, task.runs)
            .maybe(attribute::SIZE, task.size.map(Size::name))
            .maybe(attribute::REQUEST, task.request.clone().or_else(|| task.merged.clone()))
            .maybe(attribute::STATUS, status.map(Status::name))
            .maybe(attribute::ERROR, error.clone());
        let attributes = match purse {
            Some(purse) => attributes
                .int(attribute::TOKENS_TOTAL, purse.tokens)
                .float(attribute::COST_USD, usd(purse.settled)),
            None => attributes,
        };
        Some(Span {
            trace_id: trace_id(task.trace_id.as_deref())?,
            span_id: task_span(&task.key, accepted_ms),
            parent: task.made_by.as_ref().map(|attempt_id| step_span(attempt_id, Stage::Decompose, 0)),
            name: format!("{} {}", span::TASK, task.bead_id),
            is_client: false,
            start_ms: accepted_ms,
            end_ms: task.over_ms,
            attributes: attributes.0,
            error,
        })
    }

    /// The mark that a task was accepted.
    pub(super) fn accepted(&self, task: &TaskRow) -> Option<Span> {
        let accepted_ms = task.accepted_ms?;
        let attributes = Attributes::default()
            .text(attribute::TASK_ID, task.bead_id.as_str())
            .maybe(attribute::GENAI_CONVERSATION, self.conversation(&task.root_key))
            .text(attribute::TITLE, &task.title);
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

//! Spans. A stage's span has the stage's name.

use glitchlab_domain::stage::Stage;

/// The span of a task, from its first claim until we are done with it. Its name is this and the task's id.
pub const TASK: &str = "task";
/// A mark without length: the task was claimed for the first time. It is there long before the task's span.
pub const ACCEPTED: &str = "task.accepted";
/// The span of an attempt.
pub const ATTEMPT: &str = "attempt";
/// The span of one try of a model call. Its name is this and the model.
pub const CHAT: &str = "chat";
/// The span of one run of a program that works by itself. Its name is this and the program.
pub const INVOKE_AGENT: &str = "invoke_agent";
/// What a stage that runs the repository's tests does.
pub const EXECUTE_TOOL: &str = "execute_tool";

/// All stages, each of which has a span by its name.
pub const STAGES: [Stage; 10] = [
    Stage::ArchitectTriage,
    Stage::Planner,
    Stage::BudgetGate,
    Stage::Replan,
    Stage::Decompose,
    Stage::Implement,
    Stage::Test,
    Stage::Debug,
    Stage::Review,
    Stage::PullRequest,
];

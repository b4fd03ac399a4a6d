//! Spans. A stage's span has the stage's name.

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

/// All spans but those of stages: the name, the span that it lies in, and what it is.
pub const ALL: &[(&str, &str, &str)] = &[
    (
        "task {id}",
        "—, or the `decompose` of the task above",
        "A task, from its first claim until we are done with it",
    ),
    (
        ACCEPTED,
        "`task {id}`",
        "A mark without length: the task was claimed for the first time, long before its span is there",
    ),
    (ATTEMPT, "`task {id}`", "An attempt, however many processes it took"),
    ("chat {model}", "its stage", "One try of a call to a model, of the kind CLIENT"),
    ("invoke_agent {program}", "its stage", "One run of a program that works by itself, likewise"),
];

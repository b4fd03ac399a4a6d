//! Attributes of spans, metrics and log records.

/// The task's id in the backlog.
pub const TASK_ID: &str = "glitchlab.task_id";
/// The attempt at it.
pub const ATTEMPT_ID: &str = "glitchlab.attempt_id";
/// Which part of the engine worked: the stage's role.
pub const AGENT: &str = "glitchlab.agent";
/// The model, as the catalogue names it.
pub const MODEL: &str = "glitchlab.model";
/// Billed prompt tokens.
pub const TOKENS_PROMPT: &str = "glitchlab.tokens.prompt";
/// Billed output tokens.
pub const TOKENS_COMPLETION: &str = "glitchlab.tokens.completion";
/// Both together.
pub const TOKENS_TOTAL: &str = "glitchlab.tokens.total";
/// Dollars paid.
pub const COST_USD: &str = "glitchlab.cost_usd";
/// How it ended, such as `pr_created`.
pub const STATUS: &str = "glitchlab.status";
/// What went wrong, only when something did.
pub const ERROR: &str = "glitchlab.error";

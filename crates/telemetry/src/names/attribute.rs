//! Attributes of spans, metrics and log records, each with what it says.

/// Makes a constant of each name, and the table that the documentation is made from.
macro_rules! attributes {
    ($($constant:ident = $name:literal, $says:literal;)*) => {
        $(#[doc = $says] pub const $constant: &str = $name;)*

        /// All attributes of spans, with what they say.
        pub const ALL: &[(&str, &str)] = &[$(($name, $says)),*];
    };
}

attributes! {
    TASK_ID = "glitchlab.task_id", "The task's id in the backlog";
    TITLE = "glitchlab.title", "The task's title";
    KIND = "glitchlab.kind", "The task's issue type";
    DEPTH = "glitchlab.depth", "Levels of decomposition above the task";
    ATTEMPTS = "glitchlab.attempts", "Attempts ever started at the task";
    ATTEMPT = "glitchlab.attempt", "Which attempt of the task, counted from 1";
    ATTEMPT_ID = "glitchlab.attempt_id", "The attempt's id, as rows, branches and logs have it";
    SLOT = "glitchlab.slot", "The worker that ran it last";
    BOOT_ID = "glitchlab.boot_id", "The process that ran it last";
    CRASHES = "glitchlab.crashes", "How often a worker lost the attempt; only when one did";
    BRANCH = "glitchlab.branch", "The branch that the attempt wrote";
    REQUEST = "glitchlab.request", "The request or branch that came of the task";
    SIZE = "glitchlab.size", "The size that triage judged";
    AGENT = "glitchlab.agent", "Who did the thinking: architect, planner, implementer, reviewer";
    MODEL = "glitchlab.model", "The model, as the engine names it";
    SIMULATED = "glitchlab.simulated", "Money and work are pretended";
    TOKENS_PROMPT = "glitchlab.tokens.prompt", "Billed prompt tokens";
    TOKENS_COMPLETION = "glitchlab.tokens.completion", "Billed output tokens";
    TOKENS_TOTAL = "glitchlab.tokens.total", "Billed tokens, or those charged when nobody knows";
    COST_USD = "glitchlab.cost_usd", "Dollars paid, or the bound when nobody knows what was paid";
    TASK_TOKENS = "glitchlab.task.tokens", "Tokens of a root task so far: of all its attempts and parts, in all rounds";
    TASK_COST_USD = "glitchlab.task.cost_usd", "Dollars likewise";
    BOUND_USD = "glitchlab.bound_usd", "Dollars set aside for the try before it was made";
    DECISION = "glitchlab.budget_gate.decision", "What the budget gate said";
    SUBTASKS = "glitchlab.subtasks", "How many sub-tasks were made";
    FILES = "glitchlab.files_changed", "Files in the attempt's diff";
    SUMMARY = "glitchlab.summary", "What came of the step, in one line";
    STATUS = "glitchlab.status", "How it ended, such as `pr_created`";
    FAILURE = "glitchlab.failure", "The class of a failure";
    ERROR = "glitchlab.error", "What went wrong; only when something did";
    STEP = "glitchlab.step", "The step's number within its attempt, counted from 0";
    CALL = "glitchlab.call", "The call's number within its step, counted from 0";
    TRY = "glitchlab.try", "The try's number within its call, counted from 0";

    GENAI_OPERATION = "gen_ai.operation.name", "`chat`, `invoke_agent` or `execute_tool`";
    GENAI_CONVERSATION = "gen_ai.conversation.id", "The root task's id in the backlog";
    GENAI_AGENT = "gen_ai.agent.name", "The same as `glitchlab.agent`, or the program that works by itself";
    GENAI_TOOL = "gen_ai.tool.name", "The tool of a stage that asks no model";
    GENAI_PROVIDER = "gen_ai.provider.name", "Whose model it is";
    GENAI_REQUEST_MODEL = "gen_ai.request.model", "The model that was asked for";
    GENAI_MAX_TOKENS = "gen_ai.request.max_tokens", "The most output tokens that the try could use";
    GENAI_RESPONSE_MODEL = "gen_ai.response.model", "The model that answered, as its provider names it";
    GENAI_RESPONSE_ID = "gen_ai.response.id", "The provider's id of the reply";
    GENAI_FINISH_REASONS = "gen_ai.response.finish_reasons", "Why the reply ended: `stop`, or `length` when it had used up its output tokens";
    GENAI_INPUT_TOKENS = "gen_ai.usage.input_tokens", "Billed prompt tokens; on `chat` spans alone, so that nobody counts twice";
    GENAI_OUTPUT_TOKENS = "gen_ai.usage.output_tokens", "Billed output tokens, likewise";
    GENAI_CACHE_READ = "gen_ai.usage.cache_read.input_tokens", "Those of the billed prompt tokens that the provider read from its cache; only where it says so";
    GENAI_CACHE_CREATION = "gen_ai.usage.cache_creation.input_tokens", "Those that it wrote to its cache, likewise";
    GENAI_CACHE_WRITE = "gen_ai.usage.cache_write.input_tokens", "The same by its newer name";
    GENAI_COST = "gen_ai.usage.cost", "Dollars paid for the try";
    GENAI_INPUT = "gen_ai.input.messages", "What the model was asked, redacted and cut; only when `telemetry.prompts` is on";
    GENAI_OUTPUT = "gen_ai.output.messages", "What the model said, redacted; only when `telemetry.prompts` is on";
    LANGFUSE_COST = "langfuse.observation.cost_details", "The same for Langfuse, as JSON";
    ERROR_TYPE = "error.type", "The class of an error";
}

//! Metrics: their names, units, descriptions and labels.

/// A metric as everybody knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name for OpenTelemetry; Prometheus writes `_` for `.`, and lets a counter end in `_total`.
    pub name: &'static str,
    /// What it does.
    pub kind: Kind,
    /// Its unit in UCUM, with what is counted in braces.
    pub unit: &'static str,
    /// What it says, without an end.
    pub help: &'static str,
    /// Its attributes.
    pub labels: &'static [&'static str],
}

/// What a metric does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Rises until the process ends.
    Counter,
    /// Counts values by their size.
    Histogram,
    /// Is what it is now.
    Gauge,
}

impl Kind {
    /// Returns the word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Histogram => "histogram",
            Self::Gauge => "gauge",
        }
    }
}

/// How an attempt ended.
pub const STATUS: &str = "status";
/// The size that triage judged, `unknown` when it came to none.
pub const SIZE: &str = "size";
/// The model, or the program that edits.
pub const MODEL: &str = "model";
/// The part that a model plays, `unknown` for a call of an earlier version.
pub const ROLE: &str = "role";
/// What the budget gate says.
pub const DECISION: &str = "decision";
/// The class of a failure.
pub const CATEGORY: &str = "category";
/// The pattern.
pub const PATTERN: &str = "pattern";
/// The supervisor's path in the tree.
pub const SUPERVISOR: &str = "supervisor";
/// `hour` or `day`.
pub const WINDOW: &str = "window";

/// Attempts that ended.
pub const TASKS: Metric =
    counter("glitchlab.tasks.total", "{task}", "Attempts at tasks that ended, by status", &[STATUS]);
/// How long attempts took.
pub const TASK_DURATION: Metric = histogram(
    "glitchlab.tasks.duration_seconds",
    "s",
    "Time from the claim to the end of an attempt, waits included, by size",
    &[SIZE],
);
/// Charged tokens.
pub const TOKENS: Metric = counter(
    "glitchlab.tokens.used",
    "{token}",
    "Tokens that were charged; a call of unknown use is charged with all it could use",
    &[MODEL, ROLE],
);
/// Money.
pub const COST: Metric =
    counter("glitchlab.cost.usd", "{USD}", "Dollars that were charged, by model and role", &[MODEL, ROLE]);
/// Tasks that were split.
pub const DECOMPOSITIONS: Metric =
    counter("glitchlab.decompositions.total", "{task}", "Tasks that were decomposed", &[]);
/// How deep.
pub const DECOMPOSITION_DEPTH: Metric = histogram(
    "glitchlab.decompositions.depth",
    "{level}",
    "Levels of decomposition above the sub-tasks that were made",
    &[],
);
/// What the budget gate said.
pub const GATE_DECISIONS: Metric = counter(
    "glitchlab.budget_gate.decisions",
    "{decision}",
    "What the budget gate said to plans",
    &[DECISION],
);
/// Requests.
pub const PRS_CREATED: Metric = counter(
    "glitchlab.prs.created",
    "{request}",
    "Attempts that ended with a request or a branch to merge",
    &[],
);
/// Merges.
pub const PRS_MERGED: Metric =
    counter("glitchlab.prs.merged", "{request}", "Work that was merged, by us or as the forge told us", &[]);
/// Failures.
pub const FAILURES: Metric =
    counter("glitchlab.failures.total", "{failure}", "Attempts that failed, by category", &[CATEGORY]);
/// How long calls took.
pub const MODEL_LATENCY: Metric =
    histogram("glitchlab.model.latency_seconds", "s", "Time that a call to a model took, by model", &[MODEL]);
/// Calls that failed.
pub const MODEL_ERRORS: Metric =
    counter("glitchlab.model.errors", "{error}", "Calls to a model that failed, by model", &[MODEL]);
/// Patterns.
pub const PATTERNS: Metric =
    counter("glitchlab.tqm.patterns", "{pattern}", "Quality patterns that were detected", &[PATTERN]);
/// What may start.
pub const QUEUE_DEPTH: Metric =
    gauge("glitchlab.queue.depth", "{task}", "Tasks that are ready and wait", &[]);
/// What may not.
pub const QUEUE_BLOCKED: Metric =
    gauge("glitchlab.queue.blocked", "{task}", "Tasks that others block, or their own sub-tasks", &[]);
/// Supervisors that gave up.
pub const BREACHES: Metric = counter(
    "glitchlab.supervisor.breaches",
    "{breach}",
    "Supervisors that gave up after too many restarts",
    &[SUPERVISOR],
);
/// What the windows hold.
pub const BUDGET_USED: Metric = gauge(
    "glitchlab.budget.used_usd",
    "{USD}",
    "Dollars that a rolling window holds: settled within it, or set aside",
    &[WINDOW],
);
/// What they may hold.
pub const BUDGET_LIMIT: Metric =
    gauge("glitchlab.budget.limit_usd", "{USD}", "The cap of a rolling window in dollars", &[WINDOW]);

/// The metrics that are always there, in the order of the tables in the documentation.
pub const ALL: [Metric; 18] = [
    TASKS,
    TASK_DURATION,
    TOKENS,
    COST,
    DECOMPOSITIONS,
    DECOMPOSITION_DEPTH,
    GATE_DECISIONS,
    PRS_CREATED,
    PRS_MERGED,
    FAILURES,
    MODEL_LATENCY,
    MODEL_ERRORS,
    PATTERNS,
    QUEUE_DEPTH,
    QUEUE_BLOCKED,
    BREACHES,
    BUDGET_USED,
    BUDGET_LIMIT,
];

/// The operation: `chat`, or `invoke_agent` for a program that edits.
pub const OPERATION: &str = "gen_ai.operation.name";
/// Who answers: what stands before the `/` in the name of a model, or of a program: `agent`.
pub const PROVIDER: &str = "gen_ai.provider.name";
/// The model that was asked for.
pub const REQUEST_MODEL: &str = "gen_ai.request.model";
/// `input` or `output`.
pub const TOKEN_TYPE: &str = "gen_ai.token.type";
/// `text`, or `unknown` where no use was told.
pub const TOKEN_MODALITY: &str = "gen_ai.token.modality";
/// `_OTHER`, only for calls that failed.
pub const ERROR_TYPE: &str = "error.type";

/// Tokens of a call, by their type.
pub const GEN_AI_TOKEN_USAGE: Metric = histogram(
    "gen_ai.client.token.usage",
    "{token}",
    "Number of input and output tokens used",
    &[OPERATION, PROVIDER, REQUEST_MODEL, TOKEN_TYPE],
);
/// How long a call took.
pub const GEN_AI_OPERATION_DURATION: Metric = histogram(
    "gen_ai.client.operation.duration",
    "s",
    "GenAI operation duration",
    &[OPERATION, PROVIDER, REQUEST_MODEL, ERROR_TYPE],
);
/// The metrics of the released conventions.
pub const GEN_AI_RELEASED: [Metric; 2] = [GEN_AI_TOKEN_USAGE, GEN_AI_OPERATION_DURATION];

/// How long a call took.
pub const GEN_AI_INFERENCE_DURATION: Metric = histogram(
    "gen_ai.client.inference.duration",
    "s",
    "GenAI client inference operation duration",
    &[OPERATION, PROVIDER, REQUEST_MODEL, ERROR_TYPE],
);
/// Prompt tokens.
pub const GEN_AI_INPUT_TOKENS: Metric = counter(
    "gen_ai.client.inference.usage.input_tokens",
    "{token}",
    "The number of input (prompt) tokens used, including cached tokens",
    &[OPERATION, PROVIDER, REQUEST_MODEL, TOKEN_MODALITY],
);
/// Output tokens.
pub const GEN_AI_OUTPUT_TOKENS: Metric = counter(
    "gen_ai.client.inference.usage.output_tokens",
    "{token}",
    "The number of output (completion) tokens used, including reasoning tokens",
    &[OPERATION, PROVIDER, REQUEST_MODEL, TOKEN_MODALITY],
);
/// Prompt tokens of a call.
pub const GEN_AI_OPERATION_INPUT: Metric = histogram(
    "gen_ai.client.inference.operation.input_tokens",
    "{token}",
    "The number of input (prompt) tokens used per inference operation",
    &[OPERATION, PROVIDER, REQUEST_MODEL, ERROR_TYPE],
);
/// Output tokens of a call.
pub const GEN_AI_OPERATION_OUTPUT: Metric = histogram(
    "gen_ai.client.inference.operation.output_tokens",
    "{token}",
    "The number of output (completion) tokens used per inference operation",
    &[OPERATION, PROVIDER, REQUEST_MODEL, ERROR_TYPE],
);
/// The metrics of the latest conventions, v0.1.0.
pub const GEN_AI_LATEST: [Metric; 5] = [
    GEN_AI_INFERENCE_DURATION,
    GEN_AI_INPUT_TOKENS,
    GEN_AI_OUTPUT_TOKENS,
    GEN_AI_OPERATION_INPUT,
    GEN_AI_OPERATION_OUTPUT,
];

const fn counter(
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
) -> Metric {
    Metric { name, kind: Kind::Counter, unit, help, labels }
}

const fn histogram(
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
) -> Metric {
    Metric { name, kind: Kind::Histogram, unit, help, labels }
}

const fn gauge(
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
) -> Metric {
    Metric { name, kind: Kind::Gauge, unit, help, labels }
}

#[cfg(test)]
mod tests;
